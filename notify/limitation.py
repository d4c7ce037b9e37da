"""Debts that are about to lapse (诉讼时效): staff are told half a year before, once each.

A claim for fees lapses three years after it fell due (民法典 188); a demand that was received, a
part payment and an acknowledgement each begin the three years anew (民法典 195). Counted here are
payments on the bill and demands that reached the debtor (`billing.last_dunned`). What he
acknowledged in another way is in no table: who gets the alert decides.
"""

from datetime import date, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.alerts import Alert, AlertKind, raise_alert
from billing.last_dunned import last_dunned
from billing.money import Money
from billing.period import add_months

LAPSES_AFTER_MONTHS = 36
TOLD_BEFORE_MONTHS = 6

OLD_DEBTS = text(
    """
    WITH old AS (
        SELECT bill.community_id, bill.id, bill.unit_id, bill.period, chunk.due_on,
               bill.amount + (
            SELECT coalesce(sum(change.amount), 0) FROM adjustment change
            WHERE change.community_id = bill.community_id AND change.bill_id = bill.id
              AND change.state = 'approved'
        ) - (
            SELECT coalesce(sum(part.amount), 0) FROM payment_allocation part
            WHERE part.community_id = bill.community_id AND part.bill_id = bill.id
        ) AS owed
        FROM bill_run_chunk chunk
        JOIN bill ON bill.community_id = chunk.community_id AND bill.run_id = chunk.run_id
         AND bill.chunk_no = chunk.no
        WHERE chunk.state = 'issued' AND chunk.due_on <= :before AND NOT EXISTS (
            SELECT FROM bill_void void
            WHERE void.community_id = bill.community_id AND void.bill_id = bill.id)
    ),
    begun AS (
        SELECT old.*, greatest(due_on, (
            SELECT max(part.effective_on) FROM payment_allocation part
            WHERE part.community_id = old.community_id AND part.bill_id = old.id
              AND part.amount > 0
        )) AS begun_on
        FROM old WHERE owed > 0
    )
    SELECT begun.community_id, begun.id AS bill_id, unit.room, begun.period, begun.due_on,
           begun.owed, begun.begun_on
    FROM begun
    JOIN unit ON unit.community_id = begun.community_id AND unit.id = begun.unit_id
    WHERE begun_on <= :before
    ORDER BY begun.community_id, begun.id
    """
)
"""Unpaid bills whose due date and last payment are that old."""


class OldDebt(NamedTuple):
    """A bill that is owed, and from when its three years count."""

    community_id: int
    bill_id: int
    room: str
    period: str
    due_on: date
    owed: int
    begun_on: date

    @property
    def lapses_on(self) -> date:
        """The last day on which it can be claimed (民法典 201: the first day does not count)."""
        return add_months(self.begun_on, LAPSES_AFTER_MONTHS)

    @property
    def key(self) -> str:
        """Of its alert: another one when the years began anew."""
        return f"bill {self.bill_id} of community {self.community_id} lapses on {self.lapses_on}"


def list_old_debts(session: Session, today: date) -> list[OldDebt]:
    """Bills that lapse within half a year, or have, by community, the first to lapse first."""
    before = add_months(today, TOLD_BEFORE_MONTHS - LAPSES_AFTER_MONTHS)
    owed = [OldDebt(*row) for row in session.execute(OLD_DEBTS, {"before": before})]
    found = []
    for community_id, debts in groupby(owed, key=attrgetter("community_id")):
        dunned = _begun_anew(session, community_id, list(debts))
        found += [debt for debt in dunned if debt.begun_on <= before]
    return sorted(found, key=lambda debt: (debt.community_id, debt.begun_on, debt.bill_id))


def _begun_anew(session: Session, community_id: int, debts: list[OldDebt]) -> list[OldDebt]:
    """With the last demand that reached the debtor taken for the beginning."""
    demands = last_dunned(session, community_id, [debt.bill_id for debt in debts])
    return [
        debt._replace(begun_on=max(debt.begun_on, reached.on))
        if (demand := demands.get(debt.bill_id)) and (reached := demand.reached)
        else debt
        for debt in debts
    ]


def alert_staff(session: Session, today: date, now: datetime) -> int:
    """Raise an alert for each; returns how many. Safe to call twice: of a debt staff are told once,
    even when the alert was closed, until its three years begin anew.
    """
    debts = list_old_debts(session, today)
    if not debts:
        return 0
    known = set(session.scalars(select(Alert.key).where(Alert.kind == AlertKind.LIMITATION)).all())
    fresh = [debt for debt in debts if debt.key not in known]
    for debt in fresh:
        raise_alert(
            session,
            AlertKind.LIMITATION,
            key=debt.key,
            community_id=debt.community_id,
            data=_data(debt),
            now=now,
        )
    return len(fresh)


def _data(debt: OldDebt) -> dict[str, Any]:
    return {
        "bill_id": debt.bill_id,
        "room": debt.room,
        "period": debt.period,
        "owed": Money(int(debt.owed)).yuan,
        "lapses_on": debt.lapses_on.isoformat(),
    }
