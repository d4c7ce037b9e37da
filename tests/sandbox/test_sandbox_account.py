"""Service messages, the menu, QR codes and sign-in, as strict as WeChat is."""

from typing import Any

import pytest
import requests
from sandbox_world import APP_ID, APP_SECRET, Api, World

ANN = "oAnn"


# --- service messages -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "body", "allowed", "seconds"),
    [
        ("say", {"text": "在吗"}, 5, 48 * 3600),
        ("tap", {"key": "BILL"}, 3, 60),
        ("scan", {"scene": "home"}, 3, 60),
        ("follow", {}, 3, 60),
    ],
)
def test_each_act_allows_so_many_messages_for_so_long(
    verb: str, body: dict[str, str], allowed: int, seconds: int, here: World
) -> None:
    api = here.api
    api.act(ANN, "follow")
    here.clock.turn(61)
    assert send(here) == 45015
    api.act(ANN, verb, **body)
    assert [send(here) for _ in range(allowed)] == [0] * allowed
    assert send(here) == 45047
    api.act(ANN, verb, **body)
    assert send(here) == 0
    here.clock.turn(seconds + 1)
    assert send(here) == 45015
    assert len(api.inbox(ANN)) == allowed + 1


def send(here: World) -> int:
    here.api._token = ""  # the clock may have outrun the token
    return int(here.api.send_text(ANN)["errcode"])


def test_leaving_ends_the_windows(api: Api) -> None:
    api.act(ANN, "follow")
    api.act(ANN, "say", text="在吗")
    api.act(ANN, "unfollow")
    api.act(ANN, "follow")
    codes = [api.send_text(ANN)["errcode"] for _ in range(4)]
    assert codes == [0, 0, 0, 45047]


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"touser": "oNeverSeen"}, 40003),
        ({"msgtype": "wxcard"}, 40008),
        ({"text": {"content": ""}}, 44004),
        ({"text": {"content": "长" * 683}}, 45002),
        ({"text": "您好"}, 47001),
        ({"msgtype": "news", "news": {"articles": []}}, 45008),
        ({"msgtype": "news", "news": {"articles": [{"title": ""}]}}, 44004),
        ({"msgtype": "msgmenu", "msgmenu": {"list": []}}, 47001),
        ({"msgtype": "msgmenu", "msgmenu": {"list": [{"content": "是"}]}}, 47001),
    ],
)
def test_a_service_message_that_is_wrong_uses_up_nothing(
    body: dict[str, Any], errcode: int, shared: World
) -> None:
    api = shared.api
    api.act("oWrong", "follow")
    good = {"touser": "oWrong", "msgtype": "text", "text": {"content": "您好"}}
    assert api.call("message/custom/send", good | body)["errcode"] == errcode
    assert [api.send_text("oWrong")["errcode"] for _ in range(3)] == [0, 0, 0]


def test_an_article_is_seen_with_its_link(api: Api) -> None:
    api.act(ANN, "follow")
    article = {"title": "停水通知", "description": "明早八点", "url": "http://a.example/n"}
    body = {"touser": ANN, "msgtype": "news", "news": {"articles": [article]}}
    assert api.call("message/custom/send", body)["errcode"] == 0
    [seen] = api.inbox(ANN)
    assert (seen["text"], seen["url"]) == ("停水通知\n明早八点", "http://a.example/n")


# --- the menu ---------------------------------------------------------------------------------

CLICK = {"type": "click", "name": "我的账单", "key": "BILL"}
VIEW = {"type": "view", "name": "缴费", "url": "https://a.example/pay"}


def menu_of(*buttons: Any) -> dict[str, Any]:
    return {"button": list(buttons)}


def more(*subs: Any) -> dict[str, Any]:
    return {"name": "更多", "sub_button": list(subs)}


