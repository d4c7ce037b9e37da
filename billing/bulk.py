"""Many rows at once: ids drawn from a table's sequence, and COPY."""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm import Session

DRAW_IDS = text(
    "SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)"
)


def draw_ids(session: Session, table: str, count: int) -> list[int]:
    """This many fresh ids, ascending. Unused ones are lost, which is harmless."""
    return list(session.scalars(DRAW_IDS, {"table": table, "count": count}))


def copy_rows(
    session: Session, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """COPY rows into a table, on the session's own connection and in its transaction.

    Args:
        rows: values in the order of the columns, as psycopg takes them: money in fen, enums by
            their code, JSON as text.
    """
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with driver_of(session).cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def driver_of(session: Session) -> "psycopg.Connection[Any]":
    """psycopg's connection that the session works on."""
    return session.connection().connection.driver_connection  # type: ignore[return-value]
