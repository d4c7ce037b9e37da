"""Which orders are well-formed; lengths count bytes of UTF-8."""

import json
from typing import Any

import pytest

from sandbox.pay.kinds import H5, JSAPI, NATIVE
from sandbox.pay.order_form import read_order_form
from sandbox.pay.refusals import ApiRefused

GOOD = {
    "appid": "wxsandbox",
    "mchid": "1900000101",
    "description": "3-2-501 物业费",
    "out_trade_no": "HY20261123A01",
    "notify_url": "https://hy.example/callbacks/wechat_pay/hy",
    "amount": {"total": 32050, "currency": "CNY"},
    "payer": {"openid": "o-aunt-zhang"},
}


def spelled(order: object) -> bytes:
    return json.dumps(order).encode()


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_field_is_refused_by_name(name: str) -> None:
    order = {other: value for other, value in GOOD.items() if other != name}
    with pytest.raises(ApiRefused, match="此字段为必填项") as refused:
        read_order_form(JSAPI, spelled(order))
    assert refused.value.detail == {"location": "body", "field": f"/{name}", "value": None}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"order"', b"\xff"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(ApiRefused, match="PARAM_ERROR"):
        read_order_form(JSAPI, body)


def test_the_spelling_of_the_body_does_not_change_the_parameters() -> None:
    backwards = dict(reversed(GOOD.items()))
    loose = json.dumps(backwards, indent=2, ensure_ascii=False).encode()
    assert read_order_form(JSAPI, loose) == read_order_form(JSAPI, spelled(GOOD))


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("/out_trade_no", {"out_trade_no": "HY001"}),
        ("/out_trade_no", {"out_trade_no": "H" * 33}),
        ("/out_trade_no", {"out_trade_no": "HY 2026 01"}),
        ("/out_trade_no", {"out_trade_no": "HY202601\n"}),
        ("/out_trade_no", {"out_trade_no": "物业费2026"}),
        ("/description", {"description": "费" * 43}),
        ("/description", {"description": 12}),
        ("/attach", {"attach": "a" * 129}),
        ("/notify_url", {"notify_url": "https://hy.example/" + "a" * 240}),
        ("/notify_url", {"notify_url": "https://hy.example/n?merchant=1"}),
        ("/notify_url", {"notify_url": "hy.example/n"}),
        ("/amount", {"amount": 1}),
        ("/amount/total", {"amount": {"currency": "CNY"}}),
        ("/amount/total", {"amount": {"total": 0}}),
        ("/amount/total", {"amount": {"total": -1}}),
        ("/amount/total", {"amount": {"total": 1.0}}),
        ("/amount/total", {"amount": {"total": "1"}}),
        ("/amount/total", {"amount": {"total": True}}),
        ("/amount/total", {"amount": {"total": 2**63}}),
        ("/amount/currency", {"amount": {"total": 1, "currency": "USD"}}),
        ("/payer/openid", {"payer": {"unionid": "u"}}),
        ("/payer/openid", {"payer": {"openid": ""}}),
        ("/time_expire", {"time_expire": "2026-11-23 20:15:00"}),
        ("/time_expire", {"time_expire": "2026-11-31T20:15:00+08:00"}),
        ("/scene_info/payer_client_ip", {"scene_info": {"device_id": "1"}}),
        ("/support_fapiao", {"support_fapiao": "yes"}),
        ("/goods_tag", {"goods_tag": "t" * 33}),
    ],
)
def test_a_wrong_field_is_refused_by_name(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ApiRefused) as refused:
        read_order_form(JSAPI, spelled(GOOD | changes))
    assert (refused.value.http, refused.value.code) == (400, "PARAM_ERROR")
    assert refused.value.detail is not None
    assert (refused.value.detail["location"], refused.value.detail["field"]) == ("body", field)
    assert f"/body{field}" in refused.value.message


@pytest.mark.parametrize(
    "changes",
    [
        {"out_trade_no": "A-b_c|*"},
        {"out_trade_no": "H" * 32},
        {"description": "费" * 42},
        {"attach": "a" * 128},
        {"amount": {"total": 1}},
        {"scene_info": {"payer_client_ip": "127.0.0.1"}, "settle_info": {"profit_sharing": True}},
    ],
)
def test_values_at_the_limit_are_taken(changes: dict[str, Any]) -> None:
    assert read_order_form(JSAPI, spelled(GOOD | changes)).app_id == "wxsandbox"


BROWSER = {"payer_client_ip": "203.0.113.9", "h5_info": {"type": "Wap"}}


def test_only_an_order_in_wechat_names_its_payer() -> None:
    order = {name: value for name, value in GOOD.items() if name != "payer"}
    assert read_order_form(NATIVE, spelled(order)).openid == ""
    assert read_order_form(NATIVE, spelled(GOOD)).openid == ""
    assert read_order_form(H5, spelled(order | {"scene_info": BROWSER})).openid == ""


@pytest.mark.parametrize(
    ("field", "scene"),
    [
        ("/scene_info", None),
        ("/scene_info/payer_client_ip", {"h5_info": {"type": "Wap"}}),
        ("/scene_info/h5_info", {"payer_client_ip": "203.0.113.9"}),
        ("/scene_info/h5_info/type", {"payer_client_ip": "203.0.113.9", "h5_info": {}}),
    ],
)
def test_an_order_outside_wechat_tells_where_the_payer_is(field: str, scene: Any) -> None:
    with pytest.raises(ApiRefused) as refused:
        read_order_form(H5, spelled(GOOD | {"scene_info": scene}))
    assert refused.value.detail is not None
    assert refused.value.detail["field"] == field
