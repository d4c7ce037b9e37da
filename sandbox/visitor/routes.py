"""The control API of visitors: what programs and tests let people outside WeChat do."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, request

from sandbox.phone.control import (
    BadRequestError,
    read_amount,
    read_body,
    read_text,
    refuse_strangers,
)
from sandbox.phone.payer import PayFailedError
from sandbox.visitor.browser import USER_AGENTS
from sandbox.visitor.payer import Visitors


def visitor_routes(visitors: Visitors) -> Blueprint:
    """Give the blueprint with one visitor per name, who exists from first use."""
    blueprint = Blueprint("visitor", __name__, url_prefix="/visitor")
    blueprint.before_request(refuse_strangers)

    @blueprint.errorhandler(BadRequestError)
    def refuse(error: BadRequestError) -> tuple[Response, int]:
        return jsonify({"error": str(error)}), 400

    @blueprint.errorhandler(PayFailedError)
    def cannot(error: PayFailedError) -> tuple[Response, int]:
        return jsonify({"error": str(error)}), 409

    @blueprint.post("/<openid:name>/pay")
    def pay(name: str) -> Response:
        body = read_body()
        url, way = read_text(body, "url"), read_text(body, "way")
        paid = visitors.pay(name, _browser(body), url, way, read_amount(body))
        return jsonify(asdict(paid))

    @blueprint.get("/<openid:name>/page")
    def page(name: str) -> Response:
        query = request.args.to_dict()
        loaded = visitors.show(name, _browser(query), read_text(query, "url"))
        return jsonify({"status": loaded.status, "text": loaded.text, "url": loaded.url})

    return blueprint


def _browser(values: dict[str, Any]) -> str:
    browser = values.get("browser", "phone")
    if browser not in USER_AGENTS:
        raise BadRequestError(f"browser must be one of {', '.join(USER_AGENTS)}")
    return str(browser)
