"""An order to send something, and the words to be sent, told apart."""

from datetime import date

import pytest

from bot.understanding import read_order, split_message

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("群发 3栋：明天上午9:00停水，请储水", "明天上午9:00停水，请储水"),
        ("给5栋发个通知，明天上午停电", "明天上午停电"),
        ("通知全体业主明天消防演习", "明天消防演习"),
        ("群发全体业主\n明天停水\n请储水", "明天停水\n请储水"),
        ("给4栋2单元发个通知，内容是今晚8点到10点电梯维保", "今晚8点到10点电梯维保"),
        ("给1栋发“电梯已修好，可以使用”", "电梯已修好，可以使用"),
        ("给三栋的业主发一下就说这个月水费账单推迟到二十五号出", "这个月水费账单推迟到二十五号出"),
        ("群发", None),
        ("给5栋发停水通知", None),
        ("所有欠燃气费的户发个提醒 语气客气点", None),
        ("9栋欠费的都催一遍", None),
        ("下礼拜二洗水箱停水 发通知 别提水费", None),
        ("9:00-11:00停水", None),
    ],
)
def test_the_words_to_be_sent_are_those_behind_the_order(said: str, words: str | None) -> None:
    assert split_message(said)[1] == words


@pytest.mark.parametrize(
    ("said", "slots"),
    [
        ("群发 全体业主：9栋电梯周三检修", {"audience": "all"}),
        ("通知全体业主明天9栋停电", {"audience": "all"}),
        ("给3栋和5栋发通知：10月水费账单已出", {"audience": "building:3,5"}),
        ("催9栋欠停车费的：请尽快办理", {"audience": "building:9&overdue", "fee": "parking"}),
        ("不是5栋 是15栋 给15栋发通知", {"audience": "building:15"}),
        ("群发", {}),
        ("发通知：明天停水", {}),
    ],
)
def test_an_audience_is_read_from_the_order_alone(said: str, slots: dict[str, str]) -> None:
    assert read_order(said, TODAY) == slots
