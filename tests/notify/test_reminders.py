"""The walk up the ladder, on real bills: who is reminded, merged, passed over, and when."""

import threading
from datetime import date, datetime, timedelta

import pytest

from billing.money import Money
from billing.people import Follower
from notify.holidays import load_holidays
from notify.ladders import set_ladder
from notify.preferences import Preference, keep_preference
from tests.notify.conftest import Town

SEND = "/cgi-bin/message/template/send"
ZHANG = "3-2-501"
LI = "1-1-302"  # three months behind
DUE = date(2026, 11, 30)


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def prefer(town: Town, follower: Follower, wanted: Preference) -> None:
    with town.world.database.transaction() as session:
        keep_preference(session, follower.id, wanted, town.clock.now)


def test_three_days_before_it_is_due_the_owner_is_reminded(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    owed = town.owed(ZHANG)
    assert owed > Money(0)
    day = DUE - timedelta(days=3)
    town.clock.now = beijing("2026-11-27T09:05")
    summary = town.remind(day)
    assert (summary["due"], summary["overdue"], summary["merged_into"]) == (1, 0, 1)
    town.notifier.deliver()
    (shown,) = town.wechat.shown
    assert shown.data == {"thing1": ZHANG, "amount2": f"{owed.yuan}元", "time3": "2026年11月30日"}


def test_homes_nobody_is_bound_to_are_counted(town: Town) -> None:
    summary = town.remind(DUE)
    assert (summary["due"], summary["overdue"]) == (0, 0)
    assert summary["suppressed"]["nobody_bound"] > 0


def test_the_walk_twice_reminds_once(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    town.remind(DUE)
    again = town.remind(DUE)
    assert (again["due"], again["merged_into"]) == (0, 0)
    assert again["suppressed"]["already_told"] == 1


def test_two_walks_at_once_remind_once(town: Town) -> None:
    town.bind(LI, "Li")
    gate = threading.Barrier(2)
    written: list[int] = []

    def walk() -> None:
        gate.wait(30)
        summary = town.remind(date(2026, 11, 23))
        written.append(summary["due"] + summary["overdue"])

    threads = [threading.Thread(target=walk) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(written) == len(town.notices()) == 4  # three months behind, and a week to go


def test_months_behind_are_one_message_with_the_sum(town: Town) -> None:
    town.bind(LI, "Li")
    town.clock.now = beijing("2026-12-01T10:00")
    summary = town.remind(date(2026, 12, 1))
    assert (summary["overdue"], summary["merged_into"]) == (4, 1)
    town.notifier.deliver()
    (shown,) = town.wechat.shown
    assert shown.data["amount2"] == f"{town.owed(LI).yuan}元"
    assert shown.data["thing4"] == "已逾期92天，如已缴费请忽略"
    assert shown.data["time3"] == "2026年8月31日"


def test_a_missed_day_is_made_up_for_by_the_latest_rung_only(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    town.clock.now = beijing("2026-12-10T09:05")  # T+1 and T+7 were missed
    summary = town.remind(date(2026, 12, 10))
    assert (summary["due"], summary["overdue"]) == (0, 1)


def test_a_paid_home_is_left_alone(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    town.pay(ZHANG, zhang)
    summary = town.remind(DUE)
    assert (summary["due"], summary["overdue"]) == (0, 0)


def test_paid_between_the_walk_and_the_sending_is_not_reminded(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    town.remind(DUE)
    town.pay(ZHANG, zhang)
    town.notifier.intake()
    assert ("due_soon", "suppressed", "paid") in town.notices()
    assert [shown.data["time3"] for shown in town.wechat.shown] == ["2026-11-23 10:30"]  # receipt


def test_unbound_between_the_walk_and_the_sending_is_not_reminded(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    town.remind(DUE)
    town.unbind(zhang)
    town.notifier.deliver()
    assert town.notices() == [("due_soon", "suppressed", "unbound")]


def test_a_reminder_waits_for_the_morning(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    town.clock.now = beijing("2026-11-27T21:00")
    town.remind(date(2026, 11, 27))
    town.notifier.deliver()
    assert town.wechat.shown == []
    town.clock.now = beijing("2026-11-28T09:00")
    town.notifier.deliver()
    assert len(town.wechat.shown) == 1


def test_a_due_soon_reminder_is_useless_once_the_day_is_over(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    town.clock.now = beijing("2026-11-30T22:00")
    town.remind(DUE)
    town.clock.now = beijing("2026-12-01T09:00")
    town.notifier.deliver()
    assert town.notices() == [("due_soon", "suppressed", "expired")]


def test_a_walk_for_another_date_speaks_of_that_date(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    town.remind(date(2026, 12, 7))  # the clock says 23 November
    town.notifier.deliver()
    (shown,) = town.wechat.shown
    assert shown.data["thing4"] == "已逾期7天，如已缴费请忽略"


def test_a_third_reminder_of_a_day_waits_for_the_next(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    for day in (DUE - timedelta(days=3), DUE, DUE + timedelta(days=1)):
        town.remind(day)
        town.notifier.deliver()
    assert len(town.wechat.shown) == 2
    assert town.notices()[-1] == ("overdue", "queued", None)
    town.clock.advance(days=1)
    town.notifier.deliver()
    assert len(town.wechat.shown) == 3


def test_a_capped_reminder_keeps_its_hour_and_may_expire(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    object.__setattr__(town.notifier, "reminders_per_day", 0)
    town.remind(DUE)
    town.notifier.deliver()
    town.clock.now = beijing("2026-11-24T10:29")
    object.__setattr__(town.notifier, "reminders_per_day", 2)
    town.notifier.deliver()
    assert town.wechat.shown == []  # it was to come at half past ten
    town.clock.advance(days=30)
    town.notifier.deliver()
    assert town.notices() == [("due_soon", "suppressed", "expired")]


def test_receipts_are_never_capped(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    object.__setattr__(town.notifier, "reminders_per_day", 0)
    town.pay(ZHANG, zhang)
    town.notifier.intake()
    assert town.messages() == [("payment_received", "sent", None)]


def test_each_community_climbs_its_own_ladder(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    with town.world.database.transaction() as session:
        set_ladder(
            session,
            town.world.community.id,
            due_soon=[20, 5],
            overdue=[2],
            is_monthly=False,
            today=date(2026, 11, 1),
        )
    days = [date(2026, 11, 2) + timedelta(days=step) for step in range(70)]
    walks = [(day, town.remind(day)) for day in days]
    told = [
        f"{day:%m-%d} {kind}" for day, walk in walks for kind in ("due", "overdue") if walk[kind]
    ]
    assert told == ["11-10 due", "11-25 due", "12-02 overdue"]


def test_a_reminder_that_a_holiday_overtakes_waits_until_it_is_over(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    with town.world.database.transaction() as session:
        load_holidays(session, {date(2026, 12, 2): "庆典", date(2026, 12, 3): "庆典"})
    town.clock.now = beijing("2026-12-01T22:00")  # too late in the evening to send it
    assert town.remind(date(2026, 12, 1))["overdue"] == 1
    assert town.remind(date(2026, 12, 2))["overdue"] == 0, "nobody is reminded on a holiday"
    for day in (2, 3):
        town.clock.now = beijing(f"2026-12-0{day}T10:00")
        town.notifier.deliver()
        assert town.wechat.shown == []
    town.clock.now = beijing("2026-12-04T09:00")
    town.notifier.deliver()
    [shown] = town.wechat.shown
    assert shown.data["thing4"].startswith("已逾期4天")


def test_a_receipt_comes_on_a_holiday(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    with town.world.database.transaction() as session:
        load_holidays(session, {town.world.today: "庆典"})
    town.pay(ZHANG, zhang)
    town.notifier.intake()
    assert town.messages() == [("payment_received", "sent", None)]


def test_a_reminder_of_a_day_whose_quota_is_used_up_comes_in_the_morning(town: Town) -> None:
    town.bind(LI, "Li")
    town.clock.now = beijing("2026-12-01T09:05")
    town.remind(date(2026, 12, 1))
    town.wechat.next_answers[SEND].append(45009)
    town.notifier.deliver()
    assert town.messages() == [("overdue", "queued", None)]
    for night in ("2026-12-02T00:00:02", "2026-12-02T08:59"):
        town.clock.now = beijing(night)
        town.notifier.redis.flushdb()  # the line is open again
        town.notifier.deliver()
        assert town.wechat.shown == []
    town.clock.now = beijing("2026-12-02T09:00")
    town.notifier.deliver()
    assert len(town.wechat.shown) == 1


def test_what_a_worker_finds_late_in_the_evening_waits_but_a_receipt_comes(town: Town) -> None:
    town.bind(LI, "Li")
    zhang = town.bind(ZHANG, "Zhang")
    town.clock.now = beijing("2026-12-01T09:05")
    town.remind(date(2026, 12, 1))
    town.clock.now = beijing("2026-12-01T23:30")
    town.pay(ZHANG, zhang)
    town.notifier.intake()
    assert town.messages() == [("payment_received", "sent", None)]
    town.clock.now = beijing("2026-12-02T09:00")
    town.notifier.intake()
    assert town.messages()[1:] == [("overdue", "sent", None)]
    assert town.wechat.shown[-1].data["thing4"].startswith("已逾期93天"), "in words of the day"


def test_a_reminder_that_is_tried_again_on_a_holiday_waits_until_it_is_over(town: Town) -> None:
    town.bind(LI, "Li")
    with town.world.database.transaction() as session:
        load_holidays(session, {date(2026, 12, 2): "庆典"})
    town.clock.now = beijing("2026-12-01T20:59")
    town.remind(date(2026, 12, 1))
    town.wechat.next_answers[SEND].append(45009)
    town.notifier.deliver()
    town.notifier.redis.flushdb()
    town.clock.now = beijing("2026-12-02T10:00")
    town.notifier.deliver()
    assert town.wechat.shown == []
    town.clock.now = beijing("2026-12-03T09:00")
    town.notifier.deliver()
    assert town.messages() == [("overdue", "sent", None)]


def test_a_reminder_that_lapses_while_it_waits_is_written_down(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    town.clock.now = beijing("2026-11-30T20:59")
    town.remind(DUE)
    town.wechat.next_answers[SEND].append(45009)
    town.notifier.deliver()
    town.notifier.redis.flushdb()
    town.clock.now = beijing("2026-12-01T09:00")
    town.notifier.deliver()
    assert town.messages() == [("due_soon", "suppressed", "expired")]
    assert town.wechat.shown == []


@pytest.mark.parametrize(
    ("walked", "wanted"),
    [
        (date(2026, 11, 27), Preference(hour=19, is_off=True)),
        (date(2026, 11, 27), Preference(hour=19, paused_until=date(2026, 12, 10))),
        (date(2026, 12, 1), Preference(hour=19, paused_until=date(2026, 12, 10))),
    ],
)
def test_what_waits_is_not_sent_to_who_wants_no_reminders_meanwhile(
    town: Town, walked: date, wanted: Preference
) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    prefer(town, zhang, Preference(hour=19))
    town.clock.now = beijing(f"{walked}T09:05")
    town.remind(walked)
    prefer(town, zhang, wanted)
    town.clock.now = beijing(f"{walked}T19:01")
    town.notifier.deliver()
    assert [(state, why) for _, state, why in town.notices()] == [("suppressed", "not_wanted")]


def test_a_frozen_reminder_is_not_sent_to_who_paused_reminders_meanwhile(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    town.clock.now = beijing("2026-12-01T09:05")
    town.remind(date(2026, 12, 1))
    town.wechat.next_answers[SEND].append(45009)
    town.notifier.deliver()
    town.notifier.redis.flushdb()
    prefer(town, zhang, Preference(paused_until=date(2026, 12, 10)))
    town.clock.now = beijing("2026-12-02T09:00")
    town.notifier.deliver()
    assert town.messages() == [("overdue", "suppressed", "not_wanted")]


@pytest.mark.parametrize(
    "wanted", [Preference(is_off=True), Preference(paused_until=date(2026, 12, 1))]
)
def test_what_is_overdue_comes_when_only_the_others_are_off_or_the_pause_is_over(
    town: Town, wanted: Preference
) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    town.clock.now = beijing("2026-12-01T09:05")
    town.remind(date(2026, 12, 1))
    prefer(town, zhang, wanted)
    town.notifier.deliver()
    assert town.messages() == [("overdue", "sent", None)]
