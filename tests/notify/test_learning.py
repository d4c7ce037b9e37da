"""Learning from real messages: what counts, once, and when the next reminder comes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from billing.business_day import BEIJING
from billing.people import Follower
from notify.habits import (
    forget_community,
    forget_owner,
    list_habits,
    switch_community,
    switch_owner,
)
from notify.ladders import set_ladder
from notify.links import MessageRef
from notify.opens import note_open
from notify.outbox import Notice
from notify.preferences import Preference, keep_preference
from notify.rung_effects import Effect, RungEffect, count_rungs, list_rung_effects
from notify.timing import SETTLES_AFTER, Slot
from notify.timing_tables import CommunityTiming, OwnerTiming
from notify.wording import text_environment
from tests.notify.conftest import Town

ZHANG = "3-2-501"
LI = "1-1-302"  # three months behind
FRIDAY = date(2026, 11, 27)  # three days before the bill is due


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, datetime.min.time(), BEIJING).replace(hour=hour, minute=minute)


def remind(town: Town, day: date) -> None:
    """Everything a day does: the walk at 09:05, and sending in every hour."""
    town.clock.now = at(day, 9, 5)
    town.remind(day)
    for hour in range(9, 21):
        town.clock.now = at(day, hour, 10)
        town.notifier.deliver()


def open_last(town: Town, follower: Follower, when: datetime) -> None:
    with town.world.database.transaction() as session:
        message = town.rows(session)[-1]
        note_open(session, MessageRef(message.community_id, message.id), follower.openid, when)


def count(town: Town, now: datetime) -> int:
    town.clock.now = now
    return town.notifier.count_settled()["messages"]


def owner(town: Town, follower: Follower) -> OwnerTiming:
    with town.world.database.transaction() as session:
        return session.get_one(OwnerTiming, (community(town), follower.id))


def community(town: Town) -> int:
    return town.world.unit(ZHANG).community_id


def not_before(town: Town) -> datetime:
    with town.world.database.transaction() as session:
        notices = session.scalars(select(Notice).order_by(Notice.id)).all()
        return notices[-1].not_before.astimezone(BEIJING)


def learn(town: Town, follower: Follower, **values: object) -> None:
    """Know something of a follower."""
    remind(town, FRIDAY)
    count(town, at(FRIDAY + timedelta(days=3), 4, 30))
    with town.world.database.transaction() as session:
        session.execute(
            update(OwnerTiming)
            .where(OwnerTiming.follower_id == follower.id)
            .values(
                {
                    "weekday_hour": 19,
                    "weekend_hour": 15,
                    "trial_hour": None,
                    "trial_is_weekend": None,
                }
                | values
            )
        )


def test_a_reminder_that_was_opened_in_time_counts_for_its_hour(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    remind(town, FRIDAY)
    open_last(town, zhang, at(FRIDAY, 9, 40))
    assert count(town, at(FRIDAY + timedelta(days=3), 4, 30)) == 1
    own = owner(town, zhang)
    nine = Slot(False, 9).place
    assert (own.sent[nine], own.reacted[nine]) == (1, 1)
    assert own.successes[nine] > 0.9


def test_a_payment_counts_like_an_open_and_one_a_day_later_does_not(town: Town) -> None:
    zhang, li = town.bind(ZHANG, "Zhang"), town.bind(LI, "Li")
    remind(town, FRIDAY)
    town.clock.now = at(FRIDAY, 20, 30)
    town.pay(ZHANG, zhang)
    town.clock.now = at(FRIDAY + timedelta(days=1), 9, 30)
    town.pay(LI, li)
    count(town, at(FRIDAY + timedelta(days=3), 4, 30))
    assert (sum(owner(town, zhang).reacted), sum(owner(town, li).reacted)) == (1, 0)
    assert owner(town, zhang).successes[Slot(False, 20).place] > 0


def test_what_somebody_else_paid_is_not_his_reaction(town: Town) -> None:
    zhang, wife = town.bind(ZHANG, "Zhang"), town.bind(ZHANG, "Wife")
    remind(town, FRIDAY)
    town.pay(ZHANG, wife)
    count(town, at(FRIDAY + timedelta(days=3), 4, 30))
    assert (sum(owner(town, zhang).reacted), sum(owner(town, wife).reacted)) == (0, 1)


def test_nothing_is_counted_before_its_day_and_the_next_are_over(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    remind(town, FRIDAY)
    assert count(town, at(FRIDAY, 9, 0) + SETTLES_AFTER) == 0
    assert count(town, at(FRIDAY, 9, 30) + SETTLES_AFTER) == 1


def test_counting_again_counts_nothing_and_counting_late_comes_to_the_same(town: Town) -> None:
    people = [town.bind(ZHANG, "Zhang"), town.bind(LI, "Li")]
    days = [FRIDAY, *(date(2026, 12, day) for day in (1, 7, 15))]
    for number, day in enumerate(days):
        remind(town, day)
        if number % 2:
            open_last(town, people[1], at(day, 20, 45))
        assert count(town, at(day + timedelta(days=3), 4, 30)) > 0
        assert count(town, at(day + timedelta(days=3), 4, 30)) == 0
    daily = [owner(town, one) for one in people]
    with town.world.database.transaction() as session:
        known = list(session.get_one(CommunityTiming, community(town)).tries)
        forget_community(session, community(town), at(FRIDAY, 0) - timedelta(days=9))
    count(town, town.clock.now)
    for before, after in zip(daily, [owner(town, one) for one in people], strict=True):
        assert (before.sent, before.reacted) == (after.sent, after.reacted)
        worth = 0.5 ** ((after.as_of - before.as_of).days / 180)
        assert [one * worth for one in before.tries] == pytest.approx(after.tries)
        assert [one * worth for one in before.successes] == pytest.approx(after.successes)
    with town.world.database.transaction() as session:
        again = session.get_one(CommunityTiming, community(town))
        assert again.tries == pytest.approx(known)
        assert sum(again.tries) > 4


def test_two_that_count_at_once_count_once(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    remind(town, FRIDAY)
    town.clock.now = at(FRIDAY + timedelta(days=3), 4, 30)
    gate = threading.Barrier(2)

    def work() -> int:
        gate.wait(30)
        return town.notifier.count_settled()["messages"]

    with ThreadPoolExecutor(2) as threads:
        assert sorted(each.result() for each in [threads.submit(work) for _ in range(2)]) == [0, 1]
    assert sum(owner(town, zhang).sent) == 1


def test_the_walk_waits_for_the_hour_that_was_learned(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    learn(town, zhang)
    town.clock.now = at(date(2026, 11, 30), 9, 5)  # a Monday, the due date
    town.remind(date(2026, 11, 30))
    assert not_before(town) == at(date(2026, 11, 30), 19)


def test_at_the_weekend_another_hour(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    learn(town, zhang)
    sunday = date(2026, 12, 6)
    town.clock.now = at(sunday, 9, 5)
    town.remind(sunday)
    assert not_before(town) == at(sunday, 15)


def test_when_the_hour_is_over_it_comes_at_once(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    learn(town, zhang)
    town.clock.now = at(date(2026, 11, 30), 20, 15)
    town.remind(date(2026, 11, 30))
    assert not_before(town) == town.clock.now


def test_whose_hour_is_his_own_choice_is_reminded_then(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    learn(town, zhang, trial_hour=13, trial_is_weekend=False)
    with town.world.database.transaction() as session:
        keep_preference(session, zhang.id, Preference(hour=11), town.clock.now)
    town.clock.now = at(date(2026, 11, 30), 9, 5)
    town.remind(date(2026, 11, 30))
    assert not_before(town) == at(date(2026, 11, 30), 11)
    assert owner(town, zhang).tried_on is None


def test_an_unlikely_hour_is_tried_once_however_often_the_day_is_walked(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    learn(town, zhang, trial_hour=13, trial_is_weekend=False, since_trial=7)
    monday, tuesday = date(2026, 11, 30), date(2026, 12, 1)
    for day, hour in ((monday, 13), (tuesday, 19)):
        town.clock.now = at(day, 9, 5)
        for _ in range(2):
            town.remind(day)
            assert not_before(town) == at(day, hour)
    assert (owner(town, zhang).tried_on, owner(town, zhang).since_trial) == (monday, 0)


def test_of_whom_nothing_is_known_is_reminded_as_his_community_likes(town: Town) -> None:
    town.bind(LI, "Li")
    remind(town, FRIDAY)
    count(town, at(FRIDAY + timedelta(days=3), 4, 30))
    town.bind(ZHANG, "Zhang")
    with town.world.database.transaction() as session:
        session.execute(update(CommunityTiming).values(weekday_hour=18))
        session.execute(update(OwnerTiming).values(weekday_hour=10))
    town.clock.now = at(date(2026, 11, 30), 9, 5)
    town.remind(date(2026, 11, 30))
    assert not_before(town) == at(date(2026, 11, 30), 18)


@pytest.mark.parametrize("who", ["community", "owner"])
def test_switched_off_it_comes_as_soon_as_it_is_allowed(town: Town, who: str) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    learn(town, zhang)
    with town.world.database.transaction() as session:
        if who == "community":
            switch_community(session, community(town), town.clock.now, on=False)
        else:
            switch_owner(session, zhang.id, town.clock.now, on=False)
    town.clock.now = at(date(2026, 11, 30), 9, 5)
    town.remind(date(2026, 11, 30))
    assert not_before(town) == town.clock.now
    town.notifier.deliver()
    before = count(town, at(date(2026, 12, 4), 4, 30))
    assert before == 0  # and nothing is learned meanwhile


def test_forgetting_an_owner_forgets_what_he_was_sent_before(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    learn(town, zhang)
    remind(town, date(2026, 11, 30))
    with town.world.database.transaction() as session:
        forget_owner(session, community(town), zhang.id, at(date(2026, 12, 1), 0))
    remind(town, date(2026, 12, 1))
    assert count(town, at(date(2026, 12, 4), 4, 30)) == 1
    assert sum(owner(town, zhang).sent) == 1


def test_why_an_hour_is_said_in_words(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    sent, reacted = [0] * 24, [0] * 24
    sent[Slot(True, 15).place], reacted[Slot(True, 15).place] = 13, 8
    learn(town, zhang, sent=sent, reacted=reacted)
    with town.world.database.transaction() as session:
        (habit,) = list_habits(session, community(town), [zhang.id])
    assert habit.weekday is not None
    assert habit.weekend is not None
    words = text_environment()
    assert habit.weekend.why(words) == "周末下午 3 点，打开率 62%（13 次中 8 次打开或缴费）"
    assert habit.weekday.why(words).startswith("工作日晚上 7 点，本小区此时打开率约 ")


def test_both_wordings_are_sent_and_counted(town: Town) -> None:
    for number in range(12):
        town.bind(ZHANG, f"Zhang{number}")
    with town.world.database.transaction() as session:
        switch_community(session, community(town), town.clock.now, on=True)
    remind(town, FRIDAY)
    count(town, at(FRIDAY + timedelta(days=3), 4, 30))
    with town.world.database.transaction() as session:
        counts = session.get_one(CommunityTiming, community(town)).wordings["due_soon"]
        texts = {message.content["text"] for message in town.rows(session)}
    assert set(counts) == {"plain", "warm"}
    assert round(sum(tries for tries, _ in counts.values())) == 12
    assert {"温馨提示" in text for text in texts} == {True, False}


def test_a_rung_compares_who_was_told_with_who_was_not(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    remind(town, FRIDAY)
    town.pay(ZHANG, zhang)
    with town.world.database.transaction() as session:
        count_rungs(session, community(town), date(2026, 12, 20))
        effects = list_rung_effects(session, community(town), FRIDAY)
    first = effects[0]
    assert (first.code, first.told, first.told_paid) == ("T-3", 1, 1)
    assert first.untold > 0 == first.untold_paid
    assert [one.code for one in effects][:3] == ["T-3", "T0", "T+1"]


def test_rungs_are_counted_at_night_and_once(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    remind(town, FRIDAY)
    town.pay(ZHANG, zhang)
    today, since = date(2026, 12, 20), date(2026, 9, 1)
    with town.world.database.transaction() as session:
        before = list_rung_effects(session, community(town), since)
        assert count_rungs(session, community(town), today) > 0
        counted = list_rung_effects(session, community(town), since)
        assert count_rungs(session, community(town), today) == 0
        assert list_rung_effects(session, community(town), since) == counted
        assert sum(one.told for one in before) < sum(one.told for one in counted)
        assert list_rung_effects(session, community(town), today) == []


def test_rungs_of_a_community_s_own_ladder_are_compared_since_it_climbs_it(town: Town) -> None:
    with town.world.database.transaction() as session:
        set_ladder(
            session,
            community(town),
            due_soon=[5],
            overdue=[2, 9],
            is_monthly=False,
            today=date(2026, 11, 20),
        )
        count_rungs(session, community(town), date(2026, 12, 20))
        effects = list_rung_effects(session, community(town), date(2026, 9, 1))
    assert [one.code for one in effects] == ["T-5", "T+2", "T+9"]


def test_a_rung_that_adds_nothing_is_called_so_when_enough_bills_say_so() -> None:
    assert RungEffect("T+7", 2000, 100, 2000, 110).effect is Effect.NIL
    assert RungEffect("T+7", 2000, 400, 2000, 110).effect is Effect.ADDS
    assert RungEffect("T+7", 20, 4, 20, 1).effect is Effect.UNCLEAR
    assert RungEffect("T+7", 20, 4, 0, 0).added is None
