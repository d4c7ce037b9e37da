"""Discounts granted and prices agreed with single owners."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import func, select

from billing.adjustment_tables import is_void
from billing.bills import BillLine, LineKind
from billing.concession_changes import APPROVERS
from billing.concessions import AgreedPrice, DiscountGrant
from billing.db import id_array
from billing.imports.known import Desk
from billing.imports.reasons import Reason
from billing.imports.sheets import AgreedPriceRow, DiscountRow
from billing.imports.writing import Tally, differs
from billing.pricing.prices import plain


def plan_discounts(rows: list[DiscountRow], desk: Desk) -> Tally:
    """Discounts by subject, item, reason and first day. One that gave a line keeps its measure; its
    last day may still be set. Staff who import them grant them, so they must be who may.
    """
    tally = Tally()
    known = (
        {
            (row["subject_id"], row["item_id"], row["reason"], row["from_on"]): row
            for row in desk.known.rows(DiscountGrant)
        }
        if rows
        else {}
    )
    used = _used_discounts(desk) if known else set()
    billed = _billed_until(rows, desk) if rows else {}
    for row in rows:
        parties = _parties(row, desk)
        if (row.percent is None) == (row.amount is None):
            desk.faults.add(row, "percent", Reason.PERCENT_OR_AMOUNT)
            continue
        if parties is None:
            continue
        before = known.get((parties.subject_id, parties.item_id, row.reason, row.from_on))
        if before is not None and before["id"] in used and _other_measure(row, before, desk):
            continue
        wanted = {
            "community_id": desk.community_id,
            "id": before["id"] if before else desk.ids.new(DiscountGrant),
            "subject_id": parties.subject_id,
            "item_id": parties.item_id,
            "reason": row.reason,
            "percent": row.percent,
            "amount": row.amount,
            "from_on": row.from_on,
            "to_on": row.to_on,
            "approved_by": parties.staff_id,
            "granted_at": before["granted_at"] if before else desk.now,
        }
        if differs(before, wanted) and _refuse_grantor(row, before, wanted, billed, desk):
            continue
        changed = desk.changes.merge(DiscountGrant, wanted, before)
        tally.count(is_new=before is None, changed=changed)
    return tally


def _used_discounts(desk: Desk) -> set[int]:
    return set(
        desk.session.scalars(
            select(BillLine.source_id)
            .where(BillLine.community_id == desk.community_id, BillLine.kind == LineKind.DISCOUNT)
            .distinct()
        )
    )


def _other_measure(row: DiscountRow, before: Mapping[str, Any], desk: Desk) -> bool:
    """Whether a discount that gave a line would become another one, which is a fault."""
    if (row.percent, row.amount) == (before["percent"], before["amount"]):
        return False
    known = f"{plain(before['percent'])}%" if before["amount"] is None else before["amount"].yuan
    column = "percent" if before["amount"] is None else "amount"
    desk.faults.add(row, column, Reason.BILLED, known=known)
    return True


Billed = Mapping[tuple[int, int], date]
"""Subject and item → first day not yet billed."""


def _refuse_grantor(
    row: DiscountRow | AgreedPriceRow,
    before: Mapping[str, Any] | None,
    wanted: Mapping[str, Any],
    billed: Billed,
    desk: Desk,
) -> bool:
    """Whether staff would give what they may not, or for days that are billed: each is a fault.

    The operator takes over what an older system's managers gave, for whatever days.
    """
    if desk.by is None:
        return False
    if desk.by.role not in APPROVERS:
        desk.faults.add(row, "approved_by", Reason.MANAGERS_ONLY)
        return True
    if row.approved_by != desk.by.login:
        desk.faults.add(row, "approved_by", Reason.OWN_NAME_ONLY, known=desk.by.login)
        return True
    column, since = _changes_from(before, wanted)
    until = billed.get((wanted["subject_id"], wanted["item_id"]))
    if since is None or until is None or until <= since:
        return False
    last = until - timedelta(days=1)
    desk.faults.add(row, column, Reason.BILLED_UNTIL, until=last.isoformat())
    return True


def _changes_from(
    before: Mapping[str, Any] | None, wanted: Mapping[str, Any]
) -> tuple[str, date | None]:
    """The column that changes what is charged, and the first day it does; None where none is."""
    measures = [name for name in ("percent", "amount", "unit_price") if name in wanted]
    if before is None or any(before[name] != wanted[name] for name in measures):
        return "from_on", wanted["from_on"]
    if before["to_on"] == wanted["to_on"]:
        return "to_on", None
    ends = [one for one in (before["to_on"], wanted["to_on"]) if one is not None]
    return "to_on", min(ends)


@dataclass(frozen=True, slots=True)
class _Parties:
    """Whom and what a concession is for, and who approved it."""

    subject_id: int
    item_id: int
    staff_id: int


def _parties(row: DiscountRow | AgreedPriceRow, desk: Desk) -> _Parties | None:
    item = desk.item(row, row.item)
    subject = desk.subject(row, item, row.subject) if item else None
    staff_id = desk.person_in_charge(row, row.approved_by)
    ascend = desk.dates_ascend(row, row.from_on, row.to_on, "to_on")
    if item is None or subject is None or staff_id is None or not ascend:
        return None
    return _Parties(subject.id, item.id, staff_id)


Span = tuple[date, date | None, int]
"""First day, first day after or None, and the row it stands in; 0 for the database's."""


