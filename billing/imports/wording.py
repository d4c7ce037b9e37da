"""The words of the workbooks: headings, hints and examples, edited in `templates/imports`."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from billing.imports.columns import SheetKind
from billing.imports.sheets import columns_of

_FILE = Path(__file__).resolve().parents[2] / "templates" / "imports" / "sheets.json"


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands over a column, what is said about it, and an example."""

    heading: str
    help: str
    example: str


@cache
def words() -> dict[str, Any]:
    """All words, as in the file."""
    read: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return read


@cache
def headings(kind: SheetKind) -> dict[str, Heading]:
    """Column key → its words, in the order of the template."""
    columns = words()["sheets"][kind.value]["columns"]
    return {key: Heading(**columns[key]) for key in columns_of(kind)}


def note(kind: SheetKind) -> str:
    """What the sheet is for."""
    return str(words()["sheets"][kind.value]["note"])
