"""After comparing a day, the provider's ledger is ours, or somebody is told where it is not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from billing.alerts import Alert, ClosedBecause
from billing.channels.base import FundTotals, ProviderState, RefundState, StatementRow
from billing.confirmation import Outcome, confirm
from billing.discrepancies import (
    Discrepancy,
    age_days,
    assign_discrepancy,
    close_discrepancy,
    list_discrepancies,
)
from billing.errors import Conflict, InvalidInput
from billing.ledger import FixedAccount
from billing.money import ZERO, Money
from billing.payment_tables import PaymentState
from billing.payments import record_closed
from billing.people import get_staff
from billing.reconciliation import Reconciliation
from billing.refund_tables import RefundStage
from handlers.reconciling import Comparison, reconcile, reconcile_morning
from handlers.refunding import settle_refunds
from tests.desk import Desk

ROOM, OTHER = "1-1-302", "3-2-501"


def compared(desk: Desk) -> Comparison:
    """Today, against the provider."""
    [found] = reconcile(desk.services, desk.today)
    return found


def figures(found: Comparison) -> tuple[int, int, int, int]:
    """Paid by the provider and by us, refunded by the provider and by us."""
    assert found.totals is not None
    totals = found.totals
    return (
        totals.provider.fen,
        totals.booked.fen,
        totals.refunded.fen,
        totals.booked_refunded.fen,
    )


def alerts(desk: Desk) -> list[tuple[str, str | None]]:
    """Kinds of the alerts, and why those that are closed were."""
    with desk.world.database.transaction() as session:
        found = session.scalars(select(Alert).order_by(Alert.id)).all()
        return [(one.kind.value, one.close_reason if one.closed_at else "open") for one in found]


def change(desk: Desk, at: int, **values: Any) -> None:
    """Make a row of the statement say something else."""
    assert desk.channel.statement is not None
    desk.channel.statement[at] = replace(desk.channel.statement[at], **values)


def test_a_day_on_which_both_agree_has_no_discrepancy(desk: Desk) -> None:
    first, second = desk.paid(ROOM), desk.paid(OTHER)
    desk.approved(first, 10_00)
    desk.forward(seconds=61)
    settle_refunds(desk.services)
    desk.channel.state_everything()
    found = compared(desk)
    paid = first.amount.fen + second.amount.fen
    assert figures(found) == (paid, paid, 1000, 1000)
    assert (found.totals and found.totals.matched, found.healed, found.is_done) == (3, 0, True)
    assert desk.discrepancies() == []


def test_a_paid_order_we_missed_is_booked_and_kept_as_healed(desk: Desk) -> None:
    payment = desk.offered(ROOM)
    desk.channel.take(payment)
    desk.channel.state_everything()
    found = compared(desk)
    assert (found.healed, figures(found)[:2]) == (1, (payment.amount.fen,) * 2)
    assert desk.state(payment) is PaymentState.CONFIRMED
    assert desk.account(FixedAccount.RECEIVABLE, ROOM) == ZERO
    assert desk.discrepancies() == []
    assert desk.discrepancies(closed=True) == [("missing_here", "")]
    assert compared(desk).healed == 0


def test_one_that_was_closed_is_booked_too(desk: Desk) -> None:
    payment = desk.offered(ROOM)
    with desk.world.database.transaction() as session:
        record_closed(session, payment, desk.now)
    desk.channel.take(payment)
    desk.channel.state_everything()
    assert compared(desk).healed == 1
    assert desk.state(payment) is PaymentState.CONFIRMED


def test_a_refund_whose_end_we_missed_is_booked(desk: Desk) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    desk.channel.refund_state, desk.channel.loses_answers = RefundState.DONE, True
    desk.forward(seconds=61)
    settle_refunds(desk.services)
    assert desk.stage(refund) is RefundStage.UNKNOWN
    desk.channel.state_everything()
    found = compared(desk)
    assert (found.healed, figures(found)[2:]) == (1, (8000, 8000))
    assert desk.stage(refund) is RefundStage.DONE
    assert desk.discrepancies(closed=True) == [("refund", "state")]


def nobodys(desk: Desk) -> None:
    """An order that is not ours."""
    assert desk.channel.statement is not None
    row = desk.channel.statement[0]
    other = replace(row, out_trade_no="MZnobodys", transaction_id="4299")
    desk.channel.statement.append(other)


def unlisted(desk: Desk) -> None:
    """A payment of ours is not there."""
    assert desk.channel.statement is not None
    del desk.channel.statement[0]


def refund_elsewhere(desk: Desk) -> None:
    """Somebody refunded on the provider's own site."""
    assert desk.channel.statement is not None
    row = desk.channel.statement[0]
    desk.channel.statement.append(
        replace(row, out_refund_no="X1", refund_state=RefundState.DONE, amount=Money(1))
    )


