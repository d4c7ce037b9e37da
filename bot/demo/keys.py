"""The demo's settings and the sandbox's configuration: two sides of the same secrets, made once.

Both are kept under MINGZHANG_VAR, readable by their owner only.
"""

import json
import secrets
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.demo.templates import (
    PRODUCT_TEMPLATES,
    SANDBOX_TEMPLATES,
    SMS_SIGN,
    SUBSCRIPTIONS,
    sms_templates,
)

MERCHANT = "HYPM"
ALIPAY_MERCHANT = "hy-alipay"
ACCOUNT_FILE = "demo-account.json"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the two sides of the wire listen."""

    service: str
    sandbox: str


def _key_pair() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def _letters(length: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def _digits(length: int) -> str:
    return "".join(secrets.choice(string.digits) for _ in range(length))


def make_account() -> dict[str, Any]:
    """Fresh secrets for both sides."""
    merchant_private, merchant_public = _key_pair()
    platform_private, platform_public = _key_pair()
    alipay_app_private, alipay_app_public = _key_pair()
    alipay_private, alipay_public = _key_pair()
    return {
        "app_id": "wx" + secrets.token_hex(8),
        "app_secret": secrets.token_hex(16),
        "token": _letters(24),
        "aes_key": _letters(42) + "A",  # the last of 43 characters carries two spare bits
        "secret_key": secrets.token_urlsafe(48),
        "data_key": Fernet.generate_key().decode(),
        "hash_key": secrets.token_urlsafe(48),
        "mchid": "19" + _digits(8),
        "serial_no": secrets.token_hex(20).upper(),
        "api_v3_key": _letters(32),
        "merchant_private": merchant_private,
        "merchant_public": merchant_public,
        "public_key_id": "PUB_KEY_ID_" + _digits(20),
        "platform_private": platform_private,
        "platform_public": platform_public,
        "sms_key_id": "LTAI" + _letters(20),
        "sms_key_secret": _letters(30),
        "alipay_app_id": "2021" + _digits(12),
        "alipay_seller_id": "2088" + _digits(12),
        "alipay_app_private": alipay_app_private,
        "alipay_app_public": alipay_app_public,
        "alipay_private": alipay_private,
        "alipay_public": alipay_public,
    }


def kept_account(var: Path) -> dict[str, Any]:
    """The demo's secrets, made on the first start and kept; a later version adds what it needs."""
    path = var / ACCOUNT_FILE
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    fresh = make_account()
    if fresh.keys() <= kept.keys():
        return kept
    account = fresh | kept
    write_private(path, json.dumps(account))
    return account


def write_private(path: Path, content: str) -> None:
    """Write a file only its owner may read, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600, exist_ok=True)
    fresh.write_text(content, encoding="utf-8")
    fresh.replace(path)


def product_environment(account: dict[str, Any], addresses: Addresses, var: Path) -> dict[str, str]:
    """Settings of the product's processes, without DATABASE_URL and REDIS_URL."""
    merchant = {
        "mchid": account["mchid"],
        "app_id": account["app_id"],
        "serial_no": account["serial_no"],
        "private_key": account["merchant_private"],
        "api_v3_key": account["api_v3_key"],
        "public_key_id": account["public_key_id"],
        "public_key": account["platform_public"],
        "h5": True,
    }
    alipay = {
        "app_id": account["alipay_app_id"],
        "seller_id": account["alipay_seller_id"],
        "app_private_key": account["alipay_app_private"],
        "alipay_public_key": account["alipay_public"],
    }
    return {
        "MINGZHANG_BASE_URL": addresses.service,
        "MINGZHANG_PORT": addresses.service.rsplit(":", 1)[1],
        "MINGZHANG_VAR": str(var),
        "MINGZHANG_SECRET_KEY": account["secret_key"],
        "MINGZHANG_DATA_KEYS": account["data_key"],
        "MINGZHANG_HASH_KEY": account["hash_key"],
        "WECHAT_APP_ID": account["app_id"],
        "WECHAT_APP_SECRET": account["app_secret"],
        "WECHAT_TOKEN": account["token"],
        "WECHAT_AES_KEY": account["aes_key"],
        "WECHAT_API_BASE": addresses.sandbox,
        "WECHAT_OAUTH_BASE": addresses.sandbox,
        "WECHAT_QR_BASE": addresses.sandbox,
        "WECHAT_PAY_BASE": addresses.sandbox,
        "WECHAT_TEMPLATES": json.dumps(PRODUCT_TEMPLATES),
        "WECHAT_SUBSCRIPTIONS": json.dumps(SUBSCRIPTIONS),
        "WECHAT_PAY_MERCHANTS": json.dumps({MERCHANT: merchant}),
        "ALIPAY_MERCHANTS": json.dumps({ALIPAY_MERCHANT: alipay}),
        "ALIPAY_GATEWAY": f"{addresses.sandbox}/alipay/gateway.do",
        "ALIYUN_SMS": json.dumps(
            {
                "access_key_id": account["sms_key_id"],
                "access_key_secret": account["sms_key_secret"],
                "sign_name": SMS_SIGN,
                "templates": {kind: code for kind, (code, _) in sms_templates().items()},
            }
        ),
        "ALIYUN_SMS_BASE": addresses.sandbox,
    }


def sandbox_config(
    account: dict[str, Any], addresses: Addresses, var: Path, demo_file: Path, clock_rate: float
) -> dict[str, Any]:
    """The other side: what WeChat and WeChat Pay know about this account."""
    return {
        "service_url": addresses.service,
        "public_url": addresses.sandbox,
        "clock_rate": clock_rate,
        "state_file": str(var / "sandbox.sqlite"),
        "demo_file": str(demo_file),
        "account": {
            "app_id": account["app_id"],
            "app_secret": account["app_secret"],
            "token": account["token"],
            "aes_key": account["aes_key"],
            "mode": "secure",
            "name": "花园小区物业",
        },
        "templates": SANDBOX_TEMPLATES,
        "merchants": [
            {
                "mchid": account["mchid"],
                "name": "花园小区物业服务中心",
                "app_ids": [account["app_id"]],
                "api_v3_key": account["api_v3_key"],
                "serial_no": account["serial_no"],
                "public_key_pem": account["merchant_public"],
            }
        ],
        "platform": {
            "public_key_id": account["public_key_id"],
            "private_key_pem": account["platform_private"],
        },
        "sms": {
            "access_key_id": account["sms_key_id"],
            "access_key_secret": account["sms_key_secret"],
            "sign_name": SMS_SIGN,
            "templates": dict(sms_templates().values()),
        },
        "alipay": [
            {
                "app_id": account["alipay_app_id"],
                "seller_id": account["alipay_seller_id"],
                "app_public_key_pem": account["alipay_app_public"],
                "alipay_private_key_pem": account["alipay_private"],
            }
        ],
    }
