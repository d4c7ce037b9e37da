"""The pretend Aliyun: signature, limits, wordings, reports, the list of what was sent."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from flask import jsonify, request
from sandbox_world import Keys, Service, World, wait_until, world

NUMBER = "13800001234"
SMS = {
    "access_key_id": "LTAI-test",
    "access_key_secret": "secret",
    "sign_name": "明账",
    "templates": {"SMS_1": "${room}欠${amount}"},
}


@pytest.fixture
def here(tmp_path: Path, platform: Keys) -> Iterator[World]:
    with world(tmp_path, platform, Service(), sms=SMS) as running:
        yield running


@pytest.fixture
def reports(here: World) -> list[dict[str, Any]]:
    """What the service's callback was told."""
    told: list[dict[str, Any]] = []

    def take() -> Any:
        told.extend(request.get_json())
        return jsonify(code=0, msg="OK")

    here.service.pages["callbacks/sms"] = take
    return told


def call(here: World, action: str, secret: str = "secret", **changes: str) -> dict[str, Any]:
    """A signed call; what begins with `x_` or is `Authorization` changes a header."""
    query = {name: value for name, value in changes.items() if not name.startswith("x_")}
    text = "&".join(
        f"{quote(name, safe='~')}={quote(query[name], safe='~')}" for name in sorted(query)
    )
    now = here.clock.now()
    headers = {
        "host": urlsplit(here.api.url).netloc,
        "x-acs-action": action,
        "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
        "x-acs-date": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": hashlib.sha256(str(now.timestamp()).encode()).hexdigest(),
        "x-acs-version": "2017-05-25",
    }
    headers |= {n.replace("_", "-"): v for n, v in changes.items() if n.startswith("x_")}
    names = sorted(headers)
    canonical = "\n".join(
        [
            "POST",
            "/",
            text,
            "".join(f"{name}:{headers[name]}\n" for name in names),
            ";".join(names),
            headers["x-acs-content-sha256"],
        ]
    )
    to_sign = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = (
        f"ACS3-HMAC-SHA256 Credential=LTAI-test,SignedHeaders={';'.join(names)},"
        f"Signature={signature}"
    )
    return dict(requests.post(f"{here.api.url}/?{text}", headers=headers, timeout=30).json())


def send(here: World, **changes: str) -> dict[str, Any]:
    params = {"room": "3-2-501", "amount": "1.00元"}
    given = {
        "PhoneNumbers": NUMBER,
        "SignName": "明账",
        "TemplateCode": "SMS_1",
        "TemplateParam": json.dumps(params, ensure_ascii=False),
        "OutId": "our-id",
    }
    return call(here, "SendSms", **(given | changes))


def test_a_message_is_shown_reported_and_found(here: World, reports: list[dict[str, Any]]) -> None:
    here.api.act("oAnn", "number", number=NUMBER)
    answer = send(here)
    assert answer["Code"] == "OK"
    (message,) = here.api.inbox("oAnn")
    assert (message["kind"], message["text"]) == ("sms", "【明账】3-2-501欠1.00元")
    wait_until(lambda: bool(reports))
    assert (reports[0]["out_id"], reports[0]["biz_id"]) == ("our-id", answer["BizId"])
    assert reports[0]["success"] is True
    today = here.clock.now().strftime("%Y%m%d")
    found = call(here, "QuerySendDetails", PhoneNumber=NUMBER, SendDate=today, PageSize="10")
    (detail,) = found["SmsSendDetailDTOs"]["SmsSendDetailDTO"]
    assert (detail["OutId"], detail["SendStatus"]) == ("our-id", 3)
    (sent,) = here.api.get("/sent").json()["messages"]
    assert (sent["kind"], sent["client_msg_id"]) == ("sms", "our-id")


def test_a_report_is_repeated_until_it_is_taken(here: World) -> None:
    asked: list[int] = []

    def refuse_once() -> Any:
        asked.append(1)
        return jsonify(code=0 if len(asked) > 1 else 1)

    here.service.pages["callbacks/sms"] = refuse_once
    send(here)
    wait_until(lambda: len(asked) == 2)


def test_a_minute_an_hour_and_a_day_have_their_limits(
    here: World, reports: list[dict[str, Any]]
) -> None:
    def codes(times: int, step: float) -> list[str]:
        found = []
        for _ in range(times):
            found.append(send(here)["Code"])
            here.clock.turn(step)
        return found

    limit = "isv.BUSINESS_LIMIT_CONTROL"
    assert codes(2, 1) == ["OK", limit]
    here.clock.turn(60)
    assert codes(5, 61) == ["OK"] * 4 + [limit]
    here.clock.turn(3600)
    assert codes(6, 1200) == ["OK"] * 5 + [limit]
    here.clock.turn(24 * 3600)
    assert send(here)["Code"] == "OK"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PhoneNumbers": "0571-88886666"}, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"SignName": "别人"}, "isv.SMS_SIGNATURE_ILLEGAL"),
        ({"TemplateCode": "SMS_2"}, "isv.SMS_TEMPLATE_ILLEGAL"),
        ({"TemplateParam": "{"}, "isv.INVALID_JSON_PARAM"),
        ({"TemplateParam": '{"room": 5, "amount": "1"}'}, "isv.INVALID_JSON_PARAM"),
        ({"TemplateParam": '{"room": "3"}'}, "isv.TEMPLATE_MISSING_PARAMETERS"),
        (
            {"TemplateParam": json.dumps({"room": "3" * 36, "amount": "1"})},
            "isv.PARAM_LENGTH_LIMIT",
        ),
        (
            {"TemplateParam": json.dumps({"room": "http://a.b", "amount": "1"})},
            "isv.PARAM_NOT_SUPPORT_URL",
        ),
        ({"secret": "wrong"}, "SignatureDoesNotMatch"),
        ({"x_acs_date": "2020-01-01T00:00:00Z"}, "InvalidTimeStamp.Expired"),
    ],
)
def test_what_is_wrong_is_refused_by_its_code(
    here: World, changes: dict[str, str], code: str
) -> None:
    assert send(here, **changes)["Code"] == code
    assert here.api.inbox(NUMBER) == []


def test_a_nonce_is_good_once(here: World, reports: list[dict[str, Any]]) -> None:
    assert send(here, x_acs_signature_nonce="n")["Code"] == "OK"
    assert send(here, x_acs_signature_nonce="n")["Code"] == "SignatureNonceUsed"


def test_without_an_account_nobody_is_known(shared: World) -> None:
    assert call(shared, "SendSms")["Code"] == "InvalidAccessKeyId.NotFound"
