"""A bill owed by several people (分户承担): by agreement, or because the home changed hands."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from billing.adjustment_tables import BillShare, BillVoid, ShareReason
from billing.bill_lines import LineState, list_lines
from billing.bills import BillLine, BillState, LineKind, get_bills, list_bills
from billing.errors import Conflict
from billing.money import ZERO, Money, split
from billing.payments import lock_home
from billing.people import check_residents


def list_shares(session: Session, community_id: int, bill_id: int) -> list[BillShare]:
    """Who owes what of a bill, by resident; empty when it is owed by the home as a whole."""
    return list(
        session.scalars(
            select(BillShare)
            .where(BillShare.community_id == community_id, BillShare.bill_id == bill_id)
            .order_by(BillShare.resident_id)
        )
    )


def split_bill(
    session: Session,
    community_id: int,
    bill_id: int,
    weights: Mapping[int, Decimal],
    *,
    by: int,
    now: datetime,
) -> list[BillShare]:
    """Share what a bill charges now among people, by weights; replaces how it was shared before.

    The parts sum to the amount as issued and adjusted, whatever is paid of it; after a further
    adjustment the bill is split again.

    Args:
        weights: resident id → weight, in the order that settles ties.
        by: id of the member of staff who decided.

    Raises:
        InvalidInput: nobody, a negative weight, or none above zero.
        NotFound: a bill that is not issued, or somebody the community does not know.
        Conflict: the bill is void.
    """
    _refuse_void(session, community_id, bill_id)
    [bill] = get_bills(session, community_id, [bill_id])
    check_residents(session, community_id, weights)
    lock_home(session, community_id, bill.unit_id)
    [bill] = get_bills(session, community_id, [bill_id])
    parts = split(_total(bill), list(weights.values()))
    owed = dict(zip(weights, parts, strict=True))
    _replace_shares(session, bill, owed, ShareReason.AGREED, by=by, now=now)
    return list_shares(session, community_id, bill_id)


def _refuse_void(session: Session, community_id: int, bill_id: int) -> None:
    if session.get(BillVoid, (community_id, bill_id)) is not None:
        raise Conflict(f"bill {bill_id} is void; nobody owes it")


def _replace_shares(
    session: Session,
    bill: BillState,
    owed: Mapping[int, Money],
    reason: ShareReason,
    *,
    by: int | None,
    now: datetime,
) -> None:
    session.execute(
        delete(BillShare).where(
            BillShare.community_id == bill.community_id, BillShare.bill_id == bill.id
        )
    )
    session.add_all(
        BillShare(
            community_id=bill.community_id,
            bill_id=bill.id,
            resident_id=resident_id,
            amount=amount,
            reason=reason,
            decided_by=by,
            decided_at=now,
        )
        for resident_id, amount in owed.items()
    )
    session.flush()  # deleting and adding one row must keep their order


def share_by_days(
    session: Session,
    community_id: int,
    unit_id: int,
    former: Sequence[int],
    new: Sequence[int],
    on: date,
    *,
    by: int | None,
    now: datetime,
    only: Collection[int] | None = None,
) -> int:
    """Share the bills of a home that changes hands on a day; returns how many it has.

    What is for days before stays the former owners', the rest is the new owners', equally; a line
    over both is split by days.

    Args:
        by: id of the member of staff who decided; None where it follows from an older hand-over.
        only: ids of the bills to share; None is every bill.
    """
    bills = list_bills(session, community_id, [unit_id])
    lines: dict[int, list[LineState]] = {bill.id: [] for bill in bills}
    for line in list_lines(session, community_id, list(lines)):
        lines[line.bill_id].append(line)
    debts = _debts_of_late_fees(session, community_id, list(lines))
    kept: dict[int, Money] = {}
    # In the order of ids: the debt that a late fee is for comes before it.
    for bill in sorted(bills, key=lambda bill: bill.id):
        total = _total(bill)
        parts = [_part_before(line, on, debts, kept, lines) for line in lines[bill.id]]
        kept[bill.id] = min(max(sum(parts, ZERO), ZERO), total)
        if only is not None and bill.id not in only:
            continue
        owed = _among_former(session, bill, former, kept[bill.id])
        for resident_id, part in _equally(total - kept[bill.id], new):
            owed[resident_id] = owed.get(resident_id, ZERO) + part
        shares = {resident_id: amount for resident_id, amount in owed.items() if amount}
        _replace_shares(session, bill, shares, ShareReason.HANDED_OVER, by=by, now=now)
    return len(bills)


def _total(bill: BillState) -> Money:
    """What a bill charges now, paid or not."""
    return bill.amount + bill.adjusted


def _debts_of_late_fees(
    session: Session, community_id: int, bill_ids: Collection[int]
) -> dict[int, int]:
    """Late-fee line → the bill it is for."""
    rows = session.execute(
        select(BillLine.id, BillLine.source_id).where(
            BillLine.community_id == community_id,
            BillLine.bill_id.in_(bill_ids),
            BillLine.kind == LineKind.LATE_FEE,
        )
    )
    return {row.id: row.source_id for row in rows}


def _part_before(
    line: LineState,
    on: date,
    debts: Mapping[int, int],
    kept: Mapping[int, Money],
    lines: Mapping[int, Sequence[LineState]],
) -> Money:
    """What of a line is for days before `on`; a late fee is shared as the debt it is for."""
    amount = line.amount + line.adjusted
    debt = debts.get(line.id)
    if debt is not None and debt in kept:
        whole = sum((one.amount + one.adjusted for one in lines[debt]), ZERO)
        if whole > ZERO:
            return split(amount, [_weight(kept[debt]), _weight(whole - kept[debt])])[0]
    before = (min(max(on, line.period_from), line.period_to) - line.period_from).days
    after = (line.period_to - line.period_from).days - before
    return split(amount, [Decimal(before), Decimal(after)])[0]


def _weight(amount: Money) -> Decimal:
    return Decimal(amount.fen)


def _equally(amount: Money, residents: Sequence[int]) -> list[tuple[int, Money]]:
    parts = split(amount, [Decimal(1)] * len(residents))
    return list(zip(residents, parts, strict=True))


def _among_former(
    session: Session, bill: BillState, former: Sequence[int], kept: Money
) -> dict[int, Money]:
    """Who owes the part for days before: whoever owed it before the former owners keeps his share,
    they owe the rest as they shared it, else equally.
    """
    shares = list_shares(session, bill.community_id, bill.id)
    others = {one.resident_id: one.amount for one in shares if one.resident_id not in former}
    fixed = sum(others.values(), ZERO)
    if fixed > kept:
        parts = split(kept, [_weight(amount) for amount in others.values()])
        return dict(zip(others, parts, strict=True))
    own = {one.resident_id: one.amount for one in shares if one.resident_id in former}
    if sum(own.values(), ZERO) > ZERO:
        parts = split(kept - fixed, [_weight(amount) for amount in own.values()])
        return others | dict(zip(own, parts, strict=True))
    return others | dict(_equally(kept - fixed, former))
