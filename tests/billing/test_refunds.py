"""Money goes back once, never more than was paid, and nobody spends it while it is on its way."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from billing.adjustment_tables import AfterVoid
from billing.alerts import Alert, ClosedBecause
from billing.bills import list_bills
from billing.channels.base import RefundAnswer, RefundState
from billing.confirmation import Outcome, confirm
from billing.deduction import deduct_home
from billing.errors import BillingError, Conflict, InvalidInput
from billing.ledger import FixedAccount, JournalEntry
from billing.money import ZERO, Money
from billing.people import get_staff
from billing.prepayments import balance
from billing.refund_outcomes import RefundOutcome, pay_out_refund, record_answer, reject_refund
from billing.refund_tables import RefundStage
from billing.refunds import (
    approve_refund,
    new_out_refund_no,
    refunded_of,
    request_refund,
    set_refund_limit,
)
from billing.voids import void_bill
from tests.billing.drawer import take
from tests.conftest import World, many_rounds
from tests.desk import Desk

ROOM = "1-1-302"
STARTS_ENDED = [RefundState.DONE, RefundState.CLOSED]


def prepaid(desk: Desk) -> Money:
    """What the home has with us; the books are whole."""
    return -desk.account(FixedAccount.PREPAYMENTS, ROOM)


def held(desk: Desk) -> Money:
    """What is held for refunds of the home."""
    return -desk.account(FixedAccount.REFUNDS, ROOM)


def cash(desk: Desk, fen: int, number: str = "SJ1") -> int:
    """Cash paid in for a home that owes nothing; the number of the payment's row."""
    with desk.world.database.transaction() as session:
        return take(session, desk.world, ROOM, Money(fen).yuan, number, now=desk.now).id


def test_a_prepayment_goes_back_to_where_it_came_from(desk: Desk) -> None:
    payment = desk.paid(ROOM, Money(80_00))
    there = desk.account(FixedAccount.WECHAT_CLEARING)
    refund = desk.approved(payment, 30_00, release_bills=False)
    assert (prepaid(desk), held(desk)) == (Money(50_00), Money(30_00))
    assert desk.account(FixedAccount.WECHAT_CLEARING) == there
    assert desk.told(refund, RefundState.DONE) is RefundOutcome.DONE
    assert (prepaid(desk), held(desk)) == (Money(50_00), ZERO)
    assert desk.account(FixedAccount.WECHAT_CLEARING) == there - Money(30_00)
    with desk.world.database.transaction() as session:
        assert refunded_of(session, payment) == Money(30_00)


def test_asking_books_nothing(desk: Desk, world: World) -> None:
    payment = desk.paid(ROOM, Money(80_00))
    with world.database.transaction() as session:
        entries = session.scalars(select(JournalEntry.id)).all()
        request(desk, session, payment.id, 80_00)
        assert session.scalars(select(JournalEntry.id)).all() == entries
    assert (prepaid(desk), held(desk)) == (Money(80_00), ZERO)


def request(desk: Desk, session, payment_id: int, fen: int, by: str = "liu", **wishes):  # type: ignore[no-untyped-def]
    return request_refund(
        session,
        desk.here,
        payment_id,
        Money(fen),
        by=get_staff(session, by),
        now=desk.now,
        **{
            "reason": "重复缴费",
            "release_bills": False,
            "out_refund_no": new_out_refund_no(),
            **wishes,
        },
    )


def test_what_paid_bills_goes_back_only_when_they_may_be_owed_again(desk: Desk) -> None:
    payment = desk.paid(ROOM)
    with (
        pytest.raises(Conflict, match="release bills"),
        desk.world.database.transaction() as session,
    ):
        request(desk, session, payment.id, 10_00)
    owed = desk.account(FixedAccount.RECEIVABLE, ROOM)
    refund = desk.approved(payment, 10_00)
    assert refund.released == Money(10_00)
    assert desk.account(FixedAccount.RECEIVABLE, ROOM) == owed + Money(10_00)
    assert desk.told(refund, RefundState.DONE) is RefundOutcome.DONE
    assert (prepaid(desk), held(desk)) == (ZERO, ZERO)