@pytest.mark.parametrize(
    ("menu", "errcode"),
    [
        (menu_of(), 40016),
        ({}, 40016),
        (menu_of(CLICK, CLICK, CLICK, CLICK), 40016),
        (menu_of(CLICK | {"type": "dance"}), 40017),
        (menu_of(CLICK | {"name": "一二三四五六"}), 40018),
        (menu_of(CLICK | {"name": ""}), 40018),
        (menu_of({"type": "click", "name": "账单"}), 40019),
        (menu_of(CLICK | {"key": "k" * 129}), 40019),
        (menu_of(VIEW | {"url": "a.example"}), 40020),
        (menu_of(VIEW | {"url": "https://a.example/" + "u" * 1024}), 40020),
        (menu_of(more(*[CLICK] * 6)), 40023),
        (menu_of(more(CLICK | {"type": "dance"})), 40024),
        (menu_of(more(CLICK | {"name": "一" * 21})), 40025),
        (menu_of(more({"type": "click", "name": "账单"})), 40026),
        (menu_of(more(VIEW | {"url": ""})), 40027),
    ],
)
def test_a_menu_beyond_the_limits_is_refused_and_the_old_one_stays(
    menu: dict[str, Any], errcode: int, shared: World
) -> None:
    shared.api.call("menu/create", menu_of(CLICK))
    assert shared.api.call("menu/create", menu)["errcode"] == errcode
    shown = shared.api.call("menu/get")["menu"]["button"]
    assert shown == [CLICK | {"sub_button": []}]


def test_a_menu_is_kept_shown_and_deleted(api: Api) -> None:
    assert api.call("menu/get")["errcode"] == 46003
    menu = menu_of(CLICK, VIEW, more(CLICK | {"name": "一" * 20}, *[VIEW] * 4))
    assert api.call("menu/create", menu)["errcode"] == 0
    shown = api.call("menu/get")["menu"]["button"]
    assert [button["name"] for button in shown] == ["我的账单", "缴费", "更多"]
    assert len(shown[2]["sub_button"]) == 5
    assert api.get(f"/phone/{ANN}/chat").json()["menu"] == shown
    assert api.call("menu/delete")["errcode"] == 0
    assert api.call("menu/get")["errcode"] == 46003


# --- QR codes ---------------------------------------------------------------------------------


def code(action: str, scene: Any, **more: Any) -> dict[str, Any]:
    return {"action_name": action, "action_info": {"scene": scene}, **more}


@pytest.mark.parametrize(
    "body",
    [
        code("QR_SCENE", {"scene_id": 4294967295}, expire_seconds=2592000),
        code("QR_STR_SCENE", {"scene_str": "s" * 64}),
        code("QR_LIMIT_SCENE", {"scene_id": 100000}),
        code("QR_LIMIT_STR_SCENE", {"scene_str": "墙上"}),
    ],
)
def test_each_kind_of_code_is_made_and_drawn(body: dict[str, Any], shared: World) -> None:
    made = shared.api.call("qrcode/create", body)
    assert ("expire_seconds" in made) == (not body["action_name"].startswith("QR_LIMIT"))
    assert made["url"].startswith(f"{shared.api.url}/q/")
    picture = requests.get(
        f"{shared.api.url}/cgi-bin/showqrcode", params={"ticket": made["ticket"]}, timeout=5
    )
    assert picture.headers["Content-Type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({}, 40052),
        (code("QR_DANCE", {"scene_id": 1}), 40052),
        ({"action_name": "QR_SCENE"}, 40053),
        (code("QR_SCENE", {"scene_id": 0}), 40053),
        (code("QR_SCENE", {"scene_id": 2**32}), 40053),
        (code("QR_SCENE", {"scene_id": "7"}), 40053),
        (code("QR_SCENE", {"scene_id": 7}, expire_seconds=2592001), 40053),
        (code("QR_STR_SCENE", {"scene_str": ""}), 40053),
        (code("QR_STR_SCENE", {"scene_str": "s" * 65}), 40053),
        (code("QR_LIMIT_SCENE", {"scene_id": 100001}), 40053),
        (code("QR_LIMIT_STR_SCENE", {}), 40053),
    ],
)
def test_a_code_beyond_the_limits_is_refused(
    body: dict[str, Any], errcode: int, shared: World
) -> None:
    assert shared.api.call("qrcode/create", body)["errcode"] == errcode


