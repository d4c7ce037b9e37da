"""The migrations build what the models say, and the runtime may do no more than it must."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from billing.db import RUNTIME_ROLE, connect
from bot.embedded import scratch
from bot.schema import APPEND_ONLY, SchemaError, metadata, migrate
from tests.conftest import World

EVERYTHING = {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"}

# What a database is made of, but for the guards that only migrations add: triggers and functions.
CATALOGUE = text(
    """
    SELECT 'column', c.relname, a.attname,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                     pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum))
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
     AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype <> 't'
    UNION ALL
    SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT 'table', relname, '', obj_description(oid, 'pg_class') FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    """
)


@pytest.fixture
def owner() -> Iterator[Callable[[str], Engine]]:
    """Engines of whoever owns the tables, disposed of after the test."""
    engines: list[Engine] = []

    def make(url: str) -> Engine:
        engines.append(create_engine(url))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


def catalogue(engine: Engine) -> set[tuple[str, ...]]:
    """Tables, columns, constraints and indexes with their definitions."""
    with engine.connect() as connection:
        rows = connection.execute(CATALOGUE)
        return {tuple(map(str, row)) for row in rows if "alembic_version" not in row[1:3]}


def test_models_and_migrations_agree(empty_url: str, owner: Callable[[str], Engine]) -> None:
    with owner(empty_url).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata()) == []


def test_they_agree_on_what_alembic_does_not_compare_too(
    make_database: Callable[[str], str], owner: Callable[[str], Engine]
) -> None:
    """Checks, partial indexes, deferrable keys, identities, comments: the database's own words."""
    drawn = owner(make_database("template1"))
    metadata().create_all(drawn)
    assert catalogue(owner(make_database("mz_schema"))) ^ catalogue(drawn) == set()


def test_the_models_are_all_there_without_anybody_else_importing_them(
    empty_url: str, owner: Callable[[str], Engine]
) -> None:
    code = "from bot.schema import metadata; print(*metadata().tables)"
    told = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30
    )
    assert set(told.stdout.split()) == {row[1] for row in catalogue(owner(empty_url))}


def test_migrating_twice_changes_nothing(empty_url: str, owner: Callable[[str], Engine]) -> None:
    before = catalogue(owner(empty_url))
    migrate(empty_url)
    assert catalogue(owner(empty_url)) == before


def test_migrating_a_living_database_keeps_its_rows(
    world: World, owner: Callable[[str], Engine]
) -> None:
    with world.database.transaction() as session:
        bills = session.execute(text("SELECT count(*), sum(amount) FROM bill")).one()
    migrate(world.url)
    with world.database.transaction() as session:
        assert session.execute(text("SELECT count(*), sum(amount) FROM bill")).one() == bills


