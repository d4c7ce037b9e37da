"""Outbound calls to the official account: a thin adapter over wechatpy's client.

Fences around wechatpy 1.8.18 (read): its hosts are literals, it retries a refused token without
bound, fetches tokens without timeout or lock, and knows no `client_msg_id`. Here the addresses are
settings, every call has a timeout, a refused token is replaced once, and every failure is one of
two exceptions. Neither holds the token or an openid: requests' own messages contain the URL, so
they are dropped.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import requests
from redis import Redis
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError
from wechatpy.client import WeChatClient
from wechatpy.exceptions import WeChatClientException

from notify.access_token import AccessToken
from notify.wechat_errors import Action, WeChatError, WeChatUnreachable

__all__ = [
    "AccountTemplate",
    "Action",
    "OAuthIdentity",
    "SceneQr",
    "WeChat",
    "WeChatError",
    "WeChatUnreachable",
]

TIMEOUT_SECONDS = (3, 5)
"""To connect, and to wait for each answer."""

CONNECTIONS_MAX = 16
NO_MENU = 46003
FIELD = re.compile(r"\{\{\s*([A-Za-z_]+[0-9]*)\.DATA\s*\}\}")
"""A field in the content of a template, `{{thing1.DATA}}`."""


@dataclass(frozen=True, slots=True)
class SceneQr:
    """A QR code that follows the account with a scene. `scan_url` is what the code says."""

    ticket: str
    image_url: str
    scan_url: str


@dataclass(frozen=True, slots=True)
class OAuthIdentity:
    """Who opened a page. A snapshot identity is made up by WeChat and must never be bound."""

    openid: str
    is_snapshot: bool

    def __repr__(self) -> str:
        """Keep the openid out of logs."""
        return f"OAuthIdentity(is_snapshot={self.is_snapshot})"


@dataclass(frozen=True, slots=True)
class AccountTemplate:
    """A template of the account; `fields` are the names a message has to fill."""

    template_id: str
    title: str
    fields: tuple[str, ...]


class _Client(WeChatClient):  # type: ignore[misc]  # wechatpy has no types
    """wechatpy's client with our address, our timeouts and no retries of its own."""

    def __init__(self, app_id: str, app_secret: str, api_base: str) -> None:
        super().__init__(app_id, app_secret, timeout=TIMEOUT_SECONDS, auto_retry=False)
        self.API_BASE_URL = f"{api_base}/cgi-bin/"
        for scheme in ("http://", "https://"):
            self._http.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS_MAX))