DIFFERENCES = [
    (nobodys, [("missing_here", "")]),
    (unlisted, [("missing_there", "")]),
    (lambda desk: change(desk, 0, amount=Money(1)), [("amount", "")]),
    (lambda desk: change(desk, 0, transaction_id="4299"), [("paid_twice", "")]),
    (refund_elsewhere, [("refund", "missing_here")]),
    (lambda desk: change(desk, 1, amount=Money(1)), [("refund", "amount")]),
    (lambda desk: change(desk, 1, refund_state=RefundState.CLOSED), [("refund", "state")]),
    (lambda desk: desk.channel.statement.pop(1), [("refund", "missing_there")]),
]


@pytest.mark.parametrize(("happens", "found"), DIFFERENCES)
def test_each_difference_is_found_once_and_nothing_is_booked_for_it(
    desk: Desk, happens: Callable[[Desk], object], found: list[tuple[str, str]]
) -> None:
    payment = desk.paid(ROOM)
    desk.channel.refund_state = RefundState.DONE
    desk.approved(payment, 10_00)
    desk.forward(seconds=61)
    settle_refunds(desk.services)
    desk.channel.state_everything()
    clearing = desk.account(FixedAccount.WECHAT_CLEARING)
    happens(desk)
    assert [compared(desk).healed, compared(desk).healed] == [0, 0]
    assert desk.discrepancies() == found
    assert desk.account(FixedAccount.WECHAT_CLEARING) == clearing
    with desk.world.database.transaction() as session:
        assert len(session.scalars(select(Alert)).all()) == 1


def test_a_difference_that_is_gone_closes_by_itself_and_opens_again(desk: Desk) -> None:
    desk.paid(ROOM)
    desk.channel.state_everything()
    whole = list(desk.channel.statement or [])
    desk.channel.statement = []
    compared(desk)
    assert desk.discrepancies() == [("missing_there", "")]
    assert alerts(desk) == [("discrepancy", "open")]
    desk.channel.statement = whole
    desk.forward(seconds=1)
    compared(desk)
    assert desk.discrepancies() == []
    settled = ("discrepancy", ClosedBecause.DAY_SETTLED.label)
    assert alerts(desk) == [settled]
    desk.channel.statement = []
    compared(desk)
    assert desk.discrepancies() == [("missing_there", "")]
    assert alerts(desk) == [settled, ("discrepancy", "open")]


def test_what_a_person_closed_stays_closed(desk: Desk) -> None:
    desk.paid(ROOM)
    desk.channel.statement = []
    compared(desk)
    with desk.world.database.transaction() as session:
        [found] = list_discrepancies(session, day=desk.today)
        manager, clerk = get_staff(session, "zhao"), get_staff(session, "liu")
        assign_discrepancy(session, found.id, to=clerk)
        with pytest.raises(InvalidInput, match="this takes"):
            close_discrepancy(session, found.id, by=clerk, reason="已核实", now=desk.now)
        with pytest.raises(InvalidInput, match="what became of the money"):
            close_discrepancy(session, found.id, by=manager, reason=" ", now=desk.now)
        close_discrepancy(session, found.id, by=manager, reason="次日账单已列", now=desk.now)
        with pytest.raises(Conflict, match="closed already"):
            close_discrepancy(session, found.id, by=manager, reason="再关", now=desk.now)
    assert alerts(desk) == [("discrepancy", ClosedBecause.DAY_SETTLED.label)]
    compared(desk)
    assert desk.discrepancies() == []
    with desk.world.database.transaction() as session:
        assert session.get_one(Discrepancy, found.id).owner_id == clerk.id
        assert age_days(found, desk.today + timedelta(days=3)) == 3


