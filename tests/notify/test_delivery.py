"""Sending once, whatever happens: crashes, lost answers, refusals, reports that come early."""

from datetime import timedelta

import pytest
from redis import Redis
from sqlalchemy import select

from billing.alerts import Alert
from billing.money import Money
from billing.people import Follower
from notify.catalog import Urgency
from notify.claim import Claimed, claim
from notify.delivery import record
from notify.gate import Gate
from notify.jobs import LEASE
from notify.outbox import Delivery, Outcome
from notify.reports import record_result
from notify.sending import Result, Sender
from tests.notify.conftest import Town
from tests.notify.pretend_wechat import PretendWeChat

BEHIND = "1-1-101"
ZHANG = "3-2-501"
SEND = "/cgi-bin/message/template/send"
TEXT = "/cgi-bin/message/custom/send"
TOKEN = "/cgi-bin/stable_token"


@pytest.fixture
def zhang(town: Town) -> Follower:
    """Zhang paid a moment ago; the receipt is not yet frozen."""
    follower = town.bind(ZHANG, "Zhang")
    town.pay(ZHANG, follower)
    return follower


def freeze(town: Town) -> None:
    """Everything up to the first call to WeChat."""
    town.notifier._number_receipts(1000)
    town.notifier._take_facts(at_once=True)
    town.notifier._freeze(1000, Urgency.AT_ONCE)


def claim_now(town: Town) -> Claimed:
    with town.world.database.transaction() as session:
        return claim(session, town.clock.now, 100, LEASE, Urgency.AT_ONCE)


def sender(town: Town) -> Sender:
    return Sender(town.notifier.wechat, Gate(town.notifier.redis), town.clock)


def record_now(town: Town, *results: Result) -> None:
    with town.world.database.transaction() as session:
        record(session, results, town.clock.now)


def report(town: Town, msgid: str, status: str) -> None:
    with town.world.database.transaction() as session:
        record_result(session, msgid, status, town.clock.now)


def outcomes(town: Town) -> list[str | None]:
    with town.world.database.transaction() as session:
        found = session.scalars(select(Delivery).order_by(Delivery.message_id, Delivery.attempt))
        return [attempt.outcome.value if attempt.outcome else None for attempt in found]


def alerts(town: Town) -> list[str]:
    with town.world.database.transaction() as session:
        return list(session.scalars(select(Alert.key).order_by(Alert.id)))


def test_two_workers_never_claim_the_same_message(town: Town, zhang: Follower) -> None:
    freeze(town)
    database = town.world.database
    with database.transaction() as one, database.transaction() as other:
        first = claim(one, town.clock.now, 100, LEASE, Urgency.AT_ONCE)
        second = claim(other, town.clock.now, 100, LEASE, Urgency.AT_ONCE)
    assert (first.count, second.count) == (1, 0)


def test_a_crash_after_sending_is_repaired_within_the_ten_minutes(
    town: Town, zhang: Follower
) -> None:
    freeze(town)
    sender(town).send(claim_now(town).parcels[0])  # and the worker dies before recording
    town.clock.advance(seconds=31)
    town.notifier.deliver()
    assert town.wechat.count(SEND) == 2
    assert len(town.wechat.shown) == 1
    assert town.messages() == [("payment_received", "sent", None)]
    assert outcomes(town) == [None, "accepted"]


def test_a_crash_found_too_late_is_unknown_and_not_sent_again(town: Town, zhang: Follower) -> None:
    freeze(town)
    sender(town).send(claim_now(town).parcels[0])
    town.clock.advance(minutes=10)
    town.notifier.deliver()
    assert town.wechat.count(SEND) == 1
    assert town.messages() == [("payment_received", "unknown", "no_answer")]


def test_the_report_settles_what_was_unknown(town: Town, zhang: Follower) -> None:
    freeze(town)
    parcel = claim_now(town).parcels[0]
    result = sender(town).send(parcel)
    town.clock.advance(minutes=10)
    town.notifier.deliver()
    record_now(town, result)  # the slow worker comes back after all
    report(town, town.wechat.shown[0].msgid, "success")
    assert town.messages() == [("payment_received", "delivered", None)]


