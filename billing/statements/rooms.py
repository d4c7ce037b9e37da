"""Room numbers in a bank's remark. Exact numbers only: 501 is never taken for 601.

Pure. Whether a room exists is for the caller to see: a date looks like a room as well.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from billing.imports.cells import PlaceWord

_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣－_/\\~", "-"))
_PART = r"([0-9]{1,5}[A-Z]?|[A-Z][0-9]{0,4})"
_BUILDING = "|".join(
    re.escape(word.label) for word in PlaceWord if word.value.startswith("building")
)
_WORDED = re.compile(
    rf"(?<![0-9A-Z-]){_PART}(?:{_BUILDING}|#)-?"
    rf"(?:{_PART}(?:{re.escape(PlaceWord.ENTRANCE.label)}|#|-)-?)?"
    r"([0-9]{2,5}[A-Z]?)(?![0-9A-Z])"
)
_DASHED = re.compile(rf"(?<![0-9A-Z-]){_PART}-(?:{_PART}-)?([0-9]{{3,5}}[A-Z]?)(?![0-9A-Z]|-[0-9])")
"""Without words the room has three digits at least, or every date would be one."""

Room = tuple[str, ...]
"""Parts of a room: building, entrance where it is named, number."""


def plain_room(room: str) -> Room:
    """Parts of a canonical room number, without zeros in front.

    >>> plain_room("03-2-0501")
    ('3', '2', '501')
    """
    return tuple(part.lstrip("0") or "0" for part in room.split("-"))


def find_rooms(text: str) -> frozenset[Room]:
    """Every room a free text may name; two parts where it names no entrance.

    >>> sorted(find_rooms("3栋2单元0501物业费"))
    [('3', '2', '501')]
    >>> sorted(find_rooms("张三 3-2-501 / 12-801"))
    [('12', '801'), ('3', '2', '501')]
    """
    apart = re.sub(r"\s/\s", ";", unicodedata.normalize("NFKC", text))
    plain = apart.translate(_DASHES).upper()
    tight = re.sub(r"(?<![0-9A-Z])\s+|\s+(?![0-9A-Z])", "", plain)
    found = [*_WORDED.finditer(tight), *_DASHED.finditer(_WORDED.sub(";", tight))]
    return frozenset(
        tuple(part.lstrip("0") or "0" for part in match.groups() if part) for match in found
    )


@dataclass(frozen=True, slots=True)
class Rooms:
    """The homes of a community by what people call them."""

    _homes: dict[Room, set[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, homes: Iterable[tuple[int, str]]) -> "Rooms":
        """From (home, canonical room number)."""
        found = cls()
        for unit_id, room in homes:
            parts = plain_room(room)
            spellings = {parts, (parts[0], parts[-1])} if len(parts) > 2 else {parts}
            for spelling in spellings:
                found._homes.setdefault(spelling, set()).add(unit_id)
        return found

    def named_in(self, text: str) -> frozenset[int]:
        """Homes that a text names; several when it leaves the entrance out."""
        return frozenset(
            unit_id for room in find_rooms(text) for unit_id in self._homes.get(room, ())
        )
