"""What an import is about to change, collected while rows are checked and written set-wise after.

New rows are written by COPY, changed ones by COPY into a temporary table and one UPDATE.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from sqlalchemy import Table
from sqlalchemy.orm import Session

from billing.bulk import copy_rows, draw_ids, driver_of
from billing.db import Base
from billing.labels import LabelEnum
from billing.money import Money

IDS_PER_DRAW = 1000

Values = Mapping[str, Any]


@dataclass(slots=True)
class Tally:
    """What became of the rows of a sheet."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def count(self, *, is_new: bool, changed: bool) -> None:
        """One more row."""
        self.rows += 1
        if is_new:
            self.created += 1
        elif changed:
            self.updated += 1
        else:
            self.unchanged += 1

    def as_json(self) -> dict[str, int]:
        """The shape of `mingzhang import`."""
        return {
            "rows": self.rows,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
        }


def differs(known: Values | None, row: Values) -> bool:
    """Whether a row is new or says anything else than what is known of it."""
    return known is None or any(known[name] != value for name, value in row.items())


class Ids:
    """Fresh ids, drawn from the tables' own sequences some at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._drawn: dict[str, list[int]] = defaultdict(list)

    def new(self, table: type[Base]) -> int:
        """The next id of a table."""
        name = table.__tablename__
        if not self._drawn[name]:
            self._drawn[name] = draw_ids(self._session, name, IDS_PER_DRAW)[::-1]
        return self._drawn[name].pop()


class Changes:
    """Rows to insert and rows to update, by table, in the order the tables were first named."""

    def __init__(self) -> None:
        self._new: dict[Table, list[Values]] = {}
        self._changed: dict[Table, list[Values]] = {}

    def insert(self, table: type[Base], row: Values) -> None:
        """A new row; every row of a table names the same columns."""
        self._new.setdefault(_table(table), []).append(row)

    def update(self, table: type[Base], row: Values) -> None:
        """The primary key and every column that may have changed."""
        self._changed.setdefault(_table(table), []).append(row)

    def merge(self, table: type[Base], row: Values, known: Values | None) -> bool:
        """Insert the row, or update what is known of it. Whether anything changes."""
        if known is None:
            self.insert(table, row)
            return True
        if not differs(known, row):
            return False
        self.update(table, row)
        return True

    def write(self, session: Session) -> None:
        """Write everything."""
        for table, rows in self._new.items():
            _copy(session, table.name, list(rows[0]), rows)
        for table, rows in self._changed.items():
            _update(session, table, list(rows[0]), rows)


def _copy(session: Session, table: str, columns: Sequence[str], rows: Iterable[Values]) -> None:
    copy_rows(session, table, columns, ([_plain(row[name]) for name in columns] for row in rows))


UPDATE = (
    "CREATE TEMPORARY TABLE {fresh} ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA",
    "UPDATE {table} SET {changed} FROM {fresh} WHERE {found}",
    "DROP TABLE {fresh}",
)


def _update(session: Session, table: Table, columns: Sequence[str], rows: list[Values]) -> None:
    """Bring rows up to date from a temporary table of their new values."""
    fresh = f"fresh_{table.name}"
    keys = [column.name for column in table.primary_key.columns]

    def same(name: str) -> sql.Composed:
        return sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier(fresh, name))

    def found(name: str) -> sql.Composed:
        known = sql.Identifier(table.name, name)
        return sql.SQL("{} = {}").format(known, sql.Identifier(fresh, name))

    create, update, drop = (
        sql.SQL(statement).format(
            table=sql.Identifier(table.name),
            fresh=sql.Identifier(fresh),
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            changed=sql.SQL(", ").join(same(name) for name in columns if name not in keys),
            found=sql.SQL(" AND ").join(map(found, keys)),
        )
        for statement in UPDATE
    )
    with driver_of(session).cursor() as cursor:
        cursor.execute(create)
        _copy(session, fresh, columns, rows)
        cursor.execute(update)
        cursor.execute(drop)


def _table(model: type[Base]) -> Table:
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is not mapped to a table")
    return table


def _plain(value: object) -> object:
    """As COPY takes it."""
    if isinstance(value, Money):
        return value.fen
    if isinstance(value, LabelEnum):
        return value.value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
