"""The verifier alone, against what others published and against another program's signatures."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

from billing.channels.wechat_pay_signatures import (
    PROBE_MARK,
    SIGNATURE_TYPE,
    Untrusted,
    Verifier,
)
from sandbox.pay import crypto
from tests.billing.channels.provider import (
    CERTIFICATE_SERIAL,
    PUBLIC_KEY_ID,
    key_pair,
    signed,
)
from tests.conftest import NOW

SAMPLES = Path(__file__).parents[4] / "shared" / "wechat-samples" / "pay_v3"
BODY = '{"说": "好"}'.encode()


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    """Knows both of the platform's keys."""
    return Verifier(
        {
            PUBLIC_KEY_ID: crypto.load_public_key(key_pair("platform").public),
            CERTIFICATE_SERIAL: crypto.load_public_key(key_pair("certificate").public),
        }
    )


def why_not(verifier: Verifier, headers: dict[str, str], body: bytes = BODY) -> str:
    """Why it is not believed."""
    with pytest.raises(Untrusted) as refusal:
        verifier.verify(headers, body, NOW)
    return str(refusal.value)


@pytest.mark.parametrize("key", ["platform", "certificate"])
@pytest.mark.parametrize("body", [BODY, b"", b"\xff not text"])
def test_the_key_that_is_named_is_the_one_that_counts(
    verifier: Verifier, key: str, body: bytes
) -> None:
    verifier.verify(signed(body, NOW, key=key), body, NOW)
    other = {"platform": CERTIFICATE_SERIAL, "certificate": PUBLIC_KEY_ID}[key]
    headers = signed(body, NOW, key=key) | {"Wechatpay-Serial": other}
    assert why_not(verifier, headers, body) == "signature does not verify"


@pytest.mark.parametrize(
    "serial", [CERTIFICATE_SERIAL.lower(), CERTIFICATE_SERIAL.lstrip("0"), f"0{CERTIFICATE_SERIAL}"]
)
def test_a_serial_is_a_number_however_it_is_spelt(verifier: Verifier, serial: str) -> None:
    headers = signed(BODY, NOW, key="certificate") | {"Wechatpay-Serial": serial}
    verifier.verify(headers, BODY, NOW)


@pytest.mark.parametrize("serial", ["PUB_KEY_ID_9", "5157F09EFD", "0", "not a number"])
def test_a_key_nobody_gave_us_is_not_believed(verifier: Verifier, serial: str) -> None:
    headers = signed(BODY, NOW) | {"Wechatpay-Serial": serial}
    assert why_not(verifier, headers) == "signed with a key we do not know"


def test_an_answer_to_our_own_call_may_be_of_any_moment(verifier: Verifier) -> None:
    headers = signed(BODY, NOW - timedelta(days=1))
    verifier.verify(headers, BODY)
    assert why_not(verifier, headers) == "timestamp outside five minutes"


def test_a_probe_is_never_believed(verifier: Verifier) -> None:
    headers = signed(BODY, NOW)
    headers["Wechatpay-Signature"] = PROBE_MARK + headers["Wechatpay-Signature"]
    assert why_not(verifier, headers) == "a SIGNTEST probe"


def test_lines_of_the_body_cannot_be_moved_into_the_nonce(verifier: Verifier) -> None:
    """The signed text would stay the same, and the body be another."""
    headers = signed(b"{}\n" + BODY, NOW)
    verifier.verify(headers, b"{}\n" + BODY, NOW)
    moved = headers | {"Wechatpay-Nonce": headers["Wechatpay-Nonce"] + "\n{}"}
    assert why_not(verifier, headers) == "signature does not verify"
    assert why_not(verifier, moved) == "nonce is not one word"


def test_a_notification_published_by_wechat_pay_verifies(verifier: Verifier) -> None:
    path = SAMPLES / "notify_vector_wechatpay_go.json"
    if not path.exists():
        pytest.skip("the folder of WeChat samples is not here")
    vector = json.loads(path.read_text(encoding="utf-8"))
    key = load_pem_x509_certificate(vector["platform_certificate_pem"].encode()).public_key()
    assert isinstance(key, RSAPublicKey)
    # Published before this header came; the signature does not cover it.
    headers = vector["headers"] | {"Wechatpay-Signature-Type": SIGNATURE_TYPE}
    body, serial = vector["body"].encode(), headers["Wechatpay-Serial"]
    Verifier({serial: key}).verify(headers, body)
    with pytest.raises(Untrusted, match="signature does not verify"):
        Verifier({serial: key}).verify(headers, body.replace(b"1", b"2", 1))
    with pytest.raises(Untrusted, match="a key we do not know"):
        verifier.verify(headers, body)
