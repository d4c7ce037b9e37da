"""Which of a sentence's rooms, periods, amounts, fees and audiences belong to the wish."""

import re
from itertools import pairwise
from typing import TypeVar

from bot.understanding.amounts import AmountMention, choose_amount
from bot.understanding.audience import broadcast_audience, building_scope
from bot.understanding.context import is_corrected, is_denied, is_excluded, is_recalled, is_usual
from bot.understanding.fees import FeeMention, fee_codes
from bot.understanding.intents import Decision
from bot.understanding.periods import PeriodMention, choose_period
from bot.understanding.rooms import RoomMention, choose_room
from bot.understanding.scope import Clause, denied_clauses
from bot.understanding.sentence import FEES, Mention, Sentence

_BARE_CLAUSE = 3
_EXPLAIN = "bills.explain_change"
_WEIGHTLESS = re.compile("不是|是|不对|说错了?|错了|的|那|呢|哦|我家|房号|我|份|\\W")
"""What a clause may hold that only names something, beside its name."""

M = TypeVar("M", RoomMention, PeriodMention, AmountMention, FeeMention)

Slots = dict[str, str | int | list[str]]

_NO_SLOTS = frozenset({"help", "human", "other"})
_NO_PERIOD = frozenset({"bind", "unbind", "my_rooms", "reminders", "autopay", "balance"})
_NO_AMOUNT = frozenset(
    {
        "bind",
        "unbind",
        "my_rooms",
        "reminders",
        "tariff",
        "staff.collection",
    }
)
_NOTHING_DUE = frozenset({"autopay", "reminders", "bind", "unbind", "my_rooms"})
"""Intents where a late fee can only be part of the story told before the wish."""

_CHARGE = re.compile("费|金|水电")
_CHARGED = re.compile("[交欠催缴收]$")
_ABOUT_BILLS = re.compile(f"[{FEES}费票款]|账|交的|扣|存|充|那次|那笔|那期")
_DIFFERENCE = re.compile(r"(?:多了|多出来?|涨了|贵了|高了|少了|便宜了|多|涨|贵|高|少)$")
_SCOPED = frozenset({"staff.collection", "staff.arrears"})
_BACKGROUND_DATE = re.compile(
    r"^(?:份|初|底)?(?:我|我家|刚|刚刚|就|才|已经|因为|那时|去|在|的时候|住|的)*"
    r"(?:搬|买|卖|入住|装修|交房|收房|租|退租|出差|生病|住院|结婚|离婚|停水|停电|出国|回老家|过户|退休|起就|退了|退掉|卖了|换成|换了|换表)"
)


def read_slots(sentence: Sentence, decision: Decision) -> Slots:
    """The slots of the decided intent, by the rules of `README.md`."""
    intent = decision.intent
    if intent in _NO_SLOTS:
        return {}
    slots: Slots = {}
    fees = _fees(sentence, decision)
    if fees:
        slots["fee"] = fees[0] if len(fees) == 1 else fees
    period = None if intent in _NO_PERIOD else _period(sentence, decision)
    if period:
        slots["period"] = period
    room = _room(sentence)
    if intent.startswith("staff."):
        slots.update(_audience(sentence, intent, room))
    if room and intent not in ("staff.broadcast",):
        slots["room"] = room
    amount = None if intent in _NO_AMOUNT else _amount(sentence, decision)
    if amount and not _is_room_number(amount, room):
        slots["amount"] = amount
    return slots


