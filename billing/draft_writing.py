"""Write drafts: a bill per account and its lines, by COPY. A chunk is all or nothing."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from billing.bulk import copy_rows, draw_ids
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
        return Money(sum(map(_sum_fen, self.bills.values())))


LINE_COLUMNS = (
    "community_id",
    "bill_id",
    "subject_id",
    "item_id",
    "tariff_id",
    "kind",
    "period_from",
    "period_to",
    "source_id",
    "redo",
    "amount",
    "basis",
)


def write_drafts(
    session: Session,
    community_id: int,
    run_id: int,
    chunk_no: int,
    period: Period,
    drafts: Drafts,
) -> None:
    """Write one chunk's bills and lines."""
    bill_ids = draw_ids(session, "bill", len(drafts.bills))
    copy_rows(
        session,
        "bill",
        ("community_id", "id", "run_id", "chunk_no", "unit_id", "period", "amount"),
        (
            (community_id, bill_id, run_id, chunk_no, unit_id, str(period), _sum_fen(lines))
            for bill_id, (unit_id, lines) in zip(bill_ids, drafts.bills.items(), strict=True)
        ),
    )
    copy_rows(
        session,
        "bill_line",
        LINE_COLUMNS,
        (
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
            for bill_id, lines in zip(bill_ids, drafts.bills.values(), strict=True)
            for line in lines
        ),
    )


def _sum_fen(lines: Sequence[DraftLine]) -> int:
    return sum(line.fen for line in lines)
