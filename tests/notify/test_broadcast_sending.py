"""Broadcasts on their way: at their time, at their speed, stopped half way."""

from datetime import datetime, timedelta

import pytest
from redis import Redis
from sqlalchemy import select

from billing.errors import Conflict, InvalidInput
from billing.people import Follower, Staff, get_staff
from notify import broadcasts
from notify.audiences import Audience
from notify.broadcast_results import Results, read_results
from notify.broadcast_tables import Broadcast, BroadcastState
from notify.broadcasts import draft_broadcast, sent_from
from notify.outbox import Notice, Reason
from tests.notify.conftest import Town
from tests.notify.test_broadcasts import BEHIND, BODY, IN_TIME, again, cancel, confirm, draft

TOMORROW_AT_TEN = datetime.fromisoformat("2026-11-24T10:00:00+08:00")

TEXT = "/cgi-bin/message/custom/send"

STAFF = {"zhao": IN_TIME, "liu": BEHIND, "chen": "3-2-502"}
"""Manager, who writes; service desk; accountant, who may not approve."""


def scheduled(
    town: Town, send_at: datetime | None = None, per_minute: int | None = None
) -> Broadcast:
    with town.world.database.transaction() as session:
        return draft_broadcast(
            session,
            community_id=town.world.community.id,
            audience=Audience(),
            body=BODY,
            by=get_staff(session, "zhao"),
            now=town.clock.now,
            send_at=send_at,
            per_minute=per_minute,
        )


def results(town: Town, one: Broadcast) -> Results:
    with town.world.database.transaction() as session:
        return read_results(session, one)


def employ(town: Town, follower: Follower, login: str) -> None:
    with town.world.database.transaction() as session:
        session.scalars(select(Staff).where(Staff.login == login)).one().follower_id = follower.id


def times(town: Town) -> list[datetime]:
    with town.world.database.transaction() as session:
        return sorted(session.scalars(select(Notice.not_before)))


def leave(town: Town) -> None:
    """A minute later its notices are written, and what is due is sent."""
    town.clock.advance(minutes=1)
    assert town.notifier.intake()["broadcasts"] == 1


def test_a_scheduled_one_leaves_at_its_time_for_who_is_there_then(town: Town) -> None:
    town.bind(IN_TIME, "Zhang")
    one = confirm(town, scheduled(town, TOMORROW_AT_TEN))
    town.clock.now = TOMORROW_AT_TEN - timedelta(seconds=1)
    assert town.notifier.intake()["broadcasts"] == 0
    town.bind(BEHIND, "Li")
    town.clock.now = TOMORROW_AT_TEN
    assert town.notifier.intake()["broadcasts"] == 1
    assert len(town.wechat.shown) == 2
    assert (again(town, one).recipients, again(town, one).sent_at) == (2, TOMORROW_AT_TEN)


def test_a_time_at_night_is_moved_to_the_morning_and_one_that_is_over_refused(town: Town) -> None:
    night = datetime.fromisoformat("2026-11-23T22:00:00+08:00")
    assert scheduled(town, night).send_at == datetime.fromisoformat("2026-11-24T09:00:00+08:00")
    for wrong in (town.clock.now, town.clock.now + timedelta(days=61)):
        with pytest.raises(InvalidInput, match="send_at"):
            scheduled(town, wrong)


def test_one_that_has_grown_past_the_limit_waits_for_a_second_person(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasts, "ALONE_MAX", 1)
    town.bind(IN_TIME, "Zhang")
    one = confirm(town, scheduled(town, TOMORROW_AT_TEN))
    town.bind(BEHIND, "Li")
    town.clock.now = TOMORROW_AT_TEN
    town.notifier.intake()
    assert (again(town, one).state, town.wechat.shown) == (BroadcastState.WAITING, [])
    confirm(town, one, by="liu")
    leave(town)
    assert len(town.wechat.shown) == 2


def test_its_speed_spreads_it_over_minutes_and_the_night(town: Town) -> None:
    for room, name in ((IN_TIME, "Zhang"), (BEHIND, "Li"), ("3-2-502", "Wang")):
        town.bind(room, name)
    town.clock.now = datetime.fromisoformat("2026-11-23T20:58:00+08:00")
    confirm(town, scheduled(town, per_minute=1))
    leave(town)
    assert len(town.wechat.shown) == 1
    morning = datetime.fromisoformat("2026-11-24T09:00:00+08:00")
    assert times(town) == [town.clock.now, morning, morning + timedelta(minutes=1)]
    town.clock.now = morning
    town.notifier.intake()
    assert len(town.wechat.shown) == 2
    with pytest.raises(InvalidInput, match="per_minute"):
        scheduled(town, per_minute=0)


def test_what_an_outage_left_of_it_at_nine_in_the_evening_goes_on_in_the_morning(
    town: Town, redis: Redis
) -> None:
    for room, name in ((IN_TIME, "Zhang"), (BEHIND, "Li")):
        town.bind(room, name)
    town.clock.now = datetime.fromisoformat("2026-11-23T20:57:00+08:00")
    confirm(town, scheduled(town, per_minute=1))
    town.wechat.next_answers[TEXT].append(45009)
    leave(town)
    redis.flushdb()
    for night in ("2026-11-23T21:00:00+08:00", "2026-11-24T08:59:59+08:00"):
        town.clock.now = datetime.fromisoformat(night)
        town.notifier.intake()
        assert town.wechat.shown == []
    town.clock.now = datetime.fromisoformat("2026-11-24T09:00:00+08:00")
    town.notifier.intake()
    assert len(town.wechat.shown) == 2


