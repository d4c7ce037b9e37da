"""Reading WeChat's XML and writing answers, with wechatpy's traps fenced off."""

import json
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from bot.pushes import (
    Malformed,
    Transfer,
    encrypted_part,
    presentable,
    push_of,
    read_message,
    repeat_key,
    reply_json,
    reply_xml,
)
from handlers.chat.context import Push
from tests.phone import ACCOUNT, message_xml

NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
BOMB = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    "<xml><ToUserName>a</ToUserName><FromUserName>&b;</FromUserName>"
    "<MsgType>text</MsgType></xml>"
)


def read(kind: str, **fields: object) -> Push:
    return push_of(read_message(message_xml("o-zhang", kind, **fields)))


def key(kind: str, **fields: object) -> str:
    return repeat_key(read_message(message_xml(str(fields.pop("openid", "o")), kind, **fields)))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "success",
        '{"MsgType": "text"}',
        "<xml></xml>",
        "<xml/>",
        "<html><MsgType>text</MsgType></html>",
        "<xml><MsgType>text</MsgType></xml>",
        "<xml><FromUserName>o</FromUserName><ToUserName>a</ToUserName></xml>",
        "<xml><FromUserName>o</FromUserName><ToUserName>a</ToUserName><MsgType/></xml>",
        "<xml><FromUserName><a>o</a></FromUserName><ToUserName>a</ToUserName>"
        "<MsgType>text</MsgType></xml>",
        "<xml><FromUserName>o</FromUserName><ToUserName>a</ToUserName>"
        "<MsgType><b>text</b></MsgType></xml>",
        "<xml><FromUserName>o</FromUserName><ToUserName>a</ToUserName>",
        BOMB,
    ],
)
def test_what_is_no_message_is_malformed(body: str) -> None:
    with pytest.raises(Malformed):
        read_message(body)


@pytest.mark.parametrize("body", ["", "{}", "<xml></xml>", "<xml><Encrypt><a/></Encrypt></xml>"])
def test_a_body_without_an_encrypted_part_is_malformed(body: str) -> None:
    with pytest.raises(Malformed):
        encrypted_part(body)


def test_control_characters_do_not_stop_a_sentence() -> None:
    assert read("text", Content="账\x0b单\x00", MsgId=1).text == "账单"


def test_kinds_are_read_without_regard_to_case() -> None:
    assert read("Event", Event="Scan", EventKey="bind_1").kind == "event.scan"


def test_a_scene_comes_without_its_prefix() -> None:
    followed = read("event", Event="subscribe", EventKey="qrscene_bind_7K9QF2M8TX")
    assert (followed.kind, followed.key) == ("event.subscribe", "bind_7K9QF2M8TX")


@pytest.mark.parametrize("event_key", ["", "last_trade_no_4008", "scanbarcode|ean|690"])
def test_every_way_to_follow_is_following(event_key: str) -> None:
    assert read("event", Event="subscribe", EventKey=event_key).kind == "event.subscribe"


def test_a_delivery_result_keeps_its_large_number_as_text() -> None:
    push = read("event", Event="TEMPLATESENDJOBFINISH", MsgID=3557254367693750277, Status="success")
    assert (push.msgid, push.status) == ("3557254367693750277", "success")


def test_what_a_device_says_is_an_event() -> None:
    assert read("device_event", Event="bind", MsgId=9).is_event
    assert read("device_text", Content="MTIz", MsgId=9).is_event


def test_a_text_without_content_is_an_empty_sentence() -> None:
    assert read("text", Event="subscribe").text == ""


def test_repeats_of_a_message_share_a_key_and_other_messages_do_not() -> None:
    first = key("text", Content="账单", MsgId=1, CreateTime=5)
    assert key("text", Content="账单", MsgId=1, CreateTime=5) == first
    assert key("text", Content="账单", MsgId=2, CreateTime=5) != first


def test_nobody_gets_an_answer_stored_for_somebody_else() -> None:
    assert key("text", openid="o-1", MsgId=1) != key("text", openid="o-2", MsgId=1)


def test_two_events_of_one_second_are_two() -> None:
    keys = {
        key("event", CreateTime=5, Event="subscribe"),
        key("event", CreateTime=6, Event="subscribe"),
        key("event", CreateTime=5, Event="CLICK", EventKey="pay"),
        key("event", CreateTime=5, Event="CLICK", EventKey="help"),
        key("event", CreateTime=5, Event="VIEW", EventKey="u", MenuId=1),
        key("event", CreateTime=5, Event="VIEW", EventKey="u", MenuId=2),
        key("event", CreateTime=5, Event="TEMPLATESENDJOBFINISH", MsgID=1),
        key("event", CreateTime=5, Event="TEMPLATESENDJOBFINISH", MsgID=2),
    }
    assert len(keys) == 8


@pytest.mark.parametrize("text", ["a]]>b", "]]>", "]]]]>>", "<![CDATA[x]]>", "a & b < c", "一\n二"])
def test_an_answer_cannot_leave_its_element(text: str) -> None:
    message = read_message(message_xml("o-zhang", "text", Content="x", MsgId=1))
    root = ElementTree.fromstring(reply_xml(message, text, NOW))
    assert [child.tag for child in root].count("Content") == 1
    assert {child.tag for child in root} == {
        "MsgType", "FromUserName", "ToUserName", "CreateTime", "Content"
    }  # fmt: skip
    assert root.findtext("Content") == text
    assert root.findtext("ToUserName") == "o-zhang"
    assert root.findtext("FromUserName") == ACCOUNT
    assert root.findtext("CreateTime") == str(int(NOW.timestamp()))


def test_an_answer_keeps_line_breaks_and_loses_control_characters() -> None:
    assert presentable("一\r\n二\x0b\x00三\t四") == "一\n二三 四"


def test_an_answer_too_long_is_cut_after_a_whole_line() -> None:
    cut = presentable("\n".join(f"第{n}行的内容" for n in range(400)))
    assert len(cut.encode()) <= 2048
    assert cut.endswith("行的内容\n…")


def test_one_endless_line_is_cut_between_characters() -> None:
    cut = presentable("账" * 3000)
    assert len(cut.encode()) <= 2048
    assert cut.rstrip("\n…") == "账" * len(cut.rstrip("\n…"))


def test_a_transfer_names_both_sides_and_says_nothing() -> None:
    message = read_message(message_xml("o-zhang", "text", Content="转人工"))
    words = Transfer("电话 010-5550 0100")
    root = ElementTree.fromstring(reply_xml(message, words, NOW))
    in_xml = {element.tag: element.text for element in root}
    assert in_xml == {
        "ToUserName": "o-zhang",
        "FromUserName": ACCOUNT,
        "CreateTime": str(int(NOW.timestamp())),
        "MsgType": "transfer_customer_service",
    }
    in_json = json.loads(reply_json(message, words, NOW))
    assert in_json == in_xml | {"CreateTime": int(NOW.timestamp())}
