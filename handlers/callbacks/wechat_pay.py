"""WeChat Pay's payment callback.

204 once what it says is written down — booked, already booked, or recorded as a discrepancy; 4xx
for what was not signed by WeChat Pay for this merchant (its probes expect that); 5xx when we could
not write, so that WeChat Pay comes again.
"""

import structlog
from flask import Blueprint, Response, jsonify, request
from prometheus_client import CollectorRegistry, Counter
from sqlalchemy import select
from werkzeug.exceptions import RequestEntityTooLarge

from billing.channels.base import InvalidNotification
from billing.confirmation import confirm
from billing.merchants import MerchantAccount
from handlers.services import Services

BODY_BYTES_MAX = 64 * 1024
log = structlog.get_logger(__name__)


def callbacks(services: Services, registry: CollectorRegistry) -> Blueprint:
    """Blueprint of `/callbacks/wechat_pay/<merchant code>`."""
    blueprint = Blueprint("callbacks", __name__)
    outcomes = Counter(
        "mingzhang_payment_callbacks",
        "Payment callbacks by outcome",
        ["outcome"],
        registry=registry,
    )

    @blueprint.post("/wechat_pay/<merchant_code>")
    def wechat_pay(merchant_code: str) -> Response:
        channel = services.channels.get(merchant_code)
        if channel is None:
            outcomes.labels("unknown_merchant").inc()
            return _failed(404, "unknown merchant")
        request.max_content_length = BODY_BYTES_MAX  # also for a body sent in chunks
        now = services.clock()
        try:
            answer = channel.parse_notification(dict(request.headers), request.get_data(), now)
        except RequestEntityTooLarge:
            outcomes.labels("invalid").inc()
            return _failed(413, "too large")
        except InvalidNotification as error:
            outcomes.labels("invalid").inc()
            log.warning("payment_callback_refused", merchant=merchant_code, reason=str(error))
            return _failed(400, "invalid notification")
        with services.database.transaction() as session:
            merchant = session.scalars(
                select(MerchantAccount).where(MerchantAccount.code == merchant_code)
            ).one()
            outcome = confirm(session, merchant, answer, now)
        outcomes.labels(outcome.value).inc()
        log.info("payment_callback", out_trade_no=answer.out_trade_no, outcome=outcome.value)
        return Response(status=204)

    return blueprint


def _failed(status: int, message: str) -> Response:
    answer = jsonify(code="FAIL", message=message)
    answer.status_code = status
    return answer
