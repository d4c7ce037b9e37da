"""Money at the counter: booked at once, taken back only in its open shift, counted at its end."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, func, select

from billing.adjustment_tables import AfterVoid
from billing.bills import list_unpaid
from billing.counter_tables import CashierShift, CounterPayment
from billing.db import Database
from billing.deduction import deduct_home
from billing.deposits import forfeit_deposit, return_deposit, take_deposit
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import Fact, FactKind
from billing.ledger import FixedAccount, balance
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentAllocation, PaymentChannel, PaymentState, Receipt
from billing.payments import InFlight
from billing.people import get_staff
from billing.receipts import number_waiting
from billing.refund_outcomes import pay_out_refund
from billing.refund_tables import Refund
from billing.refunds import approve_refund, new_out_refund_no, request_refund
from billing.shifts import CashWay, close_shift, open_shift, report_shift, sum_cash
from billing.voids import void_bill
from tests.billing.corrections import BEHIND, bill_of, owed, prepaid, prepared, violations
from tests.billing.drawer import FLOAT, cancel, shift_of, take
from tests.billing.paper import last_entry, shut
from tests.conftest import NOW, TODAY, World, many_rounds

ROOM = "3-2-501"
"""张阿姨 owes one bill."""


def close(
    world: World, counted: Money, *, reason: str = "", login: str = "zhou", cashier: str = "zhou"
) -> Money:
    """Close the cashier's shift; returns the difference."""
    with world.database.transaction() as session:
        report = close_shift(
            session,
            world.community.id,
            shift_of(session, world, cashier).id,
            counted=counted,
            reason=reason,
            by=get_staff(session, login),
            now=NOW,
        )
        return report.difference


def cash(world: World) -> Money:
    with world.database.transaction() as session:
        return balance(session, world.community.id, FixedAccount.CASH)


def test_cash_pays_the_oldest_bills_and_the_rest_is_prepaid(world: World) -> None:
    before, debt = cash(world), owed(world, BEHIND)
    with world.database.transaction() as session:
        payment = take(session, world, BEHIND, (debt + Money(1)).yuan)
    assert owed(world, BEHIND) == ZERO
    assert prepaid(world, BEHIND) == Money(1)
    assert cash(world) - before == debt + Money(1)
    assert (payment.state, payment.paid_at) == (PaymentState.CONFIRMED, NOW)
    assert violations(world) == []


def test_the_payers_word_comes_first(world: World) -> None:
    bill = bill_of(world, BEHIND, "2026-11")
    with world.database.transaction() as session:
        take(session, world, BEHIND, (bill.outstanding + Money(500)).yuan,
             designated={bill.id: bill.outstanding})  # fmt: skip
        take(session, world, BEHIND, "7.00", "S2", designated={})
    assert bill_of(world, BEHIND, "2026-11").outstanding == ZERO
    assert bill_of(world, BEHIND, "2026-10").outstanding > ZERO
    assert prepaid(world, BEHIND) == Money(500 + 700)
    with pytest.raises(InvalidInput, match="owes"), world.database.transaction() as session:
        october = bill_of(world, BEHIND, "2026-10")
        take(session, world, BEHIND, "999999", "S3", designated={october.id: Money(99999900)})


def test_a_payment_has_a_receipt_and_is_announced(world: World) -> None:
    with world.database.transaction() as session:
        payment = take(session, world, ROOM, "500.00")
        assert number_waiting(session, NOW, limit=100) == 1
        receipt = session.scalars(select(Receipt).where(Receipt.payment_id == payment.id)).one()
        facts = session.scalars(select(Fact).where(Fact.ref_id == payment.id)).all()
    told = {fact.kind: fact for fact in facts}
    assert {FactKind.PAYMENT_CONFIRMED, FactKind.RECEIPT_ISSUED} <= set(told)
    assert told[FactKind.RECEIPT_ISSUED].data["receipt"] == receipt.number