def test_confirmed_at_night_it_waits_for_the_morning_and_for_who_is_there_then(
    town: Town,
) -> None:
    town.bind(IN_TIME, "Zhang")
    town.clock.now = datetime.fromisoformat("2026-11-23T22:00:00+08:00")
    one = confirm(town, draft(town))
    for hours in (0, 10):
        town.clock.advance(minutes=2, hours=hours)
        assert town.notifier.intake()["broadcasts"] == 0
    waits = again(town, one)
    assert (waits.state, waits.sent_at, town.notices()) == (BroadcastState.QUEUED, None, [])
    town.bind(BEHIND, "Li")
    town.clock.now = datetime.fromisoformat("2026-11-24T09:00:00+08:00")
    assert sent_from(waits) == town.clock.now
    assert town.notifier.intake()["broadcasts"] == 1
    assert (again(town, one).sent_at, again(town, one).recipients) == (town.clock.now, 2)
    assert len(town.wechat.shown) == 2


def test_one_that_grew_past_the_limit_in_the_night_waits_for_a_second_person(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasts, "ALONE_MAX", 1)
    town.bind(IN_TIME, "Zhang")
    town.clock.now = datetime.fromisoformat("2026-11-23T22:00:00+08:00")
    one = confirm(town, draft(town))
    town.bind(BEHIND, "Li")
    town.clock.now = datetime.fromisoformat("2026-11-24T09:00:00+08:00")
    town.notifier.intake()
    assert (again(town, one).state, town.wechat.shown) == (BroadcastState.WAITING, [])


def test_the_speed_of_the_community_is_that_of_all_that_name_none(town: Town) -> None:
    with town.world.database.transaction() as session:
        session.merge(town.world.community).broadcasts_per_minute = 1
    town.bind(IN_TIME, "Zhang")
    town.bind(BEHIND, "Li")
    confirm(town, scheduled(town))
    leave(town)
    assert times(town) == [town.clock.now, town.clock.now + timedelta(minutes=1)]


def test_stopped_half_way_the_rest_is_not_sent_and_says_why(town: Town) -> None:
    town.bind(IN_TIME, "Zhang")
    town.bind(BEHIND, "Li")
    one = confirm(town, scheduled(town, per_minute=1))
    leave(town)
    assert cancel(town, one, by="liu").state is BroadcastState.STOPPED
    town.clock.advance(minutes=5)
    town.notifier.intake()
    assert len(town.wechat.shown) == 1
    assert town.notices() == [("broadcast", "merged", None), ("broadcast", "suppressed", "stopped")]
    became = results(town, one)
    assert (became.left, became.waiting, became.suppressed) == (1, 0, {Reason.STOPPED: 1})
    assert cancel(town, one).cancelled_at == again(town, one).cancelled_at


def test_what_is_frozen_and_not_claimed_is_stopped_too(town: Town) -> None:
    town.bind(IN_TIME, "Zhang")
    one = confirm(town, draft(town))
    town.wechat.stop()
    leave(town)
    assert [state for _, state, _ in town.messages()] == ["queued"]
    assert cancel(town, one).state is BroadcastState.STOPPED
    assert town.messages() == [("broadcast", "suppressed", "stopped")]


def test_all_of_it_sent_there_is_nothing_to_stop(town: Town) -> None:
    town.bind(IN_TIME, "Zhang")
    one = confirm(town, draft(town))
    leave(town)
    with pytest.raises(Conflict, match="is sent"):
        cancel(town, one)
    assert again(town, one).state is BroadcastState.SENT


def test_the_others_who_may_approve_are_told_at_once(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasts, "ALONE_MAX", 1)
    phones = {login: town.bind(room, login) for login, room in STAFF.items()}
    for login, follower in phones.items():
        employ(town, follower, login)
    one = confirm(town, draft(town))
    town.notifier.intake()
    [told] = town.wechat.shown
    assert told.openid == phones["liu"].openid
    assert all(word in told.text for word in (BODY, "全体业主", "共 3 人", f"同意群发 {one.id}"))
    confirm(town, one, by="liu")
    leave(town)
    assert len(town.wechat.shown) == 4


def test_nobody_is_asked_to_approve_what_was_taken_back(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasts, "ALONE_MAX", 0)
    employ(town, town.bind(IN_TIME, "Liu"), "liu")
    cancel(town, confirm(town, draft(town)))
    town.notifier.intake()
    assert town.wechat.shown == []
    assert town.notices() == [("broadcast_waiting", "suppressed", "gone")]


def test_a_reader_by_template_gets_a_link_to_all_its_words_and_is_counted_when_he_pays(
    town: Town,
) -> None:
    li = town.bind(BEHIND, "Li", wrote=False)
    town.bind(IN_TIME, "Zhang")
    one = confirm(town, draft(town))
    leave(town)
    [shown] = [shown for shown in town.wechat.shown if shown.openid == li.openid]
    assert shown.url.startswith("http://pay.example/o/notice/")
    town.clock.advance(hours=1)
    town.pay(BEHIND, li)
    became = results(town, one)
    assert (became.left, became.paid, became.failed, became.read) == (2, 1, {}, 0)


def test_whom_nothing_reaches_is_counted_with_the_reason(town: Town) -> None:
    town.bind(BEHIND, "Li", wrote=False)
    one = confirm(town, draft(town))
    object.__setattr__(town.notifier, "templates", {})
    leave(town)
    became = results(town, one)
    assert (became.left, became.failed) == (0, {Reason.NO_TRANSPORT: 1})
