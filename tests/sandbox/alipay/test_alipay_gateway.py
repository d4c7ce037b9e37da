"""The gateway believes signatures only, and answers what the library can verify."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from alipay import AliPay
from alipay.exceptions import AliPayValidationError
from alipay_world import APP_ID, NUMBER, SELLER_ID, WAP, Merchant, beijing
from sandbox_world import Keys


def signed(merchant: Merchant, **changes: str) -> dict[str, str]:
    """The parameters of a query, as a form; changed before they are signed."""
    params = merchant.library.build_body("alipay.trade.query", {"out_trade_no": NUMBER})
    params["biz_content"] = json.dumps(params["biz_content"])
    params |= changes
    content = "&".join(f"{name}={params[name]}" for name in sorted(params))
    return params | {"sign": merchant.library._sign(content)}


def post(merchant: Merchant, params: dict[str, str]) -> dict[str, Any]:
    answer = requests.post(merchant.gateway, data=params, timeout=30)
    assert answer.status_code == 200
    values = answer.json()
    return dict(values.get("alipay_trade_query_response") or values["error_response"])


def test_a_call_may_be_posted_whole_or_with_its_content_alone_in_the_body(
    merchant: Merchant,
) -> None:
    params = signed(merchant)
    assert post(merchant, params)["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    body = {"biz_content": params.pop("biz_content")}
    split = requests.post(merchant.gateway, params=params, data=body, timeout=30).json()
    assert split["alipay_trade_query_response"]["sub_code"] == "ACQ.TRADE_NOT_EXIST"


@pytest.mark.parametrize(
    ("changes", "sub_code"),
    [
        ({"method": "alipay.trade.pay"}, "isv.invalid-method"),
        ({"charset": "gbk"}, "isv.invalid-charset"),
        ({"timestamp": "2026-11-23T10:00:00Z"}, "isv.invalid-timestamp"),
        ({"biz_content": "[1]"}, "isv.invalid-parameter"),
        ({"biz_content": "{"}, "isv.invalid-parameter"),
        ({"sign_type": "RSA"}, "isv.invalid-signature-type"),
        ({"app_id": "2021000000000000"}, "isv.invalid-app-id"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_signed_call_with_a_wrong_parameter_is_refused(
    merchant: Merchant, changes: dict[str, str], sub_code: str
) -> None:
    params = signed(merchant, **changes)
    answer = requests.post(merchant.gateway, data=params, timeout=30).json()
    (said,) = [value for name, value in answer.items() if name != "sign"]
    assert (said["code"], said["sub_code"]) == ("40002", sub_code)
    assert ("sign" in answer) == ("app_id" not in changes)


@pytest.mark.parametrize("name", ["method", "app_id", "sign", "sign_type", "timestamp", "version"])
def test_a_missing_parameter_is_named(merchant: Merchant, name: str) -> None:
    params = signed(merchant)
    del params[name]
    answer = requests.post(merchant.gateway, data=params, timeout=30).json()
    (said,) = [value for part, value in answer.items() if part != "sign"]
    assert said["code"] == "40001"
    assert said["sub_code"].startswith("isv.missing-")


def test_a_changed_call_or_a_strangers_is_not_believed(merchant: Merchant, app_keys: Keys) -> None:
    params = signed(merchant)
    for changed in (
        {"biz_content": '{"out_trade_no":"OTHER"}'},
        {"notify_url": "http://thief.example/"},
        {"sign": params["sign"][:-8] + "AAAAAAA="},
        {"sign": "*"},
    ):
        assert post(merchant, params | changed)["sub_code"] == "isv.invalid-signature"


def test_the_library_believes_answers_of_alipay_only(merchant: Merchant, app_keys: Keys) -> None:
    assert merchant.call("alipay.trade.query")["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    other = AliPay(APP_ID, None, app_keys.private_pem, app_keys.public_pem)
    other._gateway = merchant.gateway
    with pytest.raises(AliPayValidationError):
        other.server_api("alipay.trade.query", {"out_trade_no": NUMBER})


def test_a_trade_does_not_exist_before_its_cashier_is_opened(merchant: Merchant) -> None:
    link = merchant.link()
    for method in ("alipay.trade.query", "alipay.trade.close"):
        assert merchant.call(method)["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    merchant.open(link)
    waiting = merchant.call("alipay.trade.query")
    assert (waiting["trade_status"], waiting["total_amount"]) == ("WAIT_BUYER_PAY", "320.50")
    assert "send_pay_date" not in waiting


def test_a_paid_trade_is_described_by_either_number(merchant: Merchant) -> None:
    merchant.pay()
    found = merchant.call("alipay.trade.query")
    assert found == merchant.call("alipay.trade.query", trade_no=found["trade_no"])
    assert (found["code"], found["trade_status"]) == ("10000", "TRADE_SUCCESS")
    assert found["receipt_amount"] == "320.50"
    assert len(found["trade_no"]) == 28
    assert merchant.order() == {
        "provider": "alipay",
        "out_trade_no": NUMBER,
        "transaction_id": found["trade_no"],
        "state": "TRADE_SUCCESS",
        "paid_fen": 32050,
        "refunded_fen": 0,
    }


def test_only_a_waiting_trade_can_be_closed(merchant: Merchant) -> None:
    page = merchant.open(merchant.link())
    assert merchant.call("alipay.trade.close")["code"] == "10000"
    assert merchant.call("alipay.trade.close")["sub_code"] == "ACQ.TRADE_STATUS_ERROR"
    refused = merchant.confirm(page)
    assert (refused.status_code, "交易已经关闭" in refused.text) == (400, True)
    merchant.pay("MZ20261123A02")
    paid = merchant.call("alipay.trade.close", out_trade_no="MZ20261123A02")
    assert paid["sub_code"] == "ACQ.TRADE_STATUS_ERROR"


def test_refunds_count_up_and_a_repeated_one_moves_nothing(merchant: Merchant) -> None:
    merchant.pay()
    ask = {"refund_amount": "100.00", "out_request_no": "R1"}
    first = merchant.call("alipay.trade.refund", **ask)
    again = merchant.call("alipay.trade.refund", **ask)
    assert (first["fund_change"], again["fund_change"]) == ("Y", "N")
    assert (first["refund_fee"], again["refund_fee"]) == ("100.00", "100.00")
    other = merchant.call("alipay.trade.refund", **ask | {"refund_amount": "100.01"})
    assert other["sub_code"] == "ACQ.DISCORDANT_REPEAT_REQUEST"
    more = merchant.call("alipay.trade.refund", refund_amount="220.51", out_request_no="R2")
    assert more["sub_code"] == "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"
    rest = merchant.call("alipay.trade.refund", refund_amount="220.5", out_request_no="R3")
    assert rest["refund_fee"] == "320.50"
    assert merchant.call("alipay.trade.query")["trade_status"] == "TRADE_CLOSED"
    assert merchant.order()["paid_fen"] == merchant.order()["refunded_fen"] == 32050


def test_a_refund_that_never_was_is_a_success_without_fields(merchant: Merchant) -> None:
    query = "alipay.trade.fastpay.refund.query"
    assert merchant.call(query, out_request_no="R1")["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    merchant.pay()
    assert merchant.call(query, out_request_no="R1") == {"code": "10000", "msg": "Success"}
    merchant.call("alipay.trade.refund", refund_amount="0.01", out_request_no="R1")
    found = merchant.call(query, out_request_no="R1")
    assert (found["refund_status"], found["refund_amount"]) == ("REFUND_SUCCESS", "0.01")


@pytest.mark.parametrize("amount", ["0", "0.00", "-1", "1.001", "1e3", "1,000.00", "", "1."])
def test_what_is_no_amount_is_not_refunded(merchant: Merchant, amount: str) -> None:
    merchant.pay()
    answer = merchant.call("alipay.trade.refund", refund_amount=amount, out_request_no="R1")
    assert answer["sub_code"] == "ACQ.INVALID_PARAMETER"
    assert merchant.order()["refunded_fen"] == 0


def test_an_unpaid_trade_has_nothing_to_refund(merchant: Merchant) -> None:
    merchant.open(merchant.link())
    answer = merchant.call("alipay.trade.refund", refund_amount="1.00", out_request_no="R1")
    assert answer["sub_code"] == "ACQ.TRADE_STATUS_ERROR"


def test_planned_faults_befall_the_gateway(merchant: Merchant) -> None:
    def plan(**fault: Any) -> None:
        merchant.here.api.post_raw("/faults", {"target": "api", **fault})

    merchant.pay()
    plan(mode="errcode")
    refund = {"refund_amount": "1.00", "out_request_no": "R1"}
    assert merchant.call("alipay.trade.refund", **refund)["sub_code"] == "ACQ.SYSTEM_ERROR"
    plan(mode="drop")
    with pytest.raises(OSError, match=r".+"):
        merchant.call("alipay.trade.refund", **refund)
    plan(mode="delay", seconds=0.01)
    assert merchant.call("alipay.trade.refund", **refund)["fund_change"] == "Y"


def test_the_seller_and_the_moment_go_back_with_the_payer(merchant: Merchant) -> None:
    back = merchant.pay(method=WAP)
    address = urlsplit(back.headers["Location"])
    params = dict(parse_qsl(address.query))
    assert (address.path, params.pop("bill")) == ("/back", "7")
    assert (params["seller_id"], params["total_amount"]) == (SELLER_ID, "320.50")
    signature = params.pop("sign")
    assert merchant.library.verify(params, signature)
    assert params["timestamp"] <= beijing(merchant.here.clock.now())