def test_the_same_paper_twice_is_booked_once(world: World) -> None:
    with world.database.transaction() as session:
        first, again = (
            take(session, world, ROOM, "500.00"),
            take(session, world, ROOM, " 500.00"[1:]),
        )
        assert first.id == again.id
        assert session.scalar(select(func.count()).select_from(CounterPayment)) == 1
    for room, yuan, channel in (
        (ROOM, "500.01", PaymentChannel.CASH),
        (BEHIND, "500.00", PaymentChannel.CASH),
        (ROOM, "500.00", PaymentChannel.POS),
    ):
        with pytest.raises(Conflict, match="S1"), world.database.transaction() as session:
            take(session, world, room, yuan, channel=channel)


@many_rounds
def test_two_cashiers_with_one_paper_book_it_once(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    with world.database.transaction() as session:
        shift_of(session, world)
        shift_of(session, world, "chen")
    database = Database(engine_for(world.url), after_facts=lambda: None)
    start = threading.Barrier(2)

    def act(login: str) -> bool:
        start.wait()
        try:
            with database.transaction() as session:
                take(session, world, ROOM if login == "zhou" else BEHIND, "5.00", login=login)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(act, ["zhou", "chen"])) == [False, True]
    assert violations(world) == []


def test_slips_of_two_banks_may_carry_one_number_and_are_dated_by_the_slip(world: World) -> None:
    slip = {"channel": PaymentChannel.SLIP, "paid_on": date(2026, 11, 20)}
    with world.database.transaction() as session:
        one = take(session, world, ROOM, "5.00", bank="工商银行", **slip)  # type: ignore[arg-type]
        other = take(session, world, ROOM, "5.00", bank="建设银行", **slip)  # type: ignore[arg-type]
        again = take(session, world, ROOM, "5.00", bank=" 工商银行", **slip)  # type: ignore[arg-type]
        assert one.id == again.id != other.id
        assert last_entry(session).effective_on == date(2026, 11, 20)
        assert balance(session, world.community.id, FixedAccount.BANK) == Money(1000)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"yuan": "0.00"}, "amount"),
        ({"yuan": "-1.00"}, "amount"),
        ({"yuan": "1000000000.01"}, "amount"),
        ({"number": " "}, "number"),
        ({"number": "9" * 65}, "number"),
        ({"number": "PRE-17"}, "number"),
        ({"number": "BANK-7"}, "number"),
        ({"number": "TS20261123-1-1"}, "number"),
        ({"number": "SLIP/工商银行/17"}, "number"),
        ({"channel": PaymentChannel.WECHAT_JSAPI}, "channel"),
        ({"channel": PaymentChannel.PREPAID}, "channel"),
        ({"channel": PaymentChannel.SLIP}, "bank"),
        ({"bank": "工商银行"}, "bank"),
        ({"channel": PaymentChannel.SLIP, "bank": "a/b"}, "bank"),
        ({"paid_on": date(2026, 11, 22)}, "paid_on"),
        ({"channel": PaymentChannel.SLIP, "bank": "X行", "paid_on": date(2026, 11, 24)}, "paid_on"),
        ({"channel": PaymentChannel.SLIP, "bank": "X行", "paid_on": date(2025, 1, 1)}, "paid_on"),
    ],
)
def test_what_cannot_be_is_refused(world: World, changed: dict[str, object], field: str) -> None:
    wish: dict[str, object] = {"yuan": "1.00", **changed}
    with pytest.raises(InvalidInput) as refusal, world.database.transaction() as session:
        take(session, world, ROOM, **wish)  # type: ignore[arg-type]
    assert refusal.value.field == field


def test_a_bill_that_is_being_paid_elsewhere_is_not_taken_twice(world: World) -> None:
    open_payment = prepared(world, ROOM)
    with pytest.raises(InFlight) as busy, world.database.transaction() as session:
        take(session, world, ROOM, "5.00")
    assert [one.id for one in busy.value.payments] == [open_payment.id]


def test_a_cashier_has_one_open_shift_and_others_none(world: World) -> None:
    with world.database.transaction() as session:
        shift_of(session, world)
    for login, error in (("zhou", Conflict), ("liu", InvalidInput)):
        with pytest.raises(error), world.database.transaction() as session:
            open_shift(
                session,
                world.community.id,
                get_staff(session, login),
                opening_float=FLOAT,
                now=NOW,
            )


