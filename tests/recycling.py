"""Databases that are put back as they were after a test, instead of being copied anew for each.

Copying a template costs ten times what most tests do: megabytes of catalogues for a few hundred
rows. A used database is compared with its first state table by table — number of rows and newest
transaction — and only what differs is written back. One whose schema was changed is dropped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

USES_MAX = 60
"""Then it is copied anew: what tests deleted leaves dead rows behind."""

SCHEMA = """
    SELECT (SELECT count(*) FROM pg_attribute), (SELECT count(*) FROM pg_constraint),
           (SELECT count(*) FROM pg_index), (SELECT count(*) FROM pg_proc),
           (SELECT string_agg(tgname::text || tgenabled::text, ',' ORDER BY oid) FROM pg_trigger
            WHERE NOT tgisinternal),
           (SELECT count(*) FROM information_schema.role_table_grants)
"""
TABLES = """
    SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    ORDER BY relname
"""
SEQUENCES = """
    SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1
"""

PUT_BACK_SEQUENCES = """
    SELECT setval(was.name::regclass, was.value, was.called)
    FROM unnest(%s::text[], %s::bigint[], %s::boolean[]) AS was (name, value, called)
    JOIN pg_sequences now ON now.schemaname = 'public' AND now.sequencename = was.name
    WHERE now.last_value IS DISTINCT FROM CASE WHEN was.called THEN was.value END
"""

Fingerprint = tuple[int, int]


@dataclass
class Recycled:
    """One database, its first state, and how it looked when it was last clean."""

    name: str
    address: str
    connection: "psycopg.Connection[tuple[object, ...]]"
    schema: tuple[object, ...]
    rows: dict[str, bytes]
    sequences: list[tuple[str, int | None]]
    clean: dict[str, Fingerprint]
    uses: int = 0

    @classmethod
    def take(cls, name: str, address: str) -> "Recycled":
        """Remember a database that was just copied."""
        connection = psycopg.connect(address, autocommit=True)
        tables = [row[0] for row in connection.execute(TABLES)]
        return cls(
            name,
            address,
            connection,
            _schema(connection),
            {table: _copy_out(connection, table) for table in tables},
            [(row[0], row[1]) for row in connection.execute(SEQUENCES)],
            _fingerprints(connection, tables),
        )

    def put_back(self) -> bool:
        """Undo what a test did; False when that takes a new copy."""
        self.uses += 1
        connection = self._living_connection()
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        if self.uses >= USES_MAX or _schema(connection) != self.schema:
            connection.close()
            return False
        now = _fingerprints(connection, list(self.clean))
        changed = [table for table in self.clean if now[table] != self.clean[table]]
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            for table in changed:
                _copy_in(connection, table, self.rows[table])
            connection.execute(PUT_BACK_SEQUENCES, _columns(self.sequences))
        self.clean |= _fingerprints(connection, changed) if changed else {}
        return True

    def _living_connection(self) -> "psycopg.Connection[tuple[object, ...]]":
        """The same for all tests, so that the server plans our questions once; a new one when a
        test restarted the server.
        """
        try:
            self.connection.execute("SELECT 1")
        except psycopg.OperationalError:
            self.connection = psycopg.connect(self.address, autocommit=True)
        return self.connection


def _columns(rows: Sequence[tuple[str, int | None]]) -> tuple[list[str], list[int], list[bool]]:
    """Names, values and whether they were drawn, as `setval` takes them."""
    names = [name for name, _ in rows]
    return names, [value or 1 for _, value in rows], [value is not None for _, value in rows]


def _schema(connection: "psycopg.Connection[tuple[object, ...]]") -> tuple[object, ...]:
    row = connection.execute(SCHEMA).fetchone()
    assert row is not None
    return row


def _fingerprints(
    connection: "psycopg.Connection[tuple[object, ...]]", tables: list[str]
) -> dict[str, Fingerprint]:
    """Rows and newest writer of each table, in one question."""
    each = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {}, count(*), coalesce(max(xmin::text::bigint), 0) FROM {}").format(
            table, sql.Identifier(table)
        )
        for table in tables
    )
    return {str(row[0]): (int(str(row[1])), int(str(row[2]))) for row in connection.execute(each)}


def _copy_out(connection: "psycopg.Connection[tuple[object, ...]]", table: str) -> bytes:
    statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
    with connection.cursor().copy(statement) as copy:
        return b"".join(bytes(block) for block in copy)


def _copy_in(connection: "psycopg.Connection[tuple[object, ...]]", table: str, rows: bytes) -> None:
    connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    if rows:
        statement = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
        with connection.cursor().copy(statement) as copy:
            copy.write(rows)


class Pool:
    """The databases of this test process that are clean and waiting."""

    def __init__(self, create: Callable[[str], Recycled], drop: Callable[[str], None]) -> None:
        self._create = create
        self._drop = drop
        self._waiting: dict[str, list[Recycled]] = {}

    def borrow(self, template: str) -> Recycled:
        """A clean database like the template."""
        waiting = self._waiting.setdefault(template, [])
        return waiting.pop() if waiting else self._create(template)

    def give_back(self, template: str, used: Recycled) -> None:
        """Clean it for the next test, or drop it."""
        if used.put_back():
            self._waiting[template].append(used)
        else:
            self._drop(used.name)

    def close(self) -> None:
        """The process ends; the databases end with the engines."""
        for idle in self._waiting.values():
            for one in idle:
                one.connection.close()
