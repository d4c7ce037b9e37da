"""Books go out and come back the same, or it is said that they do not."""

import json
import secrets
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine, make_url, select, text

from billing.checks import run_checks
from billing.closing import trial_balance
from billing.db import RUNTIME_ROLE, Database, connect
from billing.people import Resident
from billing.privacy import Vault
from bot.backup import (
    DUMP,
    MANIFEST,
    BackupError,
    drill,
    forget_old,
    make_backup,
    read_manifest,
    restore_backup,
)
from bot.embedded.wheels import postgres_install
from bot.schema import alembic_config, migrate
from bot.vault_check import KeysTried
from tests.conftest import DATA_KEY, NOW, World

MakeDatabase = Callable[[str], str]


def change(url: str, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def count(url: str, statement: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        found: int = connection.execute(text(statement)).scalar_one()
    engine.dispose()
    return found


def test_the_restored_books_are_the_same_and_can_be_worked_with(
    world: World, make_database: MakeDatabase, tmp_path: Path
) -> None:
    made = make_backup(world.url, tmp_path / "new" / "folder", NOW)
    there = make_database("template0")
    proved = restore_backup(made, there)
    assert proved["failed_checks"] == []
    assert proved["rows"] > 500
    engine = connect(there)
    restored = Database(engine, lambda: None)
    with world.database.transaction() as before, restored.transaction() as after:
        ids = (world.community.id, None)
        assert trial_balance(after, *ids) == trial_balance(before, *ids)
        assert [result.rows for result in run_checks(after)] == [
            result.rows for result in run_checks(before)
        ]
    engine.dispose()
    with pytest.raises(BackupError, match="not empty"):
        restore_backup(made, there)


def test_nothing_readable_of_a_person_and_no_key_is_in_it(
    world: World, tmp_path: Path, vault: Vault
) -> None:
    made = make_backup(world.url, tmp_path, NOW)
    assert {path.name for path in made.iterdir()} == {DUMP, MANIFEST}
    assert all(path.stat().st_mode & 0o077 == 0 for path in [made, *made.iterdir()])
    with world.database.transaction() as session:
        sealed = list(session.scalars(select(Resident.name_sealed)))
    program = postgres_install() / "bin" / "pg_restore"
    readable = subprocess.run(
        [program, "--file=-", made / DUMP], capture_output=True, text=True, check=True
    ).stdout
    assert sealed[0] in readable
    assert [name for name in map(vault.open, sealed) if name in readable] == []
    assert DATA_KEY not in readable


def test_a_drill_proves_the_backup_and_leaves_no_database_behind(
    world: World, tmp_path: Path, vault: Vault
) -> None:
    databases = (
        "SELECT count(*) FROM pg_database WHERE datname LIKE current_database() || '_drill_%'"
    )
    made = make_backup(world.url, tmp_path, NOW)
    proved, keys = drill(made, world.url, vault)
    assert proved["accounts"] > 10
    assert keys == KeysTried(opens=True, finds=True)
    assert count(world.url, databases) == 0
    (made / DUMP).write_bytes(b"PGDMP nothing")
    with pytest.raises(BackupError, match="damaged"):
        drill(made, world.url, vault)
    assert count(world.url, databases) == 0


def test_a_manifest_that_says_something_else_than_the_dump_is_found_out(
    world: World, make_database: MakeDatabase, tmp_path: Path
) -> None:
    made = make_backup(world.url, tmp_path, NOW)

    def pretend(name: str, value: str) -> Path:
        copy = tmp_path / name
        shutil.copytree(made, copy)
        manifest = read_manifest(copy)
        manifest["figures"]["tables"]["bill_line"][name] = value
        (copy / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        return copy

    with pytest.raises(BackupError, match="bill_line"):
        restore_backup(pretend("rows", "1"), make_database("template0"))
    with pytest.raises(BackupError, match="bill_line"):
        restore_backup(pretend("digest", "1"), make_database("template0"))


def test_what_happens_meanwhile_is_not_in_it_at_all(
    world: World, tmp_path: Path, vault: Vault
) -> None:
    """The figures are read after the dump, from the dump's own snapshot."""
    from bot import backup

    dumped = backup._run

    def dump_then_change(*arguments: Any) -> None:
        change(world.url, "UPDATE community SET name = 'another'")
        dumped(*arguments)

    backup._run = dump_then_change
    try:
        made = make_backup(world.url, tmp_path, NOW)
    finally:
        backup._run = dumped
    drill(made, world.url, vault)


def test_a_folder_that_is_no_backup_or_cannot_be_written_is_refused(
    world: World, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="no backup"):
        read_manifest(tmp_path)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(BackupError, match="cannot be written"):
        make_backup(world.url, file, NOW)
    (tmp_path / "mingzhang-notes").mkdir()
    made = [make_backup(world.url, tmp_path, NOW + timedelta(days=day)).name for day in (-1, 0)]
    assert forget_old(tmp_path, 1) == made[:1]
    assert {path.name for path in tmp_path.iterdir()} == {"file", "mingzhang-notes", made[1]}
    with pytest.raises(BackupError, match="already"):
        make_backup(world.url, tmp_path, NOW)
    (tmp_path / MANIFEST).write_text("{}", encoding="utf-8")
    with pytest.raises(BackupError, match="damaged"):
        read_manifest(tmp_path)


def test_before_an_upgrade_the_books_of_the_older_schema_are_backed_up_and_restored(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    """The program's self-checks read columns that schema has not: they wait for the restored."""
    url = make_database("template0")
    engine = create_engine(url)
    command.upgrade(alembic_config(engine), "0019")
    engine.dispose()
    made = make_backup(url, tmp_path, NOW)
    assert read_manifest(made)["failed_checks"] is None
    proved = restore_backup(made, make_database("template0"))
    assert (proved["schema"], proved["failed_checks"]) == ("0019", [])


def test_the_owner_of_the_tables_needs_no_more_than_to_make_databases(
    make_database: MakeDatabase, tmp_path: Path, vault: Vault
) -> None:
    """As the guide sets it up: no superuser."""
    url, name = make_database("template0"), f"owner_{secrets.token_hex(4)}"
    change(url, f"CREATE ROLE {name} LOGIN CREATEDB")
    try:
        change(url, f"GRANT {RUNTIME_ROLE} TO {name}")
        change(url, f"ALTER DATABASE {make_url(url).database} OWNER TO {name}")
        theirs = make_url(url).set(username=name).render_as_string(hide_password=False)
        migrate(theirs)
        proved, keys = drill(make_backup(theirs, tmp_path, NOW), theirs, vault)
        assert proved["tables"] > 50
        assert keys == KeysTried(opens=None, finds=None)
        change(url, f"ALTER ROLE {name} NOCREATEDB")
        with pytest.raises(BackupError, match="may make no databases"):
            drill(next(tmp_path.iterdir()), theirs, vault)
    finally:
        change(url, f"REASSIGN OWNED BY {name} TO CURRENT_USER")
        change(url, f"DROP OWNED BY {name}")
        change(url, f"DROP ROLE {name}")
