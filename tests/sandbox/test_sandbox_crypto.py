"""The sandbox's message encryption against published vectors and an independent library."""

import json
from pathlib import Path
from typing import Any

import pytest
from sandbox_world import AES_KEY, APP_ID, TOKEN
from wechatpy.crypto import WeChatCrypto

from sandbox.push.crypto import SealError, seal, signature, unseal

VECTORS = Path(__file__).parents[3] / "shared/wechat-samples/crypto/vectors.json"


def vectors() -> list[Any]:
    if not VECTORS.exists():
        return []
    return [
        pytest.param(v, id=v["name"]) for v in json.loads(VECTORS.read_text())["message_crypto"]
    ]


@pytest.mark.skipif(not VECTORS.exists(), reason="the published vectors are not here")
@pytest.mark.parametrize("vector", vectors())
def test_published_vectors_open_and_seal_to_the_same_bytes(vector: dict[str, str]) -> None:
    key, app_id = vector["encoding_aes_key"], vector["app_id"]
    assert unseal(key, app_id, vector["ciphertext"]) == vector["plaintext"]
    if "random16" in vector:
        sealed = seal(key, app_id, vector["plaintext"], vector["random16"].encode())
        assert sealed == vector["ciphertext"]
    if "msg_signature" in vector:
        parts = (vector["token"], vector["timestamp"], vector["nonce"], vector["ciphertext"])
        assert signature(*parts) == vector["msg_signature"]


@pytest.mark.parametrize("text", ["<xml></xml>", "账单" * 500, "x" * 31])
def test_what_the_sandbox_seals_an_independent_library_opens(text: str) -> None:
    sealed = seal(AES_KEY, APP_ID, text, b"0123456789abcdef")
    push = f"<xml><Encrypt>{sealed}</Encrypt></xml>"
    opened = WeChatCrypto(TOKEN, AES_KEY, APP_ID).decrypt_message(
        push, signature(TOKEN, "1", "2", sealed), "1", "2"
    )
    assert (opened if isinstance(opened, str) else opened.decode()) == text


@pytest.mark.parametrize(
    ("sealed", "why"),
    [
        ("!!", "not Base64"),
        ("YWJj", "not whole AES blocks"),
        ("", "not whole AES blocks"),
        ("A" * 43 + "=", "padding"),
        (seal(AES_KEY, "wxsomebodyelse", "text", b"0" * 16), "another account"),
    ],
)
def test_what_cannot_be_opened_is_refused_with_its_reason(sealed: str, why: str) -> None:
    with pytest.raises(SealError, match=why):
        unseal(AES_KEY, APP_ID, sealed)