def test_the_newest_bill_is_owed_again_first(desk: Desk) -> None:
    payment = desk.paid(ROOM)
    desk.approved(payment, 10_00)
    with desk.world.database.transaction() as session:
        bills = list_bills(session, desk.here, [desk.world.unit(ROOM).id])
    owed = {str(bill.period): bill.outstanding for bill in bills if bill.outstanding}
    assert owed == {"2026-11": Money(10_00)}


def test_a_whole_refund_makes_every_bill_payable_voidable_and_billable_again(desk: Desk) -> None:
    payment = desk.paid(ROOM)
    refund = desk.approved(payment)
    assert desk.told(refund, RefundState.DONE) is RefundOutcome.DONE
    assert desk.account(FixedAccount.RECEIVABLE, ROOM) == payment.amount
    again = desk.paid(ROOM)
    assert again.amount == payment.amount
    assert desk.account(FixedAccount.RECEIVABLE, ROOM) == ZERO
    with desk.world.database.transaction() as session:
        bills = list_bills(session, desk.here, [desk.world.unit(ROOM).id])
        newest = max(bills, key=lambda bill: bill.period)
        void_bill(
            session,
            desk.here,
            newest.id,
            after=AfterVoid.REDO,
            reason="面积有误",
            by=get_staff(session, "zhao"),
            today=desk.today,
            now=desk.now,
        )
    assert prepaid(desk) == newest.amount


def test_a_bill_released_in_part_by_a_refund_is_voided_whole(desk: Desk) -> None:
    payment = desk.paid(ROOM)
    desk.told(desk.approved(payment, 10_00), RefundState.DONE)
    with desk.world.database.transaction() as session:
        bills = list_bills(session, desk.here, [desk.world.unit(ROOM).id])
        newest = max(bills, key=lambda bill: bill.period)
        void_bill(
            session,
            desk.here,
            newest.id,
            after=AfterVoid.EXCLUDE,
            reason="面积有误",
            by=get_staff(session, "zhao"),
            today=desk.today,
            now=desk.now,
        )
    assert prepaid(desk) == newest.amount - Money(10_00)


def test_never_more_goes_back_than_was_paid(desk: Desk) -> None:
    payment = desk.paid(ROOM, Money(80_00))
    desk.told(desk.approved(payment, 50_00), RefundState.DONE)
    desk.approved(payment, 20_00)
    with (
        pytest.raises(Conflict, match=r"10\.01 of payment .*, of which 10\.00 is left"),
        desk.world.database.transaction() as session,
    ):
        request(desk, session, payment.id, 10_01)


def test_what_failed_or_was_refused_may_be_asked_for_again(desk: Desk) -> None:
    payment = desk.paid(ROOM, Money(80_00))
    assert desk.told(desk.approved(payment), RefundState.CLOSED) is RefundOutcome.FAILED
    with desk.world.database.transaction() as session:
        assert [alert.kind.value for alert in session.scalars(select(Alert))] == ["refund_failed"]
    assert (prepaid(desk), held(desk)) == (Money(80_00), ZERO)
    with desk.world.database.transaction() as session:
        asked = request(desk, session, payment.id, 80_00)
        reject_refund(
            session,
            desk.here,
            asked.id,
            by=get_staff(session, "zhao"),
            reason="已协商",
            now=desk.now,
        )
    assert desk.stage(asked) is RefundStage.REJECTED
    desk.told(desk.approved(payment), RefundState.DONE)
    assert prepaid(desk) == ZERO


def test_money_used_since_does_not_go_back(desk: Desk) -> None:
    payment = desk.paid("3-2-501", Money(5000_00))
    unit = desk.world.unit("3-2-501").id
    with desk.world.database.transaction() as session:
        used = deduct_home(session, desk.here, unit, now=desk.now)
        assert used is not None
    with (
        pytest.raises(Conflict, match="void the bills it paid"),
        desk.world.database.transaction() as session,
    ):
        request(desk, session, payment.id, 5000_00, release_bills=True)
    with desk.world.database.transaction() as session:
        left = balance(session, desk.here, unit)
        request(desk, session, payment.id, left.fen)


def test_money_used_between_request_and_approval_is_found_out(desk: Desk) -> None:
    payment = desk.paid("3-2-501", Money(5000_00))
    with desk.world.database.transaction() as session:
        asked = request(desk, session, payment.id, 5000_00)
        deduct_home(session, desk.here, desk.world.unit("3-2-501").id, now=desk.now)
    with (
        pytest.raises(Conflict, match="refund less"),
        desk.world.database.transaction() as session,
    ):
        approve(desk, session, asked.id, "zhao")
        approve(desk, session, asked.id, "chen")
    assert desk.stage(asked) is RefundStage.REQUESTED


