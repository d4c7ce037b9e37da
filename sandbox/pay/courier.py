"""Carries a callback to the merchant's notify_url: once, twice at once, forged, or as a probe."""

import logging
import secrets
import threading
from collections.abc import Mapping
from functools import cached_property
from uuid import uuid4

import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.clock import Clock
from sandbox.pay.merchants import Merchant
from sandbox.pay.platform import Platform
from sandbox.pay.store import Order
from sandbox.pay.transaction import callback_body, describe, new_transaction_id

ANSWER_WITHIN_S = 5
ACCEPTED = (200, 204)
PROBE_MARK = "WECHATPAY/SIGNTEST/"

_log = logging.getLogger(__name__)


class Courier:
    """Builds, signs and posts callbacks; a delivery gives the HTTP status, 0 for no answer."""

    def __init__(self, merchants: Mapping[str, Merchant], platform: Platform, clock: Clock):
        self._merchants = merchants
        self._platform = platform
        self._clock = clock

    def serves(self, mchid: str) -> bool:
        """Tell whether the merchant is still configured; a state file may be older."""
        return mchid in self._merchants

    def deliver(self, order: Order, notice_id: str) -> int:
        """Post the callback of a paid order."""
        body = self._body(order.mchid, notice_id, order.paid_at, describe(order))
        return self._post(order.notify_url, body, self._platform)

    def deliver_twice(self, order: Order, notice_id: str) -> int:
        """Post the callback from two threads at once; an acceptance of either counts."""
        answers: list[int] = []
        together = threading.Barrier(2)

        def deliver() -> None:
            together.wait(ANSWER_WITHIN_S)
            answers.append(self.deliver(order, notice_id))

        twin = threading.Thread(target=deliver, name="pay-notify-twin", daemon=True)
        twin.start()
        deliver()
        twin.join()
        return next((http for http in answers if http in ACCEPTED), answers[0])

    def deliver_forged(self, order: Order) -> int:
        """Post a callback signed by a stranger, naming a payment that never was.

        Sealed with the right APIv3 key, so that only the signature gives it away.
        """
        now = self._clock.now()
        payment = describe(order) | {"transaction_id": new_transaction_id(now)}
        body = self._body(order.mchid, str(uuid4()), now.timestamp(), payment)
        http = self._post(order.notify_url, body, self._stranger)
        if http in ACCEPTED:
            _log.warning("a forged callback of %s was accepted", order.out_trade_no)
        return http

    def probe(self, notify_url: str) -> int:
        """Post the false-signature probe WeChat Pay sends to see that merchants verify.

        Rule: pay.weixin.qq.com, "signature probe": a merchant that verifies answers 4xx or 5xx.
        """
        mchid = next(iter(self._merchants))
        made_up: dict[str, object] = {"out_trade_no": f"PROBE{secrets.token_hex(8)}"}
        body = self._body(mchid, str(uuid4()), self._clock.now().timestamp(), made_up)
        return self._post(notify_url, body, self._platform, mark=PROBE_MARK)

    def _body(
        self, mchid: str, notice_id: str, created_at: float | None, payment: dict[str, object]
    ) -> bytes:
        if created_at is None:
            raise ValueError("only a paid order has a callback")
        return callback_body(
            self._merchants[mchid], notice_id, created_at, secrets.token_hex(6), payment
        )

    def _post(self, url: str, body: bytes, signer: Platform, mark: str = "") -> int:
        headers = signer.signed_headers(body, self._clock.now())
        signature = headers["Wechatpay-Signature"]
        headers["Wechatpay-Signature"] = mark + signature[len(mark) :]
        headers |= {"Content-Type": "application/json", "User-Agent": "Mozilla/4.0"}
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.post(
                    url,
                    data=body,
                    headers=headers,
                    timeout=ANSWER_WITHIN_S,
                    allow_redirects=False,
                    stream=True,
                )
            except requests.RequestException as trouble:
                _log.info("no answer from %s: %s", url, trouble)
                return 0
            answer.close()
            return answer.status_code

    @cached_property
    def _stranger(self) -> Platform:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return Platform(self._platform.public_key_id, key)
