"""The phrase files: one per intent, a line per phrasing, `(a|b|)` for what may vary."""

import itertools
import random
import re
from collections.abc import Iterator
from pathlib import Path

from bot.understanding.lexicon import read_lines

FOLDER = Path(__file__).parent / "phrases"
BACKGROUND = "background"
"""The file of clauses that wish nothing; no intent of its own."""

_PART = re.compile(r"\(([^()]*)\)|([^()]+)")


def intents() -> list[str]:
    """The names of all phrase files, in alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def lines(intent: str) -> Iterator[str]:
    """The lines of one intent's file, as written."""
    return read_lines(FOLDER / f"{intent}.txt")


def variants(line: str, most: int, chance: random.Random) -> list[str]:
    """Up to `most` different sentences of one line, the shortest one always among them."""
    parts = [
        match[1].split("|") if match[1] is not None else [match[2]]
        for match in _PART.finditer(line)
    ]
    size = 1
    for options in parts:
        size *= len(options)
    if size <= most:
        chosen = ["".join(picked) for picked in itertools.product(*parts)]
    else:
        shortest = "".join(min(options, key=len) for options in parts)
        chosen = [shortest, *("".join(map(chance.choice, parts)) for _ in range(most - 1))]
    return list(dict.fromkeys(text for text in chosen if text))
