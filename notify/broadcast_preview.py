"""A broadcast as its readers will see it, before anything of it is sent (pure)."""

from dataclasses import dataclass
from datetime import datetime

from jinja2 import Environment

from billing.property import Community
from notify.approved import Approved
from notify.audiences import Audience
from notify.catalog import NoticeKind, Transport
from notify.render import fill_template, words_of


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands on a telephone.

    Attributes:
        text: the whole words, in the chat or behind the card.
        is_in_chat: whether they go to the chat of whoever wrote to us within 48 hours; else he too
            gets the card.
        card: the lines of the template message, which leads to the whole words; None where there
            is none to send: who is not told in the chat gets nothing then.
    """

    text: str
    is_in_chat: bool
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
    approved: Approved,
) -> Shown:
    """Put words into the frames they are sent in, by the ways that are on.

    Args:
        at: when they leave.
        approved: templates and ways, as staff set them.
    """
    kind = NoticeKind.BROADCAST
    names = {"community": community, "broadcast": _Words(body, at)}
    ways = approved.route(kind)
    template_id, fields = fill_template(
        kind.value,
        approved.templates,
        lambda: words_of(kind.value, environment, names),
        Transport.TEMPLATE in ways,
    )
    card = None if template_id is None else tuple(fields.values())
    is_first = ways[0] is Transport.SERVICE or card is None
    return Shown(
        text=environment.get_template(f"notices/{kind.value}/text.txt").render(names).strip(),
        is_in_chat=Transport.SERVICE in ways and is_first,
        card=card,
    )


def describe_audience(audience: Audience, environment: Environment) -> str:
    """Whom it is for, in words: 3栋逾期未缴物业费的业主."""
    return environment.get_template("notices/_audience.txt").render(audience=audience).strip()
