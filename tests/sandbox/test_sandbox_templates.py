"""Template messages: what is accepted, what the person sees, what is told afterwards."""

import threading
import time
from typing import Any

import pytest
import requests
from sandbox_world import BILL, RECEIPT, World, wait_until

from sandbox.account.fields import refusal

ANN = "oAnn"

GOOD = {
    "thing1": [
        "3-2-501",
        "花园小区物业费（11月）",
        "一二三四五六七八九十一二三四五六七八九十",
        "98.50㎡",
    ],
    "character_string1": ["HY-2026/11 #7", "A" * 32],
    "time1": [
        "2026年11月30日 15:01",
        "2026-11-30 09:00:00",
        "2026年11月1日",
        "15:01",
        "2026年11月1日~2026年11月30日",
    ],
    "date1": ["2026年2月28日", "2028-02-29"],
    "amount1": ["275.80元", "¥275.80", "￥0.01", "123456789012"],
    "phone_number1": ["0571-8888 6666", "+86 13800000000"],
    "car_number1": ["浙A12345", "浙AD12345", "A1234警"],
    "number1": ["275.8", "-3"],
    "letter1": ["abcXYZ"],
    "symbol1": ["+-*/"],
    "name1": ["王小姐", "Zhang San"],
    "phrase1": ["已缴费"],
    "const1": ["已到账", ""],
}
BAD = {
    "thing1": ["一" * 21, "账单\n请缴", "完成①", "好的😀", "a\tb"],
    "character_string1": ["单号7", "A" * 33],
    "time1": ["2026年11月31日", "25:00", "2026年11月", "明天", "2026-11-30~2026-12-01~2026-12-02"],
    "date1": ["2026-02-29", "今天"],
    "amount1": ["1,275.80元", "二百元", "1234567890123", "12.", "¥-5", "100.00美元"],
    "phone_number1": ["电话123", "1" * 18],
    "car_number1": ["浙A1234567", "车牌号12345"],
    "number1": ["1" * 33, "一"],
    "letter1": ["abc1"],
    "symbol1": ["！？", "+-*/+-"],
    "name1": ["一二三四五六七八九十一", "A" * 21],
    "phrase1": ["已经缴费完成", "ok"],
    "const1": ["未到账"],
}


def cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, values in table.items() for value in values]


@pytest.mark.parametrize(("name", "value"), cases(GOOD))
def test_a_value_within_its_types_limits_is_accepted(name: str, value: str) -> None:
    assert refusal(name, value, ("已到账",)) is None


@pytest.mark.parametrize(("name", "value"), cases(BAD))
def test_a_value_beyond_its_types_limits_is_refused_by_name(name: str, value: str) -> None:
    assert refusal(name, value, ("已到账",)) == f"argument invalid! data.{name}.value invalid"


@pytest.mark.parametrize("value", ["", "  ", None, 5])
def test_an_empty_value_is_refused_by_name(value: object) -> None:
    assert refusal("thing41", value) == "argument invalid! data.thing41.value is empty"


def test_the_person_sees_the_card_and_the_service_gets_its_number(here: World) -> None:
    here.api.act(ANN, "follow")
    answer = here.api.send_bill(ANN, url="http://a.example/bill", client_msg_id="m-1")
    assert (answer["errcode"], answer["errmsg"]) == (0, "ok")
    assert answer["msgid"] > 2**53
    [card] = here.api.inbox(ANN)
    assert card["kind"] == "template"
    assert card["text"] == "房号:3-2-501\n金额:275.80元\n截止:2026年11月30日"
    assert card["url"] == "http://a.example/bill"
    assert card["data"]["amount2"] == "275.80元"
    assert card["data"]["rows"][0] == ["房号", "3-2-501"]
    [sent] = here.api.get("/sent").json()["messages"]
    assert (sent["client_msg_id"], sent["msgid"]) == ("m-1", answer["msgid"])
    assert (sent["openid"], sent["template_id"]) == (ANN, BILL)


def test_the_delivery_is_reported_by_a_push(here: World) -> None:
    here.api.act(ANN, "follow")
    msgid = here.api.send_bill(ANN)["msgid"]
    wait_until(lambda: len(here.service.pushes) == 2)
    report = here.service.pushes[-1]
    assert report["Event"] == "TEMPLATESENDJOBFINISH"
    assert (report["MsgID"], report["Status"]) == (str(msgid), "success")


