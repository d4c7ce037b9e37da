"""When I want to be reminded, in my words, and the ladder keeps to it."""

from datetime import date, datetime

from sqlalchemy import select

from billing.business_day import BEIJING
from notify.outbox import Notice, NoticeKind
from notify.remind import RemindSummary, remind
from tests.town import Town

ROOM = "3-2-501"
BEFORE_DUE = date(2026, 11, 27)


def walk(town: Town, day: date) -> RemindSummary:
    """The ladder at 09:05 of a day."""
    now = datetime(day.year, day.month, day.day, 9, 5, tzinfo=BEIJING)
    with town.world.database.transaction() as session:
        return remind(session, day, now)


def test_the_settings_are_said_and_nothing_is_changed_by_asking(town: Town) -> None:
    zhang = town.owner(ROOM)
    zhang.says("提醒设置").shows("您现在的提醒设置", "开启，白天发送")
    zhang.says("几点提醒我啊").shows("提醒设置")


def test_the_hour_is_kept_and_the_reminder_waits_for_it(town: Town) -> None:
    zhang = town.owner(ROOM)
    zhang.says("提醒改到晚上8点").shows("已为您设置", "20 点左右")
    walk(town, BEFORE_DUE)
    with town.world.database.transaction() as session:
        [notice] = session.scalars(select(Notice).where(Notice.kind == NoticeKind.DUE_SOON))
        assert notice.not_before.astimezone(BEIJING) == datetime(2026, 11, 27, 20, tzinfo=BEIJING)


def test_nobody_is_reminded_at_night(town: Town) -> None:
    town.owner(ROOM).says("提醒改到半夜2点").shows("9 点到 21 点", "2 点发不了")


def test_switched_off_there_is_no_reminder_before_the_due_date(town: Town) -> None:
    zhang = town.owner(ROOM)
    zhang.says("别再给我发提醒了").shows("到期前提醒：已关闭", "逾期通知照常")
    told = walk(town, BEFORE_DUE)
    assert (told.due, told.not_wanted) == (0, 1)
    assert walk(town, date(2026, 12, 1)).overdue == 1
    zhang.says("恢复提醒").shows("开启")
    assert walk(town, date(2026, 11, 30)).due == 1


def test_a_pause_holds_back_both_and_ends_by_itself(town: Town) -> None:
    zhang = town.owner(ROOM)
    zhang.says("12月10号之前别催我").shows("2026年12月10日恢复")
    assert walk(town, BEFORE_DUE).due == 0
    paused = walk(town, date(2026, 12, 7))
    assert (paused.overdue, paused.not_wanted) == (0, 1)
    assert walk(town, date(2026, 12, 15)).overdue == 1


def test_who_does_not_want_his_habits_to_count_says_so(town: Town) -> None:
    zhang = town.owner(ROOM)
    zhang.says("不要按我的习惯提醒").shows("已为您设置", "不参考您的习惯")
    zhang.says("提醒改到晚上8点").shows("20 点左右")
    zhang.says("按我的习惯提醒").shows("已为您设置", "20 点左右")
