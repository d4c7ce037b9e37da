"""What phones do through the control API, and what the service gets to hear of it."""

from pathlib import Path
from typing import Any

import pytest
import requests
from sandbox_world import Api, Keys, Service, World, world

ANN = "oAnn"


def test_following_with_a_scene_subscribes_with_it(api: Api, service: Service) -> None:
    service.says("欢迎")
    outcome = api.act(ANN, "follow", scene="bind_7")
    assert outcome["reply"]["text"] == "欢迎"
    assert outcome["latency_ms"] >= 0
    push = service.pushes[-1]
    assert (push["Event"], push["EventKey"]) == ("subscribe", "qrscene_bind_7")
    assert push["Ticket"]
    info = api.call("user/info", openid=ANN)
    assert (info["subscribe_scene"], info["qr_scene_str"]) == ("ADD_SCENE_QR_CODE", "bind_7")


def test_following_without_a_scene_has_no_key(api: Api, service: Service) -> None:
    api.act(ANN, "follow")
    assert service.pushes[-1]["EventKey"] is None
    assert "Ticket" not in service.pushes[-1]


def test_scanning_subscribes_a_stranger_and_only_scans_for_a_follower(
    api: Api, service: Service
) -> None:
    api.act(ANN, "scan", scene="home_1")
    api.act(ANN, "scan", scene=42)
    assert [(push["Event"], push["EventKey"]) for push in service.pushes] == [
        ("subscribe", "qrscene_home_1"),
        ("SCAN", "42"),
    ]


def test_who_stops_following_gets_no_reply_and_nothing_more(api: Api, service: Service) -> None:
    service.says("再见")
    api.act(ANN, "follow")
    outcome = api.act(ANN, "unfollow")
    assert service.pushes[-1]["Event"] == "unsubscribe"
    assert outcome["reply"] == {"type": "text", "text": "再见"}
    assert len(api.inbox(ANN)) == 1
    assert api.call("user/info", openid=ANN)["subscribe"] == 0
    assert api.send_text(ANN)["errcode"] == 45015


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("say", {"text": "账单"}),
        ("voice", {"recognition": "账单"}),
        ("tap", {"key": "BILL"}),
        ("unfollow", {}),
    ],
)
def test_a_stranger_cannot_talk_to_the_account(
    verb: str, body: dict[str, str], shared: World
) -> None:
    pushed = len(shared.service.pushes)
    answer = shared.api.phone("oStranger", verb, body)
    assert answer.status_code == 409
    assert "follow" in answer.json()["error"]
    assert len(shared.service.pushes) == pushed


@pytest.mark.parametrize(
    ("verb", "body", "names"),
    [
        ("say", {"text": "  "}, "text"),
        ("say", {"text": 5}, "text"),
        ("say", ["账单"], "object"),
        ("tap", {}, "key"),
        ("scan", {"scene": "x" * 65}, "scene"),
        ("voice", {"recognition": "长" * 2049}, "recognition"),
        ("pay", {"url": "http://x/", "amount_fen": 1.5}, "amount_fen"),
        ("snapshot", {"on": "yes"}, "on"),
    ],
)
def test_a_malformed_call_is_refused_with_its_reason(
    verb: str, body: Any, names: str, shared: World
) -> None:
    answer = shared.api.phone("oAnybody", verb, body)
    assert answer.status_code == 400
    assert names in answer.json()["error"]


@pytest.mark.parametrize("openid", ["a.b", "x" * 65, "张阿姨"])
def test_an_impossible_openid_has_no_phone(openid: str, shared: World) -> None:
    assert shared.api.phone(openid, "follow").status_code == 404


def test_a_voice_message_comes_with_what_was_understood(api: Api, service: Service) -> None:
    api.act(ANN, "follow")
    api.act(ANN, "voice", recognition="我要交物业费")
    push = service.pushes[-1]
    assert (push["MsgType"], push["Recognition"]) == ("voice", "我要交物业费")
    assert push["Format"] == "amr"


def test_tapping_a_button_clicks_and_tapping_a_link_views(api: Api, service: Service) -> None:
    link = {"type": "view", "name": "缴费", "url": "http://a.example/pay"}
    click = {"type": "click", "name": "我的账单", "key": "BILL"}
    api.call("menu/create", {"button": [click, {"name": "更多", "sub_button": [link]}]})
    service.says("账单在此")
    api.act(ANN, "follow")
    api.act(ANN, "tap", key="BILL")
    api.act(ANN, "tap", key="http://a.example/pay")
    click_push, view_push = service.pushes[-2:]
    assert (click_push["Event"], click_push["EventKey"]) == ("CLICK", "BILL")
    assert (view_push["Event"], view_push["EventKey"]) == ("VIEW", "http://a.example/pay")
    assert view_push["MenuId"]
    assert len(api.inbox(ANN)) == 2  # a page was opened; it is no answer to look at


