"""Books in which everything has happened that a self-check is about, and which are whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from billing.adjustment_tables import (
    AdjustmentKind,
    AfterVoid,
    BillShare,
    ShareReason,
)
from billing.adjustments import approve_adjustment, request_adjustment, reverse_adjustment
from billing.bank_reference import reference_of
from billing.bill_issue import issue_chunk
from billing.bill_lines import list_lines
from billing.bill_run import run_bills
from billing.bill_run_tables import BillRun, BillRunChunk, ChunkState, RunKind
from billing.bills import Bill, BillLine, LineKind
from billing.bindings import see_follower
from billing.channels.base import RefundAnswer, RefundState
from billing.closing import close_period
from billing.day_close import close_day
from billing.deposits import Deposit, DepositMove, DepositMovement, take_deposit
from billing.facts import FactKind, record
from billing.fapiao import request_fapiao
from billing.fapiao_papers import FapiaoTitle
from billing.fapiao_tables import TitleKind
from billing.ledger import EntryKind, FixedAccount, Leg, ensure_accounts, post
from billing.merchants import MerchantAccount
from billing.money import Money
from billing.payment_tables import Payment, PaymentAllocation, PaymentChannel, PaymentState
from billing.people import get_staff
from billing.period import DateRange, Period
from billing.pricing import ApportionBy, apportion, recompute
from billing.property import SubjectKind
from billing.receipts import number_waiting
from billing.refund_outcomes import pay_out_refund, record_answer
from billing.refund_tables import Refund
from billing.refunds import approve_refund, new_out_refund_no, request_refund
from billing.shared_costs import SharedCost
from billing.shifts import close_shift
from billing.tariffs import ChargeItem, FeeKind
from billing.voids import void_bill
from tests.billing.corrections import BEHIND, IN_TIME, OPENID, bill_of, pay, staff
from tests.billing.direct_debit.debits import Debit
from tests.billing.drawer import FLOAT, cancel, shift_of, take
from tests.billing.statements.banks import Bank, Transfer
from tests.conftest import NOW, TODAY, World, make_vault

NOVEMBER = DateRange(date(2026, 11, 1), date(2026, 12, 1))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line to be billed."""

    unit_id: int
    item_id: int
    basis: dict[str, Any]
    kind: LineKind = LineKind.CHARGE
    source_id: int = 0


def add_item(session: Session, world: World, code: str, fee: FeeKind) -> int:
    """A charge item with its account."""
    item = ChargeItem(
        community_id=world.community.id,
        code=code,
        name=fee.label,
        fee=fee,
        subject_kind=SubjectKind.HOME,
        cycle_months=1,
        active_from=NOVEMBER.start,
        active_to=NOVEMBER.end,
    )
    session.add(item)
    session.flush()
    ensure_accounts(session, world.community.id, {code: fee.label})
    return item.id


def issue(
    session: Session,
    world: World,
    wanted: Sequence[Wanted],
    *,
    kind: RunKind = RunKind.REGULAR,
) -> dict[int, int]:
    """Issue a run of one chunk with these lines, a bill per home: home → bill."""
    community_id = world.community.id
    run = BillRun(
        community_id=community_id, period=Period("2026-11"), kind=kind, started_at=NOW, summary={}
    )
    session.add(run)
    session.flush()
    chunk = BillRunChunk(community_id=community_id, run_id=run.id, no=1, state=ChunkState.DRAFT)
    session.add(chunk)
    session.flush()
    bills: dict[int, Bill] = {}
    for line in wanted:
        amount = recompute(line.basis)
        bill = bills.setdefault(
            line.unit_id,
            Bill(
                community_id=community_id,
                run_id=run.id,
                chunk_no=1,
                unit_id=line.unit_id,
                period=run.period,
                amount=Money(0),
            ),
        )
        bill.amount += amount
    session.add_all(bills.values())
    session.flush()
    session.execute(
        insert(BillLine),
        [
            {
                "community_id": community_id,
                "bill_id": bills[line.unit_id].id,
                "subject_id": line.unit_id,
                "item_id": line.item_id,
                "kind": line.kind,
                "source_id": line.source_id,
                "period_from": NOVEMBER.start,
                "period_to": NOVEMBER.end,
                "amount": recompute(line.basis),
                "basis": line.basis,
            }
            for line in wanted
        ],
    )
    if kind is RunKind.OPENING:
        chunk.state, chunk.issued_on, chunk.due_on = ChunkState.ISSUED, TODAY, TODAY
        for bill in bills.values():
            take_over(session, bill)
    else:
        issue_chunk(session, community_id, run.id, 1, issued_on=TODAY, due=NOVEMBER.end, now=NOW)
    return {unit_id: bill.id for unit_id, bill in bills.items()}


