"""What WeChat Pay says in Chinese, read once from `templates/texts.json`."""

import json
from pathlib import Path

_TEXTS: dict[str, str] = json.loads(
    (Path(__file__).parent / "templates" / "texts.json").read_text(encoding="utf-8")
)


def say(name: str, **values: object) -> str:
    """Give the named text with its places filled; raises KeyError for an unknown name."""
    return _TEXTS[name].format(**values)