def approve(desk: Desk, session, refund_id: int, login: str):  # type: ignore[no-untyped-def]
    by = get_staff(session, login)
    return approve_refund(session, desk.here, refund_id, by=by, today=desk.today, now=desk.now)


def test_whoever_asks_never_approves(desk: Desk) -> None:
    payment = desk.paid(ROOM, Money(80_00))
    with desk.world.database.transaction() as session:
        asked = request(desk, session, payment.id, 80_00, by="zhao")
        with pytest.raises(InvalidInput, match="zhao asked for refund"):
            approve(desk, session, asked.id, "zhao")
        with pytest.raises(InvalidInput, match="this takes"):
            approve(desk, session, asked.id, "liu")
        assert approve(desk, session, asked.id, "chen").state is RefundStage.APPROVED


def test_above_the_limit_two_people_approve(desk: Desk) -> None:
    payment = desk.paid(ROOM, Money(300_01))
    with desk.world.database.transaction() as session:
        set_refund_limit(session, desk.here, Money(300_00), by=get_staff(session, "zhao"))
        asked = request(desk, session, payment.id, 300_01)
        assert approve(desk, session, asked.id, "zhao").state is RefundStage.REQUESTED
        with pytest.raises(InvalidInput, match="a second one must too"):
            approve(desk, session, asked.id, "zhao")
        assert approve(desk, session, asked.id, "chen").state is RefundStage.APPROVED
        with pytest.raises(Conflict, match="approved already"):
            approve(desk, session, asked.id, "chen")


def test_at_the_limit_one_is_enough(desk: Desk) -> None:
    payment = desk.paid(ROOM, Money(300_00))
    with desk.world.database.transaction() as session:
        set_refund_limit(session, desk.here, Money(300_00), by=get_staff(session, "zhao"))
        asked = request(desk, session, payment.id, 300_00)
        assert approve(desk, session, asked.id, "zhao").state is RefundStage.APPROVED


def test_the_same_number_asks_once(desk: Desk) -> None:
    payment = desk.paid(ROOM, Money(80_00))
    number = new_out_refund_no()
    with desk.world.database.transaction() as session:
        first = request(desk, session, payment.id, 60_00, out_refund_no=number)
        assert request(desk, session, payment.id, 60_00, out_refund_no=number) is first
        with pytest.raises(Conflict, match="stands for another refund"):
            request(desk, session, payment.id, 10_00, out_refund_no=number)


@many_rounds
def test_two_refunds_at_once_never_give_back_more_than_was_paid(desk: Desk) -> None:
    payment = desk.paid(ROOM, Money(80_00))
    start, refusals = threading.Barrier(2), []

    def refund() -> None:
        start.wait()
        try:
            desk.approved(payment, 50_00)
        except BillingError as error:
            refusals.append(str(error))

    clerks = [threading.Thread(target=refund) for _ in range(2)]
    for clerk in clerks:
        clerk.start()
    for clerk in clerks:
        clerk.join()
    assert len(refusals) == 1
    assert held(desk) == Money(50_00)


ANSWERS = [
    # what the provider says, in this order → what becomes of the refund, and of the money
    ([RefundState.PROCESSING, RefundState.DONE, RefundState.DONE], RefundStage.DONE, 0),
    ([RefundState.DONE, RefundState.PROCESSING], RefundStage.DONE, 0),
    ([RefundState.ABNORMAL, RefundState.DONE], RefundStage.DONE, 0),
    ([RefundState.ABNORMAL, RefundState.PROCESSING], RefundStage.ABNORMAL, 0),
    ([RefundState.DONE, RefundState.ABNORMAL], RefundStage.DONE, 0),
    ([RefundState.ABNORMAL, RefundState.CLOSED, RefundState.CLOSED], RefundStage.FAILED, 80_00),
    ([RefundState.CLOSED, RefundState.PROCESSING], RefundStage.FAILED, 80_00),
    ([RefundState.MISSING], RefundStage.APPROVED, 0),
]


