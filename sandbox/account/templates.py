"""The account's approved templates: check a message's data and write it as a person reads it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sandbox.account.fields import refusal
from sandbox.account.refusals import ApiError
from sandbox.config import Template


@dataclass(frozen=True)
class Card:
    """A template message as it appears: the title and label-value rows; `values` by field name."""

    title: str
    text: str
    rows: tuple[tuple[str, str], ...]
    values: Mapping[str, str]


class Registry:
    """All templates of the account, by id."""

    def __init__(self, templates: Iterable[Template]):
        self._templates = {template.template_id: template for template in templates}

    def listed(self) -> tuple[Template, ...]:
        """Every template, in the order of the configuration."""
        return tuple(self._templates.values())

    def card(self, template_id: object, data: object) -> Card:
        """Fill a template, ignoring fields it does not have.

        Raises ApiError 40037 for an unknown template, 47003 naming the first field at fault.
        """
        template = self._templates.get(template_id) if isinstance(template_id, str) else None
        if template is None:
            raise ApiError(40037)
        if not isinstance(data, dict):
            raise ApiError(47001)
        values = {name: _value(template, name, data) for name in template.field_names}
        text = template.content
        for name, value in values.items():
            text = text.replace(f"{{{{{name}.DATA}}}}", value)
        return Card(template.title, text, _rows(template, values), values)


def _value(template: Template, name: str, data: Mapping[str, object]) -> str:
    entry = data.get(name)
    value = entry.get("value") if isinstance(entry, dict) else None
    wrong = refusal(name, value, tuple(template.const.get(name, ())))
    if wrong:
        raise ApiError(47003, wrong)
    return str(value)


def _rows(template: Template, values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Split each line of the content into its label and its value."""
    rows = []
    for line in template.content.splitlines():
        label, _, rest = line.partition("{{")
        name = rest.partition(".DATA}}")[0]
        if name in values:
            rows.append((label.rstrip(":\uff1a "), values[name]))
    return tuple(rows)
