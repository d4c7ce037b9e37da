"""Settings: read once from the environment, complete and consistent, or the program does not start.

A secret may be given as `NAME` or as `NAME_FILE`, the path of a file that holds it; both is a
contradiction. Every message names the variable. There are no default secrets.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

from billing.channels.alipay_gateway import AlipayKeys
from billing.channels.alipay_gateway import valid_gateway as valid_alipay_gateway
from billing.channels.wechat_pay_gateway import WeChatPayKeys, valid_gateway
from bot.redis_server import SCHEMES, SENTINEL, connect_redis
from notify.aliyun_sms import AliyunKeys
from notify.caps import REMINDERS_PER_DAY
from notify.catalog import NOTICES, NoticeKind, Transport

WEBHOOK_MODES = ("secure", "compatible", "plain")
WEBHOOKS_TO = ("public", "loopback")
"""Whom outside systems' addresses may be: anybody on the internet over https, or, for tests and
demos, also this machine.
"""
COUNT_MAX = 9
ALIYUN_SMS_BASE = "https://dysmsapi.aliyuncs.com"
TEMPLATE_QUOTA = 100_000
"""Template messages of a day that WeChat allows an account with fewer than 100,000 followers."""

ALIPAY_GATEWAY = "https://openapi.alipay.com/gateway.do"
POSTGRESQL = ("postgresql", "postgresql+psycopg")


Keys = TypeVar("Keys", WeChatPayKeys, AlipayKeys)


class SettingsError(Exception):
    """A setting is missing, malformed or contradicts another; the message names the variable."""


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """Everything the program must be told. Never printed: it holds secrets."""

    database_url: str
    redis_url: str
    base_url: str
    port: int
    proxies: int
    var: Path
    secret_key: str
    data_keys: tuple[str, ...]
    hash_key: str
    wechat_app_id: str
    wechat_app_secret: str
    wechat_token: str
    wechat_aes_key: str
    wechat_aes_key_previous: str | None
    wechat_mode: str
    wechat_api_base: str
    wechat_oauth_base: str
    wechat_qr_base: str
    wechat_pay_base: str
    wechat_templates: Mapping[str, Mapping[str, Any]]
    wechat_subscriptions: Mapping[str, Mapping[str, Any]]
    wechat_subscribe_page: str | None
    wechat_template_quota: int
    reminders_per_day: int
    webhooks_to: str
    aliyun_sms: AliyunKeys | None
    aliyun_sms_base: str
    merchants: Mapping[str, WeChatPayKeys]
    alipay_gateway: str
    alipay_merchants: Mapping[str, AlipayKeys]

    @classmethod
    def from_env(cls, environ: Mapping[str, str], now: datetime) -> "Settings":
        """Read and check every variable.

        Args:
            now: a merchant whose every certificate has ended by then is refused, unless he has
                WeChat Pay's public key.

        Raises:
            SettingsError: naming the variable and what is wrong with it.
        """
        env = _Environment(environ)
        settings = cls(
            database_url=env.url("DATABASE_URL", *POSTGRESQL),
            redis_url=env.redis("REDIS_URL"),
            base_url=env.base("MINGZHANG_BASE_URL"),
            port=env.port("MINGZHANG_PORT", 8000),
            proxies=env.count("MINGZHANG_PROXIES", 0),
            var=Path(env.optional("MINGZHANG_VAR") or "var").resolve(),
            secret_key=env.secret("MINGZHANG_SECRET_KEY", minimum=32),
            data_keys=_data_keys(env.secret("MINGZHANG_DATA_KEYS", minimum=44)),
            hash_key=env.secret("MINGZHANG_HASH_KEY", minimum=32),
            wechat_app_id=env.required("WECHAT_APP_ID"),
            wechat_app_secret=env.secret("WECHAT_APP_SECRET", minimum=8),
            wechat_token=env.secret("WECHAT_TOKEN", minimum=3),
            wechat_aes_key=env.aes_key("WECHAT_AES_KEY"),
            wechat_aes_key_previous=env.aes_key_or_none("WECHAT_AES_KEY_PREVIOUS"),
            wechat_mode=env.choice("WECHAT_MODE", WEBHOOK_MODES),
            wechat_api_base=env.base("WECHAT_API_BASE", "https://api.weixin.qq.com"),
            wechat_oauth_base=env.base("WECHAT_OAUTH_BASE", "https://open.weixin.qq.com"),
            wechat_qr_base=env.base("WECHAT_QR_BASE", "https://mp.weixin.qq.com"),
            wechat_pay_base=env.base("WECHAT_PAY_BASE", "https://api.mch.weixin.qq.com"),
            wechat_templates=_templates("WECHAT_TEMPLATES", env.json("WECHAT_TEMPLATES", {})),
            wechat_subscriptions=_templates(
                "WECHAT_SUBSCRIPTIONS", env.json("WECHAT_SUBSCRIPTIONS", {})
            ),
            wechat_subscribe_page=env.page("WECHAT_SUBSCRIBE_PAGE"),
            wechat_template_quota=env.count(
                "WECHAT_TEMPLATE_QUOTA", TEMPLATE_QUOTA, most=100 * TEMPLATE_QUOTA
            ),
            reminders_per_day=env.count("MINGZHANG_REMINDERS_PER_DAY", REMINDERS_PER_DAY),
            webhooks_to=env.choice("MINGZHANG_WEBHOOKS_TO", WEBHOOKS_TO),
            aliyun_sms=_aliyun_sms(env.json("ALIYUN_SMS", None)),
            aliyun_sms_base=env.base("ALIYUN_SMS_BASE", ALIYUN_SMS_BASE),
            merchants=_merchants(
                "WECHAT_PAY_MERCHANTS",
                env.json("WECHAT_PAY_MERCHANTS", {}),
                WeChatPayKeys,
                lambda keys: keys.find_fault(now),
            ),
            alipay_gateway=env.gateway("ALIPAY_GATEWAY", ALIPAY_GATEWAY),
            alipay_merchants=_merchants(
                "ALIPAY_MERCHANTS",
                env.json("ALIPAY_MERCHANTS", {}),
                AlipayKeys,
                AlipayKeys.find_fault,
            ),
        )
        settings._check_consistency()
        return settings

    def _check_consistency(self) -> None:
        """Refuse values that are good by themselves but not together."""
        if self.wechat_aes_key_previous == self.wechat_aes_key:
            raise SettingsError("WECHAT_AES_KEY_PREVIOUS must differ from WECHAT_AES_KEY")
        seen: dict[str, str] = {}
        for code, keys in self.merchants.items():
            if keys.app_id != self.wechat_app_id:
                # JSAPI: the payer is named by the openid our official account knows him by.
                raise SettingsError(f"WECHAT_PAY_MERCHANTS: {code}.app_id must be WECHAT_APP_ID")
            if keys.mchid in seen:
                raise SettingsError(
                    f"WECHAT_PAY_MERCHANTS: {seen[keys.mchid]} and {code} have the same mchid"
                )
            seen[keys.mchid] = code
        sellers: dict[str, str] = {}
        for code, alipay in self.alipay_merchants.items():
            if code in self.merchants:
                # A code is one merchant account, and leads from a callback to its keys.
                raise SettingsError(f"ALIPAY_MERCHANTS: {code} is a code of WECHAT_PAY_MERCHANTS")
            if alipay.seller_id in sellers:
                raise SettingsError(
                    f"ALIPAY_MERCHANTS: {sellers[alipay.seller_id]} and {code} have the same "
                    "seller_id"
                )
            sellers[alipay.seller_id] = code


def database_url(environ: Mapping[str, str]) -> str:
    """DATABASE_URL alone, for whoever needs no other setting.

    Raises:
        SettingsError: as `Settings.from_env`.
    """
    return _Environment(environ).url("DATABASE_URL", *POSTGRESQL)


def is_given(environ: Mapping[str, str], name: str) -> bool:
    """True when the variable, or the file that holds it, is set."""
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


class _Environment:
    """Typed look-ups in the environment, each of which fails with the variable's name."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def optional(self, name: str) -> str | None:
        direct, path = self._environ.get(name), self._environ.get(f"{name}_FILE")
        if direct and path:
            raise SettingsError(f"{name} and {name}_FILE are both set; keep one")
        if path:
            try:
                direct = Path(path).read_text(encoding="utf-8")
            except OSError as error:
                raise SettingsError(f"{name}_FILE cannot be read: {error.strerror}") from None
            except UnicodeDecodeError:
                raise SettingsError(f"{name}_FILE is not a text in UTF-8") from None
        return (direct or "").strip() or None

    def required(self, name: str) -> str:
        value = self.optional(name)
        if value is None:
            raise SettingsError(f"{name} is not set")
        return value

    def secret(self, name: str, *, minimum: int) -> str:
        value = self.required(name)
        if len(value) < minimum:
            raise SettingsError(f"{name} is too short: at least {minimum} characters")
        return value

    def url(self, name: str, *schemes: str) -> str:
        value = self.required(name)
        try:
            parts = urlsplit(value)
            scheme, _port = parts.scheme, parts.port  # a malformed port raises when it is read
        except ValueError:
            raise SettingsError(f"{name} is not a URL") from None
        if scheme not in schemes:
            raise SettingsError(f"{name} must be a URL beginning with {' or '.join(schemes)}")
        return value

    def redis(self, name: str) -> str:
        value = self.required(name)
        if not value.startswith(f"{SENTINEL}://"):
            return self.url(name, *SCHEMES)
        try:
            connect_redis(value).close()  # connects only when it is used
        except ValueError as error:
            raise SettingsError(f"{name}: {error}") from None
        return value

    def base(self, name: str, default: str | None = None) -> str:
        value = self.optional(name) or default or self.required(name)
        if not valid_gateway(value):
            raise SettingsError(f"{name} must be http(s)://host[:port] without a path")
        return value.rstrip("/")

    def gateway(self, name: str, default: str) -> str:
        value = self.optional(name) or default
        if not valid_alipay_gateway(value):
            raise SettingsError(f"{name} must be http(s)://host[:port]/path without a query")
        return value

    def port(self, name: str, default: int) -> int:
        value = self.optional(name) or str(default)
        if re.fullmatch(r"[0-9]{1,5}", value) is None or not 0 < int(value) < 65536:
            raise SettingsError(f"{name} must be a port number, not {value!r}")
        return int(value)

    def page(self, name: str) -> str | None:
        value = self.optional(name)
        if value is not None and not re.fullmatch(r"https?://[!-~]+", value):
            raise SettingsError(f"{name} must be the address of a page, http(s)://…")
        return value

    def count(self, name: str, default: int, most: int = COUNT_MAX) -> int:
        value = self.optional(name) or str(default)
        if not (value.isascii() and value.isdigit() and int(value) <= most):
            raise SettingsError(f"{name} must be a number from 0 to {most}, not {value!r}")
        return int(value)

    def choice(self, name: str, values: tuple[str, ...]) -> str:
        value = self.optional(name) or values[0]
        if value not in values:
            raise SettingsError(f"{name} must be one of {', '.join(values)}")
        return value

    def aes_key(self, name: str) -> str:
        value = self.required(name)
        if not re.fullmatch(r"[A-Za-z0-9]{43}", value):
            raise SettingsError(f"{name} must be the 43 letters and digits of EncodingAESKey")
        return value

    def aes_key_or_none(self, name: str) -> str | None:
        return self.aes_key(name) if self.optional(name) else None

    def json(self, name: str, default: Any) -> Any:
        value = self.optional(name)
        if value is None:
            return default
        try:
            return json.loads(value)
        except ValueError as error:
            raise SettingsError(f"{name} is not JSON: {error}") from None