def test_a_service_message_is_never_sent_again_after_a_crash(town: Town, zhang: Follower) -> None:
    object.__setattr__(town.notifier, "templates", {})
    freeze(town)
    sender(town).send(claim_now(town).parcels[0])
    town.clock.advance(seconds=31)
    town.notifier.deliver()
    assert town.wechat.count(TEXT) == len(town.wechat.shown) == 1
    assert town.messages() == [("payment_received", "unknown", "no_answer")]


def test_a_late_failure_of_a_lost_lease_changes_nothing(town: Town, zhang: Follower) -> None:
    freeze(town)
    late = claim_now(town).parcels[0]
    town.clock.advance(seconds=31)
    town.notifier.deliver()
    record_now(town, Result(late, Outcome.UNREACHABLE))
    assert town.messages() == [("payment_received", "sent", None)]


def test_a_lost_answer_is_repeated_and_seen_once(town: Town, zhang: Follower) -> None:
    town.wechat.next_answers[SEND].append("silence")
    town.notifier.intake()
    assert outcomes(town) == ["no_answer"]
    town.clock.advance(seconds=5)
    town.notifier.deliver()
    assert len(town.wechat.shown) == 1
    assert town.messages() == [("payment_received", "sent", None)]


def test_answers_lost_for_ten_minutes_leave_it_unknown(town: Town, zhang: Follower) -> None:
    town.wechat.next_answers[SEND].extend(["silence"] * 20)
    town.notifier.intake()
    for _ in range(14):
        town.clock.advance(minutes=1)
        town.notifier.deliver()
    assert town.messages() == [("payment_received", "unknown", "no_answer")]
    assert len(town.wechat.shown) == 1


def test_an_outage_delays_and_does_not_give_up(town: Town, zhang: Follower) -> None:
    town.wechat.next_answers[TOKEN].extend(["http"] * 30)  # nothing ever left
    town.notifier.intake()
    for _ in range(60):
        town.clock.advance(minutes=30)
        town.notifier.deliver()
    assert len(town.wechat.shown) == 1
    assert town.messages() == [("payment_received", "sent", None)]


def test_busy_is_tried_again_with_growing_pauses(town: Town, zhang: Follower) -> None:
    town.wechat.next_answers[SEND].extend([-1, -1])
    town.notifier.intake()
    town.notifier.deliver()
    assert town.wechat.count(SEND) == 1  # not before its pause is over
    town.clock.advance(seconds=5)
    town.notifier.deliver()
    town.clock.advance(seconds=15)
    town.notifier.deliver()
    assert town.messages() == [("payment_received", "sent", None)]


def test_refused_for_ever_is_given_up(town: Town, zhang: Follower) -> None:
    town.wechat.always[SEND] = 88001
    town.notifier.intake()
    for _ in range(14):
        town.clock.advance(minutes=31)
        town.notifier.deliver()
    assert town.messages() == [("payment_received", "failed", "gave_up")]
    assert town.wechat.count(SEND) == 12


def test_who_does_not_follow_any_more_is_marked(town: Town, zhang: Follower) -> None:
    town.wechat.next_answers[SEND].append(43004)
    town.notifier.intake()
    assert town.messages() == [("payment_received", "failed", "unfollowed")]
    with town.world.database.transaction() as session:
        assert session.get_one(Follower, zhang.id).unfollowed_at == town.clock.now


@pytest.mark.parametrize("errcode", [43101, 47003])
def test_what_cannot_be_a_template_message_is_written_in_the_chat(
    town: Town, zhang: Follower, errcode: int
) -> None:
    town.wechat.next_answers[SEND].append(errcode)
    town.notifier.intake()
    (shown,) = town.wechat.shown
    assert "已收到缴费" in shown.text
    assert town.messages() == [("payment_received", "sent", None)]


def test_without_template_or_open_chat_it_fails_with_a_reason(town: Town, zhang: Follower) -> None:
    town.change(zhang, last_message_at=town.clock.now - timedelta(hours=48))
    town.wechat.next_answers[SEND].append(43101)
    town.notifier.intake()
    assert town.messages() == [("payment_received", "failed", "no_transport")]


