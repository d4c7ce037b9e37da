"""An order as the merchant sends it: every field checked, nothing stored.

Rule: pay.weixin.qq.com, "JSAPI order", "Native order" and "H5 order", POST
/v3/pay/transactions/jsapi, /native and /h5. They differ in who pays: JSAPI names the payer, H5
tells the address and the kind of the payer's browser, Native takes whoever scans.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime

from sandbox.pay.fields import Fields, check_currency, read_notify_url, read_object
from sandbox.pay.kinds import H5, JSAPI

_NUMBER = r"^[0-9A-Za-z_\-|*]{6,32}$"
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class OrderForm:
    """A well-formed order of one kind. `parameters` is the whole request in one spelling.

    `openid` is empty where the order does not say who pays.
    """

    trade_type: str
    app_id: str
    mchid: str
    description: str
    out_trade_no: str
    time_expire: datetime | None
    attach: str | None
    notify_url: str
    total_fen: int
    openid: str
    parameters: str


def read_order_form(trade_type: str, body: bytes) -> OrderForm:
    """Check an order's fields; raises ApiRefused PARAM_ERROR naming the first wrong one."""
    fields = read_object(body)
    form = OrderForm(
        trade_type=trade_type,
        app_id=fields.text("appid", most=32),
        mchid=fields.text("mchid", most=32),
        description=fields.text("description", most=127),
        out_trade_no=fields.text("out_trade_no", least=6, most=32, pattern=_NUMBER),
        time_expire=_time_expire(fields),
        attach=fields.optional_text("attach", most=128),
        notify_url=read_notify_url(fields),
        total_fen=_total_fen(fields.group("amount")),
        openid=fields.group("payer").text("openid", most=128) if trade_type == JSAPI else "",
        parameters=json.dumps(fields.values, sort_keys=True),
    )
    _check_scene(trade_type, fields)
    _check_extras(fields)
    return form


def _total_fen(amount: Fields) -> int:
    total_fen = amount.whole_number("total", least=1)
    check_currency(amount)
    return total_fen


def _time_expire(fields: Fields) -> datetime | None:
    text = fields.optional_text("time_expire", most=64)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or not _RFC3339.fullmatch(text):
        raise fields.refusal("time_expire", "rfc3339")
    return moment


def _check_scene(trade_type: str, fields: Fields) -> None:
    """Check where the payer is; only H5 must say so."""
    if trade_type == H5 or fields.given("scene_info"):
        scene = fields.group("scene_info")
        scene.text("payer_client_ip", most=45)
        if trade_type == H5:
            scene.group("h5_info").text("type", most=32)


def _check_extras(fields: Fields) -> None:
    """Check the shape of documented fields this provider otherwise ignores."""
    fields.optional_text("goods_tag", most=32)
    fields.check_boolean("support_fapiao")
    if fields.given("detail"):
        fields.group("detail")
    if fields.given("settle_info"):
        fields.group("settle_info").check_boolean("profit_sharing")
