"""Aliyun's SMS service (Dysmsapi 2017-05-25) behind `sms.SmsSender`.

Rules: help.aliyun.com, SendSms, QuerySendDetails, SMS error codes; "request structure and signature
V3" (ACS3-HMAC-SHA256). The SDKs bring a dozen packages for these two calls, so they are made here.
The number is in the address of a request, as Aliyun wants it: no exception may carry that address.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from notify.sms import SmsFate, SmsRefused, SmsUnreachable
from notify.wechat import never_left
from notify.wechat_errors import Action

VERSION = "2017-05-25"
ALGORITHM = "ACS3-HMAC-SHA256"
TIMEOUT_SECONDS = (3, 5)
CONNECTIONS_MAX = 16
PAGE_SIZE = 50
"""Of the messages of one number in one day; the caps allow ten."""

MAINLAND = re.compile(r"(?:\+?86)?(1[0-9]{10})")
WAITING, FAILED, DELIVERED = 1, 2, 3
FATES = {WAITING: SmsFate.WAITING, FAILED: SmsFate.FAILED, DELIVERED: SmsFate.DELIVERED}

ACTIONS: dict[str, Action] = {
    "isv.BUSINESS_LIMIT_CONTROL": Action.TOO_OFTEN,
    "isv.MOBILE_NUMBER_ILLEGAL": Action.NEXT_TRANSPORT,
    "isv.MOBILE_COUNT_OVER_LIMIT": Action.GIVE_UP,
    "isv.BLACK_KEY_CONTROL_LIMIT": Action.NEXT_TRANSPORT,
    "isv.PARAM_LENGTH_LIMIT": Action.NEXT_TRANSPORT,
    "isv.PARAM_NOT_SUPPORT_URL": Action.NEXT_TRANSPORT,
    "isv.TEMPLATE_MISSING_PARAMETERS": Action.STOP_TEMPLATE,
    "isv.TEMPLATE_PARAMS_ILLEGAL": Action.NEXT_TRANSPORT,
    "isv.INVALID_PARAMETERS": Action.NEXT_TRANSPORT,
    "isv.INVALID_JSON_PARAM": Action.NEXT_TRANSPORT,
    "isv.SMS_TEMPLATE_ILLEGAL": Action.STOP_TEMPLATE,
    "isv.SMS_SIGNATURE_ILLEGAL": Action.STOP,
    "isv.SMS_SIGN_ILLEGAL": Action.STOP,
    "isv.DAY_LIMIT_CONTROL": Action.PAUSE_DAY,
    "isv.MONTH_LIMIT_CONTROL": Action.PAUSE_DAY,
    "isv.AMOUNT_NOT_ENOUGH": Action.STOP,
    "isv.OUT_OF_SERVICE": Action.STOP,
    "isv.PRODUCT_UN_SUBSCRIPT": Action.STOP,
    "isv.ACCOUNT_NOT_EXISTS": Action.STOP,
    "isv.ACCOUNT_ABNORMAL": Action.STOP,
    "isp.RAM_PERMISSION_DENY": Action.STOP,
    "isp.SYSTEM_ERROR": Action.RETRY,
}
"""What codes mean for a message. Several are told with a detail behind a second dot."""

GATEWAY_ACTIONS: tuple[tuple[str, Action], ...] = (
    ("InvalidAccessKeyId", Action.STOP),
    ("SignatureDoesNotMatch", Action.STOP),
    ("IncompleteSignature", Action.STOP),
    ("InvalidTimeStamp", Action.STOP),
    ("Forbidden", Action.STOP),
    ("NoPermission", Action.STOP),
    ("Throttling", Action.PAUSE),
)
"""What the gateway in front of the service refuses with, by the beginning of the code."""

SYSTEM_ERROR = "isp.SYSTEM_ERROR"
"""The one code after which the message may have been sent."""


@dataclass(frozen=True, slots=True, repr=False)
class AliyunKeys:
    """An access key, the signature messages are signed with, and the approved wordings.

    Attributes:
        templates: notice kind → code of the wording (`SMS_…`).
    """

    access_key_id: str
    access_key_secret: str
    sign_name: str
    templates: Mapping[str, str]


class AliyunSms:
    """`sms.SmsSender` at Aliyun."""

    def __init__(
        self,
        keys: AliyunKeys,
        base: str,
        clock: Callable[[], datetime],
        timeout_seconds: tuple[float, float] = TIMEOUT_SECONDS,
    ) -> None:
        self._keys = keys
        self._endpoint = f"{base}/"
        self._clock = clock
        self._timeout = timeout_seconds
        self._http = requests.Session()
        for scheme in ("http://", "https://"):
            self._http.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS_MAX))

    def close(self) -> None:
        """Close idle connections; the next call opens new ones."""
        self._http.close()

    def send(self, phone: str, template: str, values: Mapping[str, str], out_id: str) -> str:
        """As `SmsSender.send`; numbers abroad are refused unsent."""
        number = _mainland(phone)
        answer = self._call(
            "SendSms",
            {
                "PhoneNumbers": number,
                "SignName": self._keys.sign_name,
                "TemplateCode": template,
                "TemplateParam": json.dumps(dict(values), ensure_ascii=False),
                "OutId": out_id,
            },
        )
        return str(answer.get("BizId", ""))

    def find(self, phone: str, out_id: str, sent_on: date) -> SmsFate | None:
        """As `SmsSender.find`; Aliyun remembers thirty days."""
        answer = self._call(
            "QuerySendDetails",
            {
                "PhoneNumber": _mainland(phone),
                "SendDate": sent_on.strftime("%Y%m%d"),
                "PageSize": str(PAGE_SIZE),
                "CurrentPage": "1",
            },
        )
        listed = answer.get("SmsSendDetailDTOs")
        details = listed.get("SmsSendDetailDTO", []) if isinstance(listed, dict) else []
        for detail in details if isinstance(details, list) else []:
            if isinstance(detail, dict) and detail.get("OutId") == out_id:
                return FATES.get(int(detail.get("SendStatus", WAITING)))
        return None

    def _call(self, action: str, query: Mapping[str, str]) -> dict[str, Any]:
        text = canonical_query(query)
        headers = sign(
            self._keys,
            self._endpoint,
            action,
            text,
            nonce=secrets.token_hex(16),
            now=self._clock(),
        )
        try:
            answer = self._http.post(
                f"{self._endpoint}?{text}",
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
            )
            values = answer.json()
        except requests.RequestException as error:
            # Also what is no JSON: never the error itself, which holds the address.
            reason, maybe_done = type(error).__name__, not never_left(error)
            raise SmsUnreachable(reason, maybe_done=maybe_done) from None
        if not isinstance(values, dict) or not isinstance(values.get("Code"), str):
            raise SmsUnreachable(f"HTTP {answer.status_code} without a code", maybe_done=True)
        if values["Code"] != "OK":
            raise _refusal(values["Code"], str(values.get("Message", "")))
        return values


def sign(
    keys: AliyunKeys, endpoint: str, action: str, query: str, *, nonce: str, now: datetime
) -> dict[str, str]:
    """Headers of a POST without a body, signed as ACS3-HMAC-SHA256.

    Args:
        query: as `canonical_query` writes it.
    """
    parts = urlsplit(endpoint)
    body = hashlib.sha256(b"").hexdigest()
    headers = {
        "host": parts.netloc,
        "x-acs-action": action,
        "x-acs-content-sha256": body,
        "x-acs-date": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": VERSION,
    }
    signature = signature_of(keys.access_key_secret, "POST", parts.path, query, headers, body)
    names = ";".join(sorted(headers))
    authorization = (
        f"{ALGORITHM} Credential={keys.access_key_id},SignedHeaders={names},Signature={signature}"
    )
    return {**headers, "Authorization": authorization}


def signature_of(
    secret: str, method: str, path: str, query: str, headers: Mapping[str, str], body: str
) -> str:
    """The signature of a request, of which all these headers are signed.

    Args:
        body: SHA-256 of the body, hexadecimal.
    """
    names = sorted(headers)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    request = "\n".join([method, path or "/", query, lines, ";".join(names), body])
    text = f"{ALGORITHM}\n{hashlib.sha256(request.encode()).hexdigest()}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def canonical_query(query: Mapping[str, str]) -> str:
    """Sorted, and encoded as RFC 3986 says; what is signed and what is sent."""
    return "&".join(
        f"{quote(name, safe='~')}={quote(query[name], safe='~')}" for name in sorted(query)
    )


def _mainland(phone: str) -> str:
    found = MAINLAND.fullmatch("".join(one for one in phone if one not in " -()"))
    if found is None:
        raise _refusal("isv.MOBILE_NUMBER_ILLEGAL", "no number of the mainland")
    return found[1]


def _refusal(code: str, reason: str) -> SmsRefused:
    action = ACTIONS.get(".".join(code.split(".")[:2]))
    if action is None:
        action = next(
            (action for start, action in GATEWAY_ACTIONS if code.startswith(start)), Action.RETRY
        )
    return SmsRefused(code, reason, action, may_have_arrived=code == SYSTEM_ERROR)
