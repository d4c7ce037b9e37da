"""An approved refund reaches its provider once, whatever gets lost on the way."""

import threading

import pytest

from billing.channels.base import Channel, ChannelUnreachable, RefundState
from billing.errors import Conflict
from billing.ledger import FixedAccount
from billing.money import ZERO, Money
from billing.refund_outcomes import RefundOutcome
from billing.refund_tables import RefundStage
from handlers.refunding import send_refund, settle_refunds
from tests.conftest import many_rounds
from tests.desk import Desk

ROOM = "1-1-302"


@pytest.fixture
def paid(desk: Desk) -> Money:
    """What stands in the merchant account before anything is refunded."""
    return desk.account(FixedAccount.WECHAT_CLEARING)


def settled(desk: Desk) -> dict[str, int]:
    """One round, a minute later."""
    desk.forward(seconds=61)
    return settle_refunds(desk.services)


def refunded(desk: Desk, refund_no: str) -> int:
    """How often the provider was told to refund this number."""
    return desk.channel.calls.count(f"refund {refund_no}")


def gone(desk: Desk, before: Money) -> Money:
    """What went back since; the books are whole."""
    return before + Money(80_00) - desk.account(FixedAccount.WECHAT_CLEARING)


def test_a_round_sends_what_was_approved_and_learns_its_end(desk: Desk, paid: Money) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    assert settled(desk) == {"refund_processing": 1}
    assert desk.stage(refund) is RefundStage.PROCESSING
    assert gone(desk, paid) == ZERO
    end(desk, refund.out_refund_no, RefundState.DONE)
    assert settled(desk) == {"refund_done": 1}
    assert gone(desk, paid) == Money(80_00)
    assert settled(desk) == {}
    assert refunded(desk, refund.out_refund_no) == 1


def end(desk: Desk, refund_no: str, state: RefundState) -> None:
    """The provider comes to an end with a refund."""
    known = desk.channel.refunds[refund_no]
    changed = {name: getattr(known, name) for name in known.__slots__} | {"state": state}
    desk.channel.refunds[refund_no] = type(known)(**changed)


def test_what_is_not_approved_is_never_sent(desk: Desk) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    desk.told(refund, RefundState.CLOSED)
    assert settled(desk) == {}
    with pytest.raises(Conflict, match="failed"):
        send_refund(desk.services, refund)
    assert refunded(desk, refund.out_refund_no) == 0


def test_a_lost_answer_is_asked_for_and_the_refund_not_sent_again(desk: Desk, paid: Money) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    desk.channel.loses_answers, desk.channel.refund_state = True, RefundState.DONE
    assert settled(desk) == {"unreachable": 1}
    assert desk.stage(refund) is RefundStage.UNKNOWN
    assert gone(desk, paid) == ZERO
    desk.channel.loses_answers = False
    assert settled(desk) == {"refund_done": 1}
    assert refunded(desk, refund.out_refund_no) == 1
    assert gone(desk, paid) == Money(80_00)


def test_what_never_arrived_is_sent_again_by_the_same_number(desk: Desk) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    desk.channel.silent = True
    assert settled(desk) == {"unreachable": 1}
    desk.channel.silent = False
    assert settled(desk) == {"refund_processing": 1}
    assert list(desk.channel.refunds) == [refund.out_refund_no]
    asked = f"query_refund {refund.out_refund_no}"
    assert desk.channel.calls[-2:] == [asked, f"refund {refund.out_refund_no}"]


def test_a_refund_the_provider_lost_is_sent_again_by_the_same_number(desk: Desk) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    assert settled(desk) == {"refund_processing": 1}
    desk.channel.refunds.clear()
    assert settled(desk) == {"refund_missing": 1}
    assert settled(desk) == {"refund_processing": 1}
    assert list(desk.channel.refunds) == [refund.out_refund_no]


class Died(BaseException):
    """The process ended here."""


