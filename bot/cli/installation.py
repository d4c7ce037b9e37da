"""Which installation a command works on.

With DATABASE_URL and REDIS_URL it is the one the environment describes. Without them, or when
nothing but them is set, it is the demo kept under MINGZHANG_VAR: its settings file is read, and the
embedded engines it uses are joined, or started for the length of the command.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from psycopg.errors import (
    InsufficientPrivilege,
    InvalidParameterValue,
    UndefinedColumn,
    UndefinedTable,
)
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from billing.db import RUNTIME_ROLE
from billing.errors import BillingError
from billing.people import Staff, get_staff
from billing.property import Community, Unit, get_community, get_unit
from bot.embedded import EmbeddedError, embedded
from bot.program import Program, build, utc_now
from bot.schema import SchemaError
from bot.settings import Settings, SettingsError, is_given

DEMO_ENVIRONMENT = "demo-environment.json"
"""Under MINGZHANG_VAR: the settings `mingzhang demo` made for itself."""


def var_folder() -> Path:
    """MINGZHANG_VAR, `./var` by default."""
    return Path(os.environ.get("MINGZHANG_VAR") or "var").resolve()


class Refused(click.ClickException):
    """The command cannot be done as asked. Exit code 2, as 1 is `check` having found something."""

    exit_code = 2


@contextmanager
def refusals() -> Iterator[None]:
    """What an operator can mend becomes one line on stderr; a defect keeps its traceback."""
    try:
        yield
    except (SettingsError, SchemaError, EmbeddedError, BillingError) as error:
        raise Refused(str(error)) from error
    except DBAPIError as error:
        sentence = _explain(error)
        if sentence is None:
            raise
        raise Refused(sentence) from error


def _explain(error: DBAPIError) -> str | None:
    """Why the database does not serve us, when that is not a defect of ours."""
    reason = str(error.orig).partition("\n")[0]
    if isinstance(error, OperationalError):
        return f"DATABASE_URL: the database does not serve us: {reason}"
    if isinstance(error.orig, UndefinedTable | UndefinedColumn | InvalidParameterValue):
        return f"DATABASE_URL: run `mingzhang migrate` first: {reason}"
    if isinstance(error.orig, InsufficientPrivilege):
        return _explain_right(reason)
    return None


def _explain_right(reason: str) -> str | None:
    """Which right the database's user lacks, and how he gets it; None for a right that `migrate`
    gives the program, and is not missing by anybody's configuration.
    """
    if f'set role "{RUNTIME_ROLE}"' in reason:
        return (
            f"DATABASE_URL: {reason}: run `mingzhang migrate` as the owner of the database, or ask"
            f" the administrator to run: GRANT {RUNTIME_ROLE} TO <this user>;"
        )
    if "for schema" in reason or "must be owner" in reason:
        return (
            f"DATABASE_URL: {reason}: name the owner of the database and its tables there, or ask"
            " the administrator to run: ALTER DATABASE <this database> OWNER TO <this user>;"
        )
    return None


@contextmanager
def open_program() -> Iterator[Program]:
    """The program of this installation, until the block ends; refusals as in `refusals`."""
    with refusals(), environment() as given:
        program = build(Settings.from_env(given, utc_now()))
        with closing(program):
            yield program


@dataclass(frozen=True, slots=True)
class Books:
    """What a command on one community works with."""

    session: Session
    community: Community
    now: datetime

    @property
    def community_id(self) -> int:
        """Whose books they are."""
        return self.community.id

    def staff(self, login: str) -> Staff:
        """Who gave the command."""
        return get_staff(self.session, login)

    def unit(self, room: str) -> Unit:
        """A home, by its canonical room number."""
        return get_unit(self.session, self.community.id, room)


@contextmanager
def open_books(code: str) -> Iterator[Books]:
    """The books of a community, in one transaction."""
    with open_program() as program, program.services.database.transaction() as session:
        yield Books(session, get_community(session, code), program.services.clock())


@contextmanager
def environment() -> Iterator[Mapping[str, str]]:
    """The variables that describe the installation; the demo's engines run as long as needed."""
    given = {name: is_given(os.environ, name) for name in ("DATABASE_URL", "REDIS_URL")}
    kept = var_folder() / DEMO_ENVIRONMENT
    if any(given.values()) and (not kept.exists() or is_given(os.environ, "MINGZHANG_SECRET_KEY")):
        yield os.environ
        return
    if not kept.exists():
        raise Refused(
            "DATABASE_URL and REDIS_URL are not set and there is no demo under"
            f" {var_folder()}; set them, or run `mingzhang demo` first"
        )
    demo = {**json.loads(kept.read_text(encoding="utf-8")), **os.environ}
    if all(given.values()):
        yield demo
        return
    with embedded(var_folder()) as engines:
        yield {
            "DATABASE_URL": engines.database_url,
            "REDIS_URL": engines.redis_url,
            **{name: value for name, value in demo.items() if value},
        }


@contextmanager
def closing(program: Program) -> Iterator[Program]:
    """The program; its connections are closed after the block."""
    try:
        yield program
    finally:
        program.services.database.engine.dispose()
        program.services.redis.close()
        program.queues.connection.close()


def production_settings() -> Settings:
    """Settings of a production process, which never embeds anything."""
    with refusals():
        return Settings.from_env(os.environ, utc_now())


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    json.dump(value, sys.stdout, ensure_ascii=False, default=str)
    sys.stdout.write("\n")
