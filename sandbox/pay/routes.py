"""The /v3 endpoints: WeChat Pay's wire, every answer signed."""

import time
from urllib.parse import quote

from flask import Blueprint, Response, g, request

from sandbox.pay.book import PayBook
from sandbox.pay.merchants import Call, Merchant
from sandbox.pay.order_form import read_object, read_order_form
from sandbox.pay.refusals import ApiRefused, wrong_parameter
from sandbox.pay.texts import say
from sandbox.pay.transaction import to_json


def pay_routes(book: PayBook) -> Blueprint:
    """Give the blueprint serving this book under /v3."""
    blueprint = Blueprint("wechat_pay", __name__, url_prefix="/v3")

    @blueprint.before_request
    def admit() -> None:
        _suffer(book)
        g.merchant = book.desk.authenticate(_call())

    @blueprint.after_request
    def sign(answer: Response) -> Response:
        answer.headers.update(book.platform.signed_headers(answer.get_data(), book.clock.now()))
        return answer

    @blueprint.errorhandler(ApiRefused)
    def refuse(refusal: ApiRefused) -> Response:
        return _answer(refusal.body(), refusal.http)

    _add_transactions(blueprint, book)

    @blueprint.get("/certificates")
    def certificates() -> Response:
        """Answer as an account in public-key mode: there is no platform certificate."""
        raise ApiRefused(404, "RESOURCE_NOT_EXISTS", say("api.no_certificate"))

    return blueprint


def _add_transactions(blueprint: Blueprint, book: PayBook) -> None:
    """Add the order calls of a direct merchant."""

    @blueprint.post("/pay/transactions/jsapi")
    def order() -> Response:
        prepay_id = book.desk.order(_caller(), read_order_form(request.get_data()))
        return _answer({"prepay_id": prepay_id})

    @blueprint.get("/pay/transactions/id/<transaction_id>")
    def query_transaction(transaction_id: str) -> Response:
        _check_query_mchid(book)
        return _answer(book.desk.query_transaction(_caller(), transaction_id))

    @blueprint.get("/pay/transactions/out-trade-no/<out_trade_no>")
    def query_number(out_trade_no: str) -> Response:
        _check_query_mchid(book)
        return _answer(book.desk.query_number(_caller(), out_trade_no))

    @blueprint.post("/pay/transactions/out-trade-no/<out_trade_no>/close")
    def close(out_trade_no: str) -> Response:
        book.desk.check_mchid(_caller(), read_object(request.get_data()).text("mchid", most=32))
        book.desk.close(_caller(), out_trade_no)
        return Response(status=204, mimetype="application/json")


def _caller() -> Merchant:
    merchant: Merchant = g.merchant
    return merchant


def _check_query_mchid(book: PayBook) -> None:
    mchid = request.args.get("mchid")
    if not mchid:
        raise wrong_parameter("/query/mchid", "required")
    book.desk.check_mchid(_caller(), mchid)


def _answer(values: dict[str, object], http: int = 200) -> Response:
    return Response(to_json(values), http, content_type="application/json; charset=utf-8")


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


def _suffer(book: PayBook) -> None:
    """Let a planned fault of `api` befall this call."""
    fault = book.faults.take("api")
    if fault is None:
        return
    if fault.mode == "delay":
        time.sleep(fault.seconds)
        return
    raise ApiRefused(500, "SYSTEM_ERROR", say("api.system_error"))