def test_a_wrong_callback_that_the_statement_shows_too_is_one_discrepancy(desk: Desk) -> None:
    payment = desk.offered(ROOM)
    cheaper = desk.channel.take(payment, amount=Money(1))
    with desk.world.database.transaction() as session:
        outcome = confirm(session, desk.merchant(session), cheaper, desk.now)
        assert outcome is Outcome.DISCREPANCY
    desk.channel.state_everything()
    found = compared(desk)
    assert figures(found)[:2] == (1, 0)
    assert desk.discrepancies() == [("wrong_amount", "")]
    with desk.world.database.transaction() as session:
        [alert] = session.scalars(select(Alert))
        [number] = session.scalars(select(Discrepancy.id))
        told = {"discrepancy": number, "merchant": "HYPM", "out_trade_no": payment.out_trade_no}
        assert told.items() <= alert.data.items()


def test_who_closes_a_discrepancy_closes_its_alert_and_no_other(desk: Desk) -> None:
    for room in (ROOM, OTHER):
        cheaper = desk.channel.take(desk.offered(room), amount=Money(1))
        with desk.world.database.transaction() as session:
            confirm(session, desk.merchant(session), cheaper, desk.now)
    with desk.world.database.transaction() as session:
        manager = get_staff(session, "zhao")
        first, _second = list_discrepancies(session)
        close_discrepancy(session, first.id, by=manager, reason="已原路退回", now=desk.now)
    assert alerts(desk) == [("discrepancy", "已原路退回"), ("discrepancy", "open")]
    with desk.world.database.transaction() as session:
        [alert] = session.scalars(select(Alert).where(Alert.closed_at.is_not(None)))
        assert (alert.closed_by, alert.closed_at) == (manager.id, desk.now)


def test_a_refund_begun_at_midnight_is_found_on_the_next_day_s_statement(desk: Desk) -> None:
    desk.channel.refund_state = RefundState.DONE
    desk.approved(desk.paid(ROOM), 10_00)
    desk.forward(seconds=61)
    settle_refunds(desk.services)
    desk.channel.state_everything()
    rows = desk.channel.statement or []
    desk.channel.statement = rows[:1]
    compared(desk)
    assert desk.discrepancies() == [("refund", "missing_there")]
    desk.forward(days=1)
    desk.channel.statement = rows[1:]
    compared(desk)
    assert desk.discrepancies() == []


def test_totals_that_the_bill_of_funds_contradicts_are_a_discrepancy(desk: Desk) -> None:
    paid = desk.paid(ROOM).amount
    desk.channel.state_everything()
    change(desk, 0, fee=Money(60))
    right = FundTotals(received=paid, refunded=ZERO, fees=Money(60), withdrawn=ZERO)
    desk.channel.funds = replace(right, fees=Money(61))
    compared(desk)
    compared(desk)
    assert desk.discrepancies() == [("funds", "")]
    assert alerts(desk) == [("discrepancy", "open")]
    desk.channel.funds = right
    compared(desk)
    assert desk.discrepancies() == []
    assert alerts(desk) == [("discrepancy", ClosedBecause.AGREED.label)]


def test_without_a_statement_our_own_orders_are_asked_about(desk: Desk) -> None:
    booked, missed, waiting = desk.paid(ROOM), desk.offered(OTHER), desk.offered("2-1-803")
    desk.channel.take(missed)
    found = compared(desk)
    both = booked.amount.fen + missed.amount.fen
    assert figures(found)[:2] == (both, both)
    assert (found.healed, found.by_statement, found.is_done) == (1, False, False)
    assert desk.state(waiting) is PaymentState.PREPARED
    assert desk.discrepancies() == []


def test_without_a_statement_a_booked_order_the_provider_denies_is_found(desk: Desk) -> None:
    payment = desk.paid(ROOM)
    del desk.channel.paid[payment.out_trade_no]
    compared(desk)
    assert desk.discrepancies() == [("missing_there", "")]


