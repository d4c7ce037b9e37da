"""The words of banks' files, edited in `templates/statements`: headings, totals, directions."""

import json
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parents[2] / "templates" / "statements"


@cache
def words(name: str) -> Any:
    """One list or table of words, as in the file."""
    return json.loads((_FOLDER / "words.json").read_text(encoding="utf-8"))[name]
