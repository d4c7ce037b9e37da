"""Bills, counter payments and staff for tests, written down without a run, as an import would."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from billing.adjustment_tables import (
    Adjustment,
    AdjustmentKind,
    AdjustmentState,
    AfterVoid,
    BillVoid,
)
from billing.bill_issue import issue_chunk
from billing.bill_run_tables import BillRun, BillRunChunk, ChunkState
from billing.bills import Bill, BillLine, LineKind
from billing.booking import book
from billing.business_day import BEIJING
from billing.checks import run_checks
from billing.closing import PeriodClose
from billing.handovers import hand_over
from billing.ledger import FixedAccount, JournalEntry, balance
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentChannel, PaymentState, PaymentTarget
from billing.people import Resident, Staff
from billing.period import Period
from billing.tariffs import ChargeItem
from tests.conftest import World

NOVEMBER = (date(2026, 11, 1), date(2026, 12, 1))


@dataclass(frozen=True, slots=True)
class Line:
    """A line to be written; a negative amount is a discount."""

    yuan: str
    item: str = "property"
    days: tuple[date, date] = NOVEMBER
    source: int = 0
    basis: dict[str, Any] | None = None


def at(day: date) -> datetime:
    """Ten in the morning of a day, in Beijing."""
    return datetime.combine(day, time(10), BEIJING)


def item_id(session: Session, code: str) -> int:
    return session.scalars(select(ChargeItem.id).where(ChargeItem.code == code)).one()


def staff(session: Session, login: str = "chen") -> Staff:
    return session.scalars(select(Staff).where(Staff.login == login)).one()


def write_bill(
    session: Session, world: World, room: str, lines: Sequence[Line], *, issued_on: date, due: date
) -> int:
    """Issue a bill with these lines; returns its id."""
    community_id, unit = world.community.id, world.unit(room)
    run_id, no = draft_bills(session, world, [unit.id], lines, issued_on)
    issue_chunk(session, community_id, run_id, no, issued_on=issued_on, due=due, now=at(issued_on))
    return session.scalars(select(Bill.id).where(Bill.run_id == run_id)).one()


def draft_bills(
    session: Session, world: World, unit_ids: Sequence[int], lines: Sequence[Line], on: date
) -> tuple[int, int]:
    """Draft a bill with these lines for each home; returns their run and chunk."""
    run = BillRun(
        community_id=world.community.id, period=Period.of(on), started_at=at(on), summary={}
    )
    session.add(run)
    session.flush()
    chunk = BillRunChunk(community_id=run.community_id, run_id=run.id, no=1, state=ChunkState.DRAFT)
    session.add(chunk)
    session.flush()
    for unit_id in unit_ids:
        _draft(session, chunk, unit_id, lines, Period.of(on))
    return run.id, 1


def _draft(
    session: Session, chunk: BillRunChunk, unit_id: int, lines: Sequence[Line], period: Period
) -> None:
    amounts = [Money.from_yuan(line.yuan) for line in lines]
    bill = Bill(
        community_id=chunk.community_id,
        run_id=chunk.run_id,
        chunk_no=chunk.no,
        unit_id=unit_id,
        period=period,
        amount=sum(amounts, ZERO),
    )
    session.add(bill)
    session.flush()
    for line, amount in zip(lines, amounts, strict=True):
        session.add(
            BillLine(
                community_id=bill.community_id,
                bill_id=bill.id,
                subject_id=unit_id,
                item_id=item_id(session, line.item),
                kind=LineKind.CHARGE if amount >= ZERO else LineKind.DISCOUNT,
                source_id=line.source,
                period_from=line.days[0],
                period_to=line.days[1],
                amount=amount,
                basis=line.basis or _basis(amount),
            )
        )
        session.flush()  # lines are paid in the order they were written


def _basis(amount: Money) -> dict[str, Any]:
    if amount < ZERO:
        return {"method": "discount", "reason": "agreed", "amount": (-amount).yuan}
    return {"method": "flat", "unit_price": amount.yuan, "per": "once"}


def pay(
    session: Session, world: World, room: str, yuan: str, on: date, bill_id: int | None = None
) -> Payment:
    """Cash at the counter for a home, meant for one bill if given."""
    unit = world.unit(room)
    payment = Payment(
        community_id=world.community.id,
        out_trade_no=f"C{session.query(Payment).count()}",
        unit_id=unit.id,
        channel=PaymentChannel.CASH,
        state=PaymentState.CONFIRMED,
        amount=Money.from_yuan(yuan),
        prepared_at=at(on),
        confirmed_at=at(on),
        paid_at=at(on),
        is_designated=bill_id is not None,
    )
    session.add(payment)
    session.flush()
    if bill_id is not None:
        session.add(
            PaymentTarget(
                community_id=payment.community_id,
                payment_id=payment.id,
                bill_id=bill_id,
                amount=payment.amount,
            )
        )
        session.flush()
    book(session, payment, at(on))
    return payment


def last_entry(session: Session) -> JournalEntry:
    """What was posted last."""
    return session.scalars(select(JournalEntry).order_by(JournalEntry.id.desc()).limit(1)).one()


def adjust(
    session: Session,
    line: BillLine,
    yuan: str,
    kind: AdjustmentKind,
    on: date,
    *,
    state: AdjustmentState = AdjustmentState.APPROVED,
    reverses_id: int | None = None,
) -> Adjustment:
    """An approved change of what is owed on a line; nothing is posted."""
    decided = state is not AdjustmentState.REQUESTED
    adjustment = Adjustment(
        community_id=line.community_id,
        bill_id=line.bill_id,
        bill_line_id=line.id,
        kind=kind,
        amount=Money.from_yuan(yuan),
        reason="told so",
        state=state,
        effective_on=on if decided else None,
        reverses_id=reverses_id,
        requested_by=staff(session, "liu").id,
        requested_at=at(on),
        decided_by=staff(session, "zhao").id if decided else None,
        decided_at=at(on) if decided else None,
    )
    session.add(adjustment)
    session.flush()
    return adjustment


def void(session: Session, community_id: int, bill_id: int, after: AfterVoid) -> None:
    """Mark a bill void; nothing is posted."""
    session.add(
        BillVoid(
            community_id=community_id,
            bill_id=bill_id,
            after=after,
            reason="a mistake",
            voided_by=staff(session).id,
            voided_at=at(date(2026, 11, 23)),
        )
    )
    session.flush()


def prepaid(session: Session, world: World, room: str) -> Money:
    """What the journal says a home has with us."""
    unit = world.unit(room)
    return -balance(session, world.community.id, FixedAccount.PREPAYMENTS, unit.id)


def shut(session: Session, world: World, month: str) -> None:
    """A closed month; what was counted in it does not matter here."""
    session.add(
        PeriodClose(
            community_id=world.community.id,
            period=Period(month),
            closed_by=staff(session).id,
            closed_at=world.now,
            entries=0,
            total=ZERO,
        )
    )
    session.flush()


def person(session: Session, world: World) -> int:
    """Somebody the community knows, without a home."""
    found = Resident(community_id=world.community.id, name_sealed="x", phone_sealed=None)
    session.add(found)
    session.flush()
    return found.id


def sell(session: Session, world: World, room: str, on: date) -> None:
    """Hand a home over to somebody new."""
    hand_over(
        session,
        world.community.id,
        world.unit(room).id,
        [person(session, world)],
        on=on,
        by=staff(session).id,
        now=world.now,
    )


def faults(session: Session) -> list[str]:
    """Names of the self-checks that find something."""
    return [result.name for result in run_checks(session) if result.violations]


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def note(*called: Any) -> None:
        sent.append(called[2])

    event.listen(world.database.engine, "before_cursor_execute", note)
    yield sent
    event.remove(world.database.engine, "before_cursor_execute", note)