def take_over(session: Session, bill: Bill) -> None:
    """Book what a home owed before these books began."""
    post(
        session,
        bill.community_id,
        kind=EntryKind.OPENING,
        key=f"opening:{bill.id}",
        source_id=bill.id,
        effective_on=TODAY,
        now=NOW,
        legs=[
            Leg(FixedAccount.RECEIVABLE, debit=bill.amount, unit_id=bill.unit_id, bill_id=bill.id),
            Leg(FixedAccount.OPENING, credit=bill.amount),
        ],
    )
    record(
        session,
        FactKind.BILL_ISSUED,
        community_id=bill.community_id,
        unit_id=bill.unit_id,
        ref_id=bill.id,
        amount=bill.amount,
        at=NOW,
    )


def once(yuan: str) -> dict[str, Any]:
    """The basis of a single charge."""
    return {"method": "flat", "unit_price": yuan, "per": "once"}


def share_a_cost(session: Session, world: World) -> dict[int, int]:
    """Share the electricity of a building among its homes."""
    item_id = add_item(session, world, "lift_power", FeeKind.SHARED)
    cost = SharedCost(
        community_id=world.community.id,
        item_id=item_id,
        from_on=NOVEMBER.start,
        to_on=NOVEMBER.end,
        amount=Money(100_01),
        apportion_by=ApportionBy.HOUSEHOLD,
        recorded_at=NOW,
    )
    session.add(cost)
    session.flush()
    homes = [world.unit(room).id for room in (BEHIND, IN_TIME, "2-1-803")]
    shares = apportion(Money(100_01), ApportionBy.HOUSEHOLD, [Decimal(1)] * len(homes))
    return issue(
        session,
        world,
        [
            Wanted(home, item_id, share.to_json(), source_id=cost.id)
            for home, share in zip(homes, shares, strict=True)
        ],
    )


def adjust(world: World, bill_id: int, kind: AdjustmentKind, fen: int, *, back: bool) -> None:
    """Adjust the first line of a bill, and take that back again if asked."""
    asker, decider = staff(world, "liu"), staff(world, "zhao")
    with world.database.transaction() as session:
        line = list_lines(session, world.community.id, [bill_id])[0]
        made = request_adjustment(
            session,
            world.community.id,
            line.id,
            kind=kind,
            amount=Money(fen),
            reason="协商",
            by=asker,
            now=NOW,
        )
        approve_adjustment(session, made.community_id, made.id, by=decider, today=TODAY, now=NOW)
        if back:
            undone = reverse_adjustment(
                session, made.community_id, made.id, reason="录错", by=asker, now=NOW
            )
            approve_adjustment(
                session, made.community_id, undone.id, by=decider, today=TODAY, now=NOW
            )


def void(world: World, bill_id: int, after: AfterVoid = AfterVoid.REDO) -> None:
    """Void a bill."""
    manager = staff(world, "zhao")
    with world.database.transaction() as session:
        void_bill(
            session,
            world.community.id,
            bill_id,
            after=after,
            reason="面积有误",
            by=manager,
            today=TODAY,
            now=NOW,
        )


def deduct(session: Session, world: World, unit_id: int, bill_id: int) -> None:
    """Pay ten yuan of a bill's first line from the home's prepayment."""
    community_id, amount = world.community.id, Money(10_00)
    [line, *_] = list_lines(session, community_id, [bill_id])
    payment = Payment(
        community_id=community_id,
        out_trade_no=f"PRE-{bill_id}",
        unit_id=unit_id,
        channel=PaymentChannel.PREPAID,
        state=PaymentState.CONFIRMED,
        amount=amount,
        prepared_at=NOW,
        confirmed_at=NOW,
        paid_at=NOW,
    )
    session.add(payment)
    session.flush()
    session.execute(
        insert(PaymentAllocation).values(
            community_id=community_id,
            payment_id=payment.id,
            bill_line_id=line.id,
            bill_id=bill_id,
            amount=amount,
            effective_on=TODAY,
        )
    )
    post(
        session,
        community_id,
        kind=EntryKind.PAYMENT,
        key=f"payment:{payment.out_trade_no}",
        source_id=payment.id,
        effective_on=TODAY,
        now=NOW,
        legs=[
            Leg(FixedAccount.PREPAYMENTS, debit=amount, unit_id=unit_id),
            Leg(FixedAccount.RECEIVABLE, credit=amount, unit_id=unit_id, bill_id=bill_id),
        ],
    )
    record(
        session,
        FactKind.PREPAID_USED,
        community_id=community_id,
        unit_id=unit_id,
        ref_id=payment.id,
        amount=amount,
        at=NOW,
    )


