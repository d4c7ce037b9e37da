"""PostgreSQL from its wheel, reached by a socket in a folder that only its account may enter."""

import os
import re
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from bot.embedded import record, server
from bot.embedded.account import (
    Account,
    find_elsewhere,
    make_control_folder,
    make_elsewhere,
    may_enter,
    reachable_copy,
    server_home,
)
from bot.embedded.wheels import (
    POSTGRES_MAJOR,
    EmbeddedError,
    postgres_install,
    postgres_release,
)

SUPERUSER = "postgres"
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",  # no port is opened; the number is part of the socket's name
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",  # statements hold personal data
}
_FAST = {"fsync": "off", "full_page_writes": "off"}
"""Commits still reach the kernel, so what was acknowledged survives `kill -9` of the server."""
_SOCKET_FOLDER = "socket"
_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET = 100  # bytes; Linux allows 107, macOS 103
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._/-]+")


@dataclass(frozen=True, slots=True)
class Postgres:
    """A PostgreSQL that answers, started by this process or found running."""

    running: server.Running

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return self.running.pid

    @property
    def admin_url(self) -> str:
        """The URL of the database `postgres`, for creating others."""
        return self.url("postgres")

    def url(self, dbname: str = "mingzhang", user: str = SUPERUSER) -> str:
        """Return the SQLAlchemy URL of a database, which need not exist yet.

        The path in it needs no escaping, so the URL means the same to libpq and to Alembic.
        """
        return (
            f"postgresql+psycopg://{user}@/{dbname}?host={self.running.facts['socket']}&port=5432"
        )

    def create_database(self, dbname: str = "mingzhang") -> None:
        """Create a database in UTF-8 unless it exists. Safe to repeat, also by two at once."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(dbname))
        with _connect(self.running.facts) as connection:
            try:
                connection.execute(statement)
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                return  # the second is what the loser of a race is told

    def stop(self) -> None:
        """Stop the server if this process started it. Connections are ended. Safe to repeat."""
        self.running.stop()


@dataclass(slots=True)
class _Engine:
    control: Path
    fast: bool
    name: str = "PostgreSQL"
    attempts: int = 1

    def order(self, _last: record.Facts) -> server.Order:
        home, account = server_home(self.control)
        bin_folder = reachable_copy(postgres_install(), home, account, postgres_release()) / "bin"
        data = _initialised(home, bin_folder, account, sync=not self.fast)
        socket = _socket_folder(self.control, home, account)
        for pid_file in (data / "postmaster.pid", socket / f"{_SOCKET}.lock"):
            _drop_if_stale(pid_file, data)
        settings = _SETTINGS | (_FAST if self.fast else {})
        settings["unix_socket_directories"] = str(socket)
        options = [part for name in settings for part in ("-c", f"{name}={settings[name]}")]
        return server.Order(
            command=(str(bin_folder / "postgres"), "-D", str(data), *options),
            folder=home,
            log=self.control / "postgres.log",
            stop=("SIGINT", "SIGQUIT", "SIGKILL"),
            account=account,
            facts={"data": str(data), "socket": str(socket)},
        )

    def answers(self, facts: record.Facts) -> bool:
        if not (Path(facts["socket"]) / _SOCKET).exists():
            return False
        try:
            with _connect(facts) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def start_postgres(state: Path, *, fast: bool = False) -> Postgres:
    """Start PostgreSQL on the state folder, or attach to the one that runs there.

    Args:
        state: made when missing; holds everything that outlives the server.
        fast: for tests: a crash of the machine, not of the server, may lose or destroy the data.

    Raises:
        EmbeddedError: with one sentence that says what to do.
    """
    control = make_control_folder(state, "postgres")
    return Postgres(server.start(_Engine(control, fast), control))


def folders_outside(control: Path) -> list[Path]:
    """Return the folders that had to be made outside the state folder, for removing them."""
    found = (find_elsewhere(control, kind) for kind in ("home", _SOCKET_FOLDER))
    return [folder for folder in found if folder is not None]


def _connect(facts: record.Facts) -> psycopg.Connection:
    """Connect to the database `postgres`; every statement is a transaction of its own."""
    return psycopg.connect(
        host=facts["socket"],
        port=5432,
        user=SUPERUSER,
        dbname="postgres",
        connect_timeout=5,
        autocommit=True,
    )


def _initialised(home: Path, bin_folder: Path, account: Account | None, *, sync: bool) -> Path:
    """Return the data folder, created in one step so that a killed start leaves none half-done.

    Raises:
        EmbeddedError: the data is of another major version, or cannot be created.
    """
    data = home / "data"
    if (data / "PG_VERSION").exists():
        found = (data / "PG_VERSION").read_text(encoding="ascii").strip()
        if found != str(POSTGRES_MAJOR):
            raise EmbeddedError(
                f"{data} was written by PostgreSQL {found} and this is {POSTGRES_MAJOR}; "
                f"remove {home} to begin anew."
            )
        return data
    for leftover in home.glob("fresh-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh = home / f"fresh-{secrets.token_hex(4)}"
    options = ("-D", str(fresh), *(() if sync else ("--no-sync",)))
    _initdb(bin_folder, home, options, account)
    fresh.rename(data)
    return data


def _initdb(
    bin_folder: Path, home: Path, options: tuple[str, ...], account: Account | None
) -> None:
    """Create a cluster: UTF-8, ordered by code point everywhere, local connections only."""
    command = [
        str(bin_folder / "initdb"),
        *("-U", SUPERUSER, "--encoding=UTF8", "--locale=C", "--no-instructions"),
        *("--auth-local=trust", "--auth-host=reject"),
        *options,
    ]
    try:
        done = subprocess.run(  # noqa: S603 - the wheel's program
            command,
            cwd=home,
            env=server.ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except OSError as error:
        raise EmbeddedError(
            f"{command[0]} cannot be run as {account or 'this user'}: {error}"
        ) from error
    if done.returncode != 0:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise EmbeddedError(f"PostgreSQL cannot create its data in {home}: {reason}")


def _drop_if_stale(pid_file: Path, data: Path) -> None:
    """Remove the lock file of a dead server, whose process id may be another process's by now.

    Called while nothing we started runs on the data. A server started there by hand is left to
    PostgreSQL, which then refuses to start a second one.
    """
    try:
        pid = int(pid_file.read_text(encoding="utf-8").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    if not server.works_in(pid, data):
        pid_file.unlink()


def _fits(folder: Path) -> bool:
    """Say whether a socket in the folder has a name short and plain enough for every client."""
    name = str(folder / _SOCKET)
    return len(name.encode()) <= _LONGEST_SOCKET and _PLAIN_PATH.fullmatch(name) is not None


def _socket_folder(control: Path, home: Path, account: Account | None) -> Path:
    """Return the folder for the socket: the server's own, else one made elsewhere for good.

    So the address stays the same after a restart.
    """
    if _fits(home):
        return home
    uid = account.uid if account else os.geteuid()
    last = find_elsewhere(control, _SOCKET_FOLDER)
    if last is not None and last.stat().st_uid == uid:
        return last
    for parent in (Path(tempfile.gettempdir()).resolve(), Path("/tmp").resolve()):  # noqa: S108
        reachable = account is None or may_enter(parent, account)
        if reachable and _fits(parent / "mingzhang-12345678"):
            return make_elsewhere(control, _SOCKET_FOLDER, parent, account)
    raise EmbeddedError(
        f"The path {home} is too long or not plain enough for a socket, and so are the temporary "
        "folders; choose a shorter MINGZHANG_VAR."
    )
