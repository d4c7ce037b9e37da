"""What a bill run must know of some accounts, read set-wise: their subjects, what is billed
already, what their meters showed, and what was agreed with their owners.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from billing.adjustment_tables import AfterVoid
from billing.item_plans import Charging, ItemPlan
from billing.money import Money
from billing.period import DateRange
from billing.pricing import Discount, DiscountReason
from billing.property import SubjectKind
from billing.shared_plans import share_out
from billing.usage_reading import Key, MeterFacts, read_meters

LINE_DAYS_MAX = 366
"""No line of a cycle is longer than a year; one that reaches into a span began within a year."""


class SubjectFacts(NamedTuple):
    """A subject with the account that is billed for it; the area is its own, if it has one."""

    id: int
    unit_id: int
    kind: SubjectKind
    code: str
    billable_from: date
    billable_to: date | None
    area_m2: Decimal | None
    building_id: int
    entrance_id: int | None


class BilledLine(NamedTuple):
    """A charge that exists for the days `[start, end)`: it counts, or its bill was voided and this
    says what comes after.
    """

    start: date
    end: date
    source_id: int
    redo: int
    void: AfterVoid | None


@dataclass(frozen=True, slots=True)
class Granted:
    """A discount of a subject on an item."""

    grant_id: int
    discount: Discount


@dataclass(frozen=True, slots=True)
class Agreed:
    """An owner's own unit price for some days; `end` None: until further notice."""

    unit_price: Decimal
    start: date
    end: date | None


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """Everything about the subjects of some accounts, by subject and item.

    `last_account` is the id of the last account read, None where there was none left.
    """

    last_account: int | None
    subjects: list[SubjectFacts]
    billed: dict[Key, list[BilledLine]] = field(default_factory=lambda: defaultdict(list))
    meters: dict[Key, MeterFacts] = field(default_factory=dict)
    granted: dict[Key, list[Granted]] = field(default_factory=lambda: defaultdict(list))
    agreed: dict[Key, list[Agreed]] = field(default_factory=lambda: defaultdict(list))


ACCOUNTS = text(
    """
    SELECT id, billable_area_m2, building_id, entrance_id FROM unit
    WHERE community_id = :community_id AND id > :after ORDER BY id LIMIT :limit
    """
)

SUBJECTS = text(
    """
    SELECT id, unit_id, kind, code, billable_from, billable_to FROM subject
    WHERE community_id = :community_id AND unit_id > :after AND unit_id <= :last
    ORDER BY unit_id, id
    """
)

BILLED_ELSEWHERE = text(
    """
    SELECT id, billable_area_m2, building_id, entrance_id FROM unit
    WHERE community_id = :community_id AND id = ANY(:homes)
    """
)

BILLED = text(
    """
    SELECT line.subject_id, line.item_id, line.period_from, line.period_to, line.source_id,
           line.redo, void.after
    FROM bill_line line
    LEFT JOIN bill_void void ON void.community_id = line.community_id
     AND void.bill_id = line.bill_id
    WHERE line.community_id = :community_id AND line.subject_id = ANY(:subjects)
      AND line.item_id = ANY(:items) AND line.kind IN ('charge', 'opening')
      AND line.period_from < :end
      -- What is owed from before may be one line of many years.
      AND (line.period_from >= :earliest OR line.kind = 'opening')
      AND line.period_to > CASE WHEN line.item_id = ANY(:shared) THEN CAST(:cost_start AS date)
                                ELSE CAST(:start AS date) END
    """
)

GRANTED = text(
    """
    SELECT grant_.subject_id, grant_.item_id, grant_.id, grant_.reason, grant_.percent,
           grant_.amount, grant_.from_on, grant_.to_on, staff.login
    FROM discount_grant grant_ JOIN staff ON staff.id = grant_.approved_by
    WHERE grant_.community_id = :community_id AND grant_.subject_id = ANY(:subjects)
      AND grant_.from_on < :end AND coalesce(grant_.to_on, 'infinity') > :earliest
    ORDER BY grant_.id
    """
)

AGREED = text(
    """
    SELECT subject_id, item_id, unit_price, from_on, to_on FROM agreed_price
    WHERE community_id = :community_id AND subject_id = ANY(:subjects)
      AND from_on < :end AND coalesce(to_on, 'infinity') > :earliest
    ORDER BY from_on
    """
)