def hold_a_deposit(session: Session, world: World, unit_id: int) -> None:
    """Take a deposit, return part of it, keep another part."""
    deposit = Deposit(
        community_id=world.community.id, number="YJ-001", unit_id=unit_id, purpose="装修押金"
    )
    session.add(deposit)
    session.flush()
    for move, fen, debited, credited in (
        (DepositMove.TAKEN, 2000_00, FixedAccount.CASH, FixedAccount.DEPOSITS),
        (DepositMove.RETURNED, 500_00, FixedAccount.DEPOSITS, FixedAccount.CASH),
        (DepositMove.FORFEITED, 100_00, FixedAccount.DEPOSITS, FixedAccount.FORFEITS),
    ):
        session.add(
            DepositMovement(
                community_id=world.community.id,
                deposit_id=deposit.id,
                move=move,
                amount=Money(fen),
                moved_on=TODAY,
                reason=deposit.purpose,
                moved_by=staff(world, "chen").id,
                moved_at=NOW,
            )
        )
        post(
            session,
            world.community.id,
            kind=EntryKind.DEPOSIT,
            key=f"deposit:{deposit.number}:{move.value}",
            source_id=deposit.id,
            effective_on=TODAY,
            now=NOW,
            legs=[
                Leg(debited, debit=Money(fen), unit_id=unit_id),
                Leg(credited, credit=Money(fen), unit_id=unit_id),
            ],
        )


def work_the_counter(world: World) -> None:
    """A shift with a payment that stands and is invoiced, one that was cancelled, and a deposit;
    closed with cash missing; and the day after it.
    """
    here, unit_id = world.community.id, world.unit(IN_TIME).id
    with world.database.transaction() as session:
        shift = shift_of(session, world)
        kept = take(session, world, IN_TIME, "60.00", "SJ-1")
        cancel(session, take(session, world, IN_TIME, "7.00", "SJ-2"))
        take_deposit(
            session,
            community_id=here,
            unit_id=unit_id,
            number="YJ-002",
            purpose="门禁卡押金",
            amount=Money(50_00),
            by=shift.cashier_id,
            on=TODAY,
            now=NOW,
        )
        close_shift(
            session,
            here,
            shift.id,
            counted=FLOAT + Money(109_00),
            reason="少一元",
            by=staff(world, "zhou"),
            now=NOW,
        )
        request_fapiao(
            session,
            make_vault(),
            community_id=here,
            unit_id=unit_id,
            payment_ids=[kept.id],
            title=FapiaoTitle(TitleKind.PERSONAL, "张秀英"),
            follower_id=see_follower(session, OPENID, NOW).id,
            now=NOW,
        )
        number_waiting(session, NOW, limit=1000)
        close_day(session, here, TODAY, by=staff(world, "chen"), now=NOW)


def ask_back(
    world: World, payment_id: int, fen: int, *, approve: bool = True, release: bool = False
) -> Refund:
    """Ask for money of a payment back, and have that approved."""
    asker, decider = staff(world, "liu"), staff(world, "zhao")
    with world.database.transaction() as session:
        asked = request_refund(
            session,
            world.community.id,
            payment_id,
            Money(fen),
            reason="多缴",
            release_bills=release,
            by=asker,
            now=NOW,
            out_refund_no=new_out_refund_no(),
        )
        if approve:
            approve_refund(session, asked.community_id, asked.id, by=decider, today=TODAY, now=NOW)
        return asked


def give_back(world: World, payment: Payment) -> None:
    """Refunds of a payment that is a prepayment in part, in every state; and one in cash."""
    ask_back(world, payment.id, 1_00, approve=False)
    ask_back(world, payment.id, 2_00)
    for fen, state in ((4_00, RefundState.DONE), (8_00, RefundState.CLOSED)):
        refund = ask_back(world, payment.id, fen)
        with world.database.transaction() as session:
            merchant = session.get_one(MerchantAccount, payment.merchant_id)
            answer = RefundAnswer(
                mchid=merchant.mchid,
                out_trade_no=payment.out_trade_no,
                out_refund_no=refund.out_refund_no,
                state=state,
                amount=refund.amount,
                at=NOW,
            )
            record_answer(session, merchant, answer, NOW)
    in_cash = text("SELECT max(id) FROM payment WHERE channel = 'cash' AND unit_id = :unit_id")
    with world.database.transaction() as session:
        paid = session.execute(in_cash, {"unit_id": world.unit("2-1-803").id}).scalar_one()
    refund = ask_back(world, paid, 16_00, release=True)
    assert refund.released > Money(0)
    with world.database.transaction() as session:
        cashier = get_staff(session, "chen")
        here = world.community.id
        pay_out_refund(session, here, refund.id, by=cashier, reference="TK-1", now=NOW)


