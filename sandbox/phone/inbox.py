"""Everything a person saw or said, in order."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from sqlite3 import Connection
from typing import Any

from sandbox.clock import SHANGHAI

PASSIVE, SERVICE, TEMPLATE, OWN = "passive", "service", "template", "own"
SUBSCRIBE, SMS = "subscribe", "sms"


@dataclass(frozen=True)
class Message:
    """One message on a phone; `seq` rises over all phones, `url` is what a tap opens."""

    seq: int
    openid: str
    kind: str
    text: str
    data: Mapping[str, Any]
    url: str | None
    at: datetime

    def to_json(self) -> dict[str, Any]:
        """Give the message as the control API shows it."""
        return {
            "seq": self.seq,
            "kind": self.kind,
            "text": self.text,
            "data": self.data,
            "url": self.url,
            "at": self.at.isoformat(timespec="milliseconds"),
        }


def add_message(
    db: Connection,
    openid: str,
    kind: str,
    text: str,
    now: datetime,
    *,
    data: Mapping[str, Any] | None = None,
    url: str | None = None,
) -> None:
    """Let a message appear on the phone."""
    db.execute(
        "INSERT INTO message (openid, kind, text, data, url, at) VALUES (?, ?, ?, ?, ?, ?)",
        (openid, kind, text, json.dumps(data or {}, ensure_ascii=False), url, now.timestamp()),
    )


def list_messages(db: Connection, openid: str, since: int) -> list[Message]:
    """List what came after `seq` since, also what the person said."""
    rows = db.execute(
        "SELECT * FROM message WHERE openid = ? AND seq > ? ORDER BY seq", (openid, since)
    )
    return [_message(dict(row)) for row in rows]


def _message(values: dict[str, Any]) -> Message:
    data, at = json.loads(values.pop("data")), values.pop("at")
    return Message(**values, data=data, at=datetime.fromtimestamp(at, SHANGHAI))