@pytest.mark.parametrize(
    ("errcode", "line"),
    [
        (48001, "account"),
        (45009, "account"),
    ],
)
def test_a_stopped_line_raises_one_alert_and_loses_nothing(
    town: Town, zhang: Follower, errcode: int, line: str
) -> None:
    town.wechat.always[SEND] = errcode
    town.notifier.intake()
    town.notifier.deliver()
    assert town.wechat.count(SEND) == 1
    assert alerts(town) == [f"sending stopped: {line}"]
    assert town.messages() == [("payment_received", "queued", None)]


@pytest.mark.parametrize("errcode", [40037, 43116])
def test_a_template_that_is_not_approved_gives_way_to_the_next_transport_at_once(
    town: Town, zhang: Follower, errcode: int
) -> None:
    town.wechat.always[SEND] = errcode
    town.notifier.intake()
    town.pay(BEHIND, zhang)
    town.notifier.intake()
    assert town.wechat.count(SEND) == 1
    assert [one.text[:5] for one in town.wechat.shown] == ["花园小区 "] * 2
    assert town.messages() == [("payment_received", "sent", None)] * 2
    assert alerts(town) == ["sending stopped: template:TMPaymentReceived0000000000000000000000004"]


def test_a_stopped_line_opens_by_itself(town: Town, zhang: Follower, redis: Redis) -> None:
    town.wechat.next_answers[SEND].append(48001)
    town.notifier.intake()
    assert 0 < redis.ttl("sending:closed:account") <= 60
    redis.delete("sending:closed:account")  # as its end would
    town.clock.advance(minutes=1)
    town.notifier.deliver()
    assert town.messages() == [("payment_received", "sent", None)]


def test_a_stop_in_the_middle_of_a_batch_spares_the_rest(town: Town) -> None:
    for room in (ZHANG, "1-1-302", "1-1-101"):
        follower = town.bind(room, f"Of{room}")
        town.pay(room, follower)
    freeze(town)
    town.wechat.always[SEND] = 45011
    results = [sender(town).send(parcel) for parcel in claim_now(town).parcels]
    record_now(town, *results)
    assert town.wechat.count(SEND) == 1
    assert outcomes(town) == ["refused", "not_tried", "not_tried"]
    assert {state for _, state, _ in town.messages()} == {"queued"}


def test_no_attempt_begins_just_before_the_lease_ends(town: Town, zhang: Follower) -> None:
    freeze(town)
    parcel = claim_now(town).parcels[0]
    town.clock.advance(seconds=25)
    record_now(town, sender(town).send(parcel))
    assert outcomes(town) == ["not_tried"]
    town.notifier.deliver()
    assert town.messages() == [("payment_received", "sent", None)]


def test_a_replaced_token_is_fetched_once_for_a_whole_batch(town: Town) -> None:
    for room in (ZHANG, "1-1-302", "1-1-101", "2-1-803"):
        town.pay(room, town.bind(room, f"Of{room}"))
    town.notifier.redis.set("wechat:wx0123456789abcdef:access_token", "STALE")
    town.notifier.intake()
    assert town.wechat.count(TOKEN) == 1
    assert [state for _, state, _ in town.messages()] == ["sent"] * 4


