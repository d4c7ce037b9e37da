"""Pushes on the wire: sealed by the sandbox, opened and answered by an independent library."""

import threading
from pathlib import Path
from typing import Any

import pytest
import requests
from sandbox_world import (
    AES_KEY,
    APP_ID,
    TOKEN,
    Api,
    Keys,
    Push,
    Service,
    World,
    new_openid,
    reply_text,
    wait_until,
    world,
)
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import check_signature

from sandbox.app import make_app

BROKEN = "该公众号提供的服务出现故障，请稍后再试"
ANN, BEN = "oAnn", "oBen"


@pytest.mark.parametrize("mode", ["secure", "compatible", "plain"])
def test_a_text_is_pushed_and_its_reply_read_in_every_mode(
    mode: str, tmp_path: Path, platform: Keys
) -> None:
    service = Service(mode=mode)
    with world(tmp_path, platform, service) as here:
        service.says("您好，张阿姨")
        here.api.act(ANN, "follow")
        outcome = here.api.act(ANN, "say", text="账单 <&> ]]>")
    assert outcome["reply"] == {"type": "text", "text": "您好，张阿姨"}
    assert (outcome["http_status"], outcome["attempts"]) == (200, 1)
    push, query = service.pushes[-1], service.queries[-1]
    assert (push["MsgType"], push["Content"]) == ("text", "账单 <&> ]]>")
    assert push["FromUserName"] == query["openid"] == ANN
    assert ("Content" in service.bodies[-1]) == (mode != "secure")
    assert ("encrypt_type" in query) == (mode != "plain")
    check_signature(TOKEN, query["signature"], query["timestamp"], query["nonce"])


def test_a_compatible_service_may_seal_its_reply(tmp_path: Path, platform: Keys) -> None:
    service = Service(mode="compatible", seals=True)
    with world(tmp_path, platform, service) as here:
        service.says("好")
        assert here.api.act(ANN, "follow")["reply"] == {"type": "text", "text": "好"}


@pytest.mark.parametrize("answer", ["", "success"])
def test_success_and_nothing_mean_no_reply(answer: str, shared: World) -> None:
    openid = new_openid()
    shared.service.answer = lambda push: answer
    assert shared.api.act(openid, "follow")["reply"] is None
    assert shared.api.inbox(openid) == []


def test_a_silent_service_is_asked_three_times_with_the_same_request(
    tmp_path: Path, platform: Keys
) -> None:
    awake, service = threading.Event(), Service()

    def sleep(push: Push) -> str:
        awake.wait(60)
        return ""

    with world(tmp_path, platform, service, answer_within_s=0.4) as here:
        service.answer = sleep
        outcome = here.api.act(ANN, "follow")
        wait_until(lambda: len(service.queries) == len(service.bodies) == 3)
        awake.set()
        assert (outcome["reply"], outcome["http_status"], outcome["attempts"]) == (None, None, 3)
        assert len(set(service.bodies)) == 1
        assert len({str(query) for query in service.queries}) == 1
        assert here.api.texts(ANN) == [BROKEN]


def test_the_second_try_may_answer(tmp_path: Path, platform: Keys) -> None:
    late, service = threading.Event(), Service()

    def answer(push: Push) -> str:
        if len(service.pushes) == 1:
            late.wait(60)
            return ""
        return reply_text(push, "来了")

    with world(tmp_path, platform, service, answer_within_s=3) as here:
        service.answer = answer
        outcome = here.api.act(ANN, "follow")
        late.set()
        assert (outcome["reply"]["text"], outcome["attempts"]) == ("来了", 2)
        assert here.api.texts(ANN) == ["来了"]


def test_an_absent_service_is_tried_three_times(tmp_path: Path, platform: Keys) -> None:
    with world(tmp_path, platform, Service(), service_url="http://127.0.0.1:9") as here:
        outcome = here.api.act(ANN, "follow")
        assert (outcome["http_status"], outcome["attempts"]) == (None, 3)
        assert here.api.texts(ANN) == [BROKEN]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda push: "<xml><oops>", "not XML"),
        (lambda push: "您好", "not XML"),
        (lambda push: "<html></html>", "root is not <xml>"),
        (lambda push: reply_text(push | {"FromUserName": "oElse"}, "好"), "ToUserName"),
        (lambda push: reply_text(push | {"ToUserName": "gh_else"}, "好"), "FromUserName"),
        (lambda push: reply_text(push, ""), "no Content"),
        (lambda push: reply_text(push, "长" * 683), "longer than 2048 bytes"),
        (lambda push: reply_text(push, "好").replace("[text]", "[dance]"), "dance"),
        (lambda push: reply_text(push, "好").replace("1700000000", "now"), "CreateTime"),
    ],
)
def test_a_broken_reply_shows_that_the_service_is_out_of_order(
    answer: Any, why: str, shared: World
) -> None:
    openid = new_openid()
    shared.service.answer = answer
    outcome = shared.api.act(openid, "follow")
    assert outcome["reply"] is None
    assert outcome["attempts"] == 1
    assert why in outcome["fault"]
    assert shared.api.texts(openid) == [BROKEN]


