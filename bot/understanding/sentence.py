"""One utterance read: standard words, its rooms, periods, amounts and fees, and its skeleton.

The skeleton is the text with each of those replaced by one capital letter, so that "交9月水费" and
"交3月电费" are the same sentence to whoever asks what is wanted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bot.understanding.amounts import AmountMention, find_amounts
from bot.understanding.fees import FeeMention, find_fees
from bot.understanding.normalize import clean, standardize
from bot.understanding.numerals import CN_NUMERAL
from bot.understanding.periods import PeriodMention, find_periods
from bot.understanding.pinyin import homophones
from bot.understanding.rooms import RoomMention, find_rooms

Mention = RoomMention | PeriodMention | AmountMention | FeeMention

ROOM, NOW, PAST, FUTURE, AMOUNT, FEE, BUILDING = "RNPUMFB"
"""The capital letters of a skeleton; periods are told apart by where they lie."""

_COVER = "\ue000"
_BUILDING = re.compile(rf"(?:\d{{1,3}}|[{CN_NUMERAL}]{{1,3}}|[a-z])(?:号楼|栋|幢|座)(?:.单元)?")


@dataclass(frozen=True)
class Sentence:
    """A read utterance: `text` in standard words, `skeleton`, and the mentions in text order."""

    text: str
    skeleton: str
    mentions: tuple[Mention, ...]
    places: tuple[int, ...]
    """Where in the skeleton each mention's letter stands."""


def prepare(text: str) -> str:
    """Raw text in standard words, homophones of our words restored."""
    return standardize(homophones().restore(clean(text)))


def read_sentence(plain: str, today: date) -> Sentence:
    """The mentions and the skeleton of prepared text."""
    rooms = find_rooms(plain)
    covered = cover(plain, rooms)
    periods = find_periods(covered, today)
    covered = cover(covered, periods)
    amounts = find_amounts(covered, bare=False)
    covered = cover(covered, amounts)
    mentions: list[Mention] = [*rooms, *periods, *amounts, *find_fees(covered)]
    return _skeleton(plain, sorted(mentions, key=lambda m: m.start), today)


def cover(text: str, mentions: Sequence[Mention]) -> str:
    """`text` with the mentions made unreadable, positions unchanged."""
    for mention in mentions:
        length = mention.end - mention.start
        text = text[: mention.start] + _COVER * length + text[mention.end :]
    return text


def _skeleton(text: str, mentions: list[Mention], today: date) -> Sentence:
    parts: list[str] = []
    places: list[int] = []
    length = end = 0
    for mention in mentions:
        between = _BUILDING.sub(BUILDING, text[end : mention.start])
        parts += [between, _letter(mention, today)]
        places.append(length + len(between))
        length += len(between) + 1
        end = mention.end
    parts.append(_BUILDING.sub(BUILDING, text[end:]))
    return Sentence(text, "".join(parts), tuple(mentions), tuple(places))


def _letter(mention: Mention, today: date) -> str:
    if isinstance(mention, RoomMention):
        return ROOM
    if isinstance(mention, AmountMention):
        return AMOUNT
    if isinstance(mention, FeeMention):
        return FEE
    month = today.year * 12 + today.month - 1
    span = mention.span
    if span.first == span.last == month:
        return NOW
    return FUTURE if span.first > month else PAST