def test_what_there_was_no_time_to_ask_about_is_said(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.reconciling.QUESTIONS_MAX", 1)
    desk.paid(ROOM)
    desk.paid(OTHER)
    found = compared(desk)
    assert found.not_asked == 1
    assert desk.discrepancies() == []


def test_a_provider_that_does_not_answer_changes_nothing_and_says_why(desk: Desk) -> None:
    desk.paid(ROOM)
    desk.channel.silent = True
    found = compared(desk)
    assert (found.totals, found.failure) == (None, "nobody answers")
    assert desk.discrepancies() == []
    with desk.world.database.transaction() as session:
        kept = session.get_one(Reconciliation, (desk.world.merchant_id, desk.today))
        assert (kept.failure, kept.done_at) == ("nobody answers", None)


def test_one_that_gives_up_in_the_middle_of_its_statement_changes_nothing(desk: Desk) -> None:
    desk.paid(ROOM)
    desk.channel.state_everything()

    def breaks(day: object) -> Any:
        from billing.channels.base import ChannelUnreachable

        yield (desk.channel.statement or [])[0]
        raise ChannelUnreachable("cut off")

    desk.channel.fetch_statement = breaks  # type: ignore[method-assign]
    assert compared(desk).failure == "cut off"
    assert desk.discrepancies() == []


def test_every_morning_what_is_not_done_is_compared_until_it_is(desk: Desk) -> None:
    desk.paid(ROOM)
    desk.forward(hours=21)  # 07:30 the next morning
    assert reconcile_morning(desk.services) == {"done": 6, "waiting": 0}
    desk.forward(hours=3)
    assert reconcile_morning(desk.services) == {"done": 0, "waiting": 1}
    desk.channel.state_everything()
    assert reconcile_morning(desk.services) == {"done": 1, "waiting": 0}
    asked = len(desk.channel.calls)
    assert reconcile_morning(desk.services) == {"done": 0, "waiting": 0}
    assert len(desk.channel.calls) == asked
    with desk.world.database.transaction() as session:
        assert session.scalars(select(Alert)).all() == []


def test_a_day_that_is_late_is_told_once(desk: Desk) -> None:
    desk.paid(ROOM)
    desk.forward(days=1, hours=7)
    for _ in range(2):
        reconcile_morning(desk.services)
    with desk.world.database.transaction() as session:
        [alert] = session.scalars(select(Alert))
        assert alert.data == {
            "merchant": "HYPM",
            "date": (desk.today - timedelta(days=1)).isoformat(),
        }
    assert alerts(desk) == [("not_reconciled", "open")]
    desk.channel.state_everything()
    reconcile_morning(desk.services)
    assert alerts(desk) == [("not_reconciled", ClosedBecause.DAY_COMPARED.label)]


def test_a_merchant_without_keys_is_named_only_if_it_took_money(desk: Desk) -> None:
    nobody = desk.with_channels({})
    assert reconcile(nobody, desk.today) == []
    desk.paid(ROOM)
    [found] = reconcile(nobody, desk.today)
    assert found.failure == "no keys for merchant HYPM"


def test_comparing_holds_no_transaction_while_the_provider_is_asked(desk: Desk) -> None:
    pool, seen = desk.world.database.engine.pool, []
    desk.channel.before = lambda _: seen.append(pool.status())
    desk.channel.take(desk.offered(ROOM))
    compared(desk)
    desk.channel.state_everything()
    compared(desk)
    assert len(seen) >= 4
    assert all("Current Checked out connections: 0" in status for status in seen)


def test_odd_text_in_a_statement_is_only_text(desk: Desk) -> None:
    desk.channel.statement = [
        StatementRow(out_trade_no='a"b,c\n\\N', transaction_id="`1", amount=Money(5), at=desk.now)
    ]
    assert figures(compared(desk))[:2] == (5, 0)
    with desk.world.database.transaction() as session:
        [found] = list_discrepancies(session)
        assert found.out_trade_no == 'a"b,c\n\\N'


def test_an_open_order_the_statement_lists_for_another_amount_is_not_booked(desk: Desk) -> None:
    payment = desk.offered(ROOM)
    desk.channel.take(payment, amount=payment.amount - Money(1))
    desk.channel.state_everything()
    assert compared(desk).healed == 0
    assert desk.discrepancies() == [("amount", "")]
    assert desk.channel.query(payment.out_trade_no).state is ProviderState.PAID
    assert desk.state(payment) is PaymentState.PREPARED
