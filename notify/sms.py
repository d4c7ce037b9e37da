"""The contract with a provider of SMS (短信), and what of it is ours: caps, and values that fit."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Protocol

from billing.privacy import Vault
from notify.fields import plain
from notify.wechat_errors import Action

VALUE_CHARACTERS_MAX = 35
"""Of one value in an approved wording. Rule: help.aliyun.com, SMS template specifications."""

PLACE = re.compile(r"\$\{([a-z_]+)\}")
"""Where a value goes in the wording handed in for approval."""

NOT_IN_VALUES = re.compile(r"https?://\S*|[\u3010\u3011\[\]]")
"""Links, and the brackets that mark a signature, are refused within values."""

CAPS = ((1, 60), (5, 3600), (10, 24 * 3600))
"""(messages, within seconds) to one number under one signature. Rule: help.aliyun.com, SMS rate
limits; kept by us, so that the provider never has to say so.
"""


class SmsFate(Enum):
    """What the provider knows about a message."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class SmsRefused(Exception):
    """The provider answered with an error code; the message never holds the number.

    Attributes:
        may_have_arrived: the provider failed in a way that leaves this open.
    """

    def __init__(self, code: str, reason: str, action: Action, *, may_have_arrived: bool) -> None:
        super().__init__(f"{code} {reason}")
        self.action = action
        self.may_have_arrived = may_have_arrived


class SmsUnreachable(Exception):
    """No usable answer. `maybe_done`: the message may have been sent all the same."""

    def __init__(self, reason: str, *, maybe_done: bool) -> None:
        super().__init__(reason)
        self.maybe_done = maybe_done


class SmsSender(Protocol):
    """A provider of SMS. Safe to share between threads; both calls raise `SmsRefused` and
    `SmsUnreachable`.
    """

    def send(self, phone: str, template: str, values: Mapping[str, str], out_id: str) -> str:
        """Send an approved wording; returns the provider's number. Not twice-safe.

        Args:
            out_id: comes back in the report and in `find`.
        """

    def find(self, phone: str, out_id: str, sent_on: date) -> SmsFate | None:
        """What became of a message of that day in Beijing; None when the provider knows none."""


@dataclass(frozen=True, slots=True)
class SmsLine:
    """Everything SMS needs. `templates` names the approved wording of each kind of notice."""

    sender: SmsSender
    vault: Vault
    templates: Mapping[str, str]


def fill(wording: str, words: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """The values an approved wording asks for, cut to fit, and the text that comes of them.

    Raises:
        KeyError: the wording asks for a word that is not offered.
    """
    values = {name: _fit(words[name]) for name in PLACE.findall(wording)}
    return values, PLACE.sub(lambda place: values[place[1]], wording)


def _fit(value: str) -> str:
    shown = NOT_IN_VALUES.sub("", plain(value)).strip() or "-"
    return shown if len(shown) <= VALUE_CHARACTERS_MAX else shown[: VALUE_CHARACTERS_MAX - 1] + "…"