def plan_agreed_prices(rows: list[AgreedPriceRow], desk: Desk) -> Tally:
    """Agreed prices by subject, item and first day. No two of one subject and item overlap; one
    that days were billed with keeps its price. Staff who import them agree them; nobody agrees a
    price that is a supplier's (《物业管理条例》 art. 44).
    """
    tally = Tally()
    known = (
        {
            (row["subject_id"], row["item_id"], row["from_on"]): row
            for row in desk.known.rows(AgreedPrice)
        }
        if rows
        else {}
    )
    billed = _billed_until(rows, desk) if rows else {}
    spans: dict[tuple[int, int], dict[date, Span]] = defaultdict(dict)
    for (subject_id, item_id, start), before in known.items():
        spans[subject_id, item_id][start] = (start, before["to_on"], 0)
    # Every row's span is known before any is compared: a row may end what another follows.
    accepted = []
    for row in rows:
        parties = _parties(row, desk)
        if parties is not None and not _has_no_unit_price(row, parties, desk):
            spans[parties.subject_id, parties.item_id][row.from_on] = (
                row.from_on,
                row.to_on,
                row.row,
            )
            accepted.append((row, parties))
    for row, parties in accepted:
        subject_and_item = (parties.subject_id, parties.item_id)
        found = known.get((*subject_and_item, row.from_on))
        if _refuse_billed(row, found, billed.get(subject_and_item), desk):
            continue
        if _refuse_overlap(row, list(spans[subject_and_item].values()), desk):
            continue
        wanted = {
            "community_id": desk.community_id,
            "id": found["id"] if found else desk.ids.new(AgreedPrice),
            "subject_id": parties.subject_id,
            "item_id": parties.item_id,
            "unit_price": row.unit_price,
            "from_on": row.from_on,
            "to_on": row.to_on,
            "approved_by": parties.staff_id,
            "agreed_at": found["agreed_at"] if found else desk.now,
        }
        if differs(found, wanted) and _refuse_grantor(row, found, wanted, billed, desk):
            continue
        changed = desk.changes.merge(AgreedPrice, wanted, found)
        tally.count(is_new=found is None, changed=changed)
    return tally


def _has_no_unit_price(row: AgreedPriceRow, parties: _Parties, desk: Desk) -> bool:
    if desk.known.items[row.item].pass_through:
        desk.faults.add(row, "item", Reason.SUPPLIERS_PRICE)
        return True
    if parties.item_id in desk.known.tiered_items:
        desk.faults.add(row, "item", Reason.TIERED_PRICE)
        return True
    return False


def _refuse_billed(
    row: AgreedPriceRow, found: Mapping[str, Any] | None, until: date | None, desk: Desk
) -> bool:
    """Whether the row changes the price of days that are billed, which is a fault."""
    if found is None or until is None or until <= row.from_on:
        return False
    if found["unit_price"] == row.unit_price:
        return False
    desk.faults.add(row, "unit_price", Reason.BILLED, known=plain(found["unit_price"]))
    return True


def _refuse_overlap(row: AgreedPriceRow, spans: list[Span], desk: Desk) -> bool:
    """Whether another span has a day of the row's, which is a fault."""
    for start, end, other in spans:
        begins_before_its_end = end is None or row.from_on < end
        ends_after_its_begin = row.to_on is None or row.to_on > start
        if start != row.from_on and begins_before_its_end and ends_after_its_begin:
            reason = Reason.OVERLAPS if other else Reason.OVERLAPS_BOOKED
            desk.faults.add(row, "from_on", reason, other=other)
            return True
    return False


def _billed_until(rows: Sequence[DiscountRow | AgreedPriceRow], desk: Desk) -> Billed:
    """Of the rows' subjects, by item: drafts included and voided bills not."""
    codes = {row.subject for row in rows}
    subject_ids = [one.id for (_, code), one in desk.known.subjects.items() if code in codes]
    query = (
        select(BillLine.subject_id, BillLine.item_id, func.max(BillLine.period_to).label("until"))
        .where(
            BillLine.community_id == desk.community_id,
            BillLine.subject_id.in_(id_array(subject_ids)),
            BillLine.kind == LineKind.CHARGE,
            ~is_void(BillLine.community_id, BillLine.bill_id),
        )
        .group_by(BillLine.subject_id, BillLine.item_id)
    )
    return {(row.subject_id, row.item_id): row.until for row in desk.session.execute(query)}
