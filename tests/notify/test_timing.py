"""Choosing an hour: within the allowed ones, the same for the same key, rarely an unlikely one."""

import random
from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.timing import measure
from billing.business_day import BEIJING
from notify.quiet_hours import next_allowed
from notify.timing import (
    HOURS,
    LIKELY,
    SLOTS,
    TRY_ONE_IN,
    WINDOW,
    Outcome,
    Slot,
    Tally,
    beliefs,
    best_hour,
    chance_of,
    choose,
    choose_wording,
    community_rates,
    credits_of,
    is_weekend,
)

MONDAY = date(2026, 11, 23)
instants = st.datetimes(
    min_value=datetime(2026, 1, 1),  # noqa: DTZ001  # the zone is given beside it
    max_value=datetime(2026, 12, 31),  # noqa: DTZ001
    timezones=st.just(BEIJING),
)


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    sent = draw(instants)
    after = draw(st.none() | st.timedeltas(timedelta(), WINDOW - timedelta(microseconds=1)))
    return Outcome(sent, None if after is None else sent + after, draw(st.booleans()))


@given(st.lists(outcomes(), max_size=30), st.integers(0, 20), st.integers())
def test_a_choice_is_always_an_hour_in_which_reminders_may_be_sent(
    told: list[Outcome], since_trial: int, seed: int
) -> None:
    own = Tally(MONDAY)
    own.count(told, MONDAY)
    choice = choose(beliefs(community_rates(Tally(MONDAY)), own), since_trial, chance_of(seed))
    hours = [choice.weekday, choice.weekend, *([choice.trial.hour] if choice.trial else [])]
    for hour in hours:
        at = datetime(2026, 11, 23, hour, tzinfo=BEIJING)
        assert next_allowed(at) == at


@given(outcomes())
def test_a_slot_never_succeeds_more_often_than_it_is_tried(told: Outcome) -> None:
    for place, tries, successes in credits_of(told):
        assert 0 <= place < len(SLOTS)
        assert 0 <= successes <= tries


def test_what_was_noticed_later_speaks_for_that_hour_too() -> None:
    sent = datetime(2026, 11, 23, 9, 5, tzinfo=BEIJING)
    told = {
        place: (tries, won)
        for place, tries, won in credits_of(Outcome(sent, sent.replace(hour=20)))
    }
    ten, evening = told[Slot(False, 10).place], told[Slot(False, 20).place]
    assert ten[1] == 0 < ten[0]
    assert evening[1] == evening[0] > 0


@given(st.lists(outcomes(), max_size=20), st.data())
def test_counting_one_after_the_other_comes_to_the_same_as_at_once(
    told: list[Outcome], data: st.DataObject
) -> None:
    told = sorted(told, key=lambda one: one.sent_at)
    at_once, daily = Tally(date(2026, 1, 1)), Tally(date(2026, 1, 1))
    for outcome in told:
        later = data.draw(st.integers(0, 5))
        daily.count([outcome], max(daily.as_of, outcome.sent_at.date() + timedelta(days=later)))
    at_once.count(told, daily.as_of)
    for one, other in ((at_once.tries, daily.tries), (at_once.successes, daily.successes)):
        assert all(abs(a - b) < 1e-9 for a, b in zip(one, other, strict=True))


def test_the_same_key_draws_the_same_and_another_does_not() -> None:
    known = beliefs(community_rates(Tally(MONDAY)), Tally(MONDAY))
    drawn = [choose(known, 9, chance_of("hour", 1, owner)) for owner in range(50)]
    assert drawn == [choose(known, 9, chance_of("hour", 1, owner)) for owner in range(50)]
    assert len(set(drawn)) > 1


def test_an_unlikely_hour_is_tried_only_after_enough_others() -> None:
    own = Tally(MONDAY)
    evening = datetime(2026, 11, 20, 20, tzinfo=BEIJING)
    morning = evening.replace(hour=9)
    told = [Outcome(evening, evening), Outcome(evening, None), Outcome(morning, None)]
    own.count(told, MONDAY)
    known = beliefs(community_rates(Tally(MONDAY)), own)
    floor = LIKELY * max(one.rate for one in known[: len(HOURS)])
    too_early = [choose(known, TRY_ONE_IN - 2, chance_of(n)) for n in range(500)]
    assert {choice.trial for choice in too_early} == {None}
    tried = [choose(known, TRY_ONE_IN - 1, chance_of(n)) for n in range(500)]
    trials = [choice.trial for choice in tried if choice.trial]
    assert trials
    for choice in [*too_early, *tried]:
        assert known[Slot(False, choice.weekday).place].rate >= floor


def test_an_owner_who_reacts_in_the_evening_is_soon_reminded_then() -> None:
    own, chance = Tally(MONDAY), random.Random(5)
    rates = community_rates(Tally(MONDAY))
    day, hits = MONDAY, []
    for _ in range(40):
        day += timedelta(days=3)
        choice = choose(beliefs(rates, own), 0, chance)
        sent = datetime.combine(day, datetime.min.time(), BEIJING).replace(hour=choice.hour(day))
        reacted = sent if choice.hour(day) in (19, 20) else None
        own.count([Outcome(sent, reacted)], day)
        hits.append(reacted is not None)
    assert sum(hits[-15:]) >= 13


def test_a_habit_that_changed_is_learned_anew() -> None:
    own, day = Tally(MONDAY), MONDAY
    for hour, times in ((9, 20), (20, 20)):
        for _ in range(times):
            day += timedelta(days=7)
            at = datetime.combine(day, datetime.min.time(), BEIJING)
            lost = Outcome(at.replace(hour=29 - hour), None)
            own.count([Outcome(at.replace(hour=hour), at.replace(hour=hour)), lost], day)
    rates = [one.rate for one in beliefs(community_rates(Tally(MONDAY)), own)]
    assert best_hour(rates, weekend=False) == 20


def test_the_better_wording_is_drawn_more_often_and_the_other_still_sometimes() -> None:
    known = {"plain": [200.0, 40.0], "warm": [20.0, 6.0]}
    drawn = [choose_wording(known, chance_of(number)) for number in range(400)]
    assert drawn.count("warm") > 300 > 100 > drawn.count("plain") > 0


def test_saturdays_and_sundays_are_the_weekend() -> None:
    days = [MONDAY + timedelta(days=number) for number in range(7)]
    assert [is_weekend(day) for day in days] == [False] * 5 + [True] * 2


def test_a_simulated_year_ends_clearly_better_than_ten_oclock() -> None:
    closed = measure(owners=300, seed=3)["gap_closed"]
    assert closed["last_quarter"]["days"] > 0.3
    assert closed["last_quarter"]["in_time"] > 0.3
