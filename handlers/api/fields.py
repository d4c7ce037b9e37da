"""What another system may send: each kind of value reads itself and describes itself, so that the
description cannot say anything else than the reading does.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from billing.errors import InvalidInput

WHOLE = re.compile(r"-?[0-9]{1,19}")
PRINTABLE = r"[^\u0000-\u001f\u007f]+"
HALVES_FROM, HALVES_TO = "\ud800", "\udfff"
"""Halves of characters, which JSON can write and no database takes."""

KEY_MAX = 2**63 - 1
NAME_SHOWN_MAX = 40


class Kind(ABC):
    """A kind of value. `read` gets what JSON holds, or the text of an address."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""

    @abstractmethod
    def read(self, name: str, value: Any) -> Any:
        """The value, checked.

        Raises:
            InvalidInput: of field `name`.
        """

    def read_text(self, name: str, value: str) -> Any:
        """The same from an address, where everything is text."""
        return self.read(name, value)


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """A text without control characters; `pattern` is anchored."""

    most: int
    pattern: str = PRINTABLE
    example: str | None = None

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        found: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": self.most}
        found["pattern"] = f"^{self.pattern}$"
        if self.example is not None:
            found["examples"] = [self.example]
        return found

    def read(self, name: str, value: Any) -> str:
        """A text within its bounds."""
        if not isinstance(value, str) or not 0 < len(value) <= self.most:
            raise InvalidInput(name, f"must be a text of 1 to {self.most} characters")
        if any(HALVES_FROM <= character <= HALVES_TO for character in value):
            raise InvalidInput(name, "is not a text in Unicode")
        if not re.fullmatch(self.pattern, value):
            raise InvalidInput(name, f"must match {self.pattern}")
        return value


@dataclass(frozen=True, slots=True)
class Whole(Kind):
    """A whole number."""

    least: int
    most: int

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def read(self, name: str, value: Any) -> int:
        """A whole number within its bounds; 1.0 is one in JSON Schema."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int or not self.least <= value <= self.most:
            raise InvalidInput(name, f"must be a whole number from {self.least} to {self.most}")
        return value

    def read_text(self, name: str, value: str) -> int:
        """The same from an address."""
        return self.read(name, int(value) if WHOLE.fullmatch(value) else value)


@dataclass(frozen=True, slots=True)
class Day(Kind):
    """A date, YYYY-MM-DD."""

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": "string", "format": "date"}

    def read(self, name: str, value: Any) -> date:
        """A date of the calendar."""
        try:
            if isinstance(value, str) and len(value) == len("2026-11-23"):
                return date.fromisoformat(value)
        except ValueError:
            pass
        raise InvalidInput(name, "must be a date like 2026-11-23")


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One of some words."""

    words: tuple[str, ...]

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": "string", "enum": list(self.words)}

    def read(self, name: str, value: Any) -> str:
        """One of them."""
        if not isinstance(value, str) or value not in self.words:
            raise InvalidInput(name, f"must be one of {', '.join(self.words)}")
        return value


@dataclass(frozen=True, slots=True)
class Field:
    """A named value: of an address or of a body."""

    name: str
    kind: Kind
    about: str
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Parts(Kind):
    """A list of objects."""

    fields: tuple[Field, ...]
    most: int

    def schema(self) -> dict[str, Any]:
        """As JSON Schema."""
        return {"type": "array", "maxItems": self.most, "items": object_schema(self.fields)}

    def read(self, name: str, value: Any) -> list[dict[str, Any]]:
        """Every object, read."""
        if not isinstance(value, list) or len(value) > self.most:
            raise InvalidInput(name, f"must be a list of at most {self.most} objects")
        return [read_object(self.fields, one, f"{name}[{at}].") for at, one in enumerate(value)]


def object_schema(fields: Sequence[Field]) -> dict[str, Any]:
    """An object of exactly these fields, as JSON Schema."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [field.name for field in fields if field.is_required],
        "properties": {
            field.name: {**field.kind.schema(), "description": field.about} for field in fields
        },
    }


def read_object(fields: Sequence[Field], value: Any, within: str = "") -> dict[str, Any]:
    """The fields of a JSON object; those that are absent are not in the answer.

    Raises:
        InvalidInput: no object, an unknown field, one that is missing or cannot be read.
    """
    if not isinstance(value, dict):
        raise InvalidInput(within.rstrip(".") or "body", "must be a JSON object")
    unknown = sorted(value.keys() - {field.name for field in fields})
    if unknown:
        raise InvalidInput(within + _shown(unknown[0]), "is not a field of this object")
    return {
        field.name: field.kind.read(within + field.name, value[field.name])
        for field in _present(fields, value, within)
    }


def read_query(fields: Sequence[Field], values: Mapping[str, str]) -> dict[str, Any]:
    """The fields of an address; those that are absent are not in the answer.

    Raises:
        InvalidInput: an unknown field, one that is missing or cannot be read.
    """
    unknown = sorted(values.keys() - {field.name for field in fields})
    if unknown:
        raise InvalidInput(_shown(unknown[0]), "is not a parameter of this address")
    return {
        field.name: field.kind.read_text(field.name, values[field.name])
        for field in _present(fields, values, "")
    }


def _shown(name: str) -> str:
    """A name we do not know, as it may be answered: cut, and halves of characters as `?`."""
    return name[:NAME_SHOWN_MAX].encode(errors="replace").decode()


def _present(fields: Sequence[Field], value: Mapping[str, Any], within: str) -> list[Field]:
    for field in fields:
        if field.is_required and field.name not in value:
            raise InvalidInput(within + field.name, "is missing")
    return [field for field in fields if field.name in value]
