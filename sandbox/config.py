"""The sandbox's one configuration file: JSON, complete and right, or the sandbox does not start.

Relative paths are seen from the folder of the file.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.account.fields import field_type

MODES = ("secure", "compatible", "plain")
PUBLIC_KEY, CERTIFICATE = "public_key", "certificate"
CLOCK_RATE = 60.0
_PLACE = re.compile(r"\{\{([^{}]*)\.DATA\}\}")


class ConfigError(ValueError):
    """The configuration cannot be used; the message is one sentence that names the key."""


@dataclass(frozen=True)
class Account:
    """The official account as its owner set it up; `mode` is how pushes are sealed."""

    app_id: str
    app_secret: str
    token: str
    aes_key: str
    mode: str
    name: str

    @property
    def original_id(self) -> str:
        """The `gh_…` id pushes are addressed to."""
        return f"gh_{self.app_id.removeprefix('wx')[:12]}"


@dataclass(frozen=True)
class Template:
    """An approved template; `const` holds the approved strings of its const fields."""

    template_id: str
    title: str
    content: str
    const: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def field_names(self) -> tuple[str, ...]:
        """The fields in the order in which a person reads them."""
        return tuple(_PLACE.findall(self.content))


@dataclass(frozen=True)
class MerchantConfig:
    """A WeChat Pay merchant and the public half of its API certificate.

    `signs_with` is the platform's key for this account: PUBLIC_KEY or CERTIFICATE.
    """

    mchid: str
    name: str
    app_ids: tuple[str, ...]
    api_v3_key: str
    serial_no: str
    public_key_pem: str
    signs_with: str = PUBLIC_KEY


@dataclass(frozen=True)
class CertificateConfig:
    """WeChat Pay's own certificate, for accounts in certificate mode."""

    serial: str
    private_key_pem: str
    pem: str


@dataclass(frozen=True)
class PlatformConfig:
    """WeChat Pay's own keys: the one of public-key mode, and perhaps a certificate's."""

    public_key_id: str
    private_key_pem: str
    certificate: CertificateConfig | None = None


@dataclass(frozen=True)
class AlipayConfig:
    """An application at Alipay: the seller it collects for, and each side's key of it."""

    app_id: str
    seller_id: str
    app_public_key_pem: str
    alipay_private_key_pem: str


@dataclass(frozen=True)
class SmsConfig:
    """An account at Aliyun's SMS service; `templates` holds approved wordings by their code."""

    access_key_id: str
    access_key_secret: str
    sign_name: str
    templates: Mapping[str, str]


@dataclass(frozen=True)
class SandboxConfig:
    """Everything the sandbox must be told. Never printed: it holds secrets."""

    service_url: str
    public_url: str
    state_file: Path
    account: Account
    templates: tuple[Template, ...]
    merchants: tuple[MerchantConfig, ...]
    platform: PlatformConfig
    alipay: tuple[AlipayConfig, ...] = ()
    sms: SmsConfig | None = None
    clock_rate: float = CLOCK_RATE
    demo_file: Path | None = None


