"""Backups that can be trusted: a dump and a manifest of what it must hold, from one snapshot; and
back again, proved.

Personal data stays sealed in the dump. The keys that open it are not in it.
"""

import hashlib
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.orm import Session

from billing.checks import run_checks
from billing.privacy import Vault
from bot.embedded.wheels import EmbeddedError, postgres_install
from bot.schema import ensure_runtime_role, head, migrate
from bot.vault_check import KeysTried, try_keys

DUMP, MANIFEST = "books.dump", "manifest.json"
FORMAT = 1
SECONDS_MAX = 6 * 3600
CHUNK = 1 << 20

TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname
"""
DIGEST = """
    SELECT count(*), coalesce(sum(CAST(hashtextextended(CAST(told AS text), 0) AS numeric)), 0)
    FROM """
"""Of the rows of a table `told`, whose name follows."""

BALANCES = text(
    """
    SELECT community.code AS community, account.code AS account,
           coalesce(sum(posting.debit), 0) AS debit, coalesce(sum(posting.credit), 0) AS credit
    FROM account JOIN community ON community.id = account.community_id
    LEFT JOIN posting ON posting.community_id = account.community_id
          AND posting.account_id = account.id
    GROUP BY 1, 2 ORDER BY 1, 2
    """
)


class BackupError(Exception):
    """It cannot be backed up or restored; the message says how to mend it."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the books hold, in figures that cannot be the same for other books.

    Attributes:
        schema: version of the migrations.
        tables: name → rows, and a digest of them in any order.
        balances: community, account, debits and credits in fen.
    """

    schema: str
    tables: dict[str, dict[str, str]]
    balances: list[list[str]]

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {"schema": self.schema, "tables": self.tables, "balances": self.balances}


def make_backup(url: str, folder: Path, now: datetime) -> Path:
    """Write a backup into a new folder under `folder`, whole or not at all; returns the new folder.

    Reads one snapshot while everybody works on.

    Args:
        url: of whoever owns the tables.

    Raises:
        BackupError: the folder cannot be written, or PostgreSQL's programs are missing or fail.
    """
    name = f"mingzhang-{now:%Y%m%dT%H%M%SZ}"
    ready, half = folder / name, folder / f".{name}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if ready.exists():
            raise BackupError(f"{ready} is there already")
        half.mkdir(mode=0o700)
    except OSError as error:
        raise BackupError(f"{folder} cannot be written: {error.strerror}") from error
    try:
        _write(url, half, now)
        half.rename(ready)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return ready


def _write(url: str, folder: Path, now: datetime) -> None:
    dump = folder / DUMP
    with _owner(url) as engine, _snapshot(engine) as connection:
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        _run(
            "pg_dump", url, _major(connection), "--format=custom", "--no-owner", "--no-acl",
            f"--snapshot={snapshot}",
            f"--file={dump}",
        )  # fmt: skip
        figures = read_figures(connection)
        # Before an upgrade the schema is an older one, which this program's checks cannot read.
        found = failed_checks(connection) if figures.schema == head() else None
    manifest = {
        "format": FORMAT,
        "made_at": now.isoformat(),
        "dump": {"file": DUMP, "bytes": dump.stat().st_size, "sha256": _digest(dump)},
        "figures": figures.as_json(),
        "failed_checks": found,
    }
    dump.chmod(0o600)
    path = folder / MANIFEST
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
    path.chmod(0o600)
    for one in (dump, path):
        with one.open("rb") as file:
            os.fsync(file.fileno())


def read_figures(connection: Connection) -> Figures:
    """Figures of every table, also those of a schema that is older than this program."""
    names = connection.execute(text(TABLES)).scalars().all()
    tables = {}
    for name in names:
        quoted = connection.dialect.identifier_preparer.quote(name)
        rows, digest = connection.execute(text(DIGEST + quoted + " told")).one()
        tables[name] = {"rows": str(rows), "digest": str(digest)}
    schema = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    balances = [[str(value) for value in row] for row in connection.execute(BALANCES)]
    return Figures(",".join(sorted(schema)), tables, balances)


def failed_checks(connection: Connection) -> list[str]:
    """Names of the self-checks that find something."""
    with Session(connection) as session:
        return [result.name for result in run_checks(session) if result.violations]


def forget_old(folder: Path, keep: int) -> list[str]:
    """Delete all but the latest backups under a folder; what is none stays. Returns their names."""
    backups = sorted(path for path in folder.glob("mingzhang-*") if (path / MANIFEST).is_file())
    gone = backups[: max(len(backups) - keep, 0)]
    for path in gone:
        shutil.rmtree(path)
    return [path.name for path in gone]


def restore_backup(folder: Path, url: str) -> dict[str, Any]:
    """Put the books of a backup into an empty database, prove them, and bring them to the newest
    schema; returns what was proved.

    Raises:
        BackupError: the backup is damaged, the database is not empty, or what came out is not what
            went in: then the database is of no use, and should be dropped.
    """
    manifest = read_manifest(folder)
    with _owner(url) as engine:
        with engine.connect() as connection:
            if connection.execute(text(TABLES)).first() is not None:
                raise BackupError("the database is not empty; restore into a new one")
            major = _major(connection)
        ensure_runtime_role(engine)
        _run(
            "pg_restore", url, major, "--no-owner", "--no-acl", "--exit-on-error",
            "--single-transaction",
            str(folder / DUMP),
        )  # fmt: skip
        with _snapshot(engine) as connection:
            figures = read_figures(connection).as_json()
        _compare(manifest["figures"], figures)
    migrate(url)
    with _owner(url) as engine, _snapshot(engine) as connection:
        found = failed_checks(connection)
    before = manifest["failed_checks"]
    new = [] if before is None else sorted(set(found) - set(before))
    if new:
        raise BackupError(f"checks fail that did not fail before: {'; '.join(new)}")
    return {
        "made_at": manifest["made_at"],
        "schema": figures["schema"],
        "tables": len(figures["tables"]),
        "rows": sum(int(table["rows"]) for table in figures["tables"].values()),
        "accounts": len(figures["balances"]),
        "failed_checks": found,
    }


def _compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    if before["schema"] != after["schema"]:
        raise BackupError(f"schema {after['schema']} came out, {before['schema']} went in")
    if before["balances"] != after["balances"]:
        raise BackupError("the trial balance is not the one that went in")
    names = before["tables"].keys() | after["tables"].keys()
    differing = [name for name in names if before["tables"].get(name) != after["tables"].get(name)]
    if differing:
        raise BackupError(f"other rows came out than went in: {', '.join(sorted(differing))}")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a backup whose dump is undamaged.

    Raises:
        BackupError: there is none, of another format, or the dump is not the one it describes.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        kind, dump = manifest["format"], manifest["dump"]
        if kind != FORMAT:
            raise BackupError(f"{folder} has format {kind}; this program reads {FORMAT}")
        if _digest(folder / DUMP) != dump["sha256"]:
            raise BackupError(f"{folder / DUMP} is damaged: its checksum is another")
    except OSError as error:
        raise BackupError(f"{folder} is no backup: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{folder / MANIFEST} is damaged") from error
    return manifest


def drill(folder: Path, url: str, vault: Vault) -> tuple[dict[str, Any], KeysTried]:
    """Restore a backup into a scratch database beside the one of `url`, which is dropped again;
    returns what was proved, and what came of trying the keys on what was restored.

    Raises:
        BackupError: as `restore_backup`, or the user may make no databases.
    """
    parts = make_url(url)
    scratch = f"{(parts.database or 'books')[:40]}_drill_{secrets.token_hex(4)}"
    with _owner(url, autocommit=True) as engine:
        with engine.connect() as connection:
            may = connection.execute(
                text("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
            ).scalar_one()
            if not may:
                raise BackupError(
                    "the database user may make no databases; run the drill as one who may, with"
                    " DATABASE_URL of another server if you like"
                )
            quoted = connection.dialect.identifier_preparer.quote(scratch)
            connection.execute(text(f"CREATE DATABASE {quoted} TEMPLATE template0"))
        try:
            there = parts.set(database=scratch).render_as_string(hide_password=False)
            proved = restore_backup(folder, there)
            with _owner(there) as restored, Session(restored) as session:
                return proved, try_keys(session, vault)
        finally:
            with engine.connect() as connection:
                connection.execute(text(f"DROP DATABASE {quoted} WITH (FORCE)"))


@contextmanager
def _owner(url: str, *, autocommit: bool = False) -> Iterator[Engine]:
    """As whoever the URL names, not as the runtime role, which may not read everything."""
    options = "-c timezone=UTC -c statement_timeout=0 -c datestyle=ISO -c extra_float_digits=1"
    parts = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(
        parts,
        connect_args={"options": options},
        isolation_level="AUTOCOMMIT" if autocommit else "REPEATABLE READ",
    )
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """Everything that is read is of one moment."""
    with engine.connect() as connection:
        yield connection


def _major(connection: Connection) -> int:
    """Which PostgreSQL the server is."""
    number = connection.execute(text("SELECT current_setting('server_version_num')")).scalar_one()
    return int(number) // 10_000


def _run(program: str, url: str, major: int, *arguments: str) -> None:
    """One of PostgreSQL's programs; the password goes through the environment, which others on the
    machine cannot read.
    """
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    given = conninfo_to_dict(plain)
    names = {
        "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
        "dbname": "PGDATABASE", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT",
    }  # fmt: skip
    environment = {names[key]: str(value) for key, value in given.items() if key in names}
    if program == "pg_restore":
        arguments = (f"--dbname={environment['PGDATABASE']}", *arguments)
    try:
        done = subprocess.run(  # noqa: S603  # our own arguments
            [_program(program, major), *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackupError(f"{program} did not run: {type(error).__name__}") from error
    if done.returncode:
        reason = done.stderr.strip().splitlines()
        raise BackupError(f"{program} failed: {reason[0] if reason else 'it says not why'}")


def _program(name: str, major: int) -> str:
    """The machine's program of the server's version, else the wheel's, else any.

    A newer program cannot restore into an older server: it asks it for settings it does not have.
    """
    same = Path(f"/usr/lib/postgresql/{major}/bin") / name
    if same.exists():
        return str(same)
    try:
        path = postgres_install() / "bin" / name
        if path.exists():
            return str(path)
    except EmbeddedError:
        pass
    found = shutil.which(name)
    if found is None:
        raise BackupError(f"{name} is not installed; install PostgreSQL's client programs")
    return found


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            found.update(block)
    return found.hexdigest()
