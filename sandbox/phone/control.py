"""The control API: what programs and tests do to phones. Loopback peers only."""

import ipaddress
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

from flask import Blueprint, Response, abort, jsonify, request

from sandbox.account.office import Office
from sandbox.config import SandboxConfig
from sandbox.faults import FaultError, Faults
from sandbox.phone.acts import Acts, CannotError
from sandbox.phone.inbox import OWN, list_messages
from sandbox.phone.payer import Payer, PayFailedError
from sandbox.phone.people import get_phone, set_snapshot
from sandbox.push.pusher import Pushed
from sandbox.store import Store

TEXT_CHARACTERS_MAX = 2048
SCENE_CHARACTERS_MAX = 64


class Book(Protocol):
    """A pretend payment provider, as seen by whoever compares or waits."""

    def ledger(self) -> list[dict[str, object]]:
        """List every order as the provider believes it to be."""

    def wait_first_notify(self, out_trade_no: str, timeout_s: float) -> str:
        """Wait (real seconds) for the first attempt of an order's callback; give its status."""


class BadRequestError(ValueError):
    """A call of the control API is malformed; the message says how."""


def refuse_strangers() -> None:
    """Serve only peers on this machine."""
    peer = request.remote_addr or ""
    try:
        is_near = ipaddress.ip_address(peer).is_loopback
    except ValueError:
        is_near = False
    if not is_near:
        abort(403, "the sandbox answers this machine only")


def control_routes(acts: Acts, payer: Payer, store: Store) -> Blueprint:
    """Give the blueprint with one phone per openid."""
    blueprint = Blueprint("control", __name__)
    blueprint.before_request(refuse_strangers)

    @blueprint.errorhandler(BadRequestError)
    def refuse(error: BadRequestError) -> tuple[Response, int]:
        return jsonify({"error": str(error)}), 400

    @blueprint.errorhandler(CannotError)
    @blueprint.errorhandler(PayFailedError)
    def cannot(error: Exception) -> tuple[Response, int]:
        return jsonify({"error": str(error)}), 409

    _add_acts(blueprint, acts)
    _add_subscriptions(blueprint, acts, store)
    _add_payment(blueprint, payer)
    _add_state(blueprint, store)
    return blueprint


def _add_acts(blueprint: Blueprint, acts: Acts) -> None:
    @blueprint.post("/phone/<openid:openid>/follow")
    def follow(openid: str) -> Response:
        scene = _scene(read_body()) if read_body().get("scene") is not None else ""
        return _pushed(acts.follow(openid, scene))

    @blueprint.post("/phone/<openid:openid>/unfollow")
    def unfollow(openid: str) -> Response:
        return _pushed(acts.unfollow(openid))

    @blueprint.post("/phone/<openid:openid>/scan")
    def scan(openid: str) -> Response:
        return _pushed(acts.scan(openid, _scene(read_body())))

    @blueprint.post("/phone/<openid:openid>/tap")
    def tap(openid: str) -> Response:
        return _pushed(acts.tap(openid, read_text(read_body(), "key")))

    @blueprint.post("/phone/<openid:openid>/say")
    def say(openid: str) -> Response:
        body = read_body()
        chosen = read_text(body, "choice") if "choice" in body else None
        return _pushed(acts.say(openid, read_text(body, "text"), chosen))

    @blueprint.post("/phone/<openid:openid>/voice")
    def voice(openid: str) -> Response:
        return _pushed(acts.speak(openid, read_text(read_body(), "recognition")))


def _add_subscriptions(blueprint: Blueprint, acts: Acts, store: Store) -> None:
    @blueprint.post("/phone/<openid:openid>/subscribe")
    def subscribe(openid: str) -> Response:
        """Answer the pop-up: `{"answers": {"<template id>": true, …}}`."""
        answers = read_body().get("answers")
        if not isinstance(answers, dict) or not answers:
            raise BadRequestError("answers must be an object: template id → true or false")
        if not all(isinstance(accepted, bool) for accepted in answers.values()):
            raise BadRequestError("answers must be true or false")
        return _pushed(acts.subscribe(openid, answers))

    @blueprint.post("/phone/<openid:openid>/unsubscribe")
    def unsubscribe(openid: str) -> Response:
        return _pushed(acts.unsubscribe(openid, read_text(read_body(), "template_id")))

    @blueprint.post("/phone/<openid:openid>/number")
    def number(openid: str) -> Response:
        """Give the phone its number: SMS to it arrive here."""
        given = read_text(read_body(), "number")
        with store.transaction() as db:
            get_phone(db, openid)
            db.execute("INSERT OR REPLACE INTO number VALUES (?, ?)", (given, openid))
        return jsonify({"number": given})


