"""What a person does in the chat, and what appears on the phone because of it."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from sqlite3 import Connection
from typing import Any

from sandbox.account import scenes, windows
from sandbox.account.consents import add_consent, end_consent
from sandbox.account.menu import find_menu
from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.ids import MessageIds
from sandbox.phone.inbox import OWN, PASSIVE, add_message
from sandbox.phone.links import first_url
from sandbox.phone.people import Phone, get_phone, start_following, stop_following
from sandbox.push.documents import (
    Fields,
    Value,
    event_fields,
    subscription_fields,
    template_finished_fields,
    text_fields,
    voice_fields,
)
from sandbox.push.line import Lines
from sandbox.push.pusher import Pushed, Pusher
from sandbox.push.replies import TRANSFER, Reply
from sandbox.store import Store
from sandbox.wording import say

SUCCESS = "success"
FAILURES = {
    "user_block": "failed:user block",
    "system_failed": "failed: system failed",
    "freq_limit": "failed:freq limit",
}
ON_PAGE = 1
"""PopupScene of a button in a page; in an article it is 2."""


class CannotError(Exception):
    """A person cannot do this now; the message says why."""


@dataclass(frozen=True)
class Seen:
    """A push to make, and whether the person sees what comes of it."""

    fields: Fields
    shows_reply: bool = True


Prepare = Callable[[Connection, Phone, datetime], Seen]


class Acts:
    """One method per act; each waits for the push it causes, behind the phone's earlier ones."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: MessageIds,
        pusher: Pusher,
        lines: Lines,
        faults: Faults,
    ):
        self._faults = faults
        self._store = store
        self._clock = clock
        self._ids = ids
        self._pusher = pusher
        self._lines = lines

    def follow(self, openid: str, scene: str) -> Pushed:
        """Follow the account, by the QR code of a scene or ("") by search."""

        def prepare(db: Connection, phone: Phone, now: datetime) -> Seen:
            del phone
            return _subscribe(db, openid, scene, now)

        return self._do(openid, prepare)

    def unfollow(self, openid: str) -> Pushed:
        """Stop following; raises CannotError for a person who does not follow."""

        def prepare(db: Connection, phone: Phone, now: datetime) -> Seen:
            del now
            _check_follows(phone)
            stop_following(db, openid)
            windows.close_windows(db, openid)
            return Seen(event_fields("unsubscribe"), shows_reply=False)

        return self._do(openid, prepare)

    def scan(self, openid: str, scene: str) -> Pushed:
        """Scan a QR code; it makes a stranger follow. Raises CannotError for an expired one."""

        def prepare(db: Connection, phone: Phone, now: datetime) -> Seen:
            if not phone.follows:
                return _subscribe(db, openid, scene, now)
            ticket = _ticket(db, scene, now)
            windows.open_window(db, openid, windows.SCANNED, now.timestamp())
            return Seen(event_fields("SCAN", scene, Ticket=ticket))

        return self._do(openid, prepare)

    def tap(self, openid: str, key: str) -> Pushed:
        """Tap the menu: a button's key, or the address of one that opens a page.

        A key the menu no longer has is pushed too: phones show an old menu for minutes.
        """

        def prepare(db: Connection, phone: Phone, now: datetime) -> Seen:
            _check_follows(phone)
            if _is_link(find_menu(db), key):
                event = event_fields("VIEW", key, MenuId=int(now.timestamp()))
                return Seen(event, shows_reply=False)
            windows.open_window(db, openid, windows.TAPPED, now.timestamp())
            return Seen(event_fields("CLICK", key))

        return self._do(openid, prepare)

    def say(self, openid: str, text: str, menu_item: str | None = None) -> Pushed:
        """Type a message, or tap the choice `menu_item` of a service message."""

        def prepare(db: Connection, phone: Phone, now: datetime) -> Seen:
            _check_follows(phone)
            add_message(db, openid, OWN, text, now)
            scene = windows.SAID if menu_item is None else windows.TAPPED
            windows.open_window(db, openid, scene, now.timestamp())
            return Seen(text_fields(text, self._ids.next_push(), menu_item))

        return self._do(openid, prepare)

    def speak(self, openid: str, recognition: str) -> Pushed:
        """Send a voice message."""

        def prepare(db: Connection, phone: Phone, now: datetime) -> Seen:
            _check_follows(phone)
            add_message(db, openid, OWN, recognition, now, data={"is_voice": True})
            windows.open_window(db, openid, windows.SAID, now.timestamp())
            return Seen(voice_fields(recognition, self._ids.next_push()))

        return self._do(openid, prepare)

    def subscribe(self, openid: str, answers: Mapping[str, bool]) -> Pushed:
        """Answer the pop-up of subscription notices: template → accepted."""

        def prepare(db: Connection, phone: Phone, now: datetime) -> Seen:
            del now
            _check_follows(phone)
            for template_id, accepted in answers.items():
                (add_consent if accepted else end_consent)(db, openid, template_id)
            listed: list[dict[str, Value]] = [
                {
                    "TemplateId": template_id,
                    "SubscribeStatusString": "accept" if accepted else "reject",
                    "PopupScene": ON_PAGE,
                }
                for template_id, accepted in answers.items()
            ]
            return Seen(subscription_fields("popup", listed), shows_reply=False)

        return self._do(openid, prepare)

    def unsubscribe(self, openid: str, template_id: str) -> Pushed:
        """Refuse a template's notices in the settings."""

        def prepare(db: Connection, phone: Phone, now: datetime) -> Seen:
            del phone, now
            end_consent(db, openid, template_id)
            refused: dict[str, Value] = {
                "TemplateId": template_id,
                "SubscribeStatusString": "reject",
            }
            return Seen(subscription_fields("change", [refused]), shows_reply=False)

        return self._do(openid, prepare)

    def report_delivery(self, openid: str, msgid: int) -> None:
        """Tell the service, some time later, what became of a template message."""
        for status in self._statuses():
            self._tell(openid, template_finished_fields(msgid, status))

    def report_subscription(self, openid: str, msgid: int, template_id: str) -> None:
        """Tell the service, some time later, what became of a subscription notice."""
        for status in self._statuses():
            done: dict[str, Value] = {
                "TemplateId": template_id,
                "MsgID": msgid,
                "ErrorCode": 0 if status == SUCCESS else 1,
                "ErrorStatus": status.removeprefix("failed:").strip(),
            }
            self._tell(openid, subscription_fields("sent", [done]))

    def _statuses(self) -> list[str]:
        """What is told about one message, as the fault planned for its report says."""
        fault = self._faults.take("delivery_report")
        if fault is None:
            return [SUCCESS]
        if fault.mode in FAILURES:
            return [FAILURES[fault.mode]]
        return [SUCCESS, SUCCESS] if fault.mode == "duplicate" else []

    def _tell(self, openid: str, fields: Fields) -> None:
        self._lines.submit(openid, lambda: self._pusher.push(openid, fields))

    def _do(self, openid: str, prepare: Prepare) -> Pushed:
        """Prepare, push and show, as one job of the phone's line; raises what `prepare` does."""

        def job() -> Pushed:
            with self._store.transaction() as db:
                seen = prepare(db, get_phone(db, openid), self._clock.now())
            pushed = self._pusher.push(openid, seen.fields)
            if seen.shows_reply:
                self._show(openid, pushed)
            return pushed

        future: Future[Pushed] = self._lines.submit(openid, job)
        return future.result()

    def _show(self, openid: str, pushed: Pushed) -> None:
        shown = _shown(pushed)
        if shown is None:
            return
        text, url, data = shown
        with self._store.transaction() as db:
            add_message(db, openid, PASSIVE, text, self._clock.now(), data=data, url=url)


