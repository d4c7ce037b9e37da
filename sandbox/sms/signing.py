"""ACS3-HMAC-SHA256, as the gateway checks it.

Rule: help.aliyun.com, "request structure and signature V3": the signature covers method, path,
sorted query, the headers it names and the hash of the body; a request is good for fifteen minutes.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from sandbox.config import SmsConfig
from sandbox.sms.refusals import Refused

LIFE_S = 15 * 60
_MUST_BE_SIGNED = {
    "host",
    "x-acs-action",
    "x-acs-content-sha256",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-version",
}
_AUTHORIZATION = re.compile(
    r"ACS3-HMAC-SHA256 Credential=(?P<key>[^,]+),SignedHeaders=(?P<names>[^,]+),"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


def check(
    account: SmsConfig,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> str:
    """Check a POST whose headers have lower-case names; gives its nonce. Raises Refused."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None or not set(found["names"].split(";")) >= _MUST_BE_SIGNED:
        raise Refused("IncompleteSignature", 400)
    if found["key"] != account.access_key_id:
        raise Refused("InvalidAccessKeyId.NotFound", 404)
    names = found["names"].split(";")
    told = hashlib.sha256(body).hexdigest()
    pairs = sorted((quote(name, safe="~"), quote(query[name], safe="~")) for name in query)
    request = "\n".join(
        [
            "POST",
            path,
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in names),
            ";".join(names),
            told,
        ]
    )
    text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = account.access_key_secret.encode()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    is_own = names == sorted(names) and headers.get("x-acs-content-sha256") == told
    if not is_own or not hmac.compare_digest(signature, found["signature"]):
        raise Refused("SignatureDoesNotMatch", 400)
    try:
        at = datetime.strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refused("InvalidTimeStamp.Expired", 400) from None
    if abs((now - at).total_seconds()) > LIFE_S:
        raise Refused("InvalidTimeStamp.Expired", 400)
    return headers["x-acs-signature-nonce"]