def _add_payment(blueprint: Blueprint, payer: Payer) -> None:
    @blueprint.post("/phone/<openid:openid>/pay")
    def pay(openid: str) -> Response:
        body = read_body()
        return jsonify(asdict(payer.pay(openid, read_text(body, "url"), read_amount(body))))


def _add_state(blueprint: Blueprint, store: Store) -> None:
    @blueprint.get("/phone/<openid:openid>/inbox")
    def inbox(openid: str) -> Response:
        with store.transaction() as db:
            messages = list_messages(db, openid, read_since())
        seen = [message.to_json() for message in messages if message.kind != OWN]
        return jsonify({"messages": seen})

    @blueprint.post("/phone/<openid:openid>/snapshot")
    def snapshot(openid: str) -> Response:
        """Open pages in snapshot mode from now on (`{"on": true}`), or no longer."""
        on = read_body().get("on")
        if not isinstance(on, bool):
            raise BadRequestError("on must be true or false")
        with store.transaction() as db:
            get_phone(db, openid)
            set_snapshot(db, openid, is_snapshot=on)
        return jsonify({"on": on})


def world_routes(
    config: SandboxConfig, office: Office, books: Sequence[Book], faults: Faults
) -> Blueprint:
    """Give the blueprint with what concerns no single phone."""
    blueprint = Blueprint("world", __name__)
    blueprint.before_request(refuse_strangers)

    @blueprint.errorhandler(BadRequestError)
    @blueprint.errorhandler(FaultError)
    def refuse(error: Exception) -> tuple[Response, int]:
        return jsonify({"error": str(error)}), 400

    @blueprint.post("/faults")
    def plan() -> Response:
        body = read_body()
        unknown = body.keys() - {"target", "mode", "errcode", "count", "seconds"}
        if unknown:
            raise BadRequestError(f"{min(unknown)} is not a part of a fault")
        given = {name: value for name, value in body.items() if value is not None}
        return jsonify(asdict(faults.add(**given)))

    @blueprint.get("/sent")
    def sent() -> Response:
        return jsonify({"messages": office.list_sent()})

    @blueprint.get("/ledger")
    def ledger() -> Response:
        return jsonify({"orders": [order for book in books for order in book.ledger()]})

    @blueprint.get("/demo.json")
    def demo() -> tuple[Response, int]:
        if config.demo_file is None or not config.demo_file.is_file():
            return jsonify({"error": "no demo is running"}), 404
        return jsonify(json.loads(config.demo_file.read_text(encoding="utf-8"))), 200

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return jsonify({"status": "ok"})

    return blueprint


def read_amount(body: dict[str, Any]) -> int | None:
    """Read the optional `amount_fen` of a call; raises BadRequestError."""
    amount: object = body.get("amount_fen")
    if amount is None:
        return None
    if type(amount) is not int or amount < 0:
        raise BadRequestError("amount_fen must be a whole number, 0 or more")
    return amount


def read_since() -> int:
    """Read the `since` of a request's query; raises BadRequestError."""
    value = request.args.get("since", "0")
    if not value.isdigit() or len(value) > 18:
        raise BadRequestError("since must be a whole number")
    return int(value)


def read_body() -> dict[str, Any]:
    """Read the JSON object of a call, empty where there is none; raises BadRequestError."""
    if not request.get_data():
        return {}
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise BadRequestError("the body must be a JSON object")
    return body


def read_text(body: dict[str, Any], name: str) -> str:
    """Read a part of the body that must be some text; raises BadRequestError."""
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadRequestError(f"{name} must be some text")
    if len(value) > TEXT_CHARACTERS_MAX:
        raise BadRequestError(f"{name} is longer than {TEXT_CHARACTERS_MAX} characters")
    return value


def _scene(body: dict[str, Any]) -> str:
    value = body.get("scene")
    scene = str(value) if type(value) is int else value
    if not isinstance(scene, str) or not 1 <= len(scene) <= SCENE_CHARACTERS_MAX:
        raise BadRequestError(f"scene must be 1 to {SCENE_CHARACTERS_MAX} characters")
    return scene


def _pushed(pushed: Pushed) -> Response:
    return jsonify(pushed.to_json())
