"""`mingzhang backup` and `mingzhang restore`: the books out, and back in, proved."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bot.backup import BackupError, drill, forget_old, make_backup, restore_backup
from bot.cli.installation import Refused, environment, open_program, print_json, refusals
from bot.program import utc_now
from bot.settings import database_url as read_url

FOLDER = click.Path(file_okay=False, path_type=Path)


@contextmanager
def _refusals() -> Iterator[None]:
    with refusals():
        try:
            yield
        except BackupError as error:
            raise Refused(str(error)) from error


@click.group(invoke_without_command=True)
@click.option("--to", "folder", type=FOLDER, help="Where a new folder is made for it.")
@click.option("--keep", type=click.IntRange(1, 10_000), help="Delete all but so many there.")
@click.pass_context
def backup(context: click.Context, folder: Path | None, keep: int | None) -> None:
    """Write the books into a new folder: a dump, and a manifest of what it must hold.

    The keys that open personal data are not in it; keep them elsewhere. Of the settings only the
    database's address is read: another that is wrong leaves no night without a backup.
    """
    if context.invoked_subcommand is not None:
        return
    if folder is None:
        raise click.UsageError("say where to with --to")
    with _refusals(), environment() as given:
        made = make_backup(read_url(given), folder, utc_now())
    gone = forget_old(folder, keep) if keep is not None else []
    print_json({"backup": str(made), "deleted": gone})


@backup.command("drill")
@click.option("--from", "folder", type=FOLDER, help="A backup; without it one is made now.")
def drill_command(folder: Path | None) -> None:
    """Restore a backup into a scratch database, prove it, and drop it again.

    Exit code 1 when the keys of this installation are not those of what was restored.
    """
    with _refusals(), open_program() as program, tempfile.TemporaryDirectory() as kept:
        url = program.settings.database_url
        made = folder or make_backup(url, Path(kept), program.services.clock())
        proved, keys = drill(made, url, program.services.vault)
    print_json(
        {
            "proved": proved,
            "keys_open_personal_data": keys.opens,
            "hash_key_finds_people": keys.finds,
        }
    )
    if False in (keys.opens, keys.finds):
        sys.exit(1)


@click.command()
@click.option("--from", "folder", type=FOLDER, required=True, help="The backup.")
@click.option("--database-url", required=True, help="Of a new, empty database.")
def restore(folder: Path, database_url: str) -> None:
    """Put a backup into an empty database, and prove that what came out is what went in."""
    with _refusals():
        proved = restore_backup(folder, _checked(database_url))
    print_json({"restored": proved})


def _checked(url: str) -> str:
    return read_url({"DATABASE_URL": url})