def _data_keys(value: str) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in value.split(","))
    for key in keys:
        try:
            Fernet(key)
        except ValueError:
            raise SettingsError(
                "MINGZHANG_DATA_KEYS must be comma-separated Fernet keys (32 bytes, base64)"
            ) from None
    return keys


def _merchants(
    name: str, value: Any, kind: type[Keys], find_fault: Callable[[Keys], str | None]
) -> dict[str, Keys]:
    """`{"<merchant code>": {<each field of the keys>}}`; fields with a default may be left out."""
    if not isinstance(value, dict):
        raise SettingsError(f"{name} must be a JSON object: merchant code → keys")
    wanted = {field.name for field in fields(kind) if field.default is MISSING}
    optional = {field.name for field in fields(kind)} - wanted
    must = f"must have exactly {', '.join(sorted(wanted))}"
    if optional:
        must += f", and may have {', '.join(sorted(optional))}"
    merchants = {}
    for code, keys in value.items():
        if not isinstance(keys, dict) or not wanted <= set(keys) <= wanted | optional:
            raise SettingsError(f"{name}: {code} {must}")
        given: dict[str, Any] = {
            part: tuple(told) if isinstance(told, list) else told for part, told in keys.items()
        }
        merchants[code] = kind(**given)
        fault = find_fault(merchants[code])
        if fault is not None:
            raise SettingsError(f"{name}: {code}.{fault}")
    return merchants