def test_paid_after_freezing_is_not_told(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    town.remind(town.world.today + timedelta(days=7))
    town.notifier._freeze(100, Urgency.TODAY)
    town.pay(ZHANG, zhang)
    town.notifier.deliver()
    assert town.messages() == [("due_soon", "suppressed", "paid")]


def test_part_paid_after_freezing_is_told_with_the_new_sum(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    town.remind(town.world.today + timedelta(days=7))
    town.notifier._freeze(100, Urgency.TODAY)
    town.pay(ZHANG, zhang, share=Money(100))
    town.notifier.deliver()  # finds it changed
    town.notifier.deliver()
    (shown,) = town.wechat.shown
    assert shown.data["amount2"] == f"{town.owed(ZHANG).yuan}元"
    assert town.messages() == [("due_soon", "suppressed", "superseded"), ("due_soon", "sent", None)]


def test_unfollowed_after_freezing_is_not_told(town: Town, zhang: Follower) -> None:
    freeze(town)
    town.change(zhang, unfollowed_at=town.clock.now)
    town.notifier.deliver()
    assert town.messages() == [("payment_received", "suppressed", "unfollowed")]
    assert town.wechat.shown == []


def test_wechats_report_closes_the_loop(town: Town, zhang: Follower) -> None:
    town.notifier.intake()
    report(town, town.wechat.shown[0].msgid, "success")
    assert town.messages() == [("payment_received", "delivered", None)]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("failed:user block", "user_block"),
        ("failed: system failed", "system_failed"),
        ("failed:system failed", "system_failed"),
        ("failed:freq limit", "freq_limit"),
        ("failed: something new", "not_delivered"),
    ],
)
def test_what_was_not_delivered_and_can_go_no_other_way_has_failed(
    town: Town, zhang: Follower, status: str, reason: str
) -> None:
    town.change(zhang, last_message_at=None)
    town.notifier.intake()
    msgid = town.wechat.shown[0].msgid
    report(town, msgid, status)
    report(town, msgid, "success")  # a repeat, or anything later, changes nothing
    town.notifier.deliver()
    assert town.messages() == [("payment_received", "failed", reason)]
    assert town.follower(zhang).unreachable_at == town.clock.now


def test_what_was_not_delivered_goes_another_way_once(town: Town, zhang: Follower) -> None:
    town.notifier.intake()
    report(town, town.wechat.shown[0].msgid, "failed:user block")
    report(town, town.wechat.shown[0].msgid, "failed:user block")
    town.notifier.deliver()
    town.notifier.deliver()
    assert town.messages() == [("payment_received", "sent", None)]
    assert town.wechat.paths().count(TEXT) == 1
    assert town.follower(zhang).unreachable_at is None


def test_what_was_not_delivered_and_is_paid_meanwhile_is_not_told_again(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    town.remind(town.world.today + timedelta(days=7))
    town.notifier.deliver()
    town.pay(ZHANG, zhang)
    report(town, town.wechat.shown[0].msgid, "failed:system failed")
    town.notifier.deliver()
    assert town.messages() == [("due_soon", "suppressed", "paid")]
    assert len(town.wechat.shown) == 1


def test_who_is_reached_again_is_unreachable_no_more(town: Town, zhang: Follower) -> None:
    town.change(zhang, unreachable_at=town.clock.now)
    town.notifier.intake()
    report(town, town.wechat.shown[0].msgid, "success")
    assert town.follower(zhang).unreachable_at is None


def test_what_nobody_knows_for_half_an_hour_is_settled_and_not_sent(
    town: Town, zhang: Follower
) -> None:
    object.__setattr__(town.notifier, "templates", {})
    town.wechat.next_answers[TEXT].append("silence")
    town.notifier.intake()
    assert town.notifier.settle_unknown() == 0
    town.clock.advance(minutes=30)
    assert [town.notifier.settle_unknown() for _ in range(2)] == [1, 0]
    town.notifier.deliver()
    assert town.messages() == [("payment_received", "unknown", "no_answer")]
    assert len(town.wechat.shown) == 1


def test_a_report_that_comes_before_our_record_is_not_lost(town: Town, zhang: Follower) -> None:
    freeze(town)
    result = sender(town).send(claim_now(town).parcels[0])
    report(town, town.wechat.shown[0].msgid, "success")
    record_now(town, result)
    assert town.messages() == [("payment_received", "delivered", None)]


def test_a_report_about_somebody_elses_message_is_harmless(town: Town, zhang: Follower) -> None:
    town.notifier.intake()
    report(town, "1", "success")
    report(town, "", "success")
    assert town.messages() == [("payment_received", "sent", None)]


def test_parcels_and_results_do_not_show_openids(
    town: Town, zhang: Follower, pretend: PretendWeChat
) -> None:
    freeze(town)
    parcel = claim_now(town).parcels[0]
    assert "oZhang" not in repr(Result(parcel, Outcome.ACCEPTED))
