"""Our signatures and sealing agree with vectors published by WeChat Pay and its libraries."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

from sandbox.pay import crypto

SAMPLES = Path(__file__).parents[4] / "shared" / "wechat-samples" / "pay_v3"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="wechat-samples are not here")


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


def certified_key(pem: str) -> RSAPublicKey:
    key = load_pem_x509_certificate(pem.encode()).public_key()
    assert isinstance(key, RSAPublicKey)
    return key


@needs_samples
def test_published_signatures_verify_and_the_wrong_one_does_not() -> None:
    vectors = sample("signature_and_aead_vectors.json")["verify"]
    key = certified_key(vectors[0]["certificate_pem"])
    for vector in vectors:
        signed = crypto.is_signed_by(key, vector["message"].encode(), vector["signature"])
        assert signed is vector["expect"], vector["name"]


@needs_samples
def test_sealing_gives_the_published_ciphertext() -> None:
    for vector in sample("signature_and_aead_vectors.json")["aead"]:
        sealed = crypto.seal(
            vector["key"],
            vector["plaintext"].encode(),
            vector["nonce"],
            vector["associated_data"],
        )
        assert sealed == vector["ciphertext"], vector["name"]


@needs_samples
def test_a_real_callback_is_signed_over_the_message_we_build() -> None:
    vector = sample("notify_vector_wechatpay_go.json")
    headers, body = vector["headers"], vector["body"].encode()
    key = certified_key(vector["platform_certificate_pem"])
    signature = headers["Wechatpay-Signature"]
    timestamp, nonce = headers["Wechatpay-Timestamp"], headers["Wechatpay-Nonce"]
    assert crypto.is_signed_by(key, crypto.answer_message(timestamp, nonce, body), signature)
    changed = crypto.answer_message(timestamp, nonce, body + b" ")
    assert not crypto.is_signed_by(key, changed, signature)


@needs_samples
def test_a_real_callback_is_sealed_as_we_seal() -> None:
    vector = sample("notify_vector_wechatpay_go.json")
    resource = json.loads(vector["body"])["resource"]
    sealed = crypto.seal(
        vector["api_v3_key"],
        vector["expected_plaintext"].encode(),
        resource["nonce"],
        resource["associated_data"],
    )
    assert sealed == resource["ciphertext"]


@needs_samples
def test_the_published_call_up_message_is_the_one_we_build() -> None:
    for vector in sample("signature_and_aead_vectors.json")["bridge_sign"]:
        fields = (vector[name] for name in ("appId", "timeStamp", "nonceStr", "package"))
        assert crypto.bridge_message(*fields) == vector["message"].encode()


def test_a_signature_that_is_no_base64_is_a_wrong_signature(merchant_keys: Any) -> None:
    key = crypto.load_public_key(merchant_keys.public_pem)
    for nonsense in ("", "签名", "%%%", "AAAA", "WECHATPAY/SIGNTEST/AAAA"):
        assert not crypto.is_signed_by(key, b"message", nonsense)
