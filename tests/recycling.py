"""Databases that are put back as they were after a test, instead of being copied anew for each.

Copying a template costs ten times what most tests do: megabytes of catalogues for a few hundred
rows. After a test one question finds the tables that hold a row written since the database was
last clean, or miss one; only these are put right. One whose catalogues differ is dropped: the
test changed the schema.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

USES_MAX = 200
"""Then it is copied anew: what tests deleted leaves dead rows behind."""

CATALOGUES = ("pg_attribute", "pg_class", "pg_constraint", "pg_proc", "pg_trigger")
"""Whatever changes the schema or a right writes to one of them."""

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
KEPT_ROWS = """
    SELECT {name}, count(*) FILTER (WHERE age(xmin) >= age(%(mark)s::xid)) FROM {table}
    HAVING count(*) <> {rows} OR bool_or(age(xmin) < age(%(mark)s::xid))
"""
END_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL (%s)
"""

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass
class Recycled:
    """One database and its first state; no row of a clean one is younger than `mark`."""

    name: str
    address: str
    connection: Connection
    contents: dict[str, bytes]
    sequences: list[tuple[str, int | None]]
    rows: dict[str, int]
    question: sql.Composed
    mark: str
    uses: int = 0

    @classmethod
    def take(cls, name: str, address: str) -> "Recycled":
        """Remember a database that was just copied."""
        connection = _connect(address)
        tables = [str(row[0]) for row in connection.execute(TABLES)]
        rows = {table: _count(connection, table) for table in (*CATALOGUES, *tables)}
        return cls(
            name,
            address,
            connection,
            {table: _copy_out(connection, table) for table in tables},
            [(str(row[0]), row[1]) for row in connection.execute(SEQUENCES)],
            rows,
            _question(rows),
            _mark(connection),
        )

    def put_back(self, spared: Collection[int]) -> bool:
        """Undo what a test did; False when that takes a new copy.

        Connections the test left open end, but for those of the `spared` backends.
        """
        self.uses += 1
        connection = self._living_connection()
        connection.execute(END_CONNECTIONS, [list(spared)])
        kept = {str(name): kept for name, kept in self._differing()}
        if self.uses >= USES_MAX or not kept.keys().isdisjoint(CATALOGUES):
            connection.close()
            return False
        with connection.transaction():
            for table, rows in kept.items():
                if rows == self.rows[table]:
                    self._delete_new(table)
                else:
                    _copy_in(connection, table, self.contents[table])
            connection.execute(PUT_BACK_SEQUENCES, _columns(self.sequences))
            self.mark = _mark(connection)
        return True

    def _differing(self) -> psycopg.Cursor[tuple[object, ...]]:
        return self.connection.execute(self.question, {"mark": self.mark})

    def _delete_new(self, table: str) -> None:
        statement = sql.SQL("DELETE FROM {} WHERE age(xmin) < age(%s::xid)")
        self.connection.execute(statement.format(sql.Identifier(table)), [self.mark])

    def _living_connection(self) -> Connection:
        """The same for all tests, so that the server plans our questions once; a new one when a
        test restarted the server.
        """
        try:
            self.connection.execute("SELECT 1")
        except psycopg.OperationalError:
            self.connection = _connect(self.address)
        return self.connection


def _connect(address: str) -> Connection:
    """A connection that no trigger and no foreign key hinders, and that plans a question once."""
    settings = "-c session_replication_role=replica -c plan_cache_mode=force_generic_plan"
    connection = psycopg.connect(address, autocommit=True, prepare_threshold=0, options=settings)
    connection.prepared_max = 500
    return connection


def _mark(connection: Connection) -> str:
    """A transaction that is as young as any that wrote so far."""
    row = connection.execute("SELECT pg_current_xact_id()::xid").fetchone()
    assert row is not None
    return str(row[0])


def _count(connection: Connection, table: str) -> int:
    question = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    row = connection.execute(question).fetchone()
    assert row is not None
    return int(str(row[0]))


def _question(rows: dict[str, int]) -> sql.Composed:
    """Ask which tables differ from their first state, and how many of its rows each still has."""
    return sql.SQL(" UNION ALL ").join(
        sql.SQL(KEPT_ROWS).format(name=table, table=sql.Identifier(table), rows=count)
        for table, count in rows.items()
    )


def _columns(rows: Sequence[tuple[str, int | None]]) -> tuple[list[str], list[int], list[bool]]:
    """Names, values and whether they were drawn, as `setval` takes them."""
    names = [name for name, _ in rows]
    return names, [value or 1 for _, value in rows], [value is not None for _, value in rows]


def _copy_out(connection: Connection, table: str) -> bytes:
    statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
    with connection.cursor().copy(statement) as copy:
        return b"".join(bytes(block) for block in copy)


def _copy_in(connection: Connection, table: str, rows: bytes) -> None:
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

    def give_back(self, template: str, used: Recycled, spared: Collection[int]) -> None:
        """Clean it for the next test, or drop it."""
        if used.put_back(spared):
            self._waiting[template].append(used)
        else:
            self._drop(used.name)

    def close(self) -> None:
        """The process ends; the databases end with the engines."""
        for idle in self._waiting.values():
            for one in idle:
                one.connection.close()
