"""What the pretend WeChat itself says to a person, read once from `templates/texts.json`."""

import json
from pathlib import Path

_TEXTS: dict[str, str] = json.loads(
    (Path(__file__).parent / "templates" / "texts.json").read_text(encoding="utf-8")
)


def say(name: str) -> str:
    """Give the named text; raises KeyError for an unknown name."""
    return _TEXTS[name]
