"""`/callbacks/sms`: what the provider of SMS reports about messages of ours (Aliyun's SmsReport).

Rule: help.aliyun.com, SmsReport: a JSON array, posted without a signature, repeated until it is
answered with code 0. What proves a report is its `out_id`: 128 random bits of ours that only the
provider was told. A report about anything else is taken and changes nothing.
"""

import json
from typing import Any

import structlog
from flask import Blueprint, Response, jsonify, request
from prometheus_client import CollectorRegistry, Counter

from handlers.services import Services
from notify.reports import SmsReport, record_sms

BODY_BYTES_MAX = 256 * 1024
log = structlog.get_logger(__name__)


def sms_reports(services: Services, registry: CollectorRegistry) -> Blueprint:
    """Blueprint of the callback."""
    blueprint = Blueprint("sms_reports", __name__)
    outcomes = Counter(
        "mingzhang_sms_reports", "SMS reports by outcome", ["outcome"], registry=registry
    )

    @blueprint.post("/sms")
    def reported() -> tuple[Response, int] | Response:
        request.max_content_length = BODY_BYTES_MAX
        try:
            listed = json.loads(request.get_data())
        except ValueError:
            listed = None
        if not isinstance(listed, list):
            outcomes.labels("invalid").inc()
            return jsonify(code=1, msg="a JSON array is expected"), 400
        for one in listed:
            report = _read(one)
            outcome = "invalid" if report is None else _record(services, report)
            outcomes.labels(outcome).inc()
        return jsonify(code=0, msg="OK")

    return blueprint


def _record(services: Services, report: SmsReport) -> str:
    with services.database.transaction() as session:
        is_ours = record_sms(session, report, services.clock())
    return "recorded" if is_ours else "unknown"


def _read(one: Any) -> SmsReport | None:
    """The report in an element of the array; None for what is none."""
    if not isinstance(one, dict):
        return None
    out_id, number, success = one.get("out_id"), one.get("biz_id"), one.get("success")
    if not (isinstance(out_id, str) and isinstance(number, str) and isinstance(success, bool)):
        return None
    if not out_id or not number:
        return None
    return SmsReport(out_id, number, success, str(one.get("err_code", ""))[:64])