def test_tapping_a_choice_of_a_service_message_says_it_with_its_id(
    api: Api, service: Service
) -> None:
    api.act(ANN, "follow")
    choices = [{"id": "101", "content": "是"}, {"id": "102", "content": "否"}]
    menu = {"head_content": "您要缴费吗？", "list": choices, "tail_content": "谢谢"}
    body = {"touser": ANN, "msgtype": "msgmenu", "msgmenu": menu}
    assert api.call("message/custom/send", body)["errcode"] == 0
    [shown] = api.inbox(ANN)
    assert shown["text"] == "您要缴费吗？\n是\n否\n谢谢"
    assert shown["data"]["choices"] == choices
    api.act(ANN, "say", text="是", choice="101")
    assert (service.pushes[-1]["Content"], service.pushes[-1]["bizmsgmenuid"]) == ("是", "101")


def test_the_inbox_holds_what_was_seen_in_order_and_nothing_the_person_said(
    api: Api, service: Service
) -> None:
    service.says("看 http://a.example/o/1?t=x。谢谢")
    api.act(ANN, "follow")
    api.send_bill(ANN)
    api.act(ANN, "say", text="账单")
    api.send_text(ANN, "还有一条")
    inbox = api.inbox(ANN)
    assert [message["kind"] for message in inbox] == ["passive", "template", "passive", "service"]
    numbers = [message["seq"] for message in inbox]
    assert numbers == sorted(set(numbers))
    assert inbox[0]["url"] == "http://a.example/o/1?t=x"
    assert inbox[0]["at"].endswith("+08:00")
    assert set(inbox[0]) == {"seq", "kind", "text", "data", "url", "at"}
    assert api.inbox(ANN, since=numbers[1]) == inbox[2:]
    assert api.inbox("oBen") == []


def test_everything_is_still_there_after_a_restart(tmp_path: Path, platform: Keys) -> None:
    with world(tmp_path, platform, Service()) as before:
        api = before.api
        api.act(ANN, "follow", scene="home_1")
        api.call("menu/create", {"button": [{"type": "click", "name": "账单", "key": "BILL"}]})
        code = api.call("qrcode/create", qr("QR_LIMIT_STR_SCENE", scene_str="wall"))
        first = api.send_bill(ANN, client_msg_id="m-1")["msgid"]
        token, seen, sent = api.token(), api.inbox(ANN), api.get("/sent").json()
    with world(tmp_path, platform, Service()) as after:
        api = after.api
        assert api.inbox(ANN) == seen
        assert api.get("/sent").json() == sent
        assert api.token()["access_token"] == token["access_token"]
        assert api.call("menu/get")["menu"]["button"][0]["key"] == "BILL"
        assert api.send_bill(ANN, client_msg_id="m-1")["msgid"] == first
        api.act(ANN, "scan", scene="wall")
        assert after.service.pushes[-1]["Ticket"] == code["ticket"]


def qr(action: str, **scene: Any) -> dict[str, Any]:
    return {"action_name": action, "action_info": {"scene": scene}}


def test_the_demo_is_read_at_each_request(here: World) -> None:
    missing = here.api.get("/demo.json")
    assert missing.status_code == 404
    assert missing.json()["error"]
    (here.folder / "demo.json").write_text('{"community": "HY", "bind": []}')
    assert here.api.get("/demo.json").json() == {"community": "HY", "bind": []}


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        ({}, "target"),
        ({"target": "weather", "mode": "drop"}, "target"),
        ({"target": "token", "mode": "forge"}, "mode"),
        ({"target": "pay_notify", "mode": "errcode", "errcode": 1}, "mode"),
        ({"target": "api", "mode": "errcode", "errcode": 0}, "errcode"),
        ({"target": "api", "mode": "delay", "seconds": -1}, "seconds"),
        ({"target": "api", "mode": "drop", "count": 0}, "count"),
        ({"target": "api", "mode": "drop", "count": True}, "count"),
        ({"target": "api", "mode": "drop", "colour": "red"}, "colour"),
    ],
)
def test_an_impossible_fault_is_refused_with_its_reason(
    fault: dict[str, Any], names: str, shared: World
) -> None:
    answer = requests.post(f"{shared.api.url}/faults", json=fault, timeout=30)
    assert answer.status_code == 400
    assert names in answer.json()["error"]


def test_faults_of_one_target_come_in_the_order_planned(here: World) -> None:
    for errcode in (45009, -1):
        fault = {"target": "api", "mode": "errcode", "errcode": errcode, "count": 1}
        here.api.post_raw("/faults", fault)
    here.api.token()  # tokens have faults of their own
    codes = [here.api.call("menu/get").get("errcode") for _ in range(3)]
    assert codes == [45009, -1, 46003]


def test_no_order_is_in_the_ledger_before_one_is_placed(shared: World) -> None:
    assert shared.api.get("/ledger").json() == {"orders": []}
