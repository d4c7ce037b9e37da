"""Who may call, and that every answer carries the platform's signature."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from wechat_pay_world import (
    MCHID,
    OTHER_MCHID,
    PUBLIC_KEY_ID,
    SERIAL_NO,
    Client,
    KeyPair,
    new_key_pair,
    parsed,
)

from sandbox.faults import Faults
from sandbox.pay import PayBook, crypto

NUMBER_URL = "/v3/pay/transactions/out-trade-no/HY20261123A01"
QUERY = f"{NUMBER_URL}?mchid={MCHID}"
Caller = Callable[..., requests.Response]


def authorization(keys: KeyPair, method: str, url: str, body: bytes, **changes: str) -> str:
    """Sign a call by hand; `changes` replace header parts after signing."""
    timestamp = changes.pop("at", str(int(time.time())))
    nonce = changes.pop("nonce", f"nonce-{time.monotonic_ns()}")
    message = crypto.request_message(method, url, timestamp, nonce, body)
    parts = {
        "mchid": MCHID,
        "nonce_str": nonce,
        "timestamp": timestamp,
        "serial_no": SERIAL_NO,
        "signature": crypto.sign(crypto.load_private_key(keys.private_pem), message),
    } | changes
    return f"{crypto.SIGNATURE_TYPE} " + ",".join(
        f'{name}="{text}"' for name, text in parts.items()
    )


@pytest.fixture
def call(book: PayBook, serve: Callable[[PayBook], str], merchant_keys: KeyPair) -> Caller:
    """Call the API as a merchant, without any library."""
    base_url = serve(book)

    def call_it(
        method: str = "GET",
        url: str = QUERY,
        body: bytes = b"",
        keys: KeyPair = merchant_keys,
        header: str | None = None,
        **changes: str,
    ) -> requests.Response:
        if header is None:
            header = authorization(keys, method, url, body, **changes)
        headers = {"Authorization": header, "Accept": "application/json"}
        return requests.request(method, base_url + url, data=body, headers=headers, timeout=30)

    return call_it


def refused(answer: requests.Response, http: int, code: str) -> Any:
    assert (answer.status_code, answer.json()["code"]) == (http, code), answer.text
    return answer.json()


def assert_signed(answer: requests.Response, platform: KeyPair) -> None:
    headers = answer.headers
    assert headers["Wechatpay-Serial"] == PUBLIC_KEY_ID
    assert headers["Wechatpay-Signature-Type"] == "WECHATPAY2-SHA256-RSA2048"
    assert headers["Request-ID"]
    assert abs(int(headers["Wechatpay-Timestamp"]) - time.time()) < 60
    message = crypto.answer_message(
        headers["Wechatpay-Timestamp"], headers["Wechatpay-Nonce"], answer.content
    )
    key = crypto.load_public_key(platform.public_pem)
    assert crypto.is_signed_by(key, message, headers["Wechatpay-Signature"])


def test_answers_errors_and_empty_answers_are_all_signed(
    call: Caller, client: Client, platform_keys: KeyPair
) -> None:
    client.order()
    good = call()
    assert good.status_code == 200
    closed = call("POST", f"{NUMBER_URL}/close", json.dumps({"mchid": MCHID}).encode())
    assert (closed.status_code, closed.content) == (204, b"")
    missing = call(url=f"/v3/pay/transactions/id/4200?mchid={MCHID}")
    assert missing.status_code == 404
    unsigned = call(header="")
    assert unsigned.status_code == 401
    for answer in (good, closed, missing, unsigned):
        assert_signed(answer, platform_keys)


def test_a_public_key_account_has_no_platform_certificates(call: Caller) -> None:
    answer = refused(call(url="/v3/certificates"), 404, "RESOURCE_NOT_EXISTS")
    assert "无可用的平台证书" in answer["message"]


def test_a_header_of_another_form_is_refused(call: Caller, merchant_keys: KeyPair) -> None:
    good = authorization(merchant_keys, "GET", QUERY, b"", at="1795430000")
    for header in (
        "",
        "Bearer token",
        good.replace("RSA2048", "SM3", 1),
        good.replace('nonce_str="', 'nonce="', 1),
        good.replace('"1795430000"', '"now"', 1),
        good.replace(",", ";"),
        good + ',extra="1"',
        good.partition(",")[0],
    ):
        answer = refused(call(header=header), 401, "SIGN_ERROR")
        assert answer["message"].startswith("Http头Authorization值格式错误")


def test_a_call_signed_by_a_stranger_is_refused_with_what_was_signed(call: Caller) -> None:
    answer = refused(call(keys=new_key_pair()), 401, "SIGN_ERROR")
    assert answer["message"] == "错误的签名，验签失败"
    assert answer["detail"]["detail"] == {"issue": "sign not match"}
    assert answer["detail"]["sign_information"]["url"] == QUERY


def test_a_signature_covers_the_query_and_the_body(call: Caller, merchant_keys: KeyPair) -> None:
    for_another_url = authorization(merchant_keys, "GET", NUMBER_URL, b"")
    refused(call(header=for_another_url), 401, "SIGN_ERROR")
    for_another_body = authorization(merchant_keys, "POST", f"{NUMBER_URL}/close", b"{}")
    body = json.dumps({"mchid": MCHID}).encode()
    refused(call("POST", f"{NUMBER_URL}/close", body, header=for_another_body), 401, "SIGN_ERROR")


def test_an_escaped_path_is_signed_as_it_is_sent(call: Caller) -> None:
    url = f"/v3/pay/transactions/out-trade-no/HY%7C20261123*A?mchid={MCHID}"
    refused(call(url=url), 404, "ORDER_NOT_EXIST")


def test_a_timestamp_over_five_minutes_off_is_refused(call: Caller) -> None:
    for seconds in (-310, 310):
        answer = refused(call(at=str(int(time.time()) + seconds)), 401, "SIGN_ERROR")
        assert answer["detail"]["field"] == "timestamp"
    for seconds in (-290, 290):
        refused(call(at=str(int(time.time()) + seconds)), 404, "ORDER_NOT_EXIST")


def test_a_nonce_works_once(call: Caller) -> None:
    refused(call(nonce="used-twice"), 404, "ORDER_NOT_EXIST")
    assert refused(call(nonce="used-twice"), 401, "SIGN_ERROR")["detail"]["field"] == "nonce_str"


def test_a_wrong_signature_does_not_use_up_the_nonce(call: Caller) -> None:
    refused(call(nonce="mine", keys=new_key_pair()), 401, "SIGN_ERROR")
    refused(call(nonce="mine"), 404, "ORDER_NOT_EXIST")


def test_another_certificate_serial_is_refused(call: Caller) -> None:
    answer = refused(call(serial_no="00FF"), 401, "SIGN_ERROR")
    assert "商户证书序列号有误" in answer["message"]


def test_a_merchant_nobody_knows_is_told_so(call: Caller) -> None:
    refused(call(mchid="1999999999"), 400, "MCH_NOT_EXISTS")
    refused(call(url=f"{NUMBER_URL}?mchid=1999999999"), 400, "MCH_NOT_EXISTS")


def test_a_merchant_cannot_act_for_another(call: Caller, client: Client) -> None:
    client.order()
    refused(call(url=f"{NUMBER_URL}?mchid={OTHER_MCHID}"), 403, "NO_AUTH")
    body = json.dumps({"mchid": OTHER_MCHID}).encode()
    refused(call("POST", f"{NUMBER_URL}/close", body), 403, "NO_AUTH")
    assert parsed(client.pay.query(out_trade_no="HY20261123A01"))[1]["trade_state"] == "NOTPAY"


def test_another_merchants_order_does_not_exist_for_it(
    call: Caller, client: Client, merchant_keys: KeyPair
) -> None:
    client.order()
    answer = call(url=f"{NUMBER_URL}?mchid={OTHER_MCHID}", mchid=OTHER_MCHID)
    refused(answer, 404, "ORDER_NOT_EXIST")


def test_a_query_must_name_its_merchant(call: Caller) -> None:
    answer = refused(call(url=NUMBER_URL), 400, "PARAM_ERROR")
    assert answer["detail"] == {"location": "query", "field": "/mchid", "value": None}


def test_a_planned_api_fault_answers_a_system_error_once(call: Caller, faults: Faults) -> None:
    faults.add(target="api", mode="errcode", errcode=500)
    refused(call(), 500, "SYSTEM_ERROR")
    refused(call(), 404, "ORDER_NOT_EXIST")


def test_a_planned_api_delay_answers_late(call: Caller, faults: Faults) -> None:
    faults.add(target="api", mode="delay", seconds=0.2)
    started = time.monotonic()
    refused(call(), 404, "ORDER_NOT_EXIST")
    assert time.monotonic() - started >= 0.2
