"""RSA2, Alipay's signature: RSA PKCS#1 v1.5 with SHA-256 over sorted `name=value` pairs.

Rule: opendocs.alipay.com, "signing by oneself". A request's signature covers every parameter that
has a value but `sign`; that of a notification and of the way back to the merchant's page covers
all but `sign` and `sign_type`; that of an answer the exact text of its `…_response` object.
"""

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from sandbox.pay import crypto

SIGN_TYPE = "RSA2"


def request_content(params: Mapping[str, str]) -> bytes:
    """Build what a merchant's request must have signed."""
    return _pairs({k: v for k, v in params.items() if k != "sign" and v != ""})


def is_request_signed(key: RSAPublicKey, params: Mapping[str, str]) -> bool:
    """Tell whether the application's key signed exactly these parameters."""
    return crypto.is_signed_by(key, request_content(params), params.get("sign", ""))


def signed_params(key: RSAPrivateKey, params: Mapping[str, str]) -> dict[str, str]:
    """Give the parameters with their signature, as in notifications and on the way back."""
    signature = crypto.sign(key, _pairs(params))
    return {**params, "sign": signature, "sign_type": SIGN_TYPE}


def signed_answer(key: RSAPrivateKey | None, name: str, content: str) -> str:
    """Give the JSON of an answer; `content` is the object's text and is signed as it is.

    Without a key, because nobody knows the caller, the answer carries no signature, as Alipay's.
    """
    signature = f',"sign":"{crypto.sign(key, content.encode())}"' if key else ""
    return f'{{"{name}":{content}{signature}}}'


def _pairs(params: Mapping[str, str]) -> bytes:
    return "&".join(f"{name}={params[name]}" for name in sorted(params)).encode()
