"""The door: what is let in, what is turned away, and that every answer comes once and in time."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from werkzeug.test import TestResponse

from bot.answering import Pool, Repeats
from bot.gate import Gate
from bot.settings import Settings
from bot.webhook import Desk, door
from handlers.chat.context import Push
from tests.phone import (
    ACCOUNT,
    AES_KEY,
    PREVIOUS_AES_KEY,
    TOKEN,
    Phone,
    decrypt,
    encrypt,
    message_xml,
    settings_for,
    signed,
)

NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
SOON = 5.0
HELLO = message_xml("o-zhang", "text", Content="hello", MsgId=1, CreateTime=1)


class Echo:
    """Answers with the sentence and counts; what `stops` names waits for `go`; `breaks` raises."""

    def __init__(self) -> None:
        self.heard: list[Push] = []
        self.go = threading.Event()
        self.began = threading.Event()

    def answer(self, push: Push) -> str:
        self.heard.append(push)
        self.began.set()
        if push.text == "slow":
            assert self.go.wait(SOON)
        if push.msgid == "broken":
            raise RuntimeError("the database is away")
        return "" if push.is_event else f"heard {push.text}"

    def say(self, template: str) -> str:
        return f"<{template}>"


class Door:
    """The blueprint under test with everything around it."""

    def __init__(self, redis: Redis, pool: Pool, **settings: str) -> None:
        self.now = NOW
        self.echo = Echo()
        self.late: list[tuple[str, str]] = []
        self.delivered = threading.Event()
        self.registry = CollectorRegistry()
        desk = Desk(self.echo, Repeats(redis), self._deliver, pool)  # type: ignore[arg-type]
        app = Flask(__name__)
        gate = Gate(settings_for("redis://127.0.0.1:1/0", **settings))
        app.register_blueprint(door(gate, desk, lambda: self.now, self.registry))
        self.app = app
        self.client: FlaskClient = app.test_client()

    def _deliver(self, openid: str, text: str) -> None:
        self.late.append((openid, text))
        self.delivered.set()

    def phone(self, openid: str = "o-zhang", **options: str) -> Phone:
        return Phone(self.app.test_client(), lambda: self.now, openid, **options)

    def counted(self, outcome: str) -> float:
        name = "mingzhang_webhook_pushes_total"
        return self.registry.get_sample_value(name, {"outcome": outcome}) or 0.0

    def post(self, body: str | bytes, **query: str) -> TestResponse:
        return self.client.post("/wechat", query_string=query, data=body, content_type="text/xml")

    def sealed(self, xml: str, *, at: datetime | None = None, **options: str) -> dict[str, Any]:
        """Query and body of a push in secure mode."""
        timestamp, nonce = str(int((at or self.now).timestamp())), secrets.token_hex(5)
        inner = encrypt(xml, **options)
        return {
            "body": f"<xml><ToUserName>{ACCOUNT}</ToUserName><Encrypt>{inner}</Encrypt></xml>",
            "timestamp": timestamp,
            "nonce": nonce,
            "msg_signature": signed(TOKEN, timestamp, nonce, inner),
        }

    def plain(self, xml: str) -> dict[str, str]:
        timestamp, nonce = str(int(self.now.timestamp())), "n1"
        signature = signed(TOKEN, timestamp, nonce)
        return {"body": xml, "timestamp": timestamp, "nonce": nonce, "signature": signature}


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def make_door(redis: Redis, pool: Pool) -> Iterator[Callable[..., Door]]:
    doors: list[Door] = []

    def make(**settings: str) -> Door:
        doors.append(Door(redis, pool, **settings))
        return doors[-1]

    yield make
    for one in doors:
        one.echo.go.set()


@pytest.fixture
def the_door(make_door: Callable[..., Door]) -> Door:
    return make_door()


def test_wechats_check_of_the_address_gets_its_echo(the_door: Door) -> None:
    query = {"timestamp": "1714036504", "nonce": "n", "echostr": "4375120948345356249"}
    query["signature"] = signed(TOKEN, query["timestamp"], query["nonce"])
    response = the_door.client.get("/wechat", query_string=query)
    assert (response.status_code, response.text) == (200, "4375120948345356249")
    assert response.content_type.startswith("text/plain")


@pytest.mark.parametrize("signature", ["", "0" * 40, "签名"])
def test_somebody_elses_check_gets_nothing(the_door: Door, signature: str) -> None:
    query = {"timestamp": "1", "nonce": "n", "echostr": "<script>", "signature": signature}
    response = the_door.client.get("/wechat", query_string=query)
    assert response.status_code == 403
    assert "script" not in response.text


def test_a_sentence_is_answered_sealed(the_door: Door) -> None:
    assert the_door.phone().says("hello").shows("heard hello").status == 200
    assert the_door.counted("answered") == 1


def test_an_event_without_answer_is_acknowledged(the_door: Door) -> None:
    heard = the_door.phone().pushes(message_xml("o", "event", Event="VIEW", CreateTime=1))
    assert (heard.status, heard.body) == (200, "success")


def test_a_push_under_the_previous_key_is_answered_under_it(
    make_door: Callable[..., Door],
) -> None:
    the_door = make_door(WECHAT_AES_KEY_PREVIOUS=PREVIOUS_AES_KEY)
    the_door.phone(aes_key=PREVIOUS_AES_KEY).says("hello").shows("heard hello")
    the_door.phone(aes_key=AES_KEY).says("hello").shows("heard hello")


def forged(push: dict[str, str]) -> dict[str, str]:
    return push | {"msg_signature": "0" * 40}


def unsigned(push: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in push.items() if name != "msg_signature"}


def signed_only_as_plain(push: dict[str, str]) -> dict[str, str]:
    """`signature` does not cover the body: it must not open the door in secure mode."""
    signature = signed(TOKEN, push["timestamp"], push["nonce"])
    return unsigned(push) | {"signature": signature, "msg_signature": signature}


def with_another_nonce(push: dict[str, str]) -> dict[str, str]:
    return push | {"nonce": "another"}


def with_another_body(push: dict[str, str]) -> dict[str, str]:
    return push | {"body": push["body"].replace("<Encrypt>", "<Encrypt>AAAA")}


@pytest.mark.parametrize(
    "tampered",
    [forged, unsigned, signed_only_as_plain, with_another_nonce, with_another_body],
)
def test_what_wechat_did_not_sign_is_never_processed(
    the_door: Door, tampered: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    response = the_door.post(**tampered(the_door.sealed(HELLO)))
    assert response.status_code == 403
    assert the_door.echo.heard == []
    assert the_door.counted("forged") == 1


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_push_of_another_hour_is_stale(the_door: Door, seconds: int) -> None:
    push = the_door.sealed(HELLO, at=NOW + timedelta(seconds=seconds))
    assert the_door.post(**push).status_code == 403
    assert the_door.echo.heard == []
    assert the_door.counted("stale") == 1


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_are_not_too_old(the_door: Door, seconds: int) -> None:
    push = the_door.sealed(HELLO, at=NOW + timedelta(seconds=seconds))
    assert the_door.post(**push).status_code == 200


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1e9", "9" * 40, "١٢٣"])
def test_a_timestamp_that_is_no_number_is_stale(the_door: Door, timestamp: str) -> None:
    push = the_door.sealed(HELLO) | {"timestamp": timestamp}
    assert the_door.post(**push).status_code == 403


def test_a_push_for_another_app_id_is_refused(the_door: Door) -> None:
    push = the_door.sealed(HELLO, app_id="wx0000000000000000")
    assert the_door.post(**push).status_code == 403
    assert the_door.echo.heard == []


def test_a_push_under_an_unknown_key_is_refused(the_door: Door) -> None:
    push = the_door.sealed(HELLO, aes_key=PREVIOUS_AES_KEY)
    assert the_door.post(**push).status_code == 403


@pytest.mark.parametrize(
    "body",
    ["", "hello", "{}", "<xml>", "<xml><a/></xml>", b"\xff\xfe", "<xml><Encrypt/></xml>"],
)
def test_a_body_that_cannot_be_read_is_malformed(the_door: Door, body: str | bytes) -> None:
    push = the_door.sealed(HELLO) | {"body": body}
    assert the_door.post(**push).status_code == 400
    assert the_door.counted("malformed") == 1


@pytest.mark.parametrize("inner", ["", "{}", "<xml/>", "<xml><MsgType>text</MsgType></xml>"])
def test_a_sealed_text_that_is_no_message_is_malformed(the_door: Door, inner: str) -> None:
    assert the_door.post(**the_door.sealed(inner)).status_code == 400
    assert the_door.counted("malformed") == 1


JSON_HELLO = {
    "ToUserName": ACCOUNT,
    "FromUserName": "o-zhang",
    "CreateTime": 1790000000,
    "MsgType": "text",
    "Content": "账单 <&]]> \u0007",
    "MsgId": 24000000000000099,
}


def test_a_push_in_json_is_answered_in_json(the_door: Door) -> None:
    push = the_door.sealed(json.dumps(JSON_HELLO))
    inner = push["body"].split("<Encrypt>")[1].split("</Encrypt>")[0]
    body = json.dumps({"ToUserName": ACCOUNT, "Encrypt": inner})
    response = the_door.post(**push | {"body": body})
    assert response.status_code == 200
    sealed = response.get_json()
    assert sealed["MsgSignature"] == signed(
        TOKEN, str(sealed["TimeStamp"]), sealed["Nonce"], sealed["Encrypt"]
    )
    answer = json.loads(decrypt(sealed["Encrypt"]))
    assert (answer["ToUserName"], answer["FromUserName"]) == ("o-zhang", ACCOUNT)
    assert (answer["MsgType"], answer["Content"]) == ("text", "heard 账单 <&]]>")


def test_plain_mode_takes_json_too(make_door: Callable[..., Door]) -> None:
    plain = make_door(WECHAT_MODE="plain")
    response = plain.post(**plain.plain(json.dumps(JSON_HELLO)))
    assert response.get_json()["Content"]


@pytest.mark.parametrize(
    "inner",
    ["{", "[" * 40_000, '{"a": ' * 6_000, "[]", '{"MsgType": {"a": 1}}', '{"MsgType": ["text"]}',
     '{"FromUserName": "o", "ToUserName": "g", "MsgType": 7, "a b": 1}'],
)  # fmt: skip
def test_json_that_is_no_message_is_malformed(the_door: Door, inner: str) -> None:
    assert the_door.post(**the_door.sealed(inner)).status_code == 400
    assert the_door.counted("malformed") == 1


def test_a_body_of_64_kilobytes_is_read_and_one_byte_more_is_not(the_door: Door) -> None:
    push = the_door.sealed(HELLO)
    padding = " " * (64 * 1024 - len(push["body"]))
    assert the_door.post(**push | {"body": push["body"] + padding}).status_code == 200
    assert the_door.post(**push | {"body": push["body"] + padding + " "}).status_code == 413
    assert the_door.counted("oversized") == 1


def test_compatible_mode_reads_the_encrypted_part_only(make_door: Callable[..., Door]) -> None:
    the_door = make_door(WECHAT_MODE="compatible")
    push = the_door.sealed(HELLO)
    plain_part = "<FromUserName>o-thief</FromUserName><MsgType>text</MsgType><Content>x</Content>"
    body = push["body"].replace("</xml>", plain_part + "</xml>")
    assert the_door.post(**push | {"body": body}).status_code == 200
    assert [(heard.openid, heard.text) for heard in the_door.echo.heard] == [("o-zhang", "hello")]


def test_compatible_mode_refuses_what_is_only_plain(make_door: Callable[..., Door]) -> None:
    the_door = make_door(WECHAT_MODE="compatible")
    assert the_door.post(**the_door.plain(HELLO)).status_code == 400
    assert the_door.echo.heard == []


def test_plain_mode_answers_in_plain(make_door: Callable[..., Door]) -> None:
    the_door = make_door(WECHAT_MODE="plain")
    response = the_door.post(**the_door.plain(HELLO))
    assert response.status_code == 200
    assert "heard hello" in response.text


def test_plain_mode_refuses_a_wrong_signature(make_door: Callable[..., Door]) -> None:
    the_door = make_door(WECHAT_MODE="plain")
    push = the_door.plain(HELLO) | {"signature": "0" * 40}
    assert the_door.post(**push).status_code == 403
    assert the_door.echo.heard == []


def test_wechats_retry_gets_the_stored_answer(the_door: Door) -> None:
    phone, sentence = the_door.phone(), the_door.phone().xml("text", Content="hello", MsgId=7)
    phone.pushes(sentence).shows("heard hello")
    the_door.now += timedelta(seconds=5)
    phone.pushes(sentence).shows("heard hello")
    assert len(the_door.echo.heard) == 1
    assert the_door.counted("repeat") == 1


def test_the_very_same_request_again_gets_the_stored_answer(the_door: Door) -> None:
    push = the_door.sealed(HELLO)
    assert the_door.post(**push).status_code == 200
    again = the_door.post(**push)
    assert again.status_code == 200
    assert "<Encrypt>" in again.text
    assert len(the_door.echo.heard) == 1


def test_a_repeat_while_the_first_is_at_work_waits_for_its_answer(the_door: Door) -> None:
    sentence = the_door.phone().xml("text", Content="slow", MsgId=8)
    answers: list[str] = []

    def deliver() -> None:
        answers.append(the_door.phone().pushes(sentence).text)

    deliveries = [threading.Thread(target=deliver) for _ in range(3)]
    for delivery in deliveries:
        delivery.start()
    assert the_door.echo.began.wait(SOON)
    the_door.echo.go.set()
    for delivery in deliveries:
        delivery.join(SOON)
    assert answers == ["heard slow"] * 3
    assert len(the_door.echo.heard) == 1


def test_what_takes_long_is_promised_now_and_delivered_later(the_door: Door) -> None:
    phone = the_door.phone()
    sentence = phone.xml("text", Content="slow", MsgId=9)
    asked = time.monotonic()
    phone.pushes(sentence).shows("<patience>")
    assert 2 <= time.monotonic() - asked < 4, "WeChat waits five seconds"
    assert the_door.late == []
    the_door.echo.go.set()
    assert the_door.delivered.wait(SOON)
    assert the_door.late == [("o-zhang", "heard slow")]
    phone.pushes(sentence).shows("<patience>")
    assert len(the_door.echo.heard) == 1
    assert the_door.counted("late") == 1


def test_too_many_at_once_get_a_sentence(redis: Redis) -> None:
    the_door = Door(redis, Pool(workers=1, waiting_max=0))
    first = threading.Thread(target=lambda: the_door.phone().says("slow"))
    first.start()
    assert the_door.echo.began.wait(SOON)
    the_door.phone("o-li").says("hello").shows("<overloaded>")
    event = message_xml("o-li", "event", Event="TEMPLATESENDJOBFINISH", MsgID=5)
    assert the_door.phone("o-li").pushes(event).status == 503
    the_door.echo.go.set()
    first.join(SOON)
    assert the_door.phone("o-li").pushes(event).status == 200


def test_an_event_that_failed_is_asked_for_again(the_door: Door) -> None:
    event = message_xml("o", "event", Event="TEMPLATESENDJOBFINISH", MsgID="broken")
    assert the_door.phone().pushes(event).status == 503
    assert the_door.phone().pushes(event).status == 503
    assert len(the_door.echo.heard) == 2
    assert the_door.counted("failed") == 2


def test_without_redis_every_sentence_is_still_answered(pool: Pool) -> None:
    nowhere = Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))
    the_door = Door(nowhere, pool)
    the_door.phone().says("hello").shows("heard hello")


def test_every_answer_is_timed(the_door: Door) -> None:
    the_door.phone().says("hello")
    assert the_door.registry.get_sample_value("mingzhang_webhook_seconds_count") == 1


def test_settings_without_previous_key_have_one_key() -> None:
    settings: Settings = settings_for("redis://127.0.0.1:1/0")
    assert settings.wechat_aes_key_previous is None
