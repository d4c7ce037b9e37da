"""What a check is, and the parts of SQL that several share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

VIOLATIONS_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check looked at and found. `violations` shows the first twenty."""

    name: str
    rows: int
    violations: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Check:
    """A rule of the books. Every violation names its community and an `id` or `unit_id`."""

    name: str
    look: Callable[[Session], tuple[int, list[dict[str, Any]]]]
    """How many rows were looked at, and the first violations."""

    def run(self, session: Session) -> CheckResult:
        """Look; changes nothing."""
        return CheckResult(self.name, *self.look(session))


def sql_check(name: str, population: str, violations: str) -> Check:
    """A check in SQL: `population` counts what is looked at, `violations` selects what is wrong."""

    def look(session: Session) -> tuple[int, list[dict[str, Any]]]:
        rows = session.execute(text(population)).scalar_one()
        wrong = session.execute(text(violations)).mappings().fetchmany(VIOLATIONS_SHOWN_MAX)
        return rows, [dict(row) for row in wrong]

    return Check(name, look)


class Findings:
    """The first violations of a check that is written in Python."""

    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []

    def add(self, community_id: int, number: int, reason: str) -> None:
        """Note what is wrong with row `number`."""
        if len(self.shown) < VIOLATIONS_SHOWN_MAX:
            self.shown.append({"community_id": community_id, "id": number, "reason": reason})


ISSUED_OR_VOID = """
    SELECT bill.*, bill_void.bill_id IS NOT NULL AS is_void
    FROM bill
    JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
     AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no AND chunk.state = 'issued'
    LEFT JOIN bill_void ON bill_void.community_id = bill.community_id
          AND bill_void.bill_id = bill.id
"""
"""Bills whose chunk was issued; those that were voided, before or after, are marked."""

IN_FORCE = f"SELECT * FROM ({ISSUED_OR_VOID}) issued WHERE NOT is_void"  # noqa: S608  # constant
"""Bills that are owed, or were until they were paid."""

NOT_VOID = """
    NOT EXISTS (SELECT 1 FROM bill_void void
                WHERE void.community_id = line.community_id AND void.bill_id = line.bill_id)
"""
"""Condition on a bill_line `line`: it counts, as a draft or issued."""

APPROVED = """
    SELECT community_id, bill_id, bill_line_id, kind, amount FROM adjustment
    WHERE state = 'approved'
"""


def account_sums(code: str, by: str) -> str:
    """SELECT of debits − credits of an account, grouped by columns of posting `p`: `by`, balance.

    Args:
        code: of the account; a constant of this program, never a value from outside.
    """
    return f"""
        SELECT {by}, sum(p.debit - p.credit) AS balance
        FROM posting p
        JOIN account c ON c.community_id = p.community_id AND c.id = p.account_id
         AND c.code = '{code}'
        GROUP BY {by}
    """  # noqa: S608  # constant text