def hear_the_banks(world: World) -> None:
    """Transfers that pay, were recorded by their slip, or are nobody's; debits that were taken, not
    taken, wait, or were taken back before the bank had them.
    """
    with world.database.transaction() as session:
        slip = PaymentChannel.SLIP
        take(session, world, "2-1-104", "401.80", "P-1", channel=slip, bank="工商银行")
    Bank(world).decided(
        Transfer("218.80", remark=reference_of(world.unit("2-1-102").id), serial="S1"),
        Transfer("401.80", "高秀兰", "2-1-104", serial="S2"),
        Transfer("9.99", "银行", "结息", serial="S3"),
    )
    debit = Debit(world)
    for number, room in enumerate(("1-2-101", "1-2-102", "1-2-103")):
        debit.sign(room, f"XY-{number}")
    debit.cancel(debit.make())
    batch = debit.send(debit.make())
    debit.answer(batch, ",1,218.80,成功,,", ",2,366.08,失败,余额不足,")
    debit.end("XY-0")
    debit.make()


def let_everything_happen(world: World) -> None:
    """Adjust, waive, take back, share, pay, void, prepay, close: the books stay whole."""
    behind, in_time = world.unit(BEHIND).id, world.unit(IN_TIME).id
    november, october = (bill_of(world, BEHIND, month) for month in ("2026-11", "2026-10"))
    adjust(world, november.id, AdjustmentKind.WAIVER, -20_00, back=False)
    adjust(world, november.id, AdjustmentKind.ADJUSTMENT, 7_00, back=True)
    with world.database.transaction() as session:
        shared = share_a_cost(session, world)
        late = add_item(session, world, "late_fee", FeeKind.LATE_FEE)
        renovation = add_item(session, world, "renovation", FeeKind.RENOVATION)
        fee = {
            "method": "late_fee",
            "parts": [{"principal": "100", "daily_rate": "0.001", "days": 23}],
        }
        issue(
            session,
            world,
            [Wanted(behind, late, fee, LineKind.LATE_FEE, source_id=november.id)],
            kind=RunKind.LATE_FEE,
        )
        old = issue(
            session,
            world,
            [Wanted(in_time, renovation, once("88.80"), LineKind.OPENING)],
            kind=RunKind.OPENING,
        )
        third_off = {"method": "discount", "reason": "agreed", "charge": "100.00", "percent": "30"}
        issue(
            session,
            world,
            [
                Wanted(in_time, renovation, once("100.00")),
                Wanted(in_time, renovation, third_off, LineKind.DISCOUNT),
            ],
        )
        hold_a_deposit(session, world, in_time)
    adjust(world, old[in_time], AdjustmentKind.ADJUSTMENT, -8_80, back=False)
    adjust(world, november.id, AdjustmentKind.ADJUSTMENT, -5_00, back=False)
    paid = pay(world, BEHIND)
    void(world, october.id)
    void(world, shared[in_time], AfterVoid.EXCLUDE)
    december = Period("2026-12")
    run_bills(
        world.database, world.community, december, today=december.start, now=NOW, publish=False
    )
    with world.database.transaction() as session:
        next_bill = issue(session, world, [Wanted(behind, renovation, once("40.00"))])[behind]
        deduct(session, world, behind, next_bill)
        drafts = text("SELECT id FROM bill WHERE period = '2026-12' ORDER BY id LIMIT 1")
        draft = session.execute(drafts).scalar_one()
        two_people = text("SELECT id FROM resident ORDER BY id LIMIT 2")
        for resident, fen in zip(session.scalars(two_people), (15_00, 25_00), strict=True):
            session.add(
                BillShare(
                    community_id=world.community.id,
                    bill_id=next_bill,
                    resident_id=resident,
                    amount=Money(fen),
                    reason=ShareReason.AGREED,
                    decided_by=staff(world, "zhao").id,
                    decided_at=NOW,
                )
            )
    void(world, draft)
    work_the_counter(world)
    give_back(world, paid)
    hear_the_banks(world)
    manager = staff(world, "zhao")
    with world.database.transaction() as session:
        for month in ("2026-07", "2026-08"):
            close_period(session, world.community.id, Period(month), by=manager, now=NOW)
