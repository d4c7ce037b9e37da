"""What sentences about reminders set: an hour, a pause, off or on, or nothing."""

import pytest

from bot.understanding import read_reminder
from tests.bot.understanding.examples import TODAY


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("提醒改到晚上八点", "20"),
        ("把提醒时间调到上午10点吧", "10"),
        ("以后中午提醒我交费", "12"),
        ("通知改到中午", "12"),
        ("下午3点发就行，改一下", "15"),
        ("早上别发，改到晚上7点半", "19"),
        ("设成21点", "21"),
        ("改成半夜2点", "2"),
    ],
)
def test_the_hour(text: str, hour: str | None) -> None:
    assert read_reminder(text, TODAY).get("hour") == hour


@pytest.mark.parametrize(
    ("text", "habit"),
    [
        ("不要按我的习惯提醒", "no"),
        ("关闭个性化提醒", "no"),
        ("别根据我的习惯选时间", "no"),
        ("按我的习惯提醒", "yes"),
        ("开启智能提醒", "yes"),
    ],
)
def test_whether_the_hour_may_be_learned(text: str, habit: str) -> None:
    assert read_reminder(text, TODAY) == {"habit": habit}


def test_what_somebody_is_used_to_is_not_about_learning() -> None:
    assert read_reminder("我不习惯早上，提醒改到晚上8点", TODAY) == {"hour": "20"}


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("这个月先别催了", "2026-12-01"),
        ("这周不要提醒", "2026-11-30"),
        ("暂停提醒10天", "2026-12-03"),
        ("十五天之内别给我发消息", "2026-12-08"),
        ("12月10号之前别催我", "2026-12-10"),
        ("一月五号前不要再提醒", "2027-01-05"),
        ("下个月再提醒，现在先不用", "2026-12-01"),
    ],
)
def test_a_pause_ends_on_a_day(text: str, until: str) -> None:
    assert read_reminder(text, TODAY) == {"paused_until": until}


@pytest.mark.parametrize(
    ("text", "set_"),
    [
        ("别再给我发提醒了", {"off": "yes"}),
        ("关闭提醒", {"off": "yes"}),
        ("提醒关了吧", {"off": "yes"}),
        ("恢复提醒", {"on": "yes"}),
        ("出账单了记得通知我", {"on": "yes"}),
        ("半夜别发消息", {}),
        ("提醒几点发", {}),
        ("提醒设置", {}),
        ("2月30号之前别催", {"off": "yes"}),
    ],
)
def test_off_on_or_nothing(text: str, set_: dict[str, str]) -> None:
    assert read_reminder(text, TODAY) == set_
