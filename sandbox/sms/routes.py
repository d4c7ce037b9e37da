"""Aliyun's address on the wire: one path, the call named in a header, JSON back."""

import time
from uuid import uuid4

from flask import Blueprint, Response, jsonify, request

from sandbox.sms.desk import SmsDesk
from sandbox.sms.refusals import Refused
from sandbox.wire_faults import cut_connection


def sms_routes(desk: SmsDesk) -> Blueprint:
    """Give the blueprint of the gateway at `/`; `sms_send` faults befall SendSms."""
    blueprint = Blueprint("sms", __name__)

    @blueprint.errorhandler(Refused)
    def refuse(refused: Refused) -> tuple[Response, int]:
        return jsonify(refused.body()), refused.http

    @blueprint.post("/")
    def call() -> Response:
        headers = {name.lower(): value for name, value in request.headers}
        query = request.args.to_dict()
        account = desk.admit("/", query, headers, request.get_data())
        action = headers["x-acs-action"]
        answer = {"Code": "OK", "Message": "OK", "RequestId": str(uuid4()).upper()}
        if action == "SendSms":
            is_lost = _suffer(desk)
            sent = answer | {"BizId": desk.send(account, query)}
            if is_lost:
                cut_connection()
            return jsonify(sent)
        if action == "QuerySendDetails":
            found = desk.find(query)
            details = {"SmsSendDetailDTO": found}
            return jsonify({**answer, "TotalCount": str(len(found)), "SmsSendDetailDTOs": details})
        raise Refused("InvalidAction.NotFound", 404)

    return blueprint


def _suffer(desk: SmsDesk) -> bool:
    """Let the planned fault befall this sending; true: carry it out, then lose the answer."""
    fault = desk.faults.take("sms_send")
    if fault is None:
        return False
    match fault.mode:
        case "drop":
            cut_connection()
        case "delay":
            time.sleep(fault.seconds)
        case "limit":
            raise Refused("isv.BUSINESS_LIMIT_CONTROL")
        case "system_error":
            raise Refused("isp.SYSTEM_ERROR")
    return fault.mode == "lost"
