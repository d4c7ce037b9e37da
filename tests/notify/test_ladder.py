"""Which reminder is due when: a calendar that can be read."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidInput
from billing.period import add_months
from notify.catalog import NoticeKind
from notify.holidays import SHIPPED
from notify.ladder import DEFAULT, Ladder, Rung, make_ladder
from notify.quiet_hours import midnight_after, next_allowed

DUE = date(2026, 11, 20)
ISSUED = date(2026, 11, 1)
BEFORE = date(2026, 9, 1)


@pytest.mark.parametrize(
    ("today", "code", "kind"),
    [
        (date(2026, 11, 12), None, None),
        (date(2026, 11, 13), "T-7", NoticeKind.DUE_SOON),
        (date(2026, 11, 16), "T-7", NoticeKind.DUE_SOON),
        (date(2026, 11, 17), "T-3", NoticeKind.DUE_SOON),
        (date(2026, 11, 19), "T-3", NoticeKind.DUE_SOON),
        (date(2026, 11, 20), "T0", NoticeKind.DUE_SOON),
        (date(2026, 11, 21), "T+1", NoticeKind.OVERDUE),
        (date(2026, 11, 26), "T+1", NoticeKind.OVERDUE),
        (date(2026, 11, 27), "T+7", NoticeKind.OVERDUE),
        (date(2026, 12, 5), "T+15", NoticeKind.OVERDUE),
        (date(2026, 12, 20), "T+30", NoticeKind.OVERDUE),
        (date(2027, 1, 19), "T+30", NoticeKind.OVERDUE),
        (date(2027, 1, 20), "T+30+1m", NoticeKind.OVERDUE),
        (date(2028, 1, 20), "T+30+13m", NoticeKind.OVERDUE),
    ],
)
def test_a_bill_stands_on_one_rung_a_day(
    today: date, code: str | None, kind: NoticeKind | None
) -> None:
    rung = DEFAULT.latest_rung(DUE, today, issued_on=ISSUED)
    assert (rung and rung.code, rung and rung.kind) == (code, kind)


def test_missed_days_make_up_for_the_latest_rung_only() -> None:
    climbed = [rung.code for rung in DEFAULT.rungs(DUE, date(2026, 12, 6))]
    assert climbed == ["T-7", "T-3", "T0", "T+1", "T+7", "T+15"]
    rung = DEFAULT.latest_rung(DUE, date(2026, 12, 6), issued_on=ISSUED)
    assert rung is not None
    assert rung.code == "T+15"


def test_a_bill_issued_two_days_before_it_is_due_is_not_reminded_of_at_once() -> None:
    issued = date(2026, 11, 18)
    assert DEFAULT.latest_rung(DUE, date(2026, 11, 18), issued_on=issued) is None
    rung = DEFAULT.latest_rung(DUE, DUE, issued_on=issued)
    assert rung is not None
    assert rung.code == "T0"


def test_monthly_rungs_keep_to_the_last_day_of_short_months() -> None:
    dates = [rung.on for rung in DEFAULT.rungs(date(2027, 1, 1), date(2027, 4, 1))][-2:]
    assert dates == [date(2027, 2, 28), date(2027, 3, 31)]


def test_a_community_climbs_its_own_rungs_and_may_stop_after_the_last() -> None:
    own = Ladder((5,), (2, 10), is_monthly=False)
    codes = [rung.code for rung in own.rungs(DUE, add_months(DUE, 24))]
    assert codes == ["T-5", "T+2", "T+10"]
    monthly = [rung.code for rung in Ladder((), (10,)).rungs(DUE, add_months(DUE, 3))]
    assert monthly == ["T+10", "T+10+1m", "T+10+2m"]


def test_a_bill_reminded_of_yesterday_is_not_again_because_the_rungs_were_moved() -> None:
    since = DUE + timedelta(days=8)  # after T+7
    moved = make_ladder([7, 3, 0], [1, 6, 12], is_monthly=True, since=since)
    assert moved.latest_rung(DUE, since, issued_on=ISSUED) is None
    assert [rung.code for rung in moved.rungs(DUE, since + timedelta(days=30))] == ["T+12"]


@pytest.mark.parametrize(
    ("due", "expected"),
    [  # 25 to 27 September and 1 to 7 October 2026 are holidays
        (  # in the middle of the holidays: what is said before the due date is said before them
            date(2026, 10, 4),
            ["T-7 09-28", "T-3 09-30", "T0 09-30", "T+1 10-08", "T+7 10-11"],
        ),
        (  # the last day before them
            date(2026, 9, 30),
            ["T-7 09-23", "T-3 09-28", "T0 09-30", "T+1 10-08", "T+7 10-08"],
        ),
        (  # the first day after them
            date(2026, 10, 8),
            ["T-7 10-08", "T-3 10-08", "T0 10-08", "T+1 10-09", "T+7 10-15"],
        ),
    ],
)
def test_no_rung_is_climbed_on_a_holiday(due: date, expected: list[str]) -> None:
    rungs = DEFAULT.rungs(due, due + timedelta(days=10), SHIPPED)
    assert [f"{rung.code} {rung.on:%m-%d}" for rung in rungs] == expected


@given(
    due=st.dates(date(2026, 1, 20), date(2026, 11, 20)),
    before=st.sets(st.integers(0, 30), max_size=5),
    after=st.sets(st.integers(1, 60), max_size=5),
)
def test_every_rung_is_climbed_once_on_a_working_day_on_the_right_side_of_the_due_date(
    due: date, before: set[int], after: set[int]
) -> None:
    ladder = make_ladder(before, after, is_monthly=False, since=date(2020, 1, 1))
    last = due + timedelta(days=80)
    rungs = list(ladder.rungs(due, last, SHIPPED))
    assert len(rungs) == len(before) + len(after)
    assert all(rung.on not in SHIPPED for rung in rungs)
    assert all((rung.on <= due) == (rung.kind is NoticeKind.DUE_SOON) for rung in rungs)
    days = [due + timedelta(days=step) for step in range(-60, 81)]
    walked = {day: ladder.latest_rung(due, day, issued_on=BEFORE, holidays=SHIPPED) for day in days}
    climbed = {rung.on: rung for rung in rungs if rung.on > BEFORE}
    standing: Rung | None = None
    for day in days:  # climbed on its day, and stood on until the next
        standing = climbed.get(day, standing)
        assert walked[day] == standing


@pytest.mark.parametrize(
    ("due_soon", "overdue", "monthly", "says"),
    [
        ([31], [1], False, "due_soon: 31 is not within 0 to 30 days"),
        ([], [0], False, "overdue: 0 is not within 1 to 365 days"),
        ([3, 3], [1], False, "due_soon: 3 is named twice"),
        ([], list(range(1, 10)), False, "overdue: 9 rungs pester people: at most 8"),
        ([3], [], True, "monthly: goes on from the last overdue day"),
    ],
)
def test_a_ladder_that_cannot_be_climbed_is_refused(
    due_soon: list[int], overdue: list[int], monthly: bool, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        make_ladder(due_soon, overdue, is_monthly=monthly, since=DUE)


@pytest.mark.parametrize(
    ("now", "allowed"),
    [  # UTC; Beijing is eight hours ahead
        (datetime(2026, 11, 23, 0, 59, tzinfo=UTC), datetime(2026, 11, 23, 1, tzinfo=UTC)),
        (datetime(2026, 11, 23, 1, 0, tzinfo=UTC), datetime(2026, 11, 23, 1, tzinfo=UTC)),
        (datetime(2026, 11, 23, 12, 59, tzinfo=UTC), datetime(2026, 11, 23, 12, 59, tzinfo=UTC)),
        (datetime(2026, 11, 23, 13, 0, tzinfo=UTC), datetime(2026, 11, 24, 1, tzinfo=UTC)),
        (datetime(2026, 11, 23, 17, 0, tzinfo=UTC), datetime(2026, 11, 24, 1, tzinfo=UTC)),
    ],
)
def test_nobody_is_reminded_between_nine_at_night_and_nine_in_the_morning(
    now: datetime, allowed: datetime
) -> None:
    assert next_allowed(now) == allowed


def test_a_day_ends_at_midnight_in_beijing() -> None:
    assert midnight_after(DUE) == datetime(2026, 11, 20, 16, tzinfo=UTC)
