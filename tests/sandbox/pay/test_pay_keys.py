"""WeChat Pay's two keys: its public key, its certificate, and the days between them."""

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID
from wechat_pay_world import (
    API_V3_KEY,
    APP_ID,
    OTHER_MCHID,
    PUBLIC_KEY_ID,
    SERIAL_NO,
    Callbacks,
    Client,
    KeyPair,
    new_key_pair,
    parsed,
    pay,
)
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.utils import build_authorization

from sandbox.config import CertificateConfig, SandboxConfig
from sandbox.pay import PayBook

CERTIFICATE_SERIAL = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"


def certificate_pem(keys: KeyPair) -> str:
    key = load_pem_private_key(keys.private_pem.encode(), password=None)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pretend WeChat Pay")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int(CERTIFICATE_SERIAL, 16))
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1800))
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(Encoding.PEM).decode()


@pytest.fixture(scope="session")
def certificate() -> CertificateConfig:
    keys = new_key_pair()
    return CertificateConfig(CERTIFICATE_SERIAL, keys.private_pem, certificate_pem(keys))


@pytest.fixture
def book(
    config: SandboxConfig, open_book: Callable[..., PayBook], certificate: CertificateConfig
) -> PayBook:
    """A platform with both keys, whose second merchant is still in certificate mode."""
    first, second = config.merchants
    return open_book(
        platform=replace(config.platform, certificate=certificate),
        merchants=(first, replace(second, signs_with="certificate")),
    )


@pytest.fixture(scope="session")
def old_library(
    tmp_path_factory: pytest.TempPathFactory, merchant_keys: KeyPair, certificate: CertificateConfig
) -> WeChatPay:
    """A merchant's program that knows certificates only."""
    folder: Path = tmp_path_factory.mktemp("certificates")
    (folder / f"{CERTIFICATE_SERIAL}.pem").write_text(certificate.pem)
    return WeChatPay(
        WeChatPayType.JSAPI,
        mchid=OTHER_MCHID,
        private_key=merchant_keys.private_pem,
        cert_serial_no=SERIAL_NO,
        appid=APP_ID,
        apiv3_key=API_V3_KEY,
        cert_dir=str(folder),
        timeout=30,
    )


@pytest.fixture
def old_client(
    old_library: WeChatPay, serve: Callable[[PayBook], str], book: PayBook, callbacks: Callbacks
) -> Client:
    client = Client(old_library, serve(book), callbacks.url)
    client.pay._core._certificates = copy.copy(old_library._core._certificates)
    client.pay._core._cert_dir = None
    return client


def test_an_account_in_certificate_mode_meets_the_certificate_only(
    book: PayBook, old_client: Client, callbacks: Callbacks
) -> None:
    paid = pay(book, old_client)
    assert old_client.query()[1]["transaction_id"] == paid.transaction_id
    (callback,) = callbacks.wait_for(1)
    assert callback.headers["Wechatpay-Serial"] == CERTIFICATE_SERIAL
    assert old_client.read(callback)["resource"]["transaction_id"] == paid.transaction_id


def test_the_certificate_list_is_sealed_for_its_merchant(
    old_client: Client, certificate: CertificateConfig
) -> None:
    http, answer = parsed(old_client.pay._core.request("/v3/certificates"))
    assert http == 200
    (entry,) = answer["data"]
    assert entry["serial_no"] == CERTIFICATE_SERIAL
    assert certificate.pem.splitlines()[1] not in str(answer)
    assert datetime.fromisoformat(entry["expire_time"]) > datetime.now(UTC)
    old_client.pay._core._certificates = []
    old_client.pay._core._update_certificates()
    (kept,) = old_client.pay._core._certificates
    assert kept.public_bytes(Encoding.PEM).decode() == certificate.pem


def test_an_account_in_public_key_mode_has_no_certificate_list(
    book: PayBook, client: Client, callbacks: Callbacks
) -> None:
    http, answer = parsed(client.pay._core.request("/v3/certificates"))
    assert (http, answer["code"]) == (404, "RESOURCE_NOT_EXISTS")
    pay(book, client)
    (callback,) = callbacks.wait_for(1)
    assert callback.headers["Wechatpay-Serial"] == PUBLIC_KEY_ID