def read_accounts(
    session: Session, community_id: int, plans: Sequence[ItemPlan], *, after: int, limit: int
) -> AccountFacts:
    """Everything about the next accounts by unit id, `after` excluded.

    A fixed number of statements, whatever the number of accounts.
    """
    last, subjects = _read_subjects(session, community_id, after, limit)
    facts = AccountFacts(last, subjects)
    if not facts.subjects or not plans:
        return facts
    start = min(plan.span.start for plan in plans)
    cost_start = min(start, *(plan.shared.start for plan in plans))
    window: dict[str, Any] = {
        "community_id": community_id,
        "subjects": [subject.id for subject in facts.subjects],
        "items": [plan.item_id for plan in plans],
        "earliest": cost_start - timedelta(days=LINE_DAYS_MAX),
        "start": start,
        "shared": [plan.item_id for plan in plans if plan.how is Charging.SHARED],
        "cost_start": cost_start,
        "end": max(plan.span.end for plan in plans),
    }
    for subject, item, first, end, source, redo, after_void in session.execute(
        BILLED, window
    ).all():
        void = None if after_void is None else AfterVoid(after_void)
        facts.billed[subject, item].append(BilledLine(first, end, source, redo, void))
    facts.meters.update(read_meters(session, community_id, plans, window["subjects"]))
    _share_out(session, plans, facts)
    for row in session.execute(GRANTED, window):
        facts.granted[row.subject_id, row.item_id].append(Granted(row.id, _discount(row)))
    for row in session.execute(AGREED, window):
        facts.agreed[row.subject_id, row.item_id].append(
            Agreed(row.unit_price, row.from_on, row.to_on)
        )
    return facts


def _read_subjects(
    session: Session, community_id: int, after: int, limit: int
) -> tuple[int | None, list[SubjectFacts]]:
    """Subjects of the next accounts in their order, and the id of the last account.

    Read by ranges of accounts: a range is found in an index however large the community is.
    """
    here = {"community_id": community_id, "after": after}
    accounts = session.execute(ACCOUNTS, here | {"limit": limit}).all()
    if not accounts:
        return None, []
    last: int = accounts[-1].id
    rows = session.execute(SUBJECTS, here | {"last": last}).all()
    # A home lies where it lies and has its own area, also when another home's account is billed.
    elsewhere = [
        row.id for row in rows if row.kind != SubjectKind.PARKING and row.id != row.unit_id
    ]
    places = {row[0]: row[1:] for row in accounts}
    if elsewhere:
        found = session.execute(
            BILLED_ELSEWHERE, {"community_id": community_id, "homes": elsewhere}
        )
        places |= {row[0]: row[1:] for row in found}
    subjects = []
    for id_, unit_id, kind, code, billable_from, billable_to in rows:
        is_space = kind == SubjectKind.PARKING
        area, building_id, entrance_id = places[unit_id if is_space else id_]
        subjects.append(
            SubjectFacts(
                id_,
                unit_id,
                SubjectKind(kind),
                code,
                billable_from,
                billable_to,
                None if is_space else area,
                building_id,
                entrance_id,
            )
        )
    return last, subjects


def _share_out(session: Session, plans: Sequence[ItemPlan], facts: AccountFacts) -> None:
    """Have the shared costs worked out that one of these subjects is not charged for yet."""
    shared = [plan for plan in plans if plan.how is Charging.SHARED]
    for plan in shared:
        for subject in facts.subjects:
            if subject.kind is not plan.subject_kind:
                continue
            billed = facts.billed.get((subject.id, plan.item_id), ())
            for cost in plan.shared.reaching(subject.building_id, subject.entrance_id):
                if cost.shares is None and not any(
                    line.source_id == cost.cost_id and line.void is not AfterVoid.REDO
                    for line in billed
                ):
                    share_out(session, cost)


def _discount(row: Row[Any]) -> Discount:
    off = row.percent if row.percent is not None else Money(row.amount)
    days = DateRange(row.from_on, row.to_on or date.max)
    return Discount(DiscountReason(row.reason), off, days, approved_by=row.login)
