"""Names of communities and buildings in what people write: misspelt, shortened, or not there. Pure.

Only names are compared loosely. A numeral within a name, as in a phase of a community, stands as it
is written or not at all.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from rapidfuzz import fuzz

from billing.labels import LabelEnum

Key = TypeVar("Key")

FULL, SHORT, CORE, MISSPELT = 100, 95, 90, 80
"""How sure a name is: as it is; without a word every name may carry; without two of them; with a
wrong character.
"""

LIKENESS_MIN = 75
"""One wrong character of four."""

CHARACTERS_MIN = 2
FUZZY_CHARACTERS_MIN = 3
"""Of two characters one is too much to be wrong."""


class CommonWord(LabelEnum):
    """Words that end so many names that people leave them out."""

    COMMUNITY = "community", "小区"
    NEIGHBOURHOOD = "neighbourhood", "社区"
    GARDEN = "garden", "花园"
    HOMESTEAD = "homestead", "家园"
    APARTMENTS = "apartments", "公寓"
    NEW_VILLAGE = "new_village", "新村"
    TOWER = "tower", "大厦"
    BUILDING_NO = "building_no", "号楼"
    BUILDING = "building", "楼"
    BLOCK = "block", "栋"
    BLOCK_TOO = "block_too", "幢"
    SEAT = "seat", "座"


class Numeral(LabelEnum):
    """What numbers a phase or a building within its name."""

    DIGITS = "digits", "零一二三四五六七八九十百东南西北甲乙丙丁"
    PHASE = "phase", "期"


_ENDING = re.compile(f"(?:{'|'.join(word.label for word in CommonWord)})$")
_NUMERAL = re.compile(f"[0-9a-z{Numeral.DIGITS.label}]")
_PHASE = re.compile(f"[0-9a-z{Numeral.DIGITS.label}]+{Numeral.PHASE.label}")
_OTHER_PHASE = re.compile(f"(?:{'|'.join(word.label for word in CommonWord)})?{_PHASE.pattern}")
_NO_NAME = re.compile(
    f"[0-9a-z{Numeral.DIGITS.label}#-]*(?:{'|'.join(word.label for word in CommonWord)})?"
)


@dataclass(frozen=True, slots=True)
class Mention:
    """Where a name stands in a text, and how sure that it is this one: 0 to 100."""

    start: int
    end: int
    sureness: float

    @property
    def weight(self) -> float:
        """What it counts against other names: how much of the text it explains, and how well."""
        return (self.end - self.start) * self.sureness


def plain(text: str) -> str:
    """A text as names are looked for in it."""
    return unicodedata.normalize("NFKC", text).lower()


def is_proper(name: str) -> bool:
    """Whether a building's name says more than its number.

    >>> is_proper("3号楼"), is_proper("牡丹苑")
    (False, True)
    """
    return _NO_NAME.fullmatch(_compact(name)) is None


def find_name(name: str, said: str) -> Mention | None:
    """Where `said` (plain) names this place, or None when it does not.

    >>> find_name("花园小区", "绑定花园3-2-501")
    Mention(start=2, end=4, sureness=95)
    """
    found: list[Mention] = []
    for variant, sureness in _variants(_compact(name)):
        start = said.find(variant)
        end = start + len(variant)
        if start >= 0 and not (sureness < FULL and _OTHER_PHASE.match(said, end)):
            found.append(Mention(start, end, sureness))
        elif start < 0:
            found += _find_misspelt(variant, sureness, said)
    return max(found, key=lambda mention: mention.weight, default=None)


def find_names(names: Mapping[Key, str], said: str) -> dict[Key, Mention]:
    """The places a text (plain) names: those whose name fits best, several when they fit alike."""
    found = {key: mention for key, name in names.items() if (mention := find_name(name, said))}
    best = max((mention.weight for mention in found.values()), default=0)
    return {key: mention for key, mention in found.items() if mention.weight == best}


def _find_misspelt(name: str, sureness: float, said: str) -> list[Mention]:
    if len(name) < FUZZY_CHARACTERS_MIN or len(said) < len(name) or _NUMERAL.search(name):
        return []
    found = fuzz.partial_ratio_alignment(name, said, score_cutoff=LIKENESS_MIN)
    if found is None:
        return []
    return [Mention(found.dest_start, found.dest_end, sureness * MISSPELT * found.score / 10_000)]


def _variants(name: str) -> Iterator[tuple[str, int]]:
    """The name, then without what people leave out."""
    yield name, FULL
    once = {_ENDING.sub("", name), _PHASE.sub("", name), _leave_out_within(name)} - {name}
    twice = {_ENDING.sub("", short) for short in once} - once
    for variants, sureness in ((once, SHORT), (twice, CORE)):
        for variant in variants:
            if len(variant) >= CHARACTERS_MIN:
                yield variant, sureness


def _leave_out_within(name: str) -> str:
    """Without a common word before a phase."""
    phase = _PHASE.search(name)
    if phase is None:
        return name
    return _ENDING.sub("", name[: phase.start()]) + name[phase.start() :]


def _compact(name: str) -> str:
    return "".join(plain(name).split())
