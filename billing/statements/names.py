"""Who pays: names of owners and tenants, found although a letter is wrong or masked. Pure.

A name is compared with those it shares all but one character with, never with every name of the
town: that would be a billion comparisons for one statement.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from rapidfuzz.distance import Levenshtein

FUZZY_CHARACTERS_MIN = 3
"""Of two characters one is too much to be wrong."""
LIKENESS_MIN = 60
NAME_CHARACTERS_MAX = 60

_NOISE = re.compile(r"[\s·•.,，。()（）\-_/]")
_MASK = re.compile(r"[*xX＊]+")


def plain_name(name: str) -> str:
    """A name as it is compared: plain forms, no blanks, dots or brackets."""
    return _NOISE.sub("", unicodedata.normalize("NFKC", name)).upper()[:NAME_CHARACTERS_MAX]


def likeness(name: str, other: str) -> int:
    """How alike two plain names are, 0 to 100."""
    return round(Levenshtein.normalized_similarity(name, other) * 100)


@dataclass(frozen=True, slots=True)
class Names:
    """Plain name → homes, and the keys under which a misspelt one is found."""

    homes: dict[str, set[int]] = field(default_factory=dict)
    _people: dict[int, set[str]] = field(default_factory=dict)
    _keys: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def of(cls, people: Iterable[tuple[int, str]]) -> "Names":
        """From (home, name); a home comes once for each of its people."""
        found = cls()
        for unit_id, name in people:
            plain = plain_name(name)
            if plain:
                found.homes.setdefault(plain, set()).add(unit_id)
                found._people.setdefault(unit_id, set()).add(plain)
        for plain in found.homes:
            for key in _keys_of(plain):
                found._keys[key].add(plain)
        return found

    def alike(self, name: str) -> dict[str, int]:
        """Names like this one, as (name, likeness); the very name alone when somebody has it."""
        plain = plain_name(name)
        if not plain:
            return {}
        if plain in self.homes:
            return {plain: 100}
        wanted = _MASK.sub("", plain)
        if len(plain) < FUZZY_CHARACTERS_MIN or len(wanted) < FUZZY_CHARACTERS_MIN - 1:
            return {}
        near = {other for key in _keys_of(wanted) for other in self._keys.get(key, ())}
        scored = {other: likeness(plain, other) for other in near}
        return {other: score for other, score in scored.items() if score >= LIKENESS_MIN}

    def homes_like(self, name: str) -> dict[int, int]:
        """Homes of people of this name or one like it → the best likeness, 0 to 100."""
        found: dict[int, int] = {}
        for other, score in self.alike(name).items():
            for unit_id in self.homes[other]:
                found[unit_id] = max(score, found.get(unit_id, 0))
        return found

    def is_named(self, unit_id: int, plain_text: str) -> bool:
        """Whether a text, plain as `plain_name` makes it, holds the whole name of somebody of this
        home.
        """
        return any(len(name) > 1 and name in plain_text for name in self._people.get(unit_id, ()))


def _keys_of(plain: str) -> set[str]:
    """The name, and the name without each of its characters."""
    if len(plain) < FUZZY_CHARACTERS_MIN:
        return {plain}
    return {plain} | {plain[:at] + plain[at + 1 :] for at in range(len(plain))}
