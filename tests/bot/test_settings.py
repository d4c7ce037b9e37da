"""A setting that is missing, malformed or contradictory stops the start, and is named."""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from billing.channels.base import InvalidNotification
from bot.program import build
from bot.settings import Settings, SettingsError, database_url
from tests.billing.channels.alipay_provider import alipay_keys
from tests.billing.channels.provider import (
    by_certificate,
    by_either,
    callback,
    key_pair,
    merchant_keys,
)
from tests.conftest import NOW

APP_ID = "wxsandbox0000000001"
SECRETS = {
    "MINGZHANG_SECRET_KEY": "sign-" * 8,
    "MINGZHANG_DATA_KEYS": base64.urlsafe_b64encode(b"personal-data-key-of-32-bytes-..").decode(),
    "MINGZHANG_HASH_KEY": "hash-" * 8,
    "WECHAT_APP_SECRET": "app-secret-of-16",
    "WECHAT_TOKEN": "push-token",
    "WECHAT_AES_KEY": "a" * 43,
}
REQUIRED = {
    **SECRETS,
    "DATABASE_URL": "postgresql+psycopg://clerk:database-password@db.test/books",
    "REDIS_URL": "redis://:redis-password@queue.test/0",
    "MINGZHANG_BASE_URL": "https://pay.example.test/",
    "WECHAT_APP_ID": APP_ID,
}
OPTIONAL = {
    "MINGZHANG_PORT": "8000",
    "MINGZHANG_VAR": "var",
    "WECHAT_AES_KEY_PREVIOUS": "b" * 43,
    "WECHAT_MODE": "secure",
    "WECHAT_API_BASE": "https://api.weixin.qq.com",
    "WECHAT_OAUTH_BASE": "https://open.weixin.qq.com",
    "WECHAT_QR_BASE": "https://mp.weixin.qq.com",
    "WECHAT_PAY_BASE": "https://api.mch.weixin.qq.com",
    "WECHAT_TEMPLATES": json.dumps(
        {"bill_issued": {"template_id": "TM1", "fields": {"thing1": "room"}}}
    ),
    "WECHAT_SUBSCRIPTIONS": json.dumps(
        {"bill_issued": {"template_id": "SU1", "fields": {"thing1": "room"}}}
    ),
    "WECHAT_SUBSCRIBE_PAGE": "https://mp.weixin.qq.com/s/abc",
    "WECHAT_TEMPLATE_QUOTA": "100000",
    "MINGZHANG_REMINDERS_PER_DAY": "2",
    "ALIYUN_SMS": json.dumps(
        {
            "access_key_id": "LTAI-test",
            "access_key_secret": "sms-secret",
            "sign_name": "花园小区物业",
            "templates": {"overdue": "SMS_100000003"},
        }
    ),
    "ALIYUN_SMS_BASE": "https://dysmsapi.aliyuncs.com",
    "WECHAT_PAY_MERCHANTS": "{}",
    "ALIPAY_MERCHANTS": "{}",
    "ALIPAY_GATEWAY": "https://openapi.alipay.com/gateway.do",
}


def merchants(**changes: Any) -> str:
    """One merchant account as WECHAT_PAY_MERCHANTS holds it."""
    return json.dumps({"HYPM": asdict(merchant_keys()) | changes})


def alipay_merchants(**changes: Any) -> str:
    """One application as ALIPAY_MERCHANTS holds it."""
    return json.dumps({"hy-alipay": asdict(alipay_keys()) | changes})


