"""A broadcast as its readers will see it, before anything of it is sent (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import Environment

from billing.property import Community
from notify.audiences import Audience
from notify.catalog import NoticeKind
from notify.fields import fit
from notify.render import words_of


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands on a telephone.

    Attributes:
        text: the whole words in the chat, to whoever wrote to us within 48 hours.
        card: the lines of the template message for everybody else, which leads to the whole words;
            None without an approved template: they get nothing then.
    """

    text: str
    card: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class _Words:
    """A broadcast as its templates read it."""

    body: str
    sent_at: datetime


def show_broadcast(
    community: Community,
    body: str,
    at: datetime,
    environment: Environment,
    template: Mapping[str, Any] | None,
) -> Shown:
    """Put words into the frames they are sent in.

    Args:
        at: when they leave.
        template: the approved one, as `approved.Approved.template` has it.
    """
    kind = NoticeKind.BROADCAST.value
    names = {"community": community, "broadcast": _Words(body, at)}
    text = environment.get_template(f"notices/{kind}/text.txt").render(names).strip()
    if template is None:
        return Shown(text, None)
    words = words_of(kind, environment, names)
    fields: Mapping[str, str] = template["fields"]
    return Shown(text, tuple(fit(name, words.get(word, "")) for name, word in fields.items()))


def describe_audience(audience: Audience, environment: Environment) -> str:
    """Whom it is for, in words: 3栋逾期未缴物业费的业主."""
    return environment.get_template("notices/_audience.txt").render(audience=audience).strip()
