"""The charges a message names, from the words of `lexicon/fees.txt`.

An outage or a broken lift is no charge; 公摊水电 is one charge, 水电 is two.
"""

from dataclasses import dataclass
from functools import cache

from bot.understanding.lexicon import WordIndex, load_table

_NO_FEE = "-"


@dataclass(frozen=True)
class FeeMention:
    """Where a fee is named in the text, and which ones, in text order."""

    start: int
    end: int
    codes: tuple[str, ...]


def find_fees(text: str) -> list[FeeMention]:
    """Every fee named in prepared text, in order; the longest name wins."""
    table, index = _fees()
    found: list[FeeMention] = []
    end = 0
    for start, word in index.find(text):
        if start < end:
            continue
        end = start + len(word)
        if table[word] != _NO_FEE:
            found.append(FeeMention(start, end, tuple(table[word].split("+"))))
    return found


def fee_codes(mentions: list[FeeMention]) -> list[str]:
    """The codes of several mentions, each once, in text order."""
    return list(dict.fromkeys(code for mention in mentions for code in mention.codes))


@cache
def _fees() -> tuple[dict[str, str], WordIndex]:
    table = load_table("fees.txt")
    return table, WordIndex(table)
