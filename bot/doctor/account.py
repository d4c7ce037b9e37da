"""The official account: token, clock, templates, menu, and whether WeChat finds us."""

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from billing.errors import InvalidInput
from bot.doctor.findings import Finding, Patient, Status
from bot.menu import menu
from notify.approved import Approved
from notify.catalog import NOTICES, NoticeKind, Transport
from notify.template_setting import check_mapping, offered_words
from notify.wechat import AccountTemplate, WeChatError, WeChatUnreachable
from notify.wechat_errors import meaning

TIMEOUT_SECONDS = (3, 5)
SKEW_WARNING, SKEW_ERROR = 10, 120
"""Seconds. Pushes and payments are refused from five minutes on."""


def _refusal(check: str, error: WeChatError | WeChatUnreachable) -> Finding:
    if isinstance(error, WeChatError):
        return Finding(
            check,
            Status.ERROR,
            f"WeChat refuses ({error.errcode}): {meaning(error.errcode)}",
            "mend it in the settings, or in the account's console",
        )
    return Finding(
        check,
        Status.ERROR,
        f"WeChat does not answer: {error}",
        "check WECHAT_API_BASE and that this server may reach it",
    )


def check_token(patient: Patient) -> Iterator[Finding]:
    """WeChat gives us a token and takes it."""
    try:
        patient.program.services.wechat.get_menu()
    except (WeChatError, WeChatUnreachable) as error:
        yield _refusal("token", error)


def check_clock(patient: Patient) -> Iterator[Finding]:
    """Our clock against WeChat's, to the second that its answers carry."""
    try:
        answer = requests.get(patient.settings.wechat_api_base, timeout=TIMEOUT_SECONDS)
        theirs = parsedate_to_datetime(answer.headers["Date"])
    except (requests.RequestException, KeyError, ValueError):
        yield Finding("clock", Status.WARNING, "WeChat does not say what time it is", "see `token`")
        return
    skew = abs((patient.now - theirs).total_seconds())
    if skew > SKEW_WARNING:
        yield Finding(
            "clock",
            Status.ERROR if skew > SKEW_ERROR else Status.WARNING,
            f"this server's clock is {int(skew)} seconds off",
            "let it follow a time server (chrony, systemd-timesyncd)",
        )


def check_templates(patient: Patient) -> Iterator[Finding]:
    """Every kind has its templates, and WeChat has them with the fields we fill."""
    approved = patient.approved()
    wechat = patient.program.services.wechat
    for transport, ask in (
        (Transport.TEMPLATE, wechat.list_templates),
        (Transport.SUBSCRIBE, wechat.list_subscriptions),
    ):
        kinds = [kind for kind in NOTICES if transport in approved.route(kind)]
        if not kinds:
            continue
        try:
            listed = ask()
        except (WeChatError, WeChatUnreachable) as error:
            yield _refusal("templates", error)
            continue
        for kind in kinds:
            yield from _check_template(approved, kind, transport, listed)


def _check_template(
    approved: Approved, kind: NoticeKind, transport: Transport, listed: Sequence[AccountTemplate]
) -> Iterator[Finding]:
    route = approved.route(kind)
    following = route[route.index(transport) + 1 :]
    goes_on = f"goes by {following[0].value}" if following else "is not told at all"
    template = approved.template(kind, transport)
    cure = f"`mingzhang template set --kind {kind.value} --transport {transport.value}`"
    if template is None:
        if transport is Transport.TEMPLATE:  # the others add to it
            what = f"{kind.value} has no approved {transport.value}; it {goes_on}"
            yield Finding("templates", Status.WARNING, what, f"have one approved, then {cure}")
        return
    try:
        check_mapping(template["fields"], template["template_id"], listed, offered_words(kind))
    except InvalidInput as error:
        what = f"{kind.value}, {transport.value}: {error}; it {goes_on}"
        yield Finding("templates", Status.ERROR, what, cure)


def check_menu(patient: Patient) -> Iterator[Finding]:
    """The menu in force is the program's."""
    try:
        there = patient.program.services.wechat.get_menu()
    except (WeChatError, WeChatUnreachable) as error:
        yield _refusal("menu", error)
        return
    if _buttons(there.get("menu", {})) != _buttons(menu()):
        what = "the menu differs from the program's" if there else "the account has no menu"
        yield Finding("menu", Status.WARNING, what, "run `mingzhang wechat menu`")


def _buttons(shown: dict[str, Any]) -> list[Any]:
    """What of a menu counts: names, keys and addresses, in order."""
    return [
        (
            button.get("name"),
            button.get("key"),
            button.get("url"),
            _buttons({"button": button.get("sub_button") or []}),
        )
        for button in shown.get("button", [])
    ]


def check_callback(patient: Patient) -> Iterator[Finding]:
    """Our public address leads to this program, with this token: WeChat's own check of it."""
    settings = patient.settings
    url = f"{settings.base_url}/wechat"
    try:
        answer = requests.get(
            url, params=_echo(settings.wechat_token, patient.now), timeout=TIMEOUT_SECONDS
        )
    except requests.RequestException as error:
        yield Finding(
            "callback",
            Status.ERROR,
            f"{url} does not answer: {type(error).__name__}",
            "start `mingzhang serve`, and lead MINGZHANG_BASE_URL to it through the proxy",
        )
        return
    if answer.text != _ECHO:
        yield Finding(
            "callback",
            Status.ERROR,
            f"{url} answers {answer.status_code}, but not as this program with its WECHAT_TOKEN",
            "check where MINGZHANG_BASE_URL leads, and that `serve` has the same WECHAT_TOKEN",
        )


_ECHO = secrets.token_hex(8)


def _echo(token: str, now: datetime) -> dict[str, str]:
    """The query of WeChat's check of an address. Rule: developers.weixin.qq.com, message push."""
    timestamp, nonce = str(int(now.timestamp())), secrets.token_hex(8)
    signed = "".join(sorted([token, timestamp, nonce])).encode()
    signature = hashlib.sha1(signed).hexdigest()  # noqa: S324  # WeChat's
    return {"signature": signature, "timestamp": timestamp, "nonce": nonce, "echostr": _ECHO}
