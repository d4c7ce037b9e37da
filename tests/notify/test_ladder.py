"""Which reminder is due when: a calendar that can be read."""

from datetime import UTC, date, datetime

import pytest

from notify.catalog import NoticeKind
from notify.ladder import latest_rung, rungs
from notify.quiet_hours import midnight_after, next_allowed

DUE = date(2026, 11, 20)
ISSUED = date(2026, 11, 1)


@pytest.mark.parametrize(
    ("today", "code", "kind"),
    [
        (date(2026, 11, 16), None, None),
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
    rung = latest_rung(DUE, today, issued_on=ISSUED)
    assert (rung and rung.code, rung and rung.kind) == (code, kind)


def test_missed_days_make_up_for_the_latest_rung_only() -> None:
    climbed = [rung.code for rung in rungs(DUE, date(2026, 12, 6))]
    assert climbed == ["T-3", "T0", "T+1", "T+7", "T+15"]
    rung = latest_rung(DUE, date(2026, 12, 6), issued_on=ISSUED)
    assert rung is not None
    assert rung.code == "T+15"


def test_a_bill_issued_two_days_before_it_is_due_is_not_reminded_of_at_once() -> None:
    issued = date(2026, 11, 18)
    assert latest_rung(DUE, date(2026, 11, 18), issued_on=issued) is None
    rung = latest_rung(DUE, DUE, issued_on=issued)
    assert rung is not None
    assert rung.code == "T0"


def test_monthly_rungs_keep_to_the_last_day_of_short_months() -> None:
    dates = [rung.on for rung in rungs(date(2027, 1, 1), date(2027, 4, 1))][-2:]
    assert dates == [date(2027, 2, 28), date(2027, 3, 31)]


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