def refusal(environ: Mapping[str, str]) -> str:
    """Why the program would not start."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_env(environ, NOW)
    return str(refused.value)


def test_the_required_settings_are_enough() -> None:
    settings = Settings.from_env(REQUIRED, NOW)
    assert settings.database_url == REQUIRED["DATABASE_URL"]
    assert settings.base_url == "https://pay.example.test"
    assert settings.port == 8000
    assert settings.var == Path("var").resolve()
    assert settings.data_keys == (SECRETS["MINGZHANG_DATA_KEYS"],)
    assert settings.wechat_aes_key_previous is None
    assert settings.wechat_mode == "secure"
    assert settings.wechat_pay_base == "https://api.mch.weixin.qq.com"
    assert (settings.wechat_templates, settings.merchants) == ({}, {})
    assert settings.alipay_gateway == "https://openapi.alipay.com/gateway.do"
    assert settings.alipay_merchants == {}
    assert (settings.aliyun_sms, settings.wechat_subscribe_page) == (None, None)
    assert (settings.wechat_template_quota, settings.reminders_per_day) == (100_000, 2)


def test_redis_may_be_named_by_several_sentinels() -> None:
    url = "redis+sentinel://user:secret@one.test:26379,two.test:26380,three.test/books/2"
    assert Settings.from_env(REQUIRED | {"REDIS_URL": url}, NOW).redis_url == url


def test_every_setting_can_be_given() -> None:
    given = {**REQUIRED, **OPTIONAL, "MINGZHANG_PORT": "8123", "WECHAT_MODE": "compatible"}
    given |= {"WECHAT_PAY_MERCHANTS": merchants(), "ALIPAY_MERCHANTS": alipay_merchants()}
    settings = Settings.from_env(given, NOW)
    assert (settings.port, settings.wechat_mode) == (8123, "compatible")
    assert settings.wechat_aes_key_previous == OPTIONAL["WECHAT_AES_KEY_PREVIOUS"]
    assert settings.wechat_templates["bill_issued"]["fields"] == {"thing1": "room"}
    assert settings.merchants == {"HYPM": merchant_keys()}
    assert settings.alipay_merchants == {"hy-alipay": alipay_keys()}


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, "", " \n"], ids=["absent", "empty", "blank"])
def test_a_required_setting_must_be_there(name: str, value: str | None) -> None:
    environ = {key: kept for key, kept in REQUIRED.items() if key != name}
    if value is not None:
        environ[name] = value
    assert refusal(environ) == f"{name} is not set"


@pytest.mark.parametrize("name", [*REQUIRED, *OPTIONAL])
def test_any_setting_can_come_from_a_file(name: str, tmp_path: Path) -> None:
    everything = REQUIRED | OPTIONAL
    path = tmp_path / "setting"
    path.write_text(everything.pop(name) + "\n", encoding="utf-8")
    from_file = Settings.from_env(everything | {f"{name}_FILE": str(path)}, NOW)
    assert from_file == Settings.from_env(REQUIRED | OPTIONAL, NOW)


@pytest.mark.parametrize("name", [*REQUIRED, *OPTIONAL])
def test_a_setting_and_its_file_contradict_each_other(name: str, tmp_path: Path) -> None:
    path = tmp_path / "setting"
    path.write_text("x", encoding="utf-8")
    reason = refusal(REQUIRED | OPTIONAL | {f"{name}_FILE": str(path)})
    assert reason == f"{name} and {name}_FILE are both set; keep one"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "WECHAT_TOKEN_FILE cannot be read: No such file or directory"),
        (b"\xff\xfe", "WECHAT_TOKEN_FILE is not a text in UTF-8"),
        (b"\n", "WECHAT_TOKEN is not set"),
        (b"ab\n", "WECHAT_TOKEN is too short: at least 3 characters"),
    ],
    ids=["absent", "binary", "empty", "short"],
)
def test_a_file_that_cannot_serve_is_named(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    environ = {key: value for key, value in REQUIRED.items() if key != "WECHAT_TOKEN"}
    assert refusal(environ | {"WECHAT_TOKEN_FILE": str(path)}) == reason


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u@db.test/books"),
        ("DATABASE_URL", "postgres://u@db.test/books"),
        ("DATABASE_URL", "db.test"),
        ("DATABASE_URL", "postgresql://db.test:port/books"),
        ("REDIS_URL", "http://queue.test"),
        ("REDIS_URL", "redis://["),
        ("REDIS_URL", "redis+sentinel://one.test:26379"),
        ("REDIS_URL", "redis+sentinel://one.test:port/books/0"),
        ("REDIS_URL", "redis+sentinel://one.test,two.test/books/first"),
        ("MINGZHANG_BASE_URL", "pay.example.test"),
        ("MINGZHANG_BASE_URL", "https://"),
        ("MINGZHANG_BASE_URL", "https://pay.example.test/fees"),
        ("MINGZHANG_PORT", "http"),
        ("MINGZHANG_PORT", "0"),
        ("MINGZHANG_PORT", "65536"),
        ("MINGZHANG_PORT", "²"),
        ("MINGZHANG_PORT", "-1"),
        ("MINGZHANG_SECRET_KEY", "k" * 31),
        ("MINGZHANG_HASH_KEY", "k" * 31),
        ("MINGZHANG_DATA_KEYS", "k" * 44),
        ("MINGZHANG_DATA_KEYS", "," * 44),
        ("MINGZHANG_DATA_KEYS", f"{SECRETS['MINGZHANG_DATA_KEYS']},short"),
        ("MINGZHANG_DATA_KEYS", "钥" * 44),
        ("WECHAT_APP_SECRET", "short"),
        ("WECHAT_TOKEN", "ab"),
        ("WECHAT_AES_KEY", "a" * 42),
        ("WECHAT_AES_KEY", "a" * 42 + "="),
        ("WECHAT_AES_KEY_PREVIOUS", "b" * 44),
        ("WECHAT_MODE", "open"),
        ("WECHAT_API_BASE", "https://api.weixin.qq.com/cgi-bin"),
        ("WECHAT_OAUTH_BASE", "open.weixin.qq.com"),
        ("WECHAT_QR_BASE", "ftp://mp.weixin.qq.com"),
        ("WECHAT_PAY_BASE", "https://["),
        ("WECHAT_SUBSCRIPTIONS", "[]"),
        ("WECHAT_SUBSCRIBE_PAGE", "mp.weixin.qq.com/s/abc"),
        ("WECHAT_TEMPLATE_QUOTA", "many"),
        ("MINGZHANG_REMINDERS_PER_DAY", "10"),
        ("ALIYUN_SMS", "[]"),
        ("ALIYUN_SMS", '{"access_key_id": "a"}'),
        (
            "ALIYUN_SMS",
            '{"access_key_id": "a", "access_key_secret": "b", "sign_name": "c", "templates": []}',
        ),
        (
            "ALIYUN_SMS",
            '{"access_key_id": "a", "access_key_secret": "b", "sign_name": "c",'
            ' "templates": {"payment_received": "SMS_1"}}',
        ),
        ("ALIYUN_SMS_BASE", "dysmsapi.aliyuncs.com"),
        ("WECHAT_TEMPLATES", "{"),
        ("WECHAT_TEMPLATES", "[]"),
        ("WECHAT_TEMPLATES", '{"bill_issued": []}'),
        ("WECHAT_TEMPLATES", '{"bill_issued": {"template_id": "TM1"}}'),
        ("WECHAT_TEMPLATES", '{"bill_issued": {"template_id": 1, "fields": {}}}'),
        ("WECHAT_TEMPLATES", '{"bill_issued": {"template_id": "TM1", "fields": []}}'),
        ("WECHAT_TEMPLATES", '{"bill_issued": {"template_id": "TM1", "fields": {"thing1": 1}}}'),
        ("WECHAT_TEMPLATES", '{"bill_isued": {"template_id": "TM1", "fields": {}}}'),
        ("WECHAT_PAY_MERCHANTS", "{"),
        ("WECHAT_PAY_MERCHANTS", "[]"),
        ("WECHAT_PAY_MERCHANTS", '{"HYPM": []}'),
        ("WECHAT_PAY_MERCHANTS", '{"HYPM": {"mchid": "1900000001"}}'),
    ],
)
def test_a_malformed_setting_is_named(name: str, value: str) -> None:
    assert refusal(REQUIRED | {name: value}).startswith(name)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"api_v3_key": "k" * 31}, "api_v3_key must be 32 bytes"),
        ({"api_v3_key": None}, "api_v3_key must be a text that is not empty"),
        ({"mchid": 1900000001}, "mchid must be a text that is not empty"),
        ({"private_key": "nonsense"}, "private_key is not a key in PEM"),
        ({"public_key": "nonsense"}, "public_key is not a key in PEM"),
        ({"app_id": "wx-another-account"}, "app_id must be WECHAT_APP_ID"),
    ],
)
def test_unusable_keys_of_a_merchant_are_named(change: dict[str, Any], reason: str) -> None:
    environ = REQUIRED | {"WECHAT_PAY_MERCHANTS": merchants(**change)}
    assert refusal(environ) == f"WECHAT_PAY_MERCHANTS: HYPM.{reason}"


def test_keys_of_a_merchant_have_no_unknown_part() -> None:
    reason = refusal(REQUIRED | {"WECHAT_PAY_MERCHANTS": merchants(extra="x")})
    assert reason == (
        "WECHAT_PAY_MERCHANTS: HYPM must have exactly api_v3_key, app_id, mchid, private_key, "
        "serial_no, and may have h5, platform_certificates, public_key, public_key_id"
    )


def test_a_merchant_account_may_know_wechat_pay_by_certificates_alone() -> None:
    keys = merchant_keys(**by_certificate(), h5=True)
    given = {name: value for name, value in asdict(keys).items() if value is not None}
    settings = Settings.from_env(
        REQUIRED | {"WECHAT_PAY_MERCHANTS": json.dumps({"HYPM": given})}, NOW
    )
    assert settings.merchants == {"HYPM": keys}


def test_a_certificate_that_has_ended_stops_the_start() -> None:
    environ = REQUIRED | {"WECHAT_PAY_MERCHANTS": merchants(**by_certificate())}
    ended = NOW + timedelta(days=4000)
    with pytest.raises(SettingsError, match=r"HYPM\.platform_certificates holds .*; take it out"):
        Settings.from_env(environ, ended)


def test_one_that_ended_beside_the_public_key_stops_nothing_and_is_believed_no_more() -> None:
    environ = REQUIRED | {"WECHAT_PAY_MERCHANTS": merchants(**by_either())}
    ended = NOW + timedelta(days=4000)
    settings = Settings.from_env(environ, ended)
    assert len(settings.merchants["HYPM"].platform_certificates) == 1  # the doctor names it
    channel = build(settings, lambda: ended).services.channels["HYPM"]
    assert channel.parse_notification(*callback(ended), ended)
    with pytest.raises(InvalidNotification, match="a key we do not know"):
        channel.parse_notification(*callback(ended, key="certificate"), ended)


def test_two_codes_for_one_merchant_account_contradict_each_other() -> None:
    keys = asdict(merchant_keys())
    environ = REQUIRED | {"WECHAT_PAY_MERCHANTS": json.dumps({"A": keys, "B": keys})}
    assert refusal(environ) == "WECHAT_PAY_MERCHANTS: A and B have the same mchid"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"app_id": "wx1"}, "app_id must be digits"),
        ({"seller_id": ""}, "seller_id must be a text that is not empty"),
        ({"app_private_key": "nonsense"}, "app_private_key is not an RSA private key in PEM"),
        (
            {"app_private_key": key_pair("alipay").public},
            "app_private_key is not an RSA private key in PEM",
        ),
        ({"alipay_public_key": "nonsense"}, "alipay_public_key is not an RSA public key in PEM"),
        (
            {"alipay_public_key": key_pair("alipay app").public},
            "alipay_public_key is the application's own; take Alipay's from its console",
        ),
    ],
)
def test_unusable_keys_of_an_application_are_named(change: dict[str, Any], reason: str) -> None:
    environ = REQUIRED | {"ALIPAY_MERCHANTS": alipay_merchants(**change)}
    assert refusal(environ) == f"ALIPAY_MERCHANTS: hy-alipay.{reason}"


def test_merchant_codes_and_sellers_are_unique() -> None:
    keys = asdict(alipay_keys())
    environ = REQUIRED | {"ALIPAY_MERCHANTS": json.dumps({"A": keys, "B": keys})}
    assert refusal(environ) == "ALIPAY_MERCHANTS: A and B have the same seller_id"
    environ = REQUIRED | {
        "WECHAT_PAY_MERCHANTS": merchants(),
        "ALIPAY_MERCHANTS": json.dumps({"HYPM": keys}),
    }
    assert refusal(environ) == "ALIPAY_MERCHANTS: HYPM is a code of WECHAT_PAY_MERCHANTS"


@pytest.mark.parametrize(
    "value", ["openapi.alipay.com/gateway.do", "https://x.test", "https://x.test/g?a=1", "http://["]
)
def test_the_gateway_is_a_whole_address(value: str) -> None:
    reason = refusal(REQUIRED | {"ALIPAY_GATEWAY": value})
    assert reason == "ALIPAY_GATEWAY must be http(s)://host[:port]/path without a query"


def test_the_previous_aes_key_must_be_another() -> None:
    environ = REQUIRED | {"WECHAT_AES_KEY_PREVIOUS": REQUIRED["WECHAT_AES_KEY"]}
    assert refusal(environ) == "WECHAT_AES_KEY_PREVIOUS must differ from WECHAT_AES_KEY"


def test_no_secret_is_shown_by_printing_settings() -> None:
    environ = REQUIRED | OPTIONAL | {"WECHAT_PAY_MERCHANTS": merchants()}
    settings = Settings.from_env(environ | {"ALIPAY_MERCHANTS": alipay_merchants()}, NOW)
    shown = f"{settings!r} {settings} {settings.merchants!r} {settings.alipay_merchants!r}"
    hidden = [*SECRETS.values(), OPTIONAL["WECHAT_AES_KEY_PREVIOUS"]]
    hidden += ["database-password", "redis-password", merchant_keys().api_v3_key, "PRIVATE KEY"]
    assert [secret for secret in hidden if secret in shown] == []


@pytest.mark.parametrize("name", SECRETS)
def test_a_refusal_does_not_repeat_the_secret(name: str) -> None:
    value = f"s3cret/{'x' * 50}" if "AES" in name or "DATA" in name else "s3"
    assert "s3" not in refusal(REQUIRED | {name: value})


def test_a_refusal_does_not_repeat_a_key_of_a_merchant() -> None:
    private = key_pair("merchant").private.replace("-----BEGIN", "-----BEGUN")
    reason = refusal(REQUIRED | {"WECHAT_PAY_MERCHANTS": merchants(private_key=private)})
    assert private.splitlines()[1] not in reason
    reason = refusal(REQUIRED | {"WECHAT_PAY_MERCHANTS": merchants()[:-1]})
    assert merchant_keys().api_v3_key not in reason


def test_the_database_can_be_known_without_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text(REQUIRED["DATABASE_URL"], encoding="utf-8")
    assert database_url({"DATABASE_URL_FILE": str(path)}) == REQUIRED["DATABASE_URL"]
    with pytest.raises(SettingsError, match="DATABASE_URL is not set"):
        database_url({})