def _is_room_number(fen: int, room: str | None) -> bool:
    """不是502 是602, 3栋2单元602: the number is that of the room."""
    return room is not None and re.sub(r"\D", "", room.split("-")[-1]) == str(fen // 100)


def _fees(sentence: Sentence, decision: Decision) -> list[str]:
    """The fees the wish is about; who has a parking space is an audience, not a fee."""
    found = _near(sentence, decision, FeeMention)
    if decision.intent == "staff.broadcast":
        found = [m for m in found if _is_charge(sentence.text, m)]
    codes = fee_codes(found) or fee_codes(_said_of_denied(sentence))
    if decision.intent in _NOTHING_DUE:
        codes = [code for code in codes if code != "late_fee"]
    return codes


def _said_of_denied(sentence: Sentence) -> list[FeeMention]:
    """电费不是嫌贵: the reproach is denied, the topic is not."""
    parts = denied_clauses(sentence.skeleton)
    return [
        mention
        for place, mention in zip(sentence.places, sentence.mentions, strict=True)
        if isinstance(mention, FeeMention)
        and _holds(parts, place)
        and not is_denied(sentence.text, mention.start)
    ]


def _is_charge(text: str, mention: FeeMention) -> bool:
    return bool(
        _CHARGE.search(text[mention.start : mention.end]) or _CHARGED.search(text[: mention.start])
    )


def _room(sentence: Sentence) -> str | None:
    return choose_room([m for m in sentence.mentions if isinstance(m, RoomMention)], sentence.text)


def _audience(sentence: Sentence, intent: str, room: str | None) -> Slots:
    audience = None
    if intent == "staff.broadcast":
        audience = broadcast_audience(sentence.text, room)
    elif intent in _SCOPED and not room:
        audience = building_scope(sentence.text)
    return {"audience": audience} if audience else {}


def _period(sentence: Sentence, decision: Decision) -> str | None:
    found = [m for m in _near(sentence, decision, PeriodMention) if not _is_background(sentence, m)]
    if decision.intent == _EXPLAIN:
        return _explained_period(found, sentence.text)
    return choose_period(found, sentence.text)


def _explained_period(found: list[PeriodMention], text: str) -> str | None:
    """Of the periods that are neither compared with nor recalled the latest: what is explained is
    later than what it is compared with.
    """
    named = [m for m in found if choose_period([m], text) and not is_recalled(text, m.end)]
    return choose_period([max(named, key=lambda m: m.span.last)], text) if named else None


def _amount(sentence: Sentence, decision: Decision) -> int | None:
    found = _near(sentence, decision, AmountMention)
    if decision.intent == _EXPLAIN:
        found = [
            m
            for m in _affirmed(sentence, AmountMention)
            if not _DIFFERENCE.search(sentence.text[: m.start])
            and not is_usual(sentence.text, m.start)
        ]
    return choose_amount(found, sentence.text)


def _is_background(sentence: Sentence, mention: PeriodMention) -> bool:
    """我3月搬进来的: a date of one's life, not of a bill."""
    return bool(_BACKGROUND_DATE.match(sentence.text[mention.end : mention.end + 8]))


def _near(sentence: Sentence, decision: Decision, kind: type[M]) -> list[M]:
    """The mentions in the clauses that carry the wish; else in clauses that tell of bills."""
    found = _affirmed(sentence, kind)
    inside = [m for m in found if _holds(decision.carriers, _place(sentence, m))]
    telling = tuple(part for part in decision.counted if _tells_of_bills(part))
    return inside or [m for m in found if _holds(telling, _place(sentence, m))]


def _affirmed(sentence: Sentence, kind: type[M]) -> list[M]:
    """The mentions of a kind that are neither denied nor corrected by a later one."""
    found = [m for m in sentence.mentions if isinstance(m, kind)]
    corrected = {
        earlier.start
        for earlier, later in pairwise(found)
        if is_corrected(sentence.text[earlier.end : later.start])
        and not is_denied(sentence.text, later.start)
    }
    left = [
        m
        for m in found
        if m.start not in corrected
        and not is_denied(sentence.text, m.start)
        and not is_excluded(sentence.text, m.end)
    ]
    denied = {_meant(m) for m in found} - {_meant(m) for m in left}
    denied |= {_meant(m) for m in found if is_denied(sentence.text, m.start)}
    return [m for m in left if _meant(m) not in denied] or left


def _meant(mention: Mention) -> object:
    """What a mention says, wherever it stands."""
    if isinstance(mention, FeeMention):
        return mention.codes
    if isinstance(mention, AmountMention):
        return mention.fen
    return mention.span if isinstance(mention, PeriodMention) else mention.room


def _place(sentence: Sentence, mention: Mention) -> int:
    """Where in the skeleton the mention's letter stands."""
    return sentence.places[sentence.mentions.index(mention)]


def _tells_of_bills(part: Clause) -> bool:
    """Whether a clause beside the wish is about bills too, or nothing but its period or room."""
    bare = len(_WEIGHTLESS.sub("", part.text)) <= _BARE_CLAUSE
    return bare or bool(_ABOUT_BILLS.search(part.text))


def _holds(parts: tuple[Clause, ...], place: int) -> bool:
    return any(part.start <= place < part.end for part in parts)
