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
from bot.understanding.normalize import standardize
from bot.understanding.numerals import CN_NUMERAL
from bot.understanding.periods import PeriodMention, find_periods
from bot.understanding.pinyin import homophones
from bot.understanding.rooms import RoomMention, find_rooms

Mention = RoomMention | PeriodMention | AmountMention | FeeMention

ROOM, NOW, PAST, FUTURE, AMOUNT, BUILDING = "RNPUMB"
FEE, LATE_FEE, ONE_OFF_FEE, METERED_THING = "FLEG"
"""The capital letters of a skeleton. Periods are told apart by where they lie; fees by how they
are asked about: late fees and one-off fees mostly by rule, and a thing (车位, 水表) keeps its word.
"""

QUARTER = 3
"""Months. 这季度 is the bill that is due, as 这个月 is."""

FEES = FEE + LATE_FEE + ONE_OFF_FEE + METERED_THING

_CHARGE = re.compile("费|金|水电|水煤|公摊|物业")
_PAYING = "交付缴"
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


def prepare(cleaned: str) -> str:
    """Cleaned text in standard words, homophones of our words restored."""
    return standardize(homophones().restore(cleaned))


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
        between = _BUILDING.sub(BUILDING, text[end : _named_from(mention, text)])
        sign = _sign(mention, text, today)
        parts += [between, sign]
        places.append(length + len(between))
        length += len(between) + len(sign)
        end = mention.end
    parts.append(_BUILDING.sub(BUILDING, text[end:]))
    return Sentence(text, "".join(parts), tuple(mentions), tuple(places))


def _named_from(mention: Mention, text: str) -> int:
    """Where the name itself begins: of 交物业 the verb stays in the skeleton, as that of 交水费."""
    return mention.start + (isinstance(mention, FeeMention) and text[mention.start] in _PAYING)


def _sign(mention: Mention, text: str, today: date) -> str:
    """The letter for one mention; a thing's letter is followed by its word."""
    if isinstance(mention, RoomMention):
        return ROOM
    if isinstance(mention, AmountMention):
        return AMOUNT
    if isinstance(mention, FeeMention):
        return _fee_sign(mention, text[mention.start : mention.end])
    month = today.year * 12 + today.month - 1
    span = mention.span
    is_quarter = span.first % QUARTER == 0 and span.last == span.first + QUARTER - 1
    if span.first <= month <= span.last and (is_quarter or span.first == span.last):
        return NOW
    return FUTURE if span.first > month else PAST


def _fee_sign(mention: FeeMention, word: str) -> str:
    if mention.codes == ("late_fee",):
        return LATE_FEE
    if mention.codes[0] in ("deposit", "renovation"):
        return ONE_OFF_FEE
    return FEE if _CHARGE.search(word) else METERED_THING + word
