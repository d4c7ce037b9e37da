"""Leave to send: breakers, quotas and caps, the same for every process."""

from datetime import timedelta

import pytest
from redis import Redis

from notify.catalog import Transport
from notify.gate import FAILURES_MAX, Gate, template_line
from notify.sms import CAPS
from tests.conftest import NOW
from tests.notify.conftest import Town

SEND = "/cgi-bin/message/template/send"
TEXT = "/cgi-bin/message/custom/send"
LINES = ["account", template_line("TM1")]


@pytest.fixture
def gate(redis: Redis) -> Gate:
    return Gate(redis)


def leave(gate: Gate, seconds: float = 0, quota: int | None = None) -> int:
    now = NOW + timedelta(seconds=seconds)
    return gate.admit(LINES, Transport.TEMPLATE, now, quota).wait_seconds


def fail(gate: Gate, seconds: float = 0) -> int:
    return gate.note_failure(Transport.TEMPLATE, NOW + timedelta(seconds=seconds))


def test_a_breaker_opens_after_failures_in_a_row_for_growing_pauses(gate: Gate) -> None:
    assert [fail(gate) for _ in range(FAILURES_MAX)] == [0, 0, 0, 0, 30]
    assert fail(gate, 1) == 0  # it was under way
    assert leave(gate, 1) > 0
    assert leave(gate, 31) == 0
    assert fail(gate, 31) == 60
    assert fail(gate, 100) == 120
    assert fail(gate, 10_000) == 240


def test_half_open_it_lets_one_through(gate: Gate) -> None:
    for _ in range(FAILURES_MAX):
        fail(gate)
    assert [leave(gate, 31) > 0 for _ in range(3)] == [False, True, True]
    gate.note_answer(Transport.TEMPLATE)
    assert [leave(gate, 31) for _ in range(3)] == [0, 0, 0]


def test_an_answer_in_between_begins_the_row_anew(gate: Gate) -> None:
    for _ in range(3):
        assert [fail(gate) for _ in range(FAILURES_MAX - 1)] == [0] * (FAILURES_MAX - 1)
        gate.note_answer(Transport.TEMPLATE)


def test_a_quota_holds_for_a_day_of_beijing(gate: Gate) -> None:
    assert [leave(gate, quota=2) for _ in range(2)] == [0, 0]
    assert leave(gate, quota=2) == 13.5 * 3600 + 1  # it is half past ten
    assert leave(gate, 14 * 3600, quota=2) == 0


def test_who_was_not_let_through_is_not_counted(gate: Gate) -> None:
    gate.close("account", 60, "test")
    assert leave(gate, quota=1) > 0
    gate._redis.delete("sending:closed:account")
    assert leave(gate, quota=1) == 0


def test_caps_are_moving_windows(gate: Gate) -> None:
    def take(seconds: float) -> int:
        return gate.take_caps("somebody", CAPS, NOW + timedelta(seconds=seconds))

    assert take(0) == 0
    assert take(59) == 1
    assert [take(minute * 60) for minute in (1, 2, 3, 4)] == [0] * 4
    assert take(300) == 3300  # the sixth within an hour
    assert [take(3600 + minute * 60) for minute in range(5)] == [0] * 5
    assert take(7200) == 24 * 3600 - 7200  # the eleventh within a day
    assert gate.take_caps("somebody else", CAPS, NOW) == 0


def test_a_broken_transport_rests_and_the_others_go_on(town: Town) -> None:
    zhang = town.bind("3-2-501", "Zhang")
    town.pay("3-2-501", zhang)
    town.wechat.next_answers[SEND].extend(["silence"] * 99)
    town.notifier.intake()
    for _ in range(FAILURES_MAX - 1):
        town.clock.advance(seconds=140)
        town.notifier.deliver()
    assert town.wechat.count(SEND) == FAILURES_MAX
    town.clock.advance(seconds=20)
    object.__setattr__(town.notifier, "templates", {})
    town.pay("1-1-302", town.bind("1-1-302", "Li"))
    town.notifier.intake()
    assert (town.wechat.count(SEND), town.wechat.count(TEXT)) == (FAILURES_MAX, 1)
    assert [state for _, state, _ in town.messages()] == ["queued", "sent"]


def test_our_own_quota_stops_templates_until_midnight_and_says_so(town: Town) -> None:
    object.__setattr__(town.notifier, "quotas", {Transport.TEMPLATE: 1})
    for room in ("3-2-501", "1-1-302"):
        town.pay(room, town.bind(room, f"Of{room}"))
    town.notifier.intake()
    assert town.wechat.count(SEND) == 1
    assert sorted(state for _, state, _ in town.messages()) == ["queued", "sent"]
    town.notifier.redis.delete("sending:closed:transport:template")  # as its end would
    town.clock.advance(hours=14)
    town.notifier.deliver()
    assert [state for _, state, _ in town.messages()] == ["sent", "sent"]
