"""The control API of WeChat Pay: codes and addresses paid, and what tests set. Loopback only."""

from dataclasses import asdict

from flask import Blueprint, Response, jsonify

from sandbox.pay import Paid, PayBook, PayRefused
from sandbox.phone.control import BadRequestError, read_body, read_text, refuse_strangers
from sandbox.phone.payer import NOTIFIED_WITHIN_S, Receipt


def pay_control_routes(book: PayBook) -> Blueprint:
    """Give the blueprint with what needs no page of the service."""
    blueprint = Blueprint("pay_control", __name__)
    blueprint.before_request(refuse_strangers)

    @blueprint.errorhandler(BadRequestError)
    @blueprint.errorhandler(ValueError)
    def refuse(error: Exception) -> tuple[Response, int]:
        return jsonify({"error": str(error)}), 400

    @blueprint.errorhandler(PayRefused)
    def cannot(error: PayRefused) -> tuple[Response, int]:
        return jsonify({"error": f"cashier: {error}"}), 409

    _add_payments(blueprint, book)
    _add_settings(blueprint, book)
    return blueprint


def _add_payments(blueprint: Blueprint, book: PayBook) -> None:
    @blueprint.post("/phone/<openid:openid>/scan-pay")
    def scan_pay(openid: str) -> Response:
        """Pay the code of a Native order as this person."""
        checkout = book.scan(read_text(read_body(), "code_url"))
        return _receipt(book, book.confirm(checkout.prepay_id, openid))

    @blueprint.post("/h5/pay")
    def visit_pay() -> Response:
        """Pay at the address of an H5 order, as somebody new."""
        return _receipt(book, book.confirm_visit(read_text(read_body(), "h5_url")))


def _add_settings(blueprint: Blueprint, book: PayBook) -> None:
    @blueprint.post("/pay/calendar")
    def calendar() -> Response:
        """Shift the day on which bills exist, and nothing else."""
        body = read_body()
        now = book.calendar.shift(body.get("days"), body.get("hour"))
        return jsonify({"now": now.isoformat(timespec="minutes")})

    @blueprint.post("/pay/signing")
    def signing() -> Response:
        """Choose the key the platform signs with."""
        return jsonify({"mode": book.keys.set_mode(read_body().get("mode"))})

    @blueprint.post("/pay/probe")
    def probe() -> Response:
        """Send a callback with a false signature, as WeChat Pay does to see who verifies."""
        return jsonify({"http_status": book.probe(read_text(read_body(), "notify_url"))})

    @blueprint.post("/pay/seed")
    def seed() -> Response:
        """Load many paid orders of one day."""
        body = read_body()
        seeded = book.seed(*(body.get(name) for name in ("mchid", "day", "count", "first_no")))
        return jsonify({"count": seeded.count, "total_fen": seeded.total_fen})


def _receipt(book: PayBook, paid: Paid) -> Response:
    status = book.wait_first_notify(paid.out_trade_no, NOTIFIED_WITHIN_S)
    return jsonify(asdict(Receipt(paid.out_trade_no, paid.paid_fen, status)))