def test_two_processes_migrating_at_once_wait_for_each_other(
    make_database: Callable[[str], str], owner: Callable[[str], Engine]
) -> None:
    url = make_database("template1")
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "bot", "migrate"],
            env=os.environ | {"DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        told = [process.communicate(timeout=30) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert told == [('{"migrated": true}\n', "")] * 2
    fresh = owner(url)
    assert catalogue(fresh) == catalogue(owner(make_database("mz_schema")))
    with fresh.connect() as connection:
        versions = connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one()
    assert versions == 1


def rights(engine: Engine, table: str) -> set[str]:
    """What the runtime role may do with a table."""
    query = text("SELECT has_table_privilege(:role, :table, :right)")
    with engine.connect() as connection:
        return {
            right
            for right in EVERYTHING
            if connection.execute(
                query, {"role": RUNTIME_ROLE, "table": table, "right": right}
            ).scalar_one()
        }


def test_the_runtime_may_add_to_the_books_and_never_rewrite_them(
    empty_url: str, owner: Callable[[str], Engine]
) -> None:
    engine = owner(empty_url)
    found = {table: rights(engine, table) for table in metadata().tables}
    assert found == {
        table: {"SELECT", "INSERT"}
        if table in APPEND_ONLY
        else {"SELECT", "INSERT", "UPDATE", "DELETE"}
        for table in metadata().tables
    }
    assert set(APPEND_ONLY) <= set(metadata().tables)
    assert rights(engine, "alembic_version") == {"SELECT"}


def test_the_runtime_owns_nothing_and_can_create_nothing(
    empty_url: str, owner: Callable[[str], Engine]
) -> None:
    with owner(empty_url).connect() as connection:
        owned = text("SELECT count(*) FROM pg_class WHERE relowner = CAST(:role AS regrole)")
        assert connection.execute(owned, {"role": RUNTIME_ROLE}).scalar_one() == 0
        create = text("SELECT has_schema_privilege(:role, 'public', 'CREATE')")
        assert connection.execute(create, {"role": RUNTIME_ROLE}).scalar_one() is False


REWRITING = (
    "UPDATE posting SET debit = debit + 1",
    "DELETE FROM journal_entry",
    "UPDATE bill_line SET amount = 0",
    "DELETE FROM receipt",
    "TRUNCATE payment",
    "DROP TABLE posting",
    "ALTER TABLE posting DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "UPDATE alembic_version SET version_num = '0'",
)


def test_the_program_itself_cannot_rewrite_history(world: World) -> None:
    for statement in REWRITING:
        with (
            pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
            world.database.transaction() as session,
        ):
            session.execute(text(statement))


def test_not_even_the_owner_rewrites_the_journal(
    world: World, owner: Callable[[str], Engine]
) -> None:
    engine = owner(world.url)
    for table in ("journal_entry", "posting"):
        for statement in (
            f"UPDATE {table} SET community_id = 1",
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            with (
                pytest.raises(DBAPIError, match="the journal only grows"),
                engine.begin() as connection,
            ):
                connection.execute(text(statement))


def test_who_may_not_make_the_role_is_told_what_to_ask_for_and_that_helps(
    make_database: Callable[[str], str],
) -> None:
    """The administrator runs what the message says, and then an ordinary user can migrate."""
    url = make_url(make_database("template1"))
    clerk = f"clerk_{secrets.token_hex(4)}"
    as_clerk = url.set(username=clerk, password="clerk").render_as_string(hide_password=False)
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {clerk} LOGIN PASSWORD 'clerk'")
        admin.execute(f"ALTER DATABASE {url.database} OWNER TO {clerk}")
        with pytest.raises(SchemaError, match="ask the administrator") as refused:
            migrate(as_clerk)
        assert f"GRANT {RUNTIME_ROLE} TO <this user>" in str(refused.value)
        admin.execute(f"GRANT {RUNTIME_ROLE} TO {clerk}")
        migrate(as_clerk)
        migrate(as_clerk)
        admin.execute(f"REASSIGN OWNED BY {clerk} TO CURRENT_USER")
        admin.execute(f"DROP OWNED BY {clerk}")
        admin.execute(f"DROP ROLE {clerk}")


def test_who_makes_the_role_as_the_guide_says_may_work_as_it() -> None:
    """No superuser, on a server that never saw the role: from PostgreSQL 16 on, who makes a role
    may give it away, but may not take it on.
    """
    with scratch() as engines:
        admin = create_engine(engines.postgres.admin_url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text("CREATE ROLE mingzhang LOGIN CREATEROLE CREATEDB"))
            connection.execute(text("CREATE DATABASE estate OWNER mingzhang"))
        admin.dispose()
        url = engines.postgres.url("estate", "mingzhang")
        for _ in range(2):
            migrate(url)
        runtime = connect(url)
        with runtime.connect() as connection:
            assert connection.execute(text("SELECT current_user")).scalar_one() == RUNTIME_ROLE
            assert connection.execute(text("SELECT count(*) FROM bill")).scalar_one() == 0
        runtime.dispose()