def load(path: str | Path) -> SandboxConfig:
    """Read and check the file; raises ConfigError."""
    path = Path(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The configuration cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise ConfigError(f"The configuration is not JSON: {error}.") from None
    return read(values, path.resolve().parent)


def read(values: object, folder: Path) -> SandboxConfig:
    """Check configuration values; relative paths are seen from `folder`. Raises ConfigError."""
    top = _Section(values, "")
    demo_file = top.optional_text("demo_file")
    config = SandboxConfig(
        service_url=top.origin("service_url"),
        public_url=top.origin("public_url"),
        state_file=folder / top.text("state_file"),
        demo_file=folder / demo_file if demo_file else None,
        clock_rate=top.rate("clock_rate"),
        account=_account(top.section("account")),
        templates=tuple(_template(each) for each in top.sections("templates")),
        merchants=tuple(_merchant(each) for each in top.sections("merchants")),
        platform=_platform(top.section("platform")),
        alipay=tuple(_alipay(each) for each in top.sections("alipay", optional=True)),
    )
    if top.has_any("sms"):
        config = replace(config, sms=_sms(top.section("sms")))
    top.finish()
    _refuse_repeats("templates", [each.template_id for each in config.templates])
    _refuse_repeats("merchants", [each.mchid for each in config.merchants])
    _refuse_repeats("alipay", [each.app_id for each in config.alipay])
    _check_certificate_mode(config)
    return config


def _account(section: "_Section") -> Account:
    account = Account(
        app_id=section.text("app_id"),
        app_secret=section.text("app_secret"),
        token=section.text("token", r"[A-Za-z0-9]{3,32}", "3 to 32 letters and digits"),
        aes_key=section.text("aes_key", r"[A-Za-z0-9]{43}", "43 letters and digits"),
        mode=section.text("mode", "|".join(MODES), f"one of {', '.join(MODES)}"),
        name=section.text("name"),
    )
    section.finish()
    return account


def _template(section: "_Section") -> Template:
    template = Template(
        template_id=section.text("template_id"),
        title=section.text("title"),
        content=section.text("content"),
        const=section.string_lists("const"),
    )
    section.finish()
    names = template.field_names
    if not names:
        raise ConfigError(f"{section.name}.content must have a field like {{{{thing1.DATA}}}}.")
    _refuse_repeats(f"{section.name}.content", list(names))
    for name in names:
        kind = field_type(name)
        if kind is None:
            raise ConfigError(f"{section.name}.content has {name}, which is no type of field.")
        if (kind == "const") != (name in template.const):
            raise ConfigError(f"{section.name}.const must list the values of const fields only.")
    return template


def _merchant(section: "_Section") -> MerchantConfig:
    merchant = MerchantConfig(
        mchid=section.text("mchid", r"\d{1,32}", "digits"),
        name=section.text("name"),
        app_ids=section.strings("app_ids"),
        api_v3_key=section.text("api_v3_key", r"[ -~]{32}", "32 characters"),
        serial_no=section.text("serial_no"),
        public_key_pem=section.text("public_key_pem"),
        signs_with=section.choice("signs_with", (PUBLIC_KEY, CERTIFICATE)),
    )
    section.finish()
    return merchant


def _platform(section: "_Section") -> PlatformConfig:
    platform = PlatformConfig(
        public_key_id=section.text("public_key_id"),
        private_key_pem=section.text("private_key_pem"),
        certificate=_certificate(section),
    )
    section.finish()
    return platform


def _alipay(section: "_Section") -> AlipayConfig:
    app = AlipayConfig(
        app_id=section.text("app_id", r"\d{16}", "16 digits"),
        seller_id=section.text("seller_id", r"2088\d{12}", "16 digits that begin with 2088"),
        app_public_key_pem=section.text("app_public_key_pem"),
        alipay_private_key_pem=section.text("alipay_private_key_pem"),
    )
    section.finish()
    return app


def _sms(section: "_Section") -> SmsConfig:
    sms = SmsConfig(
        access_key_id=section.text("access_key_id"),
        access_key_secret=section.text("access_key_secret"),
        sign_name=section.text("sign_name"),
        templates=section.section("templates").texts(),
    )
    section.finish()
    return sms


def _certificate(section: "_Section") -> CertificateConfig | None:
    """Read the certificate's three keys, given all or not at all."""
    if not section.has_any("certificate_serial", "certificate_private_key_pem", "certificate_pem"):
        return None
    return CertificateConfig(
        serial=section.text("certificate_serial", r"[0-9A-Fa-f]{1,40}", "hexadecimal digits"),
        private_key_pem=section.text("certificate_private_key_pem"),
        pem=section.text("certificate_pem"),
    )


def _check_certificate_mode(config: SandboxConfig) -> None:
    """Refuse an account in certificate mode where there is no certificate."""
    for place, merchant in enumerate(config.merchants):
        if merchant.signs_with == CERTIFICATE and config.platform.certificate is None:
            raise ConfigError(
                f"merchants[{place}].signs_with is certificate, but there is no "
                "platform.certificate_pem."
            )


def _refuse_repeats(name: str, keys: list[str]) -> None:
    for key in keys:
        if keys.count(key) > 1:
            raise ConfigError(f"{name} has {key} twice.")


class _Section:
    """One JSON object, read key by key; every failure names the key in full."""

    def __init__(self, values: object, name: str):
        if not isinstance(values, dict):
            raise ConfigError(f"{name or 'The configuration'} must be a JSON object.")
        self.name = name
        self._left = dict(values)

    def finish(self) -> None:
        """Refuse keys nobody asked for."""
        for key in self._left:
            raise ConfigError(f"{self._path(key)} is not a key of the configuration.")

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if key in self._left else None

    def text(self, key: str, pattern: str = r"[\s\S]*\S[\s\S]*", like: str = "some text") -> str:
        value = self._take(key)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ConfigError(f"{self._path(key)} must be {like}.")
        return value

    def has_any(self, *keys: str) -> bool:
        return any(key in self._left for key in keys)

    def choice(self, key: str, values: tuple[str, ...]) -> str:
        """Read one of these values; the first where the key is missing."""
        if key not in self._left:
            return values[0]
        return self.text(key, "|".join(values), f"one of {', '.join(values)}")

    def origin(self, key: str) -> str:
        value = self.text(key)
        parts = urlsplit(value)
        plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
        if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
            raise ConfigError(f"{self._path(key)} must be http(s)://host[:port] without a path.")
        return value.rstrip("/")

    def rate(self, key: str) -> float:
        value = self._left.pop(key, CLOCK_RATE)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 < value <= 1_000_000:
            raise ConfigError(f"{self._path(key)} must be a number above 0.")
        return float(value)

    def strings(self, key: str) -> tuple[str, ...]:
        values = self._take(key)
        if not isinstance(values, list) or not values or not all(_is_text(v) for v in values):
            raise ConfigError(f"{self._path(key)} must be a list of texts.")
        return tuple(values)

    def texts(self) -> dict[str, str]:
        return {name: self.text(name) for name in list(self._left)}

    def string_lists(self, key: str) -> dict[str, tuple[str, ...]]:
        section = _Section(self._left.pop(key, {}), self._path(key))
        return {name: section.strings(name) for name in list(section._left)}

    def section(self, key: str) -> "_Section":
        return _Section(self._take(key), self._path(key))

    def sections(self, key: str, *, optional: bool = False) -> list["_Section"]:
        values = self._left.pop(key, []) if optional else self._take(key)
        if not isinstance(values, list):
            raise ConfigError(f"{self._path(key)} must be a list.")
        return [_Section(v, f"{self._path(key)}[{place}]") for place, v in enumerate(values)]

    def _take(self, key: str) -> object:
        if key not in self._left:
            raise ConfigError(f"{self._path(key)} is missing.")
        return self._left.pop(key)

    def _path(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)
