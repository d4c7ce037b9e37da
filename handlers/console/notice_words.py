"""Why a message did not arrive, with what to do about it (`templates/console/notices/advice.json`);
and its words without its link, which opens for its reader.
"""

import json
import re
from collections.abc import Mapping
from functools import cache

from notify.outbox import Reason
from notify.wording import TEMPLATES

LINK = re.compile(r"https?://[^\s\"'<>，。；）]+")
HIDDEN = "hidden_link"


@cache
def _words() -> Mapping[str, str]:
    path = TEMPLATES / "console" / "notices" / "advice.json"
    words: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return words


def advice(reason: Reason) -> str:
    """What staff can do about it."""
    return _words()[reason.value]


def without_links(text: str) -> str:
    """Words as they were sent, their links told of and not shown."""
    return LINK.sub(_words()[HIDDEN], text)
