"""Alipay's addresses: the gateway, the cashier's form, bills."""

import time

from flask import (
    Blueprint,
    Response,
    make_response,
    redirect,
    render_template,
    request,
)
from werkzeug.wrappers import Response as AnyResponse

from sandbox.alipay.book import AlipayBook
from sandbox.alipay.cashier import PRODUCTS, new_buyer_id
from sandbox.alipay.gateway import answer
from sandbox.alipay.refusals import Refused, business
from sandbox.alipay.telling import yuan
from sandbox.faults import Fault
from sandbox.wire_faults import cut_connection

BUYER_COOKIE = "alipay_buyer"
_JSON = "text/html;charset=utf-8"


def alipay_routes(book: AlipayBook) -> Blueprint:
    """Give the blueprint of what merchants' programs and payers' browsers call."""
    blueprint = Blueprint("alipay", __name__, url_prefix="/alipay", template_folder="templates")

    @blueprint.route("/gateway.do", methods=["GET", "POST"])
    def gateway() -> AnyResponse:
        params = {**request.form.to_dict(), **request.args.to_dict()}
        if params.get("method") in PRODUCTS:
            return _open_cashier(book, params)
        return _call(book, params)

    @blueprint.post("/cashier/<trade_no>")
    def confirm(trade_no: str) -> AnyResponse:
        try:
            trade = book.cashier.confirm(trade_no)
        except Refused as refusal:
            return _notice(refusal)
        back = book.cashier.return_address(trade)
        if back is not None:
            return redirect(back)
        return make_response(
            render_template("alipay_done.html", trade=trade, amount=yuan(trade.total_fen))
        )

    @blueprint.get("/bill/<token>")
    def bill(token: str) -> Response:
        try:
            name, content = book.fetch_bill(token)
        except Refused as refusal:
            return Response(refusal.text, 404, content_type="text/plain; charset=utf-8")
        headers = {"Content-Disposition": f"attachment; filename={name}"}
        return Response(content, headers=headers, content_type="application/zip")

    return blueprint


def _open_cashier(book: AlipayBook, params: dict[str, str]) -> AnyResponse:
    """Show the cashier; WeChat's browser is kept out, as the two companies do."""
    if "MicroMessenger" in request.headers.get("User-Agent", ""):
        return _notice(business("cashier.in_wechat"))
    buyer_id = request.cookies.get(BUYER_COOKIE, "") or new_buyer_id()
    try:
        trade = book.open_cashier(params, buyer_id)
    except Refused as refusal:
        return _notice(refusal)
    page = render_template("alipay_cashier.html", trade=trade, amount=yuan(trade.total_fen))
    shown = make_response(page)
    shown.set_cookie(BUYER_COOKIE, trade.buyer_id, path="/alipay", httponly=True)
    return shown


def _notice(refusal: Refused) -> Response:
    page = render_template("alipay_notice.html", text=refusal.text, code=refusal.sub_code)
    return make_response(page, 400)


def _call(book: AlipayBook, params: dict[str, str]) -> Response:
    fault = book.faults.take("pay_api") or book.faults.take("api")
    try:
        _suffer(fault)
        values = book.call(params)
    except Refused as refusal:
        values = refusal.body()
    if fault is not None and fault.mode == "lost":
        cut_connection()
    return Response(answer(book.apps, params, values), content_type=_JSON)


def _suffer(fault: Fault | None) -> None:
    """Let a planned fault befall this call before anything is done."""
    if fault is None:
        return
    if fault.mode == "delay":
        time.sleep(fault.seconds)
    elif fault.mode == "drop":
        cut_connection()
    elif fault.mode == "errcode":
        raise business("ACQ.SYSTEM_ERROR")