def test_a_bare_reply_is_broken_in_secure_mode(api: Api, service: Service) -> None:
    service.says("好")
    service.seals = False
    assert "not encrypted" in api.act(ANN, "follow")["fault"]


def test_a_wrongly_signed_reply_is_broken(api: Api, service: Service) -> None:
    service.says("好")
    sealed: list[str] = []
    api.act(ANN, "follow")
    service.answer = lambda push: sealed[0]
    good = WeChatCrypto(TOKEN, AES_KEY, APP_ID).encrypt_message("<xml></xml>", "1", "2")
    sealed.append(good.replace("<TimeStamp>2", "<TimeStamp>3"))
    service.seals = False
    assert "MsgSignature" in api.act(ANN, "say", text="账单")["fault"]


def test_an_error_status_is_an_answer_and_is_not_repeated(tmp_path: Path, platform: Keys) -> None:
    service = Service()

    def fail(push: Push) -> str:
        raise RuntimeError("a bug in the service")

    with world(tmp_path, platform, service) as here:
        service.answer = fail
        outcome = here.api.act(ANN, "follow")
    assert (outcome["http_status"], outcome["attempts"]) == (500, 1)
    assert "HTTP 500" in outcome["fault"]


def articles(count: int) -> Any:
    items = "".join(
        f"<item><Title>第{n}条</Title><Description>说明</Description>"
        f"<PicUrl></PicUrl><Url>http://a.example/{n}</Url></item>"
        for n in range(count)
    )
    parts = f"<ArticleCount>{count}</ArticleCount><Articles>{items}</Articles></xml>"
    return lambda push: reply_text(push, "-").replace("[text]", "[news]").replace("</xml>", parts)


def test_a_message_gets_one_article_and_an_event_gets_them_all(api: Api, service: Service) -> None:
    service.answer = articles(3)
    assert len(api.act(ANN, "follow")["reply"]["articles"]) == 3
    reply = api.act(ANN, "say", text="资讯")["reply"]
    assert [article["title"] for article in reply["articles"]] == ["第0条"]
    assert api.inbox(ANN)[-1]["url"] == "http://a.example/0"


def test_handing_over_to_an_agent_is_shown(api: Api, service: Service) -> None:
    service.answer = lambda push: reply_text(push, "-").replace(
        "[text]", "[transfer_customer_service]"
    )
    assert api.act(ANN, "follow")["reply"] == {"type": "transfer_customer_service"}
    assert api.texts(ANN) == ["[已转人工客服]"]


def test_an_image_is_understood(api: Api, service: Service) -> None:
    image = "<Image><MediaId>media7</MediaId></Image></xml>"
    service.answer = lambda push: (
        reply_text(push, "-").replace("[text]", "[image]").replace("</xml>", image)
    )
    assert api.act(ANN, "follow")["reply"] == {"type": "image", "media_id": "media7"}
    assert api.texts(ANN) == ["[图片]"]


def test_one_phone_waits_for_itself_and_not_for_others(api: Api, service: Service) -> None:
    for openid in (ANN, BEN):
        api.act(openid, "follow")
    gate, anns = threading.Event(), []

    def answer(push: Push) -> str:
        if push.get("Content") == "一":
            gate.wait(60)
        if push["FromUserName"] == ANN and "Content" in push:
            anns.append(push["Content"])
        return ""

    service.answer = answer
    first = threading.Thread(target=api.act, args=(ANN, "say"), kwargs={"text": "一"})
    first.start()
    wait_until(lambda: service.pushes[-1].get("Content") == "一")
    second = threading.Thread(target=api.act, args=(ANN, "say"), kwargs={"text": "二"})
    second.start()
    api.act(BEN, "say", text="三")
    assert anns == []
    gate.set()
    first.join()
    second.join()
    assert anns == ["一", "二"]


def test_message_numbers_rise_and_events_have_none(api: Api, service: Service) -> None:
    api.act(ANN, "follow")
    for text in ("一", "二", "三"):
        api.act(ANN, "say", text=text)
    numbers = [int(push["MsgId"]) for push in service.pushes if "MsgId" in push]
    assert len(numbers) == 3
    assert numbers == sorted(set(numbers))


def test_only_this_machine_may_use_the_control_api(here: World) -> None:
    client = make_app(here.sandbox).test_client()
    stranger = {"REMOTE_ADDR": "192.0.2.7"}
    for path in ("/sent", "/phone/", "/ledger", f"/phone/{ANN}/inbox", f"/phone/{ANN}/web/"):
        assert client.get(path, environ_base=stranger).status_code == 403
    assert client.get("/cgi-bin/token", environ_base=stranger).status_code == 200
    assert requests.get(f"{here.api.url}/healthz", timeout=30).json() == {"status": "ok"}
