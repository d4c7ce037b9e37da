"""What programs and tests tell the pretend Alipay itself. Loopback peers only."""

import sqlite3
from datetime import date

from flask import Blueprint, Response, abort, jsonify

from sandbox.alipay.book import AlipayBook
from sandbox.phone.control import BadRequestError, read_body, refuse_strangers

SEEDED_MAX = 1_000_000


def alipay_control_routes(book: AlipayBook) -> Blueprint:
    """Give the blueprint of what programs and tests tell the pretend Alipay; loopback only."""
    blueprint = Blueprint("alipay_control", __name__, url_prefix="/alipay")

    blueprint.before_request(refuse_strangers)

    @blueprint.errorhandler(BadRequestError)
    def refuse(error: BadRequestError) -> tuple[Response, int]:
        return jsonify({"error": str(error)}), 400

    @blueprint.post("/seed")
    def seed() -> Response:
        """Write many paid trades at once: `{"app_id", "day", "count"}`."""
        body = read_body()
        count, app_id = body.get("count"), body.get("app_id")
        if type(count) is not int or not 1 <= count <= SEEDED_MAX:
            raise BadRequestError(f"count must be a whole number from 1 to {SEEDED_MAX}")
        if app_id not in book.apps:
            raise BadRequestError("app_id must be a configured application")
        try:
            day = date.fromisoformat(str(body.get("day")))
        except ValueError:
            raise BadRequestError("day must be a date like 2026-11-23") from None
        try:
            book.seed(app_id, day, count)
        except sqlite3.IntegrityError:
            abort(409, "this day is seeded already")
        return jsonify({"app_id": app_id, "day": day.isoformat(), "count": count})

    return blueprint
