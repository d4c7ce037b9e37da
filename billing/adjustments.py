"""Waivers (减免) and corrections of errors (调账) on issued lines: asked for by one person,
approved by another, booked once.

An adjustment never changes a line. It is a row of its own that counts once it is approved, with a
journal entry of its own; what is taken back is taken back by another one.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from billing.adjustment_tables import Adjustment, AdjustmentKind, AdjustmentState, BillShare
from billing.bill_lines import LineState, list_lines
from billing.bills import Bill, BillLine, BillState, LineKind, get_bills
from billing.closing import first_open_day
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind, record
from billing.ledger import EntryKind, FixedAccount, JournalEntry, Leg, income_account, post, reverse
from billing.money import ZERO, Money, split
from billing.payments import lock_home
from billing.people import BOOKKEEPERS, Staff, StaffRole, require_role
from billing.shares import list_shares
from billing.tariffs import ChargeItem

REQUESTERS = frozenset(StaffRole) - {StaffRole.READER}
"""Who may ask for an adjustment: everybody who works with owners."""

AMOUNT_MAX = Money.from_yuan("1000000000")


def request_adjustment(
    session: Session,
    community_id: int,
    line_id: int,
    *,
    kind: AdjustmentKind,
    amount: Money,
    reason: str,
    by: Staff,
    now: datetime,
) -> Adjustment:
    """Ask for a waiver or a correction of one line of an issued bill. Books nothing yet.

    A line has one open request at a time, so pressing twice asks once and the second is told.

    Args:
        amount: added to what is owed; a waiver is negative. It lowers the line at most to what was
            paid on it.

    Raises:
        NotFound: no such line.
        InvalidInput: an empty reason, an amount that is zero, absurd, or more than is owed, the
            line of a discount, or a requester who may not.
        Conflict: the bill is a draft or void, or the line has an open request.
    """
    require_role(by, community_id, REQUESTERS)
    _refuse_unsound(kind, amount)
    line = _get_line(session, community_id, line_id)
    if line.kind is LineKind.DISCOUNT:
        raise InvalidInput("line", f"line {line_id} is a discount: adjust the charge it lowers")
    bill, lines = _lock_bill(session, community_id, line.bill_id)
    _refuse_open_request(session, community_id, line_id)
    owed = lines[line_id].outstanding
    if owed + amount < ZERO:
        raise InvalidInput(
            "amount", f"{amount.yuan} on line {line_id} of bill {bill.id}, which owes {owed.yuan}"
        )
    return _write_request(session, line, kind=kind, amount=amount, reason=reason, by=by, now=now)


def reverse_adjustment(
    session: Session,
    community_id: int,
    adjustment_id: int,
    *,
    reason: str,
    by: Staff,
    now: datetime,
) -> Adjustment:
    """Ask to take an approved adjustment back, whole. Like any other it needs a second person, and
    is booked by `approve`.

    Raises:
        NotFound: no such adjustment.
        InvalidInput: an empty reason, or a requester who may not.
        Conflict: it is not in force, is a reversal itself, the bill was voided, or the line has an
            open request.
    """
    require_role(by, community_id, REQUESTERS)
    original = get_adjustment(session, community_id, adjustment_id)
    _lock_bill(session, community_id, original.bill_id)
    session.refresh(original)
    _refuse_open_request(session, community_id, original.bill_line_id)
    _refuse_irreversible(session, original)
    return _write_request(
        session,
        _get_line(session, community_id, original.bill_line_id),
        kind=original.kind,
        amount=-original.amount,
        reason=reason,
        by=by,
        now=now,
        reverses_id=original.id,
    )


def approve_adjustment(
    session: Session,
    community_id: int,
    adjustment_id: int,
    *,
    by: Staff,
    today: date,
    now: datetime,
) -> Adjustment:
    """Approve a request and book it, in the first open month. Two at once book it once: the home is
    locked.

    Where the bill is shared by several people, their shares follow in proportion.

    Raises:
        NotFound: no such adjustment.
        InvalidInput: `by` asked for it or may not decide.
        Conflict: it was decided already, the bill was voided meanwhile, or less is owed by now.
    """
    adjustment = get_adjustment(session, community_id, adjustment_id)
    bill, lines = _lock_bill(session, community_id, adjustment.bill_id)
    session.refresh(adjustment)  # as it is under the lock
    _refuse_decision(adjustment, by)
    owed = lines[adjustment.bill_line_id].outstanding
    if owed + adjustment.amount < ZERO:
        raise Conflict(
            f"line {adjustment.bill_line_id} owes only {owed.yuan} by now, less than"
            f" {(-adjustment.amount).yuan}: refuse adjustment {adjustment.id} and ask for less, or"
            " void the bill"
        )
    _reshare(session, bill, bill.amount + bill.adjusted + adjustment.amount)
    adjustment.effective_on = first_open_day(session, community_id, today)
    _decide(session, adjustment, AdjustmentState.APPROVED, by, now)
    _book(session, adjustment, bill, adjustment.effective_on, now)
    record(
        session,
        FactKind.ADJUSTED,
        community_id=community_id,
        unit_id=bill.unit_id,
        ref_id=adjustment.id,
        amount=adjustment.amount,
        at=now,
        data={"bill_id": bill.id, "kind": adjustment.kind.value},
    )
    return adjustment


def refuse_adjustment(
    session: Session, community_id: int, adjustment_id: int, *, by: Staff, now: datetime
) -> Adjustment:
    """Refuse a request, also one on a bill that was voided meanwhile. Books nothing.

    Raises:
        NotFound: no such adjustment.
        InvalidInput: `by` asked for it or may not decide.
        Conflict: it was decided already.
    """
    adjustment = get_adjustment(session, community_id, adjustment_id)
    _lock_home_of(session, community_id, adjustment.bill_id)
    session.refresh(adjustment)
    _refuse_decision(adjustment, by)
    _decide(session, adjustment, AdjustmentState.REFUSED, by, now)
    return adjustment


def get_adjustment(session: Session, community_id: int, adjustment_id: int) -> Adjustment:
    """This adjustment, in whatever state.

    Raises:
        NotFound: there is none in the community.
    """
    found = session.get(Adjustment, (community_id, adjustment_id))
    if found is None:
        raise NotFound(f"no adjustment {adjustment_id} in community {community_id}")
    return found


def list_adjustments(
    session: Session, community_id: int, state: AdjustmentState
) -> Sequence[Adjustment]:
    """Adjustments of a community in a state, oldest first."""
    return session.scalars(
        select(Adjustment)
        .where(Adjustment.community_id == community_id, Adjustment.state == state)
        .order_by(Adjustment.id)
    ).all()


def _refuse_unsound(kind: AdjustmentKind, amount: Money) -> None:
    if kind is AdjustmentKind.WAIVER and amount >= ZERO:
        raise InvalidInput("amount", f"a waiver lowers what is owed, {amount.yuan} does not")
    if not amount:
        raise InvalidInput("amount", "must not be zero")
    if not -AMOUNT_MAX <= amount <= AMOUNT_MAX:
        raise InvalidInput("amount", f"{amount.yuan} is beyond {AMOUNT_MAX.yuan}")


def _get_line(session: Session, community_id: int, line_id: int) -> BillLine:
    line = session.get(BillLine, (community_id, line_id))
    if line is None:
        raise NotFound(f"no bill line {line_id} in community {community_id}")
    return line


def _lock_home_of(session: Session, community_id: int, bill_id: int) -> None:
    bill = session.get_one(Bill, (community_id, bill_id))
    lock_home(session, community_id, bill.unit_id)


def _lock_bill(
    session: Session, community_id: int, bill_id: int
) -> tuple[BillState, dict[int, LineState]]:
    """The bill and its lines by id; no payment, void or approval changes them meanwhile."""
    _lock_home_of(session, community_id, bill_id)
    try:
        [bill] = get_bills(session, community_id, [bill_id])
    except NotFound as error:
        raise Conflict(
            f"bill {bill_id} is a draft or void: only what is owed can be adjusted"
        ) from error
    return bill, {line.id: line for line in list_lines(session, community_id, [bill_id])}


def _refuse_open_request(session: Session, community_id: int, line_id: int) -> None:
    waiting = session.scalar(
        select(Adjustment.id).where(
            Adjustment.community_id == community_id,
            Adjustment.bill_line_id == line_id,
            Adjustment.state == AdjustmentState.REQUESTED,
        )
    )
    if waiting is not None:
        raise Conflict(f"line {line_id} has request {waiting} waiting: decide that one first")


def _write_request(
    session: Session,
    line: BillLine,
    *,
    kind: AdjustmentKind,
    amount: Money,
    reason: str,
    by: Staff,
    now: datetime,
    reverses_id: int | None = None,
) -> Adjustment:
    if not reason.strip():
        raise InvalidInput("reason", "say why, for whoever approves and for the owner")
    request = Adjustment(
        community_id=line.community_id,
        bill_id=line.bill_id,
        bill_line_id=line.id,
        kind=kind,
        amount=amount,
        reason=reason.strip(),
        state=AdjustmentState.REQUESTED,
        reverses_id=reverses_id,
        requested_by=by.id,
        requested_at=now,
    )
    session.add(request)
    session.flush()  # its number is what the caller tells
    return request


def _refuse_irreversible(session: Session, original: Adjustment) -> None:
    """Refuse to take back what is not in force."""
    if original.reverses_id is not None:
        raise Conflict(f"adjustment {original.id} is itself a reversal: ask for a new adjustment")
    if original.state is not AdjustmentState.APPROVED:
        raise Conflict(f"adjustment {original.id} is {original.state.value}, not in force")
    taken_back = session.scalar(
        select(Adjustment.id).where(
            Adjustment.community_id == original.community_id,
            Adjustment.bill_line_id == original.bill_line_id,
            Adjustment.reverses_id == original.id,
            Adjustment.state == AdjustmentState.APPROVED,
        )
    )
    if taken_back is not None:
        raise Conflict(f"adjustment {original.id} was taken back already, by {taken_back}")


def _refuse_decision(adjustment: Adjustment, by: Staff) -> None:
    require_role(by, adjustment.community_id, BOOKKEEPERS)
    if adjustment.state is not AdjustmentState.REQUESTED:
        raise Conflict(f"adjustment {adjustment.id} is {adjustment.state.value} already")
    if adjustment.requested_by == by.id:
        raise InvalidInput("by", f"{by.login} asked for it: another person decides")


def _decide(
    session: Session, adjustment: Adjustment, state: AdjustmentState, by: Staff, now: datetime
) -> None:
    adjustment.state = state
    adjustment.decided_by = by.id
    adjustment.decided_at = now
    session.flush()  # set-wise statements of the caller read it


def _book(
    session: Session, adjustment: Adjustment, bill: BillState, effective_on: date, now: datetime
) -> None:
    key = f"adjustment:{adjustment.id}"
    if adjustment.reverses_id is not None:
        original = session.scalars(
            select(JournalEntry.id).where(
                JournalEntry.community_id == adjustment.community_id,
                JournalEntry.idempotency_key == f"adjustment:{adjustment.reverses_id}",
            )
        ).one()
        reverse(
            session,
            adjustment.community_id,
            original,
            key=key,
            effective_on=effective_on,
            now=now,
        )
        return
    against = _counter_account(session, adjustment)
    debited, credited = FixedAccount.RECEIVABLE.value, against
    if adjustment.amount < ZERO:
        debited, credited = credited, debited
    size = max(adjustment.amount, -adjustment.amount)
    post(
        session,
        adjustment.community_id,
        kind=EntryKind(adjustment.kind.value),  # the two kinds are kinds of entry by the same code
        key=key,
        source_id=adjustment.id,
        effective_on=effective_on,
        now=now,
        legs=[
            Leg(debited, debit=size, unit_id=bill.unit_id, bill_id=bill.id),
            Leg(credited, credit=size, unit_id=bill.unit_id, bill_id=bill.id),
        ],
    )


def _counter_account(session: Session, adjustment: Adjustment) -> str:
    """What a waiver costs is an expense; an error is corrected where the line was booked."""
    if adjustment.kind is AdjustmentKind.WAIVER:
        return FixedAccount.WAIVERS
    line = _get_line(session, adjustment.community_id, adjustment.bill_line_id)
    if line.kind is LineKind.OPENING:
        return FixedAccount.OPENING
    item = session.get_one(ChargeItem, (adjustment.community_id, line.item_id))
    return income_account(item.code)


def _reshare(session: Session, bill: BillState, amount: Money) -> None:
    """Let the shares of a bill sum to what it amounts to now, in the proportion they had.

    Shares that were waived to nothing have no proportion left; they go, and the home owes the bill
    until somebody splits it again.
    """
    shares = list_shares(session, bill.community_id, bill.id)
    weights = [Decimal(share.amount.fen) for share in shares]
    if not any(weights):
        session.execute(
            delete(BillShare).where(
                BillShare.community_id == bill.community_id, BillShare.bill_id == bill.id
            )
        )
        return
    for share, part in zip(shares, split(amount, weights), strict=True):
        share.amount = part