def test_the_same_client_msg_id_is_seen_once_within_ten_minutes(here: World) -> None:
    here.api.act(ANN, "follow")
    here.api.act("oBen", "follow")
    first = here.api.send_bill(ANN, client_msg_id="m-1")["msgid"]
    assert here.api.send_bill(ANN, client_msg_id="m-1")["msgid"] == first
    assert here.api.send_bill("oBen", client_msg_id="m-1")["msgid"] != first
    assert len(here.api.inbox(ANN)) == 1
    assert [sent["repeats"] for sent in here.api.get("/sent").json()["messages"]] == [1, 0]
    here.clock.turn(601)
    here.api._token = ""
    assert here.api.send_bill(ANN, client_msg_id="m-1")["msgid"] != first
    assert len(here.api.inbox(ANN)) == 2


def test_the_same_client_msg_id_sent_at_once_is_seen_once(here: World) -> None:
    here.api.act(ANN, "follow")
    here.api.call("menu/get")  # so that no thread fetches a token
    answers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(here.api.send_bill(ANN, client_msg_id="m")["msgid"])
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert len(here.api.inbox(ANN)) == 1


def test_what_cannot_be_sent_is_answered_with_its_code(shared: World) -> None:
    api = shared.api
    api.act("oGone", "follow")
    api.act("oGone", "unfollow")
    api.act("oHere", "follow")
    assert api.send_bill("oNeverSeen")["errcode"] == 40003
    assert api.send_bill("oGone")["errcode"] == 43004
    assert api.send_bill("oHere", template_id="unknown")["errcode"] == 40037
    assert api.send_bill("oHere", url="javascript:alert(1)")["errcode"] == 40048
    assert api.send_bill("oHere", client_msg_id="x" * 65)["errcode"] == 45067
    assert api.call("message/template/send", [1])["errcode"] == 47001
    refused = api.send_bill("oHere", thing1="一" * 21)
    assert refused["errcode"] == 47003
    assert refused["errmsg"].startswith("argument invalid! data.thing1.value invalid rid: ")
    assert api.inbox("oHere") == []


def test_a_const_field_takes_only_what_was_approved(shared: World) -> None:
    api = shared.api
    api.act("oConst", "follow")
    data = {"amount1": {"value": "1.00"}, "character_string2": {"value": "4200"}}
    body = {"touser": "oConst", "template_id": RECEIPT, "data": data}
    data["const3"] = {"value": "大概到账"}
    assert "data.const3.value" in api.call("message/template/send", body)["errmsg"]
    data["const3"] = {"value": "已到账"}
    assert api.call("message/template/send", body)["errcode"] == 0


def test_a_planned_error_code_is_answered_and_nothing_is_shown(here: World) -> None:
    here.api.act(ANN, "follow")
    plan(here, mode="errcode", errcode=45009, count=2)
    assert [here.api.send_bill(ANN)["errcode"] for _ in range(3)] == [45009, 45009, 0]
    assert len(here.api.inbox(ANN)) == 1


def test_a_planned_drop_cuts_the_connection_and_a_repeat_is_seen_once(here: World) -> None:
    here.api.act(ANN, "follow")
    here.api.call("menu/get")
    plan(here, mode="drop")
    with pytest.raises(requests.ConnectionError):
        here.api.send_bill(ANN, client_msg_id="m-1")
    assert here.api.inbox(ANN) == []
    here.api.send_bill(ANN, client_msg_id="m-1")
    assert len(here.api.inbox(ANN)) == 1


def test_a_planned_delay_makes_the_call_late(here: World) -> None:
    here.api.act(ANN, "follow")
    here.api.call("menu/get")
    plan(here, mode="delay", seconds=0.2)
    began = time.monotonic()
    assert here.api.send_bill(ANN)["errcode"] == 0
    assert time.monotonic() - began >= 0.2


def plan(here: World, **fault: Any) -> None:
    here.api.post_raw("/faults", {"target": "template_send", "count": 1, **fault})
