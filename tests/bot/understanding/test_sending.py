"""An order to send something: whom it narrows to, when it leaves, how fast."""

from datetime import date

import pytest

from bot.understanding import asks_for_progress, read_order, split_message

TODAY = date(2026, 11, 23)  # a Monday


@pytest.mark.parametrize(
    ("said", "audience"),
    [
        ("群发给3-2-501、3-2-502和1-1-302", "room:3-2-501,3-2-502,1-1-302"),
        ("群发 3栋2单元501室 1栋302", "room:3-2-501,1-302"),
        ("群发 3-2-501", "room:3-2-501"),
        ("群发 欠费超过90天的", "overdue&days:91"),
        ("群发 欠费90天以上的", "overdue&days:90"),
        ("群发 超过90天没交的", "overdue&days:91"),
        ("群发 3栋欠费三个月以上的", "building:3&overdue&days:90"),
        ("群发 欠500元以上的业主", "overdue&owed:50000"),
        ("群发 欠费超过500元的", "overdue&owed:50001"),
        ("群发 3栋租户", "building:3&role:tenant"),
        ("群发 3栋业主本人", "building:3&role:owner"),
        ("通知房东", "role:owner"),
        ("群发 全体业主和租户", "all"),
        ("11月30日10:30群发欠费业主", "overdue"),
    ],
)
def test_whom_it_is_for(said: str, audience: str) -> None:
    slots = read_order(said, TODAY)
    assert slots["audience"] == audience
    assert "period" not in slots
    assert "amount" not in slots


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("群发 3栋，明天上午9点发", "2026-11-24T09:00:00"),
        ("明晚8点半群发3栋", "2026-11-24T20:30:00"),
        ("群发 3栋，下周五下午3点发", "2026-12-04T15:00:00"),
        ("周三中午1点给3栋发通知", "2026-11-25T13:00:00"),
        ("11月30日10:30群发全体业主", "2026-11-30T10:30:00"),
        ("1月5日9点群发全体业主", "2027-01-05T09:00:00"),
        ("群发 3栋，2月30日9点发", None),
        ("给5栋发明天9点停水的通知", None),
        ("群发 3栋", None),
    ],
)
def test_when_it_leaves(said: str, at: str | None) -> None:
    assert read_order(said, TODAY).get("send_at") == at


@pytest.mark.parametrize(
    "said",
    [
        "群发给全体业主，3栋除外：明天停水",
        "群发给除了3栋以外的业主：明天停水",
        "群发给全体业主，除了3-2-501：明天停水",
        "群发给业主，不包括一栋：明天停水",
    ],
)
def test_whom_it_is_not_for_is_never_taken_for_whom_it_is_for(said: str) -> None:
    """Nobody is written to before staff said whom they mean."""
    assert "audience" not in read_order(said, TODAY)


def test_how_fast_it_leaves() -> None:
    assert read_order("群发 3栋，每分钟最多200条", TODAY)["per_minute"] == 200
    assert "per_minute" not in read_order("群发 3栋", TODAY)


def test_pasted_rooms_and_the_time_belong_to_the_order() -> None:
    order, words = split_message("群发\n3-2-501\n3栋502\n停水了，请储水\n9:00起")
    assert (order, words) == ("群发\n3-2-501\n3栋502", "停水了，请储水\n9:00起")
    order, words = split_message("群发 3栋，明天上午9点发，停水请储水")
    assert (order, words) == ("群发 3栋，明天上午9点发", "停水请储水")


@pytest.mark.parametrize(
    ("said", "asks"),
    [
        ("群发进度怎么样了", True),
        ("刚才的通知发得怎么样", True),
        ("那条通知有多少人看了", True),
        ("群发 3栋：明天停水", False),
        ("今天收缴率怎么样", False),
    ],
)
def test_staff_ask_how_it_goes(said: str, asks: bool) -> None:
    assert asks_for_progress(said) is asks