class WeChat:
    """The official account. Safe to share between threads.

    Every method raises `WeChatError` when WeChat refuses and `WeChatUnreachable` when there is no
    usable answer; both say what to do in their attributes.
    """

    def __init__(
        self,
        app_id: str,
        app_secret: str,
        api_base: str,
        oauth_base: str,
        qr_base: str,
        redis: Redis,
    ) -> None:
        self._app_id = app_id
        self._app_secret = app_secret
        self._api_base = api_base
        self._oauth_base = oauth_base
        self._qr_base = qr_base
        self._client = _Client(app_id, app_secret, api_base)
        self._token = AccessToken(redis, app_id, self._fetch_token)

    def close(self) -> None:
        """Close idle connections; the next call opens new ones."""
        self._client._http.close()

    def send_template(
        self,
        openid: str,
        template_id: str,
        url: str | None,
        data: Mapping[str, str],
        client_msg_id: str,
    ) -> str:
        """Send a template message; returns WeChat's msgid.

        Twice-safe for 10 minutes: WeChat shows one message per openid and `client_msg_id`.
        """
        body = {
            "touser": openid,
            "template_id": template_id,
            "url": url or "",
            "client_msg_id": client_msg_id,
            "data": {field: {"value": value} for field, value in data.items()},
        }
        return str(self._post("message/template/send", body, "msgid")["msgid"])

    def send_subscription(
        self, openid: str, template_id: str, url: str | None, data: Mapping[str, str]
    ) -> None:
        """Send a subscription notice (bizsend), which uses up a consent. Not twice-safe, and
        WeChat gives no number of it.
        """
        body = {
            "touser": openid,
            "template_id": template_id,
            "page": url or "",
            "data": {field: {"value": value} for field, value in data.items()},
        }
        self._post("message/subscribe/bizsend", body)

    def send_text(self, openid: str, text: str) -> None:
        """Send a customer-service text (at most 2048 bytes). Not twice-safe."""
        body = {"touser": openid, "msgtype": "text", "text": {"content": text}}
        self._post("message/custom/send", body)

    def list_templates(self) -> list[AccountTemplate]:
        """Templates of template messages that the account may use now."""
        answer = self._get("template/get_all_private_template", {}, "template_list")
        return _templates(answer["template_list"], "template_id")

    def list_subscriptions(self) -> list[AccountTemplate]:
        """Templates of subscription notices that the account may use now."""
        url = f"{self._api_base}/wxaapi/newtmpl/gettemplate"
        return _templates(self._get(url, {}, "data")["data"], "priTmplId")

    def create_menu(self, menu: dict[str, Any]) -> None:
        """Replace the account's menu; safe to repeat."""
        self._post("menu/create", menu)

    def get_menu(self) -> dict[str, Any]:
        """The menu in force, as WeChat gives it; empty when there is none."""
        try:
            return self._get("menu/get", {})
        except WeChatError as error:
            if error.errcode == NO_MENU:
                return {}
            raise

    def create_scene_qr(self, scene: str, expire_seconds: int) -> SceneQr:
        """A QR code with a text scene (1–64 characters) that lives at most 30 days."""
        body = {
            "expire_seconds": expire_seconds,
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": scene}},
        }
        answer = self._post("qrcode/create", body, "ticket", "url")
        ticket = str(answer["ticket"])
        image_url = f"{self._qr_base}/cgi-bin/showqrcode?ticket={quote(ticket, safe='')}"
        return SceneQr(ticket=ticket, image_url=image_url, scan_url=str(answer["url"]))

    def oauth_url(self, redirect_uri: str, state: str) -> str:
        """Where to send a browser inside WeChat to learn its openid without asking (snsapi_base).

        The order of the parameters and the fragment are WeChat's, or the phone refuses.
        """
        query = urlencode(
            {
                "appid": self._app_id,
                "redirect_uri": redirect_uri,
                "response_type": "code",
                "scope": "snsapi_base",
                "state": state,
            }
        )
        return f"{self._oauth_base}/connect/oauth2/authorize?{query}#wechat_redirect"

    def oauth_identity(self, code: str) -> OAuthIdentity:
        """Who a code stands for; a code works once, for five minutes."""
        query = [
            ("appid", self._app_id),
            ("secret", self._app_secret),
            ("code", code),
            ("grant_type", "authorization_code"),
        ]
        url = f"{self._api_base}/sns/oauth2/access_token"
        answer = _checked(lambda: self._client.get(url, params=query), ["openid"])
        # WeChat writes 1; other spellings of yes must not slip through.
        return OAuthIdentity(
            openid=str(answer["openid"]),
            is_snapshot=str(answer.get("is_snapshotuser", 0)) not in {"0", ""},
        )

    def user_follows(self, openid: str) -> bool:
        """Whether this person follows the account now."""
        return str(self._get("user/info", {"openid": openid}).get("subscribe")) == "1"

    def _post(self, endpoint: str, body: dict[str, Any], *wanted: str) -> dict[str, Any]:
        return self._with_token(
            lambda token: _checked(
                lambda: self._client.post(endpoint, data=body, params={"access_token": token}),
                wanted,
            )
        )

    def _get(self, endpoint: str, query: dict[str, str], *wanted: str) -> dict[str, Any]:
        return self._with_token(
            lambda token: _checked(
                lambda: self._client.get(endpoint, params={"access_token": token, **query}),
                wanted,
            )
        )

    def _with_token(self, call: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        """Make a call; when its token is refused, once more with another one."""
        token = self._token.get()
        try:
            return call(token)
        except WeChatError as error:
            if error.action is not Action.REFRESH_TOKEN:
                raise
        return call(self._token.replace(token))

    def _fetch_token(self, force: bool) -> dict[str, Any]:
        body = {
            "grant_type": "client_credential",
            "appid": self._app_id,
            "secret": self._app_secret,
            "force_refresh": force,
        }
        # A list, because wechatpy adds a token of its own to parameters that are a dict.
        return _checked(
            lambda: self._client.post("stable_token", data=body, params=[]),
            ["access_token", "expires_in"],
        )


def _templates(listed: Any, id_name: str) -> list[AccountTemplate]:
    """Templates as WeChat lists them; what is no template is left out."""
    rows = listed if isinstance(listed, list) else []
    return [
        AccountTemplate(
            template_id=str(row[id_name]),
            title=str(row.get("title", "")),
            fields=tuple(FIELD.findall(str(row.get("content", "")))),
        )
        for row in rows
        if isinstance(row, dict) and id_name in row
    ]


def _checked(call: Callable[[], Any], wanted: Sequence[str] = ()) -> dict[str, Any]:
    """The answer of a call as JSON with at least the wanted keys; every failure typed."""
    try:
        answer = call()
    except WeChatClientException as error:
        if error.errcode is None:
            status = error.response.status_code
            raise WeChatUnreachable(f"HTTP {status}", maybe_done=True) from None
        raise WeChatError(error.errcode, str(error.errmsg)) from None
    except requests.RequestException as error:
        raise WeChatUnreachable(type(error).__name__, maybe_done=not never_left(error)) from None
    except (TypeError, ValueError):
        raise WeChatUnreachable("an error code that is no number", maybe_done=True) from None
    if not isinstance(answer, dict) or not answer.keys() >= set(wanted):
        raise WeChatUnreachable("an answer without the agreed fields", maybe_done=True)
    return answer


def never_left(error: requests.RequestException) -> bool:
    """Whether the request certainly did not reach WeChat."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", None), NewConnectionError)
