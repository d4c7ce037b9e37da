"""From figures to words (pure): template fields, link and plain text of one message.

Words live in `templates/notices/<kind>/`: `fields.txt` offers named words to template messages, one
`name = value` a line; `text.txt` is the same as a text for the chat. Which word goes into which
field of which approved template is a setting.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import structlog
from jinja2 import Environment

from notify.catalog import NOTICES, Transport
from notify.fields import fit
from notify.merge import Telling

log = structlog.get_logger(__name__)

Templates = Mapping[str, Mapping[str, Any]]
"""Settings: notice kind → `{"template_id": …, "fields": {WeChat's field: our word}}`."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says, for every transport it may take. Frozen in the outbox as JSON.

    Attributes:
        template_id: None when no template is approved for the kind.
        total_fen: what it says is owed; None when it speaks of no bill.
    """

    template_id: str | None
    fields: dict[str, str]
    url: str | None
    text: str
    total_fen: int | None

    def as_json(self) -> dict[str, Any]:
        """As stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """As read back."""
        return cls(**stored)


def render(telling: Telling, environment: Environment, templates: Templates) -> Content:
    """Put a message into words."""
    folder = f"notices/{telling.kind.value}"
    names = {name: getattr(telling, name) for name in Telling.__slots__}
    template_id: str | None = None
    fields: dict[str, str] = {}
    if Transport.TEMPLATE in NOTICES[telling.kind].transports and telling.kind in templates:
        words = _words(environment.get_template(f"{folder}/fields.txt").render(names))
        template_id, fields = _fill(telling.kind.value, templates[telling.kind], words)
    return Content(
        template_id=template_id,
        fields=fields,
        url=telling.url,
        text=environment.get_template(f"{folder}/text.txt").render(names).strip(),
        total_fen=telling.total.fen if telling.bills else None,
    )


def _words(rendered: str) -> dict[str, str]:
    lines = (line.partition("=") for line in rendered.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in lines}


def _fill(
    kind: str, template: Mapping[str, Any], words: Mapping[str, str]
) -> tuple[str | None, dict[str, str]]:
    """The approved template filled in; none at all when it asks for a word we do not offer."""
    wanted: Mapping[str, str] = template["fields"]
    unknown = sorted(set(wanted.values()) - set(words))
    if unknown:
        log.error("template_wants_unknown_words", kind=kind, unknown=unknown, offered=sorted(words))
        return None, {}
    return template["template_id"], {
        field: fit(field, words[word]) for field, word in wanted.items()
    }