def test_a_temporary_code_ends_and_a_permanent_one_stays(here: World) -> None:
    api = here.api
    api.call("qrcode/create", code("QR_STR_SCENE", {"scene_str": "soon"}))
    api.call("qrcode/create", code("QR_LIMIT_STR_SCENE", {"scene_str": "wall"}))
    assert [c["scene"] for c in api.get("/codes").json()["codes"]] == ["wall", "soon"]
    here.clock.turn(61)
    assert [c["scene"] for c in api.get("/codes").json()["codes"]] == ["wall"]
    expired = api.phone(ANN, "scan", {"scene": "soon"})
    assert expired.status_code == 409
    assert "expired" in expired.json()["error"]
    api.act(ANN, "scan", scene="wall")
    assert [push["EventKey"] for push in here.service.pushes] == ["qrscene_wall"]


def test_what_a_picture_says_leads_to_the_phone_page(shared: World) -> None:
    made = shared.api.call("qrcode/create", code("QR_LIMIT_STR_SCENE", {"scene_str": "wall"}))
    answer = requests.get(made["url"], allow_redirects=False, timeout=30)
    assert answer.headers["Location"] == "/phone/#scan=wall"
    assert shared.api.get("/q/unknown").status_code == 404
    assert shared.api.get("/cgi-bin/showqrcode?ticket=unknown").status_code == 404


# --- sign-in ----------------------------------------------------------------------------------


def authorize_url(here: World, **changes: str) -> str:
    query = {
        "appid": APP_ID,
        "redirect_uri": f"{here.service.url}/back?x=1",
        "response_type": "code",
        "scope": "snsapi_base",
        "state": "s7",
    }
    request = requests.Request(
        "GET", f"{here.api.url}/connect/oauth2/authorize", params=query | changes
    )
    return f"{request.prepare().url}#wechat_redirect"


def redeem(here: World, code: str, **changes: str) -> dict[str, Any]:
    query = {
        "appid": APP_ID,
        "secret": APP_SECRET,
        "code": code,
        "grant_type": "authorization_code",
    }
    answer = here.api.get("/sns/oauth2/access_token", params=query | changes)
    return dict(answer.json())


def new_code(here: World) -> str:
    back = here.sandbox.webview.sign_in(ANN, authorize_url(here))
    assert back.startswith(f"{here.service.url}/back?x=1&code=")
    assert back.endswith("&state=s7")
    return back.partition("code=")[2].partition("&")[0]


def test_a_code_says_once_who_the_person_is(shared: World) -> None:
    code = new_code(shared)
    grant = redeem(shared, code)
    assert (grant["openid"], grant["scope"]) == (ANN, "snsapi_base")
    assert "is_snapshotuser" not in grant
    assert redeem(shared, code)["errcode"] == 40163


def test_a_code_ends_after_five_minutes(here: World) -> None:
    code = new_code(here)
    here.clock.turn(301)
    assert redeem(here, code)["errcode"] == 40029


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"code": "made-up"}, 40029),
        ({"code": ""}, 41008),
        ({"appid": "wxother"}, 40013),
        ({"secret": "wrong"}, 40125),
        ({"grant_type": "code"}, 40002),
    ],
)
def test_a_wrong_redemption_is_refused(
    changes: dict[str, str], errcode: int, shared: World
) -> None:
    assert redeem(shared, **({"code": "x"} | changes))["errcode"] == errcode


def test_a_person_in_snapshot_mode_is_somebody_virtual(here: World) -> None:
    here.api.act(ANN, "snapshot", on=True)
    grant = redeem(here, new_code(here))
    assert grant["is_snapshotuser"] == 1
    assert grant["openid"] != ANN
    here.api.act(ANN, "snapshot", on=False)
    assert redeem(here, new_code(here))["openid"] == ANN


def test_an_ordinary_browser_is_told_to_use_wechat(shared: World) -> None:
    assert "请在微信客户端打开链接" in requests.get(authorize_url(shared), timeout=30).text
