"""Which templates are approved and which transports a kind takes: settings, and what staff set.

Settings and catalogue are the defaults; a row of staff's wins. A message keeps the route it was
frozen with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notify.catalog import NOTICES, NoticeKind, Transport
from notify.outbox import Message
from notify.render import Templates
from notify.template_tables import NoticeRoute, NoticeTemplate


@dataclass(frozen=True, slots=True)
class Approved:
    """What may be sent how.

    Attributes:
        templates, subscriptions: as `render.Templates`.
        sms: kind → code of its approved wording.
        routes: kinds whose transports staff ordered; the others take the catalogue's.
    """

    templates: Templates = field(default_factory=dict)
    subscriptions: Templates = field(default_factory=dict)
    sms: Mapping[str, str] = field(default_factory=dict)
    routes: Mapping[NoticeKind, tuple[Transport, ...]] = field(default_factory=dict)

    def route(self, kind: NoticeKind) -> tuple[Transport, ...]:
        """The transports of a kind that are on, the first to be tried first."""
        return self.routes.get(kind, NOTICES[kind].transports)

    def template(self, kind: NoticeKind, transport: Transport) -> Mapping[str, Any] | None:
        """`template_id` and `fields` of a kind; None where none is approved, or none is needed."""
        if transport is Transport.SMS:
            code = self.sms.get(kind)
            return None if code is None else {"template_id": code, "fields": {}}
        kept = {Transport.TEMPLATE: self.templates, Transport.SUBSCRIBE: self.subscriptions}
        return kept[transport].get(kind) if transport in kept else None


def read_approved(session: Session, defaults: Approved) -> Approved:
    """The defaults with what staff set over them; two statements."""
    rows: dict[Transport, dict[str, Any]] = {transport: {} for transport in Transport}
    for row in session.scalars(select(NoticeTemplate)):
        rows[row.transport][row.kind] = {"template_id": row.template_id, "fields": row.fields}
    routes = {
        row.kind: tuple(Transport(code) for code in row.transports)
        for row in session.scalars(select(NoticeRoute))
    }
    codes = {kind: row["template_id"] for kind, row in rows[Transport.SMS].items()}
    return Approved(
        templates={**defaults.templates, **rows[Transport.TEMPLATE]},
        subscriptions={**defaults.subscriptions, **rows[Transport.SUBSCRIBE]},
        sms={**defaults.sms, **codes},
        routes={**defaults.routes, **routes},
    )


def route_of(message: Message) -> tuple[Transport, ...]:
    """The transports a message may take, as frozen with it."""
    kept = message.content.get("route")
    return tuple(Transport(code) for code in kept) if kept else NOTICES[message.kind].transports
