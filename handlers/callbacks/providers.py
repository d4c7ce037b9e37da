"""Callbacks of payment providers: `/callbacks/<provider>/<merchant code>`.

Accepted once what they say is written down — booked, already booked, or recorded as a discrepancy;
refused for what was not signed by the provider for this merchant (WeChat Pay's probes expect that);
failed when we could not write, so that the provider comes again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import structlog
from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry, Counter
from sqlalchemy import select
from werkzeug.exceptions import RequestEntityTooLarge

from billing.channels.base import InvalidNotification, ProviderAnswer, RefundAnswer
from billing.confirmation import confirm
from billing.merchants import MerchantAccount, Provider
from billing.refund_outcomes import record_answer
from handlers.services import Services

BODY_BYTES_MAX = 64 * 1024
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Manners:
    """How a provider wants to be answered: status and body of a yes, and of a no."""

    accepted: tuple[int, str]
    refused: str
    mimetype: str


MANNERS: Mapping[Provider, Manners] = MappingProxyType(
    {
        Provider.WECHAT_PAY: Manners(
            (204, ""), '{"code": "FAIL", "message": "FAIL"}', "application/json"
        ),
        Provider.ALIPAY: Manners((200, "success"), "failure", "text/plain"),
    }
)


def callbacks(services: Services, registry: CollectorRegistry) -> Blueprint:
    """Blueprint of all providers' callbacks."""
    blueprint = Blueprint("callbacks", __name__)
    merchants = _Merchants(services)
    outcomes = Counter(
        "mingzhang_payment_callbacks",
        "Payment callbacks by provider and outcome",
        ["provider", "outcome"],
        registry=registry,
    )

    @blueprint.post("/<any({}):provider_name>/<merchant_code>".format(",".join(Provider)))
    def notified(provider_name: str, merchant_code: str) -> Response:
        provider = Provider(provider_name)
        manners = MANNERS[provider]

        def refuse(status: int, outcome: str) -> Response:
            outcomes.labels(provider_name, outcome).inc()
            return Response(manners.refused, status, mimetype=manners.mimetype)

        channel = services.channels.get(merchant_code)
        if channel is None or channel.provider is not provider:
            return refuse(404, "unknown_merchant")
        request.max_content_length = BODY_BYTES_MAX  # also for a body sent in chunks
        try:
            answer = channel.parse_notification(
                dict(request.headers), request.get_data(), services.clock()
            )
        except RequestEntityTooLarge:
            return refuse(413, "invalid")
        except InvalidNotification as error:
            log.warning("payment_callback_refused", merchant=merchant_code, reason=str(error))
            return refuse(400, "invalid")
        outcome = _record(services, merchants.get(merchant_code), answer)
        outcomes.labels(provider_name, outcome).inc()
        log.info("payment_callback", out_trade_no=answer.out_trade_no, outcome=outcome)
        status, body = manners.accepted
        return Response(body, status, mimetype=manners.mimetype)

    return blueprint


class _Merchants:
    """Merchant accounts by code, each read once: they never change."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: dict[str, MerchantAccount] = {}

    def get(self, code: str) -> MerchantAccount:
        """The account with this code."""
        if code not in self._known:
            with self._services.database.transaction() as session:
                self._known[code] = session.scalars(
                    select(MerchantAccount).where(MerchantAccount.code == code)
                ).one()
        return self._known[code]


def _record(
    services: Services, merchant: MerchantAccount, answer: ProviderAnswer | RefundAnswer
) -> str:
    """Write down what the provider says; the name of what it did."""
    with services.database.transaction() as session:
        if isinstance(answer, RefundAnswer):
            return record_answer(session, merchant, answer, services.clock()).value
        return confirm(session, merchant, answer, services.clock()).value
