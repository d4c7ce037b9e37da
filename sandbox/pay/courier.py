"""Carries a callback to the merchant's notify_url: once, twice at once, forged, or as a probe."""

import logging
import secrets
import threading
from collections.abc import Mapping
from functools import cached_property
from uuid import uuid4

import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from sandbox.clock import Clock
from sandbox.pay.keys import PlatformKeys
from sandbox.pay.merchants import Merchant
from sandbox.pay.news import News
from sandbox.pay.platform import Platform
from sandbox.pay.transaction import PAID, callback_body

ANSWER_WITHIN_S = 5
ACCEPTED = (200, 204)
PROBE_MARK = "WECHATPAY/SIGNTEST/"

_log = logging.getLogger(__name__)


class Courier:
    """Seals, signs and posts news; a delivery gives the HTTP status, 0 for no answer."""

    def __init__(self, merchants: Mapping[str, Merchant], keys: PlatformKeys, clock: Clock):
        self._merchants = merchants
        self._keys = keys
        self._clock = clock

    def serves(self, mchid: str) -> bool:
        """Tell whether the merchant is still configured; a state file may be older."""
        return mchid in self._merchants

    def deliver(self, news: News, notice_id: str) -> int:
        """Post the callback of this news."""
        signer = self._keys.for_callback(self._merchants[news.mchid])
        return self._post(news.notify_url, self._body(news, notice_id), signer)

    def deliver_twice(self, news: News, notice_id: str) -> int:
        """Post the callback from two threads at once; an acceptance of either counts."""
        answers: list[int] = []
        together = threading.Barrier(2)

        def deliver() -> None:
            together.wait(ANSWER_WITHIN_S)
            answers.append(self.deliver(news, notice_id))

        twin = threading.Thread(target=deliver, name="pay-notify-twin", daemon=True)
        twin.start()
        deliver()
        twin.join()
        return next((http for http in answers if http in ACCEPTED), answers[0])

    def deliver_forged(self, news: News) -> int:
        """Post a callback signed by a stranger, telling of what never was.

        Sealed with the right APIv3 key, so that only the signature gives it away.
        """
        body = self._body(news.lie(self._clock.now()), str(uuid4()))
        serial = self._keys.for_answer(self._merchants[news.mchid], "").serial
        http = self._post(news.notify_url, body, Platform(serial, self._strangers_key))
        if http in ACCEPTED:
            _log.warning("a forged callback of %s was accepted", news.told["out_trade_no"])
        return http

    def probe(self, notify_url: str) -> int:
        """Post the false-signature probe WeChat Pay sends to see that merchants verify.

        Rule: pay.weixin.qq.com, "signature probe": a merchant that verifies answers 4xx or 5xx.
        """
        merchant = next(iter(self._merchants.values()))
        made_up: dict[str, object] = {"out_trade_no": f"PROBE{secrets.token_hex(8)}"}
        now = self._clock.now().timestamp()
        body = self._body(News(merchant.mchid, notify_url, PAID, now, made_up), str(uuid4()))
        signer = self._keys.for_answer(merchant, "")
        return self._post(notify_url, body, signer, mark=PROBE_MARK)

    def _body(self, news: News, notice_id: str) -> bytes:
        merchant, nonce = self._merchants[news.mchid], secrets.token_hex(6)
        return callback_body(merchant, notice_id, news.happened_at, nonce, news.told, news.event)

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
    def _strangers_key(self) -> RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