def test_a_shift_expects_its_float_and_every_cash_that_moved(world: World) -> None:
    with world.database.transaction() as session:
        shift = shift_of(session, world)
        take(session, world, ROOM, "100.00")
        take(session, world, ROOM, "40.00", "P1", channel=PaymentChannel.POS)
        cancel(session, take(session, world, ROOM, "30.00", "S2"))
        zhou, here, unit_id = get_staff(session, "zhou").id, world.community.id, world.unit(ROOM).id
        for by, number in ((zhou, "YJ1"), (get_staff(session, "chen").id, "YJ2")):
            take_deposit(
                session, community_id=here, unit_id=unit_id, number=number, purpose="装修押金",
                amount=Money(50000), by=by, on=TODAY, now=NOW,
            )  # fmt: skip
        return_deposit(session, here, "YJ1", Money(20000), reason="退", by=zhou, on=TODAY, now=NOW)
        report = report_shift(session, shift)
    assert report.expected == FLOAT + Money(10000 + 50000 - 20000)
    assert [
        (one.channel, one.payments, one.amount.fen, one.cancelled, one.cancelled_amount.fen)
        for one in report.channels
    ] == [(PaymentChannel.CASH, 1, 10000, 1, 3000), (PaymentChannel.POS, 1, 4000, 0, 0)]
    assert close(world, report.expected) == ZERO
    assert violations(world) == []


def test_the_parts_of_a_shift_add_up_to_what_its_drawer_must_hold(world: World) -> None:
    with world.database.transaction() as session:
        zhou, liu = get_staff(session, "zhou"), get_staff(session, "liu")
        here, unit_id = world.community.id, world.unit(ROOM).id
        shift = open_shift(session, here, zhou, opening_float=Money(500_00), now=NOW)
        payment = take(session, world, ROOM, "800.00")
        take(session, world, ROOM, "40.00", "P1", channel=PaymentChannel.POS)
        take_deposit(
            session, community_id=here, unit_id=unit_id, number="YJ1", purpose="装修押金",
            amount=Money(2000_00), by=zhou.id, on=TODAY, now=NOW,
        )  # fmt: skip
        for give, yuan in ((return_deposit, 600), (forfeit_deposit, 300)):
            give(
                session,
                here,
                "YJ1",
                Money(yuan * 100),
                reason="验收",
                by=zhou.id,
                on=TODAY,
                now=NOW,
            )
        refund = request_refund(
            session, here, payment.id, Money(150_00), reason="多收", release_bills=True, by=liu,
            out_refund_no=new_out_refund_no(), now=NOW,
        )  # fmt: skip
        chen = get_staff(session, "chen")
        approve_refund(session, here, refund.id, by=chen, today=TODAY, now=NOW)
        pay_out_refund(session, here, refund.id, reference="TK1", by=zhou, now=NOW)
        report = report_shift(session, shift)
    assert [(part.way, part.times, part.amount.fen) for part in report.cash] == [
        (CashWay.PAYMENT, 1, 800_00),
        (CashWay.DEPOSIT_TAKEN, 1, 2000_00),
        (CashWay.DEPOSIT_RETURNED, 1, -600_00),
        (CashWay.REFUND, 1, -150_00),
    ]
    parts = sum((part.amount for part in report.cash), shift.opening_float)
    assert parts == report.expected == Money(2550_00)
    assert [part.amount for part in sum_cash([report, report])] == [
        part.amount + part.amount for part in report.cash
    ]


@pytest.mark.parametrize("difference", [-150, 150])
def test_counted_cash_is_an_assertion_and_the_difference_is_posted(
    world: World, difference: int
) -> None:
    with world.database.transaction() as session:
        take(session, world, ROOM, "100.00")
    before, counted = cash(world), FLOAT + Money(10000 + difference)
    with pytest.raises(InvalidInput, match=r"300\.00 is expected"):
        close(world, counted)
    assert close(world, counted, reason="找零有误") == Money(difference)
    assert cash(world) - before == Money(difference)
    with world.database.transaction() as session:
        lost = balance(session, world.community.id, FixedAccount.CASH_DIFFERENCES)
        kept = session.scalars(select(CashierShift)).one()
    assert lost == Money(-difference)
    assert (kept.counted, kept.reason) == (counted, "找零有误")
    assert violations(world) == []


