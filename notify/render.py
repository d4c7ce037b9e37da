"""From figures to words (pure): template fields, link and plain text of one message.

Words live in `templates/notices/<kind>/`: `fields.txt` offers named words to templates, one
`name = value` a line; `text.txt` is the same as a text for the chat; `sms.txt` is the wording to
hand in for approval at the provider of SMS, with `${name}` where a word goes. Which word goes into
which field of which approved template is a setting.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Self

import structlog
from jinja2 import Environment

from notify.catalog import NOTICES, Transport
from notify.fields import fit
from notify.merge import Telling
from notify.sms import fill
from notify.timing_tables import Wording

log = structlog.get_logger(__name__)

Templates = Mapping[str, Mapping[str, Any]]
"""Settings: notice kind → `{"template_id": …, "fields": {WeChat's field: our word}}`."""


NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Text:
    """An SMS: which approved wording, with which values, and how it reads."""

    template: str
    values: dict[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says, for every transport it may take. Frozen in the outbox as JSON.

    Attributes:
        template_id: None when no template is approved for the kind.
        total_fen: what it says is owed; None when it speaks of no bill.
        subscribe_id: template of the subscription notice; None when none is approved.
        sms: None when no wording is approved.
        wording: which of two, where there are two; an SMS has the approved one.
        route: codes of the transports it may take, the first first; empty: the catalogue's.
    """

    template_id: str | None
    fields: dict[str, str]
    url: str | None
    text: str
    total_fen: int | None
    subscribe_id: str | None = None
    subscribe_fields: dict[str, str] = field(default_factory=dict)
    sms: Text | None = None
    wording: str | None = None
    route: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """As stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """As read back."""
        kept = dict(stored)
        if kept.get("sms"):
            kept["sms"] = Text(**kept["sms"])
        return cls(**kept)


def render(
    telling: Telling,
    environment: Environment,
    templates: Templates,
    subscriptions: Templates = NOTHING,
    sms: Mapping[str, str] = NOTHING,
    wording: Wording | None = None,
    route: Sequence[Transport] = (),
) -> Content:
    """Put a message into words.

    Args:
        subscriptions: templates of subscription notices, as `templates`.
        sms: notice kind → code of the wording that was approved as SMS.
        wording: of chat and template messages; None for a kind of which there is one.
        route: the transports that are on; empty: as in the catalogue.
    """
    kind = telling.kind
    names: dict[str, Any] = {name: getattr(telling, name) for name in Telling.__slots__}
    names["wording"] = (wording or Wording.PLAIN).value
    page = "text_warm.txt" if wording is Wording.WARM else "text.txt"

    @cache
    def words() -> dict[str, str]:
        return words_of(kind.value, environment, names)

    ways = route or NOTICES[kind].transports
    template_id, fields = fill_template(kind.value, templates, words, Transport.TEMPLATE in ways)
    subscribe_id, subscribe_fields = fill_template(
        kind.value, subscriptions, words, Transport.SUBSCRIBE in ways
    )
    text = None
    asks_for_nothing = bool(telling.deducted) and not telling.total.fen
    if Transport.SMS in ways and kind in sms and not asks_for_nothing:  # its wording is fixed
        values, shown = fill(sms_wording(kind.value, environment), words())
        text = Text(sms[kind], values, shown)
    return Content(
        template_id=template_id,
        fields=fields,
        url=telling.url,
        text=environment.get_template(f"notices/{kind.value}/{page}").render(names).strip(),
        total_fen=telling.total.fen if telling.bills else None,
        subscribe_id=subscribe_id,
        subscribe_fields=subscribe_fields,
        sms=text,
        wording=None if wording is None else wording.value,
        route=[transport.value for transport in route],
    )


def words_of(kind: str, environment: Environment, names: Mapping[str, Any]) -> dict[str, str]:
    """What a kind offers to the fields of approved templates, by our word."""
    offered = environment.get_template(f"notices/{kind}/fields.txt")
    lines = (line.partition("=") for line in offered.render(names).splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in lines}


def sms_wording(kind: str, environment: Environment) -> str:
    """The wording of a kind to hand in for approval, places for values in it."""
    return environment.get_template(f"notices/{kind}/sms.txt").render().strip()


def fill_template(
    kind: str, templates: Templates, words: Callable[[], Mapping[str, str]], is_a_way: bool
) -> tuple[str | None, dict[str, str]]:
    """The approved template of a kind filled in; none at all when there is none, or when it asks
    for a word we do not offer.
    """
    template = templates.get(kind) if is_a_way else None
    if template is None:
        return None, {}
    wanted: Mapping[str, str] = template["fields"]
    offered = words()
    unknown = sorted(set(wanted.values()) - set(offered))
    if unknown:
        log.error(
            "template_wants_unknown_words", kind=kind, unknown=unknown, offered=sorted(offered)
        )
        return None, {}
    return template["template_id"], {
        name: fit(name, offered[word]) for name, word in wanted.items()
    }
