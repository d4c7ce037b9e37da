"""Write drafts: a bill per account and its lines, by COPY. A chunk is all or nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Copy
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.charges import DraftLine
from billing.money import Money
from billing.period import Period


class Drafts:
    """Lines about to be written, by account, in the order in which they were added."""

    def __init__(self) -> None:
        self.bills: dict[int, list[DraftLine]] = {}

    def add(self, unit_id: int, lines: Sequence[DraftLine]) -> None:
        """Put lines on an account's bill."""
        self.bills.setdefault(unit_id, []).extend(lines)

    @property
    def amount(self) -> Money:
        """The sum of all lines."""
        return Money(sum(line.fen for lines in self.bills.values() for line in lines))


def write_drafts(
    session: Session,
    community_id: int,
    run_id: int,
    chunk_no: int,
    period: Period,
    drafts: Drafts,
) -> None:
    """Write one chunk's bills and lines."""
    bill_ids = _new_ids(session, "bill", len(drafts.bills))
    with _copy(
        session,
        "COPY bill (community_id, id, run_id, chunk_no, unit_id, period, amount) FROM STDIN",
    ) as copy:
        for bill_id, (unit_id, lines) in zip(bill_ids, drafts.bills.items(), strict=True):
            fen = sum(line.fen for line in lines)
            copy.write_row((community_id, bill_id, run_id, chunk_no, unit_id, str(period), fen))
    with _copy(
        session,
        "COPY bill_line (community_id, bill_id, subject_id, item_id, tariff_id, kind, period_from,"
        " period_to, source_id, redo, amount, basis) FROM STDIN",
    ) as copy:
        for bill_id, lines in zip(bill_ids, drafts.bills.values(), strict=True):
            for line in lines:
                copy.write_row(
                    (
                        community_id,
                        bill_id,
                        line.subject_id,
                        line.item_id,
                        line.tariff_id,
                        line.kind.value,
                        line.start,
                        line.end,
                        line.source_id,
                        line.redo,
                        line.fen,
                        line.basis_json,
                    )
                )


@contextmanager
def _copy(session: Session, statement: str) -> Iterator[Copy]:
    """psycopg's COPY on the session's own connection, inside its transaction."""
    driver: psycopg.Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        yield copy


def _new_ids(session: Session, table: str, count: int) -> list[int]:
    return list(
        session.scalars(
            text(
                "SELECT nextval(pg_get_serial_sequence(:table, 'id'))"
                " FROM generate_series(1, :count)"
            ),
            {"table": table, "count": count},
        )
    )