def _subscribe(db: Connection, openid: str, scene: str, now: datetime) -> Seen:
    more = {"Ticket": _ticket(db, scene, now)} if scene else {}
    start_following(db, openid, scene, now.timestamp())
    windows.open_window(db, openid, windows.FOLLOWED, now.timestamp())
    return Seen(event_fields("subscribe", f"qrscene_{scene}" if scene else "", **more))


def _check_follows(phone: Phone) -> None:
    if not phone.follows:
        raise CannotError(f"{phone.openid} does not follow the account; follow first")


def _ticket(db: Connection, scene: str, now: datetime) -> str:
    """Give the ticket of the scene's code; codes printed by others are taken as they are."""
    code = scenes.find_scene(db, scene)
    if code is None:
        return f"gQ{scene}"
    if code.expires_at is not None and code.expires_at <= now.timestamp():
        raise CannotError(f"the QR code of scene {scene} has expired")
    return code.ticket


def _is_link(buttons: list[dict[str, Any]], key: str) -> bool:
    leaves = [leaf for button in buttons for leaf in (button["sub_button"] or [button])]
    return any(leaf["type"] == "view" and leaf["url"] == key for leaf in leaves)


def _shown(pushed: Pushed) -> tuple[str, str | None, dict[str, Any]] | None:
    """Give text, link and data of what appears on the phone; None where nothing does."""
    if pushed.fault:
        return say("account.out_of_order"), None, {"fault": pushed.fault}
    if pushed.reply is None:
        return None
    return _shown_reply(pushed.reply)


def _shown_reply(reply: Reply) -> tuple[str, str | None, dict[str, Any]]:
    if reply.text is not None:
        return reply.text, first_url(reply.text), {}
    if reply.articles:
        titles = [f"{each['title']}\n{each['description']}".strip() for each in reply.articles]
        return "\n".join(titles), reply.articles[0]["url"] or None, {"articles": reply.articles}
    if reply.type == TRANSFER:
        return say("account.transferred"), None, {"type": reply.type}
    return say(f"media.{reply.type}"), None, {"type": reply.type, "media_id": reply.media_id}