@pytest.mark.parametrize(("said", "stage", "back"), ANSWERS)
def test_answers_come_in_any_order_and_count_once(
    desk: Desk, said: list[RefundState], stage: RefundStage, back: int
) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    for state in said:
        desk.told(refund, state)
    assert desk.stage(refund) is stage
    assert prepaid(desk) == Money(back)
    assert desk.discrepancies() == []


def test_an_account_that_cannot_take_it_keeps_the_money_held_and_staff_are_told(
    desk: Desk,
) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    assert desk.told(refund, RefundState.ABNORMAL) is RefundOutcome.ABNORMAL
    assert desk.told(refund, RefundState.ABNORMAL) is RefundOutcome.ALREADY_KNOWN
    assert held(desk) == Money(80_00)
    with desk.world.database.transaction() as session:
        assert [alert.kind.value for alert in session.scalars(select(Alert))] == ["refund_abnormal"]


@pytest.mark.parametrize(
    ("end", "because", "others"),
    [
        (RefundState.DONE, ClosedBecause.REFUND_DONE, []),
        (RefundState.CLOSED, ClosedBecause.REFUND_ENDED, ["refund_failed"]),
    ],
)
def test_staff_need_not_see_to_an_abnormal_refund_that_came_to_an_end(
    desk: Desk, end: RefundState, because: ClosedBecause, others: list[str]
) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    desk.told(refund, RefundState.ABNORMAL)
    desk.told(refund, end)
    with desk.world.database.transaction() as session:
        first, *rest = session.scalars(select(Alert).order_by(Alert.id)).all()
        assert (first.closed_at, first.close_reason) == (desk.now, because.label)
        assert [one.kind.value for one in rest if one.closed_at is None] == others


MISFITS = [
    ({"amount": Money(79_99)}, ("refund", "amount")),
    ({"mchid": "1999999999"}, ("wrong_merchant", "merchant")),
    ({"out_refund_no": "RFelsewhere"}, ("refund", "missing_here")),
    ({"out_trade_no": "MZnobodys"}, ("refund", "missing_here")),
]


@pytest.mark.parametrize(("changes", "found"), MISFITS)
def test_an_answer_that_does_not_fit_moves_nothing(
    desk: Desk, changes: dict[str, object], found: tuple[str, str]
) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    for _ in range(2):
        assert desk.told(refund, RefundState.DONE, **changes) is RefundOutcome.DISCREPANCY
    assert desk.discrepancies() == [found]
    assert desk.stage(refund) is RefundStage.APPROVED
    assert held(desk) == Money(80_00)


@pytest.mark.parametrize("said", STARTS_ENDED)
def test_an_end_that_contradicts_the_books_is_a_discrepancy(desk: Desk, said: RefundState) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    [other] = set(STARTS_ENDED) - {said}
    desk.told(refund, said)
    before = prepaid(desk)
    assert desk.told(refund, other) is RefundOutcome.DISCREPANCY
    assert desk.discrepancies() == [("refund", "state")]
    assert prepaid(desk) == before


def test_a_refund_nobody_approved_is_not_booked(desk: Desk) -> None:
    payment = desk.paid(ROOM, Money(80_00))
    with desk.world.database.transaction() as session:
        asked = request(desk, session, payment.id, 80_00)
    assert desk.told(asked, RefundState.DONE) is RefundOutcome.DISCREPANCY
    assert desk.stage(asked) is RefundStage.REQUESTED
    assert prepaid(desk) == Money(80_00)


def test_cash_is_paid_out_by_hand_once(desk: Desk) -> None:
    desk.paid(ROOM)
    payment_id = cash(desk, 80_00)
    drawer = desk.account(FixedAccount.CASH)
    with desk.world.database.transaction() as session:
        cashier = get_staff(session, "chen")
        asked = request(desk, session, payment_id, 80_00)
        with pytest.raises(Conflict, match="only an approved one"):
            pay_out(desk, session, asked.id, cashier)
        approve(desk, session, asked.id, "zhao")
        pay_out(desk, session, asked.id, cashier)
        with pytest.raises(Conflict, match="only an approved one"):
            pay_out(desk, session, asked.id, cashier)
    assert desk.stage(asked) is RefundStage.DONE
    assert desk.account(FixedAccount.CASH) == drawer - Money(80_00)


