"""Subscription notices: one consent, one notice; reports that name no message of ours."""

import pytest

from billing.people import Follower
from notify.consents import Answer, SubscriptionConsent, note_answers
from notify.reports import SubscriptionReport, record_subscription
from tests.notify.conftest import Town

ZHANG = "3-2-501"
SEND = "/cgi-bin/message/subscribe/bizsend"
TEMPLATE = "SubscribePaymentReceived"
SUBSCRIPTIONS = {
    "payment_received": {
        "template_id": TEMPLATE,
        "fields": {"thing1": "room", "amount2": "amount"},
    }
}


@pytest.fixture
def zhang(town: Town) -> Follower:
    """Zhang paid a moment ago; nothing but subscription notices reaches him."""
    object.__setattr__(town.notifier, "templates", {})
    object.__setattr__(town.notifier, "subscriptions", SUBSCRIPTIONS)
    follower = town.bind(ZHANG, "Zhang", wrote=False)
    town.pay(ZHANG, follower)
    return follower


def answer(town: Town, follower: Follower, *accepted: bool) -> None:
    with town.world.database.transaction() as session:
        for one in accepted:
            note_answers(session, follower.id, [Answer(TEMPLATE, one)], town.clock.now)


def remaining(town: Town, follower: Follower) -> int:
    with town.world.database.transaction() as session:
        return session.get_one(SubscriptionConsent, (follower.id, TEMPLATE)).remaining


def report(town: Town, follower: Follower, msgid: str, status: str) -> None:
    with town.world.database.transaction() as session:
        told = SubscriptionReport(TEMPLATE, msgid, status)
        record_subscription(session, follower.id, told, town.clock.now)


def test_consents_add_up_and_a_refusal_takes_all_away(town: Town, zhang: Follower) -> None:
    answer(town, zhang, True, True)
    assert remaining(town, zhang) == 2
    answer(town, zhang, False)
    assert remaining(town, zhang) == 0


def test_a_consent_carries_one_notice(town: Town, zhang: Follower) -> None:
    answer(town, zhang, True)
    town.notifier.intake()
    (shown,) = town.wechat.shown
    assert shown.data["thing1"] == ZHANG
    assert "/o/" in shown.url
    assert remaining(town, zhang) == 0
    assert town.messages() == [("payment_received", "sent", None)]


def test_without_consent_nothing_is_tried(town: Town, zhang: Follower) -> None:
    town.notifier.intake()
    assert town.wechat.calls == []
    assert town.messages() == [("payment_received", "failed", "no_transport")]


def test_when_wechat_knows_no_consent_it_is_right(town: Town, zhang: Follower) -> None:
    answer(town, zhang, True, True)
    town.wechat.next_answers[SEND].append(43101)
    town.notifier.intake()
    assert remaining(town, zhang) == 0
    assert town.messages() == [("payment_received", "failed", "refused")]


def test_what_was_certainly_not_sent_gives_its_consent_back(town: Town, zhang: Follower) -> None:
    answer(town, zhang, True)
    town.wechat.next_answers[SEND].append(45011)
    town.notifier.intake()
    assert remaining(town, zhang) == 1
    assert town.messages() == [("payment_received", "queued", None)]


@pytest.mark.parametrize("fault", ["silence", -1])
def test_a_lost_answer_is_unknown_and_never_repeated(
    town: Town, zhang: Follower, fault: str | int
) -> None:
    answer(town, zhang, True, True)
    town.wechat.next_answers[SEND].append(fault)
    town.notifier.intake()
    town.clock.advance(minutes=1)
    town.notifier.deliver()
    assert town.wechat.count(SEND) == 1
    assert remaining(town, zhang) == 1
    assert town.messages() == [("payment_received", "unknown", "no_answer")]
    report(town, zhang, "1700", "success")
    assert town.messages() == [("payment_received", "delivered", None)]


def test_a_report_is_of_the_oldest_open_notice_and_counts_once(town: Town, zhang: Follower) -> None:
    answer(town, zhang, True, True)
    town.pay("2-1-803", zhang)
    town.notifier.intake()
    assert town.wechat.count(SEND) == 2
    report(town, zhang, "1700", "success")
    report(town, zhang, "1700", "success")
    assert [state for _, state, _ in town.messages()] == ["delivered", "sent"]


def test_a_reported_failure_goes_another_way(town: Town, zhang: Follower) -> None:
    answer(town, zhang, True)
    town.notifier.intake()
    report(town, zhang, "1700", "failed: user block")
    town.notifier.deliver()
    assert town.messages() == [("payment_received", "failed", "user_block")]
    assert town.follower(zhang).unreachable_at == town.clock.now


def test_a_report_about_nothing_of_ours_is_harmless(town: Town, zhang: Follower) -> None:
    answer(town, zhang, True)
    report(town, zhang, "1700", "success")
    report(town, zhang, "", "success")
    town.notifier.intake()
    assert town.messages() == [("payment_received", "sent", None)]