def serial_of_answer(client: Client, asked: str | None) -> str:
    """Ask with this Wechatpay-Serial, which the library would choose itself."""
    core = client.pay._core
    url = f"/v3/pay/transactions/id/none?mchid={core._mchid}"
    header = build_authorization(url, "GET", core._mchid, SERIAL_NO, core._private_key)
    headers = {"Authorization": header} | ({"Wechatpay-Serial": asked} if asked else {})
    return requests.get(core._gate_way + url, headers=headers, timeout=30).headers[
        "Wechatpay-Serial"
    ]


def test_an_answer_follows_the_serial_of_the_request(client: Client, old_client: Client) -> None:
    for merchant in (client, old_client):
        assert serial_of_answer(merchant, PUBLIC_KEY_ID) == PUBLIC_KEY_ID
        assert serial_of_answer(merchant, CERTIFICATE_SERIAL) == CERTIFICATE_SERIAL
    for unknown in (None, "00FF"):
        assert serial_of_answer(client, unknown) == PUBLIC_KEY_ID
        assert serial_of_answer(old_client, unknown) == CERTIFICATE_SERIAL


def test_during_a_key_switch_callbacks_alternate_and_both_verify(
    book: PayBook, client: Client, callbacks: Callbacks, certificate: CertificateConfig
) -> None:
    assert book.keys.set_mode("mixed") == "mixed"
    both = client.pay._core
    both._certificates = [x509.load_pem_x509_certificate(certificate.pem.encode())]
    for place in range(4):
        pay(book, client, f"HY20261123A0{place}")
        callbacks.wait_for(place + 1)
    told = callbacks.received
    assert [one.headers["Wechatpay-Serial"] for one in told] == [
        PUBLIC_KEY_ID,
        CERTIFICATE_SERIAL,
        PUBLIC_KEY_ID,
        CERTIFICATE_SERIAL,
    ]
    assert all(client.read(one)["event_type"] == "TRANSACTION.SUCCESS" for one in told)
    assert parsed(both.request("/v3/certificates"))[0] == 200


def test_the_mode_can_be_set_for_everybody(
    book: PayBook, client: Client, old_client: Client, callbacks: Callbacks
) -> None:
    book.keys.set_mode("public_key")
    assert parsed(old_client.pay._core.request("/v3/certificates", skip_verify=True))[0] == 404
    book.keys.set_mode("certificate")
    pay(book, client)
    (callback,) = callbacks.wait_for(1)
    assert callback.headers["Wechatpay-Serial"] == CERTIFICATE_SERIAL


def test_a_mode_that_cannot_be_is_refused(
    book: PayBook, open_book: Callable[..., PayBook], config: SandboxConfig
) -> None:
    for mode in ("loud", None, 1):
        with pytest.raises(ValueError, match="mode must be one of"):
            book.keys.set_mode(mode)
    without = open_book(platform=config.platform)
    with pytest.raises(ValueError, match="no certificate"):
        without.keys.set_mode("mixed")


def test_a_certificate_that_does_not_fit_stops_the_sandbox(
    config: SandboxConfig, open_book: Callable[..., PayBook], certificate: CertificateConfig
) -> None:
    stranger = new_key_pair().private_pem
    for wrong, sentence in (
        (replace(certificate, private_key_pem=stranger), "not the certificate's key"),
        (replace(certificate, serial="00FF"), "not the certificate's serial number"),
    ):
        with pytest.raises(ValueError, match=sentence):
            open_book(platform=replace(config.platform, certificate=wrong))


def test_a_probe_carries_the_mark_in_either_mode(
    book: PayBook, client: Client, callbacks: Callbacks
) -> None:
    callbacks.answers = [401, 401]
    for mode in ("public_key", "certificate"):
        book.keys.set_mode(mode)
        assert book.probe(callbacks.url) == 401
    for probe in callbacks.wait_for(2):
        assert probe.headers["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")
    assert client.read(callbacks.received[0]) is None
