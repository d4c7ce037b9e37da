"""Signatures and encryption: golden vectors of our own, and the published ones where present."""

import base64
import json
from pathlib import Path

import pytest
from wechatpy.crypto.cryptography import WeChatCipher

from bot.crypto import CannotOpen, MessageCipher, sign, signature_fits
from tests.phone import AES_KEY, APP_ID, PREVIOUS_AES_KEY, encrypt

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "wechat-samples" / "crypto"
RANDOM16 = b"aaaabbbbccccdddd"
GOLDEN = "msLkpdxkt+KAFzAIEEZgG8qea8GvOmAMwlr67gs7sEdHXukYXyHTd8lKAB1Nt3btjGBzrHQbMHZYcdfJYvpNgQ=="


def published() -> list[dict[str, str]]:
    path = SAMPLES / "vectors.json"
    return json.loads(path.read_text())["message_crypto"] if path.exists() else []


@pytest.mark.skipif(not published(), reason="shared/wechat-samples is not here")
def test_published_vectors_open_seal_and_sign_as_published() -> None:
    sealed_again = 0
    for vector in published():
        cipher = MessageCipher(vector["app_id"], [vector["encoding_aes_key"]])
        opened = cipher.open(vector["ciphertext"])
        assert opened.message == vector["plaintext"], vector["name"]
        if "random16" in vector:
            again = cipher.seal(opened.message, opened.key, vector["random16"].encode())
            assert again == vector["ciphertext"], vector["name"]
            sealed_again += 1
        if "msg_signature" in vector:
            parts = (vector["token"], vector["timestamp"], vector["nonce"], vector["ciphertext"])
            assert signature_fits(vector["msg_signature"], *parts), vector["name"]
    assert sealed_again >= 3


def test_a_golden_message_seals_to_the_same_bytes_for_ever() -> None:
    cipher = MessageCipher(APP_ID, [AES_KEY])
    assert cipher.seal("账单 ¥1,234.50", cipher.current_key, RANDOM16) == GOLDEN
    assert cipher.open(GOLDEN).message == "账单 ¥1,234.50"


@pytest.mark.parametrize("length", [0, 1, 11, 12, 31, 32, 33, 1000])
def test_what_is_sealed_opens_at_every_padding_length(length: int) -> None:
    cipher = MessageCipher(APP_ID, [AES_KEY])
    message = "x" * length
    assert cipher.open(cipher.seal(message, cipher.current_key, RANDOM16)).message == message


def test_the_previous_key_still_opens_and_says_so() -> None:
    cipher = MessageCipher(APP_ID, [AES_KEY, PREVIOUS_AES_KEY])
    old = MessageCipher(APP_ID, [PREVIOUS_AES_KEY])
    opened = cipher.open(encrypt("hello", aes_key=PREVIOUS_AES_KEY))
    assert opened.message == "hello"
    assert opened.key == old.current_key
    assert cipher.open(encrypt("hello")).key == cipher.current_key


@pytest.mark.parametrize(
    "ciphertext",
    [
        pytest.param("", id="empty"),
        pytest.param("not base64!", id="not base64"),
        pytest.param("密文", id="not ascii"),
        pytest.param("QUJD", id="part of a block"),
        pytest.param("A" * 64, id="random blocks"),
        pytest.param(encrypt("hello")[:-4], id="cut"),
        pytest.param(encrypt("hello", aes_key=PREVIOUS_AES_KEY), id="another key"),
        pytest.param(encrypt("hello", app_id="wx0000000000000000"), id="another app id"),
        pytest.param(encrypt("hello", app_id=APP_ID + "0"), id="longer app id"),
    ],
)
def test_what_no_key_opens_for_us_is_refused(ciphertext: str) -> None:
    with pytest.raises(CannotOpen):
        MessageCipher(APP_ID, [AES_KEY]).open(ciphertext)


def test_a_frame_with_wrong_padding_bytes_is_refused() -> None:
    """wechatpy looks at the last byte only."""
    cipher = MessageCipher(APP_ID, [AES_KEY])
    frame = RANDOM16 + (5).to_bytes(4, "big") + b"hello" + APP_ID.encode()
    gap = 32 - len(frame) % 32
    good = frame + bytes([gap]) * gap
    bad = good[:-2] + b"\x00" + good[-1:]
    seal = WeChatCipher(cipher.current_key).encrypt
    assert cipher.open(base64.b64encode(seal(good)).decode()).message == "hello"
    with pytest.raises(CannotOpen):
        cipher.open(base64.b64encode(seal(bad)).decode())


def test_signatures_sort_their_parts_and_survive_any_text() -> None:
    assert sign("b", "a") == sign("a", "b")
    assert signature_fits(sign("t", "1", "n"), "t", "1", "n")
    assert not signature_fits("", "t", "1", "n")
    assert not signature_fits("签名", "t", "1", "n")
