"""What a direct merchant can call under /v3: orders, refunds, bills, certificates."""

from collections.abc import Sequence
from datetime import date

from flask import Blueprint, Response, g, request

from sandbox.pay.bill_text import TRADE_TYPES
from sandbox.pay.bills import FUND_ACCOUNTS, Offer
from sandbox.pay.book import PayBook
from sandbox.pay.fields import read_object
from sandbox.pay.kinds import H5, JSAPI, NATIVE, code_url, h5_url
from sandbox.pay.merchants import Merchant
from sandbox.pay.order_form import read_order_form
from sandbox.pay.refund_form import read_refund_form
from sandbox.pay.refusals import wrong_parameter
from sandbox.pay.transaction import to_json

DOWNLOAD_PATH = "billdownload/file"


def answer_json(values: dict[str, object], http: int = 200) -> Response:
    """Give an answer as WeChat Pay spells it."""
    return Response(to_json(values), http, content_type="application/json; charset=utf-8")


def add_orders(blueprint: Blueprint, book: PayBook) -> None:
    """Add the order calls."""

    def order(trade_type: str) -> str:
        return book.desk.order(_caller(), read_order_form(trade_type, request.get_data()))

    @blueprint.post("/pay/transactions/jsapi")
    def order_in_wechat() -> Response:
        return answer_json({"prepay_id": order(JSAPI)})

    @blueprint.post("/pay/transactions/native")
    def order_by_code() -> Response:
        return answer_json({"code_url": code_url(order(NATIVE))})

    @blueprint.post("/pay/transactions/h5")
    def order_outside() -> Response:
        return answer_json({"h5_url": h5_url(book.public_url, order(H5))})

    @blueprint.get("/pay/transactions/id/<transaction_id>")
    def query_transaction(transaction_id: str) -> Response:
        _check_query_mchid(book)
        return answer_json(book.desk.query_transaction(_caller(), transaction_id))

    @blueprint.get("/pay/transactions/out-trade-no/<out_trade_no>")
    def query_number(out_trade_no: str) -> Response:
        _check_query_mchid(book)
        return answer_json(book.desk.query_number(_caller(), out_trade_no))

    @blueprint.post("/pay/transactions/out-trade-no/<out_trade_no>/close")
    def close(out_trade_no: str) -> Response:
        book.desk.check_mchid(_caller(), read_object(request.get_data()).text("mchid", most=32))
        book.desk.close(_caller(), out_trade_no)
        return Response(status=204, mimetype="application/json")


def add_refunds(blueprint: Blueprint, book: PayBook) -> None:
    """Add the refund calls."""

    @blueprint.post("/refund/domestic/refunds")
    def refund() -> Response:
        form = read_refund_form(request.get_data())
        return answer_json(book.refund_desk.refund(_caller(), form))

    @blueprint.get("/refund/domestic/refunds/<out_refund_no>")
    def query_refund(out_refund_no: str) -> Response:
        return answer_json(book.refund_desk.query(_caller(), out_refund_no))


def add_bills(blueprint: Blueprint, book: PayBook) -> None:
    """Add the bills, and the address where they are downloaded."""

    @blueprint.get("/bill/tradebill")
    def trade_bill() -> Response:
        bill_type = _choice("bill_type", TRADE_TYPES)
        return _offered(book.bill_desk.trade(_caller(), _day(), bill_type, is_gzip=_is_gzip()))

    @blueprint.get("/bill/fundflowbill")
    def fund_bill() -> Response:
        account = _choice("account_type", FUND_ACCOUNTS)
        return _offered(book.bill_desk.fund(_caller(), _day(), account, is_gzip=_is_gzip()))

    @blueprint.get(f"/{DOWNLOAD_PATH}")
    def download() -> Response:
        """Give the file; alone of all answers it is not signed."""
        bill = book.bill_desk.download(_caller(), request.args.get("token", ""))
        g.is_unsigned = True
        kind = "application/gzip" if bill.is_gzip else "text/plain; charset=utf-8"
        return Response(bill.content, content_type=kind)


def add_certificates(blueprint: Blueprint, book: PayBook) -> None:
    """Add the platform's certificate list."""

    @blueprint.get("/certificates")
    def certificates() -> Response:
        return answer_json(book.keys.certificates(_caller()))


def _caller() -> Merchant:
    merchant: Merchant = g.merchant
    return merchant


def _check_query_mchid(book: PayBook) -> None:
    mchid = request.args.get("mchid")
    if not mchid:
        raise wrong_parameter("/query/mchid", "required")
    book.desk.check_mchid(_caller(), mchid)


def _day() -> date:
    text = request.args.get("bill_date")
    if not text:
        raise wrong_parameter("/query/bill_date", "required")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise wrong_parameter("/query/bill_date", "date", text)
    return day


def _choice(name: str, choices: Sequence[str]) -> str:
    """Read a query parameter; the first choice where it is missing."""
    value = request.args.get(name, choices[0])
    if value not in choices:
        raise wrong_parameter(f"/query/{name}", "choice", value, choices="、".join(choices))
    return value


def _is_gzip() -> bool:
    return "tar_type" in request.args and _choice("tar_type", ("GZIP",)) == "GZIP"


def _offered(offer: Offer) -> Response:
    """Answer an application; the file is where the application was made."""
    address = f"{request.host_url}v3/{DOWNLOAD_PATH}?token={offer.token}"
    return answer_json({"hash_type": "SHA1", "hash_value": offer.sha1, "download_url": address})