@pytest.mark.parametrize("arrived", [False, True])
def test_a_process_killed_between_call_and_record_refunds_once(
    desk: Desk, paid: Money, arrived: bool
) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    desk.channel.refund_state = RefundState.DONE
    real = desk.channel.refund

    def dies(request):  # type: ignore[no-untyped-def]
        if arrived:
            real(request)
        raise Died

    desk.channel.refund = dies  # type: ignore[method-assign]
    desk.forward(seconds=61)
    with pytest.raises(Died):
        settle_refunds(desk.services)
    desk.channel.refund = real  # type: ignore[method-assign]
    assert settled(desk) == {"refund_done": 1}
    assert gone(desk, paid) == Money(80_00)
    assert refunded(desk, refund.out_refund_no) == 1


def test_a_no_for_good_frees_the_money(desk: Desk) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    desk.channel.refuses = "NOT_ENOUGH"
    assert settled(desk) == {"refund_failed": 1}
    assert desk.stage(refund) is RefundStage.FAILED
    assert desk.account(FixedAccount.PREPAYMENTS, ROOM) == Money(-80_00)
    assert desk.account(FixedAccount.REFUNDS, ROOM) == ZERO


def test_a_no_after_a_lost_answer_is_not_believed_when_the_provider_knows_the_refund(
    desk: Desk, paid: Money
) -> None:
    """The first try was slow: it arrived after the question and before the second try."""
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    desk.channel.silent = True
    settled(desk)
    desk.channel.silent, desk.channel.refund_state = False, RefundState.DONE
    real = desk.channel.refund

    def too_late(request):  # type: ignore[no-untyped-def]
        real(request)
        desk.channel.refuses = "DUPLICATE"
        return real(request)

    desk.channel.refund = too_late  # type: ignore[method-assign]
    assert settled(desk) == {"refund_done": 1}
    assert desk.stage(refund) is RefundStage.DONE
    assert gone(desk, paid) == Money(80_00)


def test_a_callback_before_our_own_answer_books_once(desk: Desk, paid: Money) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))

    def call_back(what: str) -> None:
        if what.startswith("refund "):
            assert desk.told(refund, RefundState.DONE) is RefundOutcome.DONE

    desk.channel.before = call_back
    assert settled(desk) == {"refund_already_known": 1}
    assert desk.stage(refund) is RefundStage.DONE
    assert gone(desk, paid) == Money(80_00)


@many_rounds
def test_two_workers_at_once_refund_once(desk: Desk, paid: Money) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    desk.channel.refund_state = RefundState.DONE
    desk.forward(seconds=61)
    start, failures = threading.Barrier(2), []

    def round_of_cron() -> None:
        start.wait()
        try:
            settle_refunds(desk.services)
        except BaseException as error:  # kept for the assertion: a thread's failure is silent
            failures.append(error)

    workers = [threading.Thread(target=round_of_cron) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    assert desk.stage(refund) is RefundStage.DONE
    assert gone(desk, paid) == Money(80_00)


def test_without_keys_nothing_looks_as_if_it_had_been_sent(desk: Desk) -> None:
    refund = desk.approved(desk.paid(ROOM, Money(80_00)))
    nobody: dict[str, Channel] = {}
    with pytest.raises(ChannelUnreachable, match="no keys"):
        send_refund(desk.with_channels(nobody), refund)
    assert desk.stage(refund) is RefundStage.APPROVED


def test_a_silent_provider_is_left_alone_after_three_questions(desk: Desk) -> None:
    for _ in range(5):
        desk.approved(desk.paid(ROOM, Money(80_00)))
    desk.channel.silent = True
    assert settled(desk) == {"unreachable": 3}
    assert settle_refunds(desk.services) == {"unreachable": 2}


def test_sending_uses_no_transaction(desk: Desk) -> None:
    pool, seen = desk.world.database.engine.pool, []
    desk.channel.before = lambda _: seen.append(pool.status())
    desk.approved(desk.paid(ROOM, Money(80_00)))
    settled(desk)
    settled(desk)
    assert ["Current Checked out connections: 0" in status for status in seen] == [True, True]
