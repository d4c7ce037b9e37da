"""What the core refuses, and what other systems answered, in the words of whoever works here
(`refusals.json` and `answers.json` of `templates/console`).

The core speaks English, to logs and operators. Its sentences are known, so each has a pattern and a
Chinese sentence; one nobody knows is shown as it is, with a request to pass it on.
"""

import json
import re
from functools import cache

from billing.errors import BillingError
from notify.wording import TEMPLATES

UNKNOWN = "unknown"


@cache
def _table(name: str) -> tuple[list[tuple[re.Pattern[str], str]], str]:
    source = json.loads((TEMPLATES / "console" / f"{name}.json").read_text(encoding="utf-8"))
    known = [(re.compile(pattern, re.DOTALL), words) for pattern, words in source["known"]]
    return known, source[UNKNOWN]


def explain(error: BillingError) -> str:
    """The sentence for a person."""
    return explain_words(str(error))


def explain_words(said: str) -> str:
    """The sentence for a person, of a refusal that was written down."""
    return _say("refusals", said)


def explain_answer(said: str | None) -> str | None:
    """What came of asking another system, or why it gave no usable answer; None stays None."""
    return said if said is None else _say("answers", said)


def _say(table: str, said: str) -> str:
    known, unknown = _table(table)
    for pattern, words in known:
        found = pattern.fullmatch(said)
        if found is not None:
            return words.format(*found.groups())
    return unknown.format(said)