def _aliyun_sms(value: Any) -> AliyunKeys | None:
    """`{"access_key_id", "access_key_secret", "sign_name", "templates": {kind: code}}`."""
    name = "ALIYUN_SMS"
    if value is None:
        return None
    wanted = sorted(field.name for field in fields(AliyunKeys))
    if not isinstance(value, dict) or sorted(value) != wanted:
        raise SettingsError(f"{name} must be a JSON object with exactly {', '.join(wanted)}")
    templates = value["templates"]
    if not isinstance(templates, dict):
        raise SettingsError(f"{name}: templates must be a JSON object: notice kind → code")
    for kind in templates:
        if kind not in NOTICES or Transport.SMS not in NOTICES[NoticeKind(kind)].transports:
            raise SettingsError(f"{name}: {kind} is no kind of notice that goes by SMS")
    parts = [value[part] for part in wanted if part != "templates"]
    if not all(isinstance(part, str) and part.strip() for part in [*parts, *templates.values()]):
        raise SettingsError(f"{name}: keys, signature and codes must be texts")
    return AliyunKeys(**value)


def _templates(name: str, value: Any) -> dict[str, dict[str, Any]]:
    """`{"<notice kind>": {"template_id": …, "fields": {"thing1": "room", …}}}`."""
    if not isinstance(value, dict):
        raise SettingsError(f"{name} must be a JSON object: notice kind → template")
    for kind, template in value.items():
        if kind not in NOTICES:
            raise SettingsError(f"{name}: {kind} is no kind of notice: {', '.join(NOTICES)}")
        if not isinstance(template, dict) or set(template) != {"template_id", "fields"}:
            raise SettingsError(f"{name}: {kind} must have exactly template_id and fields")
        names = template["fields"]
        words = [template["template_id"], *(names.values() if isinstance(names, dict) else [None])]
        if not all(isinstance(word, str) and word for word in words):
            raise SettingsError(f"{name}: {kind} must map template fields to words, all texts")
    return value
