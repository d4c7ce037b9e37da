"""The /v3 endpoints: WeChat Pay's wire, every answer signed but a bill's."""

import time
from urllib.parse import quote

from flask import Blueprint, Response, g, request

from sandbox.faults import Fault
from sandbox.pay.book import PayBook
from sandbox.pay.endpoints import add_bills, add_certificates, add_orders, add_refunds, answer_json
from sandbox.pay.merchants import Call
from sandbox.pay.refusals import ApiRefused
from sandbox.pay.texts import say
from sandbox.wire_faults import shut_connection

OWN_TARGET, ANY_TARGET = "pay_api", "api"


def pay_routes(book: PayBook) -> Blueprint:
    """Give the blueprint serving this book under /v3."""
    blueprint = Blueprint("wechat_pay", __name__, url_prefix="/v3")

    @blueprint.before_request
    def admit() -> None:
        g.fault = book.faults.take(OWN_TARGET) or book.faults.take(ANY_TARGET)
        _suffer(g.fault)
        g.merchant = book.desk.authenticate(_call())

    @blueprint.after_request
    def finish(answer: Response) -> Response:
        if g.get("fault") and g.fault.mode == "lost":
            shut_connection()
        if not g.get("is_unsigned"):
            asked_serial = request.headers.get("Wechatpay-Serial", "")
            key = book.keys.for_answer(g.get("merchant"), asked_serial)
            answer.headers.update(key.signed_headers(answer.get_data(), book.clock.now()))
        return answer

    @blueprint.errorhandler(ApiRefused)
    def refuse(refusal: ApiRefused) -> Response:
        return answer_json(refusal.body(), refusal.http)

    add_orders(blueprint, book)
    add_refunds(blueprint, book)
    add_bills(blueprint, book)
    add_certificates(blueprint, book)
    return blueprint


def _call() -> Call:
    """Take the request as it came; the signature covers the path as sent, still escaped."""
    query = request.query_string.decode("latin-1")
    path = quote(request.path, safe="/:@!$&'()*+,;=-._~")
    return Call(
        method=request.method,
        url=str(request.environ.get("RAW_URI") or (f"{path}?{query}" if query else path)),
        body=request.get_data(),
        authorization=request.headers.get("Authorization", ""),
    )


def _suffer(fault: Fault | None) -> None:
    """Let a planned fault befall this call before anything is done; `lost` comes afterwards."""
    if fault is None or fault.mode == "lost":
        return
    if fault.mode == "delay":
        time.sleep(fault.seconds)
        return
    raise ApiRefused(500, "SYSTEM_ERROR", say("api.system_error"))
