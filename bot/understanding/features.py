"""What a skeleton shows to the classifier: its characters, their pairs, and its meanings."""

import re
from functools import cache

from bot.understanding.lexicon import WordIndex, load_table

_NOISE = re.compile(r"[^\w\u4e00-\u9fff]+")
_MOST_MEANINGS = 9


def features(skeleton: str, *, staff: bool) -> list[str]:
    """The features of one skeleton, each once; `staff` tells who is speaking."""
    text = f"^{_NOISE.sub('', skeleton)}$"
    found = dict.fromkeys(text[1:-1])
    found.update(dict.fromkeys(text[i : i + 2] for i in range(len(text) - 1)))
    meanings = meanings_of(text)[:_MOST_MEANINGS]
    found.update(dict.fromkeys(f"{name}:" for name in meanings))
    for i, first in enumerate(meanings):
        found.update(dict.fromkeys(f"{first}+{second}" for second in meanings[i + 1 :]))
    if staff:
        found["staff:"] = None
    return list(found)


def meanings_of(text: str) -> list[str]:
    """The concepts that occur in `text`, each once, in order."""
    table, index = _concepts()
    return list(dict.fromkeys(table[word] for _, word in index.find(text)))


@cache
def _concepts() -> tuple[dict[str, str], WordIndex]:
    table = load_table("concepts.txt")
    return table, WordIndex(table)