def test_a_closed_shift_takes_and_gives_back_nothing(world: World) -> None:
    with world.database.transaction() as session:
        shift = shift_of(session, world)
        payment = take(session, world, ROOM, "100.00")
    close(world, FLOAT + Money(10000))
    with pytest.raises(Conflict, match="is closed"), world.database.transaction() as session:
        cancel(session, session.get_one(Payment, (payment.community_id, payment.id)))
    with (
        pytest.raises(Conflict, match="is closed already"),
        world.database.transaction() as session,
    ):
        close_shift(
            session, world.community.id, shift.id, counted=FLOAT, by=get_staff(session, "zhou"),
            now=NOW,
        )  # fmt: skip
    with pytest.raises(NotFound), world.database.transaction() as session:
        close_shift(
            session, world.community.id, 999, counted=FLOAT, by=get_staff(session, "zhou"), now=NOW
        )


def test_only_its_cashier_or_a_manager_acts_in_a_shift(world: World) -> None:
    with world.database.transaction() as session:
        payment = take(session, world, ROOM, "100.00")
    for login in ("chen", "liu"):
        with pytest.raises(InvalidInput, match=login), world.database.transaction() as session:
            cancel(
                session, session.get_one(Payment, (payment.community_id, payment.id)), login=login
            )
    with pytest.raises(InvalidInput, match="chen"):
        close(world, FLOAT, login="chen")
    assert close(world, FLOAT + Money(10000), login="zhao") == ZERO


def test_a_cancelled_payment_is_as_if_it_had_not_been_made(world: World) -> None:
    debt, before = owed(world, BEHIND), cash(world)
    with world.database.transaction() as session:
        payment = take(session, world, BEHIND, (debt + Money(100)).yuan)
        number_waiting(session, NOW, limit=100)
        unpaid = [bill.outstanding for bill in list_unpaid(session, world.community.id,
                                                           [world.unit(BEHIND).id])]  # fmt: skip
        assert unpaid == []
        cancel(session, payment)
    assert owed(world, BEHIND) == debt
    assert prepaid(world, BEHIND) == ZERO
    assert cash(world) == before
    with world.database.transaction() as session:
        kept = session.scalars(select(Payment).where(Payment.id == payment.id)).one()
        assert kept.state is PaymentState.REVERSED
        assert session.scalars(select(Receipt).where(Receipt.payment_id == payment.id)).one()
        beside = session.scalars(select(CounterPayment)).one()
        assert (beside.cancel_reason, beside.cancelled_at) == ("多收", NOW)
        fact = session.scalars(select(Fact).where(Fact.kind == FactKind.PAYMENT_REVERSED)).one()
        assert (fact.ref_id, fact.amount) == (payment.id, payment.amount)
    assert violations(world) == []


def test_a_cancelled_number_is_not_used_again(world: World) -> None:
    with world.database.transaction() as session:
        cancel(session, take(session, world, ROOM, "100.00"))
    with pytest.raises(Conflict, match="cancelled"), world.database.transaction() as session:
        take(session, world, ROOM, "100.00")


def test_what_it_paid_is_owed_again_from_the_day_it_was_paid(world: World) -> None:
    with world.database.transaction() as session:
        payment = take(
            session, world, BEHIND, "100.00", channel=PaymentChannel.SLIP, bank="工商银行",
            paid_on=date(2026, 10, 30),
        )  # fmt: skip
        shut(session, world, "2026-10")
        cancel(session, payment)
        parts = session.scalars(
            select(PaymentAllocation).where(PaymentAllocation.payment_id == payment.id)
        ).all()
        assert sum((part.amount for part in parts), ZERO) == ZERO
        assert {part.effective_on for part in parts} == {date(2026, 10, 30)}
        assert last_entry(session).effective_on == TODAY


def test_money_of_a_bill_that_was_voided_meanwhile_is_taken_back_too(world: World) -> None:
    bill = bill_of(world, ROOM, "2026-11")
    with world.database.transaction() as session:
        payment = take(session, world, ROOM, bill.outstanding.yuan)
        void_bill(
            session, world.community.id, bill.id, after=AfterVoid.REDO, reason="面积有误",
            by=get_staff(session, "zhao"), today=TODAY, now=NOW,
        )  # fmt: skip
    assert prepaid(world, ROOM) == bill.outstanding
    with world.database.transaction() as session:
        cancel(session, session.get_one(Payment, (payment.community_id, payment.id)))
    assert (prepaid(world, ROOM), owed(world, ROOM)) == (ZERO, ZERO)
    assert violations(world) == []


