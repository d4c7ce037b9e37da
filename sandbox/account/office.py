"""The official account behind its API: sends, menus, QR codes, users. Thread-safe."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from sqlite3 import Connection
from typing import Any

from sandbox.account.consents import use_consent
from sandbox.account.menu import check_menu, drop_menu, find_menu, keep_menu
from sandbox.account.oauth import redeem_code
from sandbox.account.refusals import ApiError
from sandbox.account.scenes import QrCode, create_code
from sandbox.account.service_message import read_service_message
from sandbox.account.templates import Registry
from sandbox.account.windows import use_window
from sandbox.clock import SHANGHAI, Clock
from sandbox.config import SandboxConfig
from sandbox.ids import MessageIds
from sandbox.phone.inbox import SERVICE, SUBSCRIBE, TEMPLATE, add_message
from sandbox.phone.people import Phone, find_phone
from sandbox.store import Store

CLIENT_MSG_ID_LIFE_S = 600
CLIENT_MSG_ID_BYTES_MAX = 64


@dataclass(frozen=True)
class Letter:
    """A message the service handed in, ready to be kept and shown."""

    kind: str
    openid: str
    text: str
    shown: Mapping[str, Any]
    url: str | None
    client_msg_id: str | None = None
    template_id: str | None = None


class Office:
    """What the account does when its API is called; every method raises ApiError.

    `announce(openid, msgid)` is called once for each template message that was delivered,
    `announce_subscription(openid, msgid, template_id)` for each subscription notice.
    """

    def __init__(
        self,
        config: SandboxConfig,
        clock: Clock,
        store: Store,
        ids: MessageIds,
        announce: Callable[[str, int], None],
        announce_subscription: Callable[[str, int, str], None],
    ):
        self._public_url = config.public_url
        self._clock = clock
        self._store = store
        self._ids = ids
        self._announce = announce
        self._announce_subscription = announce_subscription
        self._templates = Registry(config.templates)

    def list_templates(self) -> list[dict[str, Any]]:
        """List the account's templates as WeChat does."""
        return [
            {
                "template_id": each.template_id,
                "title": each.title,
                "primary_industry": "",
                "deputy_industry": "",
                "content": each.content,
                "example": "",
            }
            for each in self._templates.listed()
        ]

    def list_subscriptions(self) -> list[dict[str, Any]]:
        """List the templates of subscription notices; the sandbox takes each for both."""
        return [
            {
                "priTmplId": each.template_id,
                "title": each.title,
                "content": each.content,
                "example": "",
                "type": 2,
            }
            for each in self._templates.listed()
        ]

    def send_template(self, body: Mapping[str, Any]) -> int:
        """Deliver a template message and give its msgid.

        The same client_msg_id to the same person within ten minutes (real time) gives the first
        one's msgid and shows nothing again.
        """
        client_msg_id, url = _client_msg_id(body), _url(body)
        with self._store.transaction() as db:
            phone = _person(db, body.get("touser"))
            card = self._templates.card(body.get("template_id"), body.get("data"))
            if not phone.follows:
                raise ApiError(43004)
            letter = Letter(
                kind=TEMPLATE,
                openid=phone.openid,
                text=card.text,
                shown={**card.values, "title": card.title, "rows": card.rows},
                url=url,
                client_msg_id=client_msg_id,
                template_id=str(body["template_id"]),
            )
            msgid, is_new = self._deliver(db, letter)
        if is_new:
            self._announce(phone.openid, msgid)
        return msgid

    def send_subscription(self, body: Mapping[str, Any]) -> None:
        """Deliver a subscription notice (bizsend) for one consent. The answer has no number, and
        repeats are not recognised.
        """
        url = _url({"url": body.get("page")})
        with self._store.transaction() as db:
            phone = _person(db, body.get("touser"))
            card = self._templates.card(body.get("template_id"), body.get("data"))
            if not phone.follows:
                raise ApiError(43004)
            template_id = str(body["template_id"])
            use_consent(db, phone.openid, template_id)
            letter = Letter(
                kind=SUBSCRIBE,
                openid=phone.openid,
                text=card.text,
                shown={**card.values, "title": card.title, "rows": card.rows},
                url=url,
                template_id=template_id,
            )
            msgid, _ = self._deliver(db, letter)
        self._announce_subscription(phone.openid, msgid, template_id)

    def send_service_message(self, body: Mapping[str, Any]) -> None:
        """Deliver a service message while the person's window allows it."""
        message = read_service_message(body)
        with self._store.transaction() as db:
            phone = _person(db, body.get("touser"))
            if not phone.follows:
                raise ApiError(45015)
            use_window(db, phone.openid, self._now().timestamp())
            self._deliver(
                db, Letter(SERVICE, phone.openid, message.text, message.data, message.url)
            )

    def list_sent(self) -> list[dict[str, Any]]:
        """List every message accepted, oldest first; `repeats` counts the ones shown only once."""
        with self._store.transaction() as db:
            rows = db.execute("SELECT * FROM sent ORDER BY rowid").fetchall()
        return [_sent(dict(row)) for row in rows]

    def create_menu(self, body: Mapping[str, Any]) -> None:
        """Replace the menu."""
        buttons = check_menu(body)
        with self._store.transaction() as db:
            keep_menu(db, buttons)

    def get_menu(self) -> dict[str, Any]:
        """Give the menu; 46003 where there is none."""
        with self._store.transaction() as db:
            buttons = find_menu(db)
        if not buttons:
            raise ApiError(46003)
        return {"menu": {"button": buttons}}

    def delete_menu(self) -> None:
        """Show no menu any more."""
        with self._store.transaction() as db:
            drop_menu(db)

    def create_qr_code(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make a QR code with a scene."""
        now = self._now().timestamp()
        with self._store.transaction() as db:
            code = create_code(db, body, now)
        answer: dict[str, Any] = {"ticket": code.ticket}
        if code.expires_at is not None:
            answer["expire_seconds"] = round(code.expires_at - now)
        return answer | {"url": self.qr_url(code)}

    def qr_url(self, code: QrCode) -> str:
        """Give what the picture of a code says."""
        return f"{self._public_url}/q/{code.path}"

    def get_user(self, openid: str | None) -> dict[str, Any]:
        """Describe a person as far as WeChat still does: who does not follow is only an openid."""
        with self._store.transaction() as db:
            phone = _person(db, openid)
        if not phone.follows:
            return {"subscribe": 0, "openid": phone.openid, "tagid_list": []}
        is_number = phone.scene.isdigit()
        return {
            "subscribe": 1,
            "openid": phone.openid,
            "nickname": "",
            "sex": 0,
            "language": "",
            "city": "",
            "province": "",
            "country": "",
            "headimgurl": "",
            "subscribe_time": int(phone.followed_at or 0),
            "remark": "",
            "groupid": 0,
            "tagid_list": [],
            "subscribe_scene": phone.followed_by,
            "qr_scene": int(phone.scene) if is_number else 0,
            "qr_scene_str": "" if is_number else phone.scene,
        }

    def redeem_oauth_code(self, code: str | None) -> dict[str, Any]:
        """Tell whom a sign-in code stands for; the token it comes with opens nothing here."""
        with self._store.transaction() as db:
            grant = redeem_code(db, code, self._now().timestamp())
        answer: dict[str, Any] = {
            "access_token": f"web_{code}",
            "expires_in": 7200,
            "refresh_token": f"again_{code}",
            "openid": grant.openid,
            "scope": "snsapi_base",
        }
        return answer | ({"is_snapshotuser": 1} if grant.is_snapshot else {})

    def _deliver(self, db: Connection, letter: Letter) -> tuple[int, bool]:
        """Show and keep a letter, once per client_msg_id; give its msgid and whether it is new."""
        now = self._now()
        known = _find_repeated(db, letter, now.timestamp() - CLIENT_MSG_ID_LIFE_S)
        if known is not None:
            db.execute("UPDATE sent SET repeats = repeats + 1 WHERE msgid = ?", (known,))
            return known, False
        msgid = self._ids.next_sent()
        shown = json.dumps(letter.shown, ensure_ascii=False)
        db.execute(
            "INSERT INTO sent (msgid, kind, openid, client_msg_id, template_id, text, data, url,"
            " at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(msgid, letter.kind, letter.openid, letter.client_msg_id, letter.template_id),
                *(letter.text, shown, letter.url, now.timestamp()),
            ),
        )
        add_message(
            db, letter.openid, letter.kind, letter.text, now, data=letter.shown, url=letter.url
        )
        return msgid, True

    def _now(self) -> datetime:
        return self._clock.now()


def _person(db: Connection, openid: object) -> Phone:
    phone = find_phone(db, openid) if isinstance(openid, str) else None
    if phone is None:
        raise ApiError(40003)
    return phone


def _client_msg_id(body: Mapping[str, Any]) -> str | None:
    value = body.get("client_msg_id")
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise ApiError(47001)
    if len(value.encode()) > CLIENT_MSG_ID_BYTES_MAX:
        raise ApiError(45067)
    return value


def _url(body: Mapping[str, Any]) -> str | None:
    url = body.get("url") or None
    if url is not None and not str(url).startswith(("http://", "https://")):
        raise ApiError(40048)
    return url


def _find_repeated(db: Connection, letter: Letter, since: float) -> int | None:
    if letter.client_msg_id is None:
        return None
    row = db.execute(
        "SELECT msgid FROM sent WHERE openid = ? AND client_msg_id = ? AND at > ?",
        (letter.openid, letter.client_msg_id, since),
    ).fetchone()
    return int(row["msgid"]) if row else None


def _sent(values: dict[str, Any]) -> dict[str, Any]:
    at = datetime.fromtimestamp(values["at"], SHANGHAI).isoformat(timespec="milliseconds")
    return values | {"data": json.loads(values["data"]), "at": at}
