"""The words of the bank's files, edited in `templates/direct_debit`."""

import json
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).resolve().parents[2] / "templates" / "direct_debit" / "words.json"


@cache
def words(name: str) -> Any:
    """One list or table of words, as in the file."""
    return json.loads(_FILE.read_text(encoding="utf-8"))[name]