def test_a_prepayment_that_was_used_meanwhile_is_not_taken_back(world: World) -> None:
    with world.database.transaction() as session:
        payment = take(session, world, BEHIND, "100.00", designated={})
        assert deduct_home(session, world.community.id, world.unit(BEHIND).id, now=NOW)
    with pytest.raises(Conflict, match=r"0\.00 is left"), world.database.transaction() as session:
        cancel(session, session.get_one(Payment, (payment.community_id, payment.id)))
    assert violations(world) == []


def test_a_cancellation_says_why_and_is_done_once(world: World) -> None:
    with world.database.transaction() as session:
        payment = take(session, world, ROOM, "100.00")
    with pytest.raises(InvalidInput, match="why"), world.database.transaction() as session:
        cancel(session, payment, reason=" ")
    with world.database.transaction() as session:
        cancel(session, session.get_one(Payment, (payment.community_id, payment.id)))
    with pytest.raises(Conflict, match="already"), world.database.transaction() as session:
        cancel(session, session.get_one(Payment, (payment.community_id, payment.id)))


def test_money_that_came_otherwise_is_not_cancelled_at_the_counter(world: World) -> None:
    payment = prepared(world, ROOM)
    with pytest.raises(Conflict, match="refund"), world.database.transaction() as session:
        cancel(session, payment)


def ask_back(world: World, payment: Payment, fen: int) -> Refund:
    """A refund of it, approved."""
    with world.database.transaction() as session:
        asked = request_refund(
            session, payment.community_id, payment.id, Money(fen), reason="多缴",
            release_bills=True, by=get_staff(session, "liu"), now=NOW,
            out_refund_no=new_out_refund_no(),
        )  # fmt: skip
        return approve_refund(
            session, asked.community_id, asked.id, by=get_staff(session, "zhao"), today=TODAY,
            now=NOW,
        )  # fmt: skip


def test_a_payment_that_is_given_back_is_not_cancelled(world: World) -> None:
    with world.database.transaction() as session:
        payment = take(session, world, ROOM, "100.00")
    ask_back(world, payment, 500)
    with (
        pytest.raises(Conflict, match="is refunded"),
        world.database.transaction() as session,
    ):
        cancel(session, session.get_one(Payment, (payment.community_id, payment.id)))


def test_cash_that_is_given_back_leaves_the_drawer(world: World) -> None:
    with world.database.transaction() as session:
        payment = take(session, world, ROOM, "100.00")
        shift = shift_of(session, world)
    refund = ask_back(world, payment, 3000)
    with world.database.transaction() as session:
        cashier = get_staff(session, "zhou")
        pay_out_refund(
            session, refund.community_id, refund.id, by=cashier, reference="TK-1", now=NOW
        )
        assert report_shift(session, shift).expected == FLOAT + Money(7000)
    assert close(world, FLOAT + Money(7000)) == ZERO
    assert violations(world) == []


@many_rounds
def test_two_cancellations_at_once_take_back_once(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    with world.database.transaction() as session:
        payment = take(session, world, BEHIND, "100.00")
    database = Database(engine_for(world.url), after_facts=lambda: None)
    start = threading.Barrier(3)

    def act(number: int) -> str:
        start.wait()
        try:
            with database.transaction() as session:
                if number == 2:
                    close_shift(
                        session, world.community.id, shift_of(session, world).id, counted=FLOAT,
                        reason="清点", by=get_staff(session, "zhou"), now=NOW + timedelta(hours=1),
                    )  # fmt: skip
                    return "closed"
                cancel(session, session.get_one(Payment, (payment.community_id, payment.id)))
        except Conflict:
            return "refused"
        return "cancelled"

    with ThreadPoolExecutor(3) as pool:
        outcomes = sorted(pool.map(act, range(3)))
    assert outcomes in (["cancelled", "closed", "refused"], ["closed", "refused", "refused"])
    assert violations(world) == []