def pay_out(desk: Desk, session, refund_id: int, by) -> None:  # type: ignore[no-untyped-def]
    pay_out_refund(session, desk.here, refund_id, by=by, reference="TK001", now=desk.now)


def test_what_a_provider_collected_is_not_paid_out_by_hand(desk: Desk) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    with (
        pytest.raises(Conflict, match="send it"),
        desk.world.database.transaction() as session,
    ):
        pay_out(desk, session, refund.id, get_staff(session, "chen"))


def test_an_approved_refund_nobody_was_told_of_can_be_given_up(desk: Desk) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    with desk.world.database.transaction() as session:
        manager = get_staff(session, "zhao")
        reject_refund(session, desk.here, refund.id, by=manager, reason="业主撤回", now=desk.now)
    assert desk.stage(refund) is RefundStage.FAILED
    assert (prepaid(desk), held(desk)) == (Money(80_00), ZERO)
    with desk.world.database.transaction() as session:
        assert session.scalars(select(Alert)).all() == []


def test_a_used_prepayment_is_not_refunded_itself(desk: Desk) -> None:
    desk.paid("3-2-501", Money(5000_00))
    with desk.world.database.transaction() as session:
        used = deduct_home(session, desk.here, desk.world.unit("3-2-501").id, now=desk.now)
        assert used is not None
        with pytest.raises(Conflict, match="refund the payment that brought it"):
            request(desk, session, used.id, 1)


BAD_WISHES = [
    ({"fen": 0}, "amount"),
    ({"fen": -1}, "amount"),
    ({"reason": " "}, "reason"),
    ({"reason": "长" * 81}, "reason"),
]


@pytest.mark.parametrize(("wish", "where"), BAD_WISHES)
def test_what_makes_no_sense_is_refused(desk: Desk, wish: dict[str, object], where: str) -> None:
    payment = desk.paid(ROOM, Money(80_00))
    with (
        pytest.raises(InvalidInput, match=where),
        desk.world.database.transaction() as session,
    ):
        request(desk, session, payment.id, **{"fen": 1, **wish})


def test_the_owner_is_told_once_that_it_is_done(desk: Desk) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    for _ in range(2):
        desk.told(refund, RefundState.DONE)
    with desk.world.database.transaction() as session:
        told = session.execute(
            text(
                "SELECT kind, amount, data ->> 'payer_id' IS NOT NULL FROM fact"
                " WHERE kind LIKE 'refund%' ORDER BY id"
            )
        ).all()
    assert [tuple(row) for row in told] == [
        ("refund_approved", 8000, True),
        ("refund_done", 8000, True),
    ]


def test_a_payment_s_late_callback_after_its_refund_changes_nothing(desk: Desk) -> None:
    payment = desk.paid(ROOM, Money(80_00))
    desk.told(desk.approved(payment), RefundState.DONE)
    desk.forward(days=1)
    with desk.world.database.transaction() as session:
        answer = desk.channel.paid[payment.out_trade_no]
        assert confirm(session, desk.merchant(session), answer, desk.now) is Outcome.ALREADY_BOOKED
    assert (prepaid(desk), held(desk)) == (ZERO, ZERO)


def test_a_refund_that_comes_before_its_payment_waits_for_a_person(desk: Desk) -> None:
    payment = desk.offered(ROOM, Money(80_00))
    answer = desk.channel.take(payment)
    with desk.world.database.transaction() as session:
        merchant = desk.merchant(session)
        said = RefundAnswer(
            mchid=merchant.mchid,
            out_trade_no=payment.out_trade_no,
            out_refund_no="RFelsewhere",
            state=RefundState.DONE,
            refund_id="50",
            amount=payment.amount,
            at=desk.now,
        )
        assert record_answer(session, merchant, said, desk.now) is RefundOutcome.DISCREPANCY
        assert confirm(session, merchant, answer, desk.now) is Outcome.BOOKED
    assert desk.discrepancies() == [("refund", "missing_here")]
    refund = desk.approved(payment, out_refund_no="RFelsewhere", is_begun=True)
    with desk.world.database.transaction() as session:
        later = desk.now + timedelta(minutes=1)
        assert record_answer(session, desk.merchant(session), said, later) is RefundOutcome.DONE
    assert desk.stage(refund) is RefundStage.DONE
    assert desk.discrepancies() == []
    assert (prepaid(desk), held(desk)) == (ZERO, ZERO)
