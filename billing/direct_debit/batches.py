"""Batches: what homes with a mandate owe, ordered from the bank in one file.

An order is a payment like any other: prepared when the batch is made, waiting while the bank has
the file, confirmed or closed by the bank's answer. While it is open nobody else pays its bills.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count

from sqlalchemy import select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.bank_reference import reference_of
from billing.business_day import business_date
from billing.db import key_array
from billing.direct_debit.tables import (
    BatchState,
    DirectDebitBatch,
    DirectDebitMandate,
    DirectDebitOrder,
    MandateKind,
    MandateState,
    OrderState,
)
from billing.direct_debit.withdrawal import find_stale, undisputed, withdraw_stale
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind, record
from billing.labels import LabelEnum
from billing.money import Money
from billing.owed_lines import list_own_unpaid
from billing.payment_tables import Payment, PaymentChannel, PaymentState, PaymentTarget
from billing.payments import DEBIT_PREFIX, InFlight, lock_homes, prepare, record_closed
from billing.people import BOOKKEEPERS, Staff, require_role
from billing.privacy import Vault


class Skipped(LabelEnum):
    """Why a home with a mandate is not in a batch."""

    NOTHING_DUE = "nothing_due", "没有到期欠费"
    IN_FLIGHT = "in_flight", "正在用其他方式缴费"


@dataclass(frozen=True, slots=True)
class Line:
    """An order as the bank needs it: full name and number. Never logged, never kept."""

    no: int
    holder: str
    account: str
    amount: Money
    remark: str
    """The reference of the home."""


def make_batch(
    session: Session, community_id: int, *, due_by: date, by: Staff, now: datetime
) -> DirectDebitBatch:
    """Order from the bank, for every home with a living bank mandate, what it owes on bills due on
    or before a day; what a former owner owes at least a part of is left out. Each time a new batch;
    bills of an open one are left out as in flight.

    Holders are told now. The bank gets the batch when the longest notice of its mandates is over.

    Raises:
        InvalidInput: `by` may not.
        Conflict: no home has anything to take; nothing is written.
    """
    require_role(by, community_id, BOOKKEEPERS)
    mandates = list(
        session.scalars(
            select(DirectDebitMandate)
            .where(
                DirectDebitMandate.community_id == community_id,
                DirectDebitMandate.kind == MandateKind.BANK,
                DirectDebitMandate.state == MandateState.ACTIVE,
            )
            .order_by(DirectDebitMandate.unit_id)
        )
    )
    homes = [mandate.unit_id for mandate in mandates]
    lock_homes(session, community_id, homes)
    due = _due(session, community_id, homes, due_by)
    batch = _new_batch(session, community_id, due_by, by, now)
    skipped: dict[str, list[int]] = defaultdict(list)
    ordered: list[DirectDebitMandate] = []
    for mandate in mandates:
        bills = due.get(mandate.unit_id)
        if not bills:
            skipped[Skipped.NOTHING_DUE].append(mandate.unit_id)
            continue
        try:
            payment = _order(session, batch, len(ordered) + 1, mandate, bills, now)
        except InFlight:
            skipped[Skipped.IN_FLIGHT].append(mandate.unit_id)
            continue
        ordered.append(mandate)
        session.add(
            DirectDebitOrder(
                community_id=community_id,
                batch_id=batch.id,
                no=len(ordered),
                mandate_id=mandate.id,
                payment_id=payment.id,
                amount=payment.amount,
                state=OrderState.WAITING,
            )
        )
        _announce(session, payment, now)
    if not ordered:
        why = ", ".join(f"{reason}: {len(units)}" for reason, units in skipped.items())
        raise Conflict(f"nothing to take from {len(homes)} homes with a mandate ({why or 'none'})")
    batch.skipped = dict(skipped)
    notice = max(mandate.notice_days for mandate in ordered)
    batch.sent_from = business_date(now) + timedelta(days=notice)
    session.flush()
    return batch


def _announce(session: Session, payment: Payment, now: datetime) -> None:
    record(
        session,
        FactKind.DEBIT_ORDERED,
        community_id=payment.community_id,
        unit_id=payment.unit_id,
        ref_id=payment.id,
        amount=payment.amount,
        at=now,
    )


def _due(
    session: Session, community_id: int, homes: Sequence[int], due_by: date
) -> Mapping[int, dict[int, Money]]:
    """Home → bill → what is owed on it by the present owners, who signed."""
    due: dict[int, dict[int, Money]] = defaultdict(dict)
    for bill in undisputed(session, community_id, list_own_unpaid(session, community_id, homes)):
        if bill.due_on <= due_by:
            due[bill.unit_id][bill.id] = bill.outstanding
    return due


def _new_batch(
    session: Session, community_id: int, due_by: date, by: Staff, now: datetime
) -> DirectDebitBatch:
    """A row with the next number of the day; of two at once each gets its own."""
    for number in count(1):
        batch: DirectDebitBatch | None = session.scalar(
            insert(DirectDebitBatch)
            .values(
                community_id=community_id,
                number=f"{DEBIT_PREFIX}{business_date(now):%Y%m%d}-{number}",
                due_by=due_by,
                sent_from=business_date(now),
                state=BatchState.MADE,
                skipped={},
                made_by=by.id,
                made_at=now,
            )
            .on_conflict_do_nothing(index_elements=["community_id", "number"])
            .returning(DirectDebitBatch)
        )
        if batch is not None:
            return batch
    raise Conflict("no number for the batch")  # never reached: numbers do not end


def _order(
    session: Session,
    batch: DirectDebitBatch,
    no: int,
    mandate: DirectDebitMandate,
    bills: Mapping[int, Money],
    now: datetime,
) -> Payment:
    return prepare(
        session,
        community_id=batch.community_id,
        unit_id=mandate.unit_id,
        channel=PaymentChannel.DIRECT_DEBIT,
        merchant_id=None,
        payer_id=None,
        designated=bills,
        out_trade_no=f"{batch.number}-{no}",
        now=now,
    )


def get_batch(session: Session, community_id: int, number: str) -> DirectDebitBatch:
    """The batch with this number, locked until the caller's transaction ends.

    Raises:
        NotFound: there is none.
    """
    batch = session.scalar(
        select(DirectDebitBatch)
        .where(DirectDebitBatch.community_id == community_id, DirectDebitBatch.number == number)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if batch is None:
        raise NotFound(f"no direct debit batch {number!r} in community {community_id}")
    return batch


def list_orders(
    session: Session, batch: DirectDebitBatch
) -> list[tuple[DirectDebitOrder, Payment]]:
    """Orders of a batch with their payments, locked, by serial number."""
    rows = session.execute(
        select(DirectDebitOrder, Payment)
        .join(
            Payment,
            (Payment.community_id == DirectDebitOrder.community_id)
            & (Payment.id == DirectDebitOrder.payment_id),
        )
        .where(
            DirectDebitOrder.community_id == batch.community_id,
            DirectDebitOrder.batch_id == batch.id,
        )
        .order_by(DirectDebitOrder.no)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return [(order, payment) for order, payment in rows]


def ordered_bills(
    session: Session, bills: Collection[tuple[int, int]] | None = None
) -> set[tuple[int, int]]:
    """(community, bill) of what the bank is asked to take now: nobody else may pay it meanwhile.

    Args:
        bills: only these; None for all.
    """
    if bills is not None and not bills:
        return set()
    query = (
        select(PaymentTarget.community_id, PaymentTarget.bill_id)
        .join(
            DirectDebitOrder,
            (DirectDebitOrder.community_id == PaymentTarget.community_id)
            & (DirectDebitOrder.payment_id == PaymentTarget.payment_id),
        )
        .where(DirectDebitOrder.state == OrderState.WAITING)
    )
    if bills is not None:
        wanted = tuple_(PaymentTarget.community_id, PaymentTarget.bill_id)
        query = query.where(wanted.in_(key_array(set(bills))))
    return {(row.community_id, row.bill_id) for row in session.execute(query)}


def prepare_file(
    session: Session, vault: Vault, batch: DirectDebitBatch, now: datetime
) -> list[Line]:
    """The lines of the file for the bank: orders that wait. Until the bank has it, what is not to
    be taken any more is withdrawn first, with its reason: the file is what the batch is then.

    Raises:
        Conflict: it was cancelled, it is too early, as its holders must be told in time, or no
            order of it waits.
    """
    batch = get_batch(session, batch.community_id, batch.number)
    if batch.state is BatchState.CANCELLED:
        raise Conflict(f"batch {batch.number} was cancelled")
    _check_notice(batch, business_date(now))
    if batch.state is BatchState.MADE:
        withdraw_stale(session, batch, list_orders(session, batch), now)
    rows = session.execute(
        select(DirectDebitOrder, DirectDebitMandate)
        .join(
            DirectDebitMandate,
            (DirectDebitMandate.community_id == DirectDebitOrder.community_id)
            & (DirectDebitMandate.id == DirectDebitOrder.mandate_id),
        )
        .where(
            DirectDebitOrder.community_id == batch.community_id,
            DirectDebitOrder.batch_id == batch.id,
            DirectDebitOrder.state == OrderState.WAITING,
        )
        .order_by(DirectDebitOrder.no)
    )
    lines = [
        Line(
            no=order.no,
            holder=vault.open(mandate.holder_sealed or ""),
            account=vault.open(mandate.account_sealed or ""),
            amount=order.amount,
            remark=reference_of(mandate.unit_id),
        )
        for order, mandate in rows
    ]
    if not lines:
        raise Conflict(f"no order of batch {batch.number} waits any more; cancel it if unsent")
    return lines


def mark_sent(
    session: Session, community_id: int, number: str, *, by: Staff, now: datetime
) -> DirectDebitBatch:
    """The bank has the file; its answer is awaited. Twice keeps the first time.

    What has become untakeable since the file was fetched is still in it: it is named, and the file
    must be fetched again.

    Raises:
        InvalidInput: `by` may not.
        NotFound: no such batch.
        Conflict: it was cancelled, its holders were not told in time yet, or an order is not to be
            taken any more.
    """
    require_role(by, community_id, BOOKKEEPERS)
    batch = get_batch(session, community_id, number)
    if batch.state is BatchState.CANCELLED:
        raise Conflict(f"batch {number} was cancelled")
    if batch.state is not BatchState.MADE:
        return batch
    _check_notice(batch, business_date(now))
    stale = find_stale(session, batch, list_orders(session, batch))
    if stale:
        raise Conflict(
            f"lines {', '.join(map(str, sorted(stale)))} of batch {number} are not to be taken any"
            " more: fetch the file again, and let the bank have that one alone"
        )
    session.execute(
        update(Payment)
        .where(
            Payment.community_id == community_id,
            Payment.id.in_(
                select(DirectDebitOrder.payment_id).where(
                    DirectDebitOrder.community_id == community_id,
                    DirectDebitOrder.batch_id == batch.id,
                )
            ),
            Payment.state == PaymentState.PREPARED,
        )
        .values(state=PaymentState.WAITING)
    )
    batch.state, batch.sent_by, batch.sent_at = BatchState.SENT, by.id, now
    session.flush()
    return batch


def cancel_batch(
    session: Session, community_id: int, number: str, *, by: Staff, now: datetime
) -> DirectDebitBatch:
    """Take a batch back before the bank has it: its bills may be paid in other ways again. Twice
    changes nothing.

    Raises:
        InvalidInput: `by` may not.
        NotFound: no such batch.
        Conflict: the bank has it; wait for its answer.
    """
    require_role(by, community_id, BOOKKEEPERS)
    batch = get_batch(session, community_id, number)
    if batch.state is BatchState.CANCELLED:
        return batch
    if batch.state is not BatchState.MADE:
        raise Conflict(f"batch {number} was sent; the bank's answer decides")
    for order, payment in list_orders(session, batch):
        record_closed(session, payment, now)
        order.state = OrderState.CANCELLED
    batch.state, batch.cancelled_by, batch.cancelled_at = BatchState.CANCELLED, by.id, now
    session.flush()
    return batch


def _check_notice(batch: DirectDebitBatch, today: date) -> None:
    if today < batch.sent_from:
        raise Conflict(
            f"batch {batch.number} goes to the bank from {batch.sent_from} on: holders were told"
            " so, by what their papers say; until then it may be cancelled"
        )


def check_sent(batch: DirectDebitBatch) -> None:
    """Refuse the bank's answer to a batch it never had.

    Raises:
        InvalidInput: the batch was not marked as sent.
    """
    if batch.sent_at is None:
        raise InvalidInput("batch", f"{batch.number} is {batch.state.value}, the bank has none")
