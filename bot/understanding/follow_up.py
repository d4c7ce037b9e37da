"""Sentences that only name another month, room, fee or sum: what was asked before is asked again.

那上个月呢 · 电费呢 · 不是，是5栋 · 我说的是3-2-501: no wish of their own, so the one before stays.
"""

import re
from collections.abc import Mapping
from typing import Any

from bot.understanding.amounts import AmountMention, choose_amount
from bot.understanding.audience import building_scope
from bot.understanding.fees import FeeMention, fee_codes
from bot.understanding.normalize import clean
from bot.understanding.numerals import read_int
from bot.understanding.periods import PeriodMention, choose_period
from bot.understanding.rooms import RoomMention, choose_room
from bot.understanding.sentence import AMOUNT, BUILDING, FEES, FUTURE, NOW, PAST, ROOM, Sentence
from bot.understanding.slots import Slots

_NAMED = f"[{ROOM}{NOW}{PAST}{FUTURE}{AMOUNT}{BUILDING}{FEES}]"
_FILLING = re.compile(
    r"不是|不对|不用|错了|说错|搞错|打错|我说的?|我问的?|我要的?|我指的?|我想问|应该是?|改成|改为|换成?|而是"
    r"|那么?|还有|再|也|和|跟|的|是|呢|啊|吧|呀|哦|喔|噢|嗯|额|呃|个|份|月份|这套|那套|套|我家|我们家|查|看"
    r"|一下|下|看看|哪|房子|房|室|户|另外|一|了|啦|么|嘛|\W"
)
_WRONG = re.compile(r"不对(?:啊|吧|呀|呢|吗|了|嘛|哦|\W)*$")
"""Behind a fee or month it says that the charge is wrong; before one it corrects us."""

_CHOICE = re.compile(r"第?([1-9][0-9]?|[一二三四五六七八九十])\s*(?:个|项|条|套)?\W*")
_BUILDING = re.compile(r"building:([0-9A-Z]+)")


def read_choice(text: str) -> int | None:
    """The number of an offered sentence that is all of `text`: 2, 第二个, 2. — or None."""
    chosen = _CHOICE.fullmatch(clean(text).strip())
    return read_int(chosen[1]) if chosen else None


def read_follow_up(sentence: Sentence) -> Slots | None:
    """What a sentence changes of the wish before it; None when it has a wish of its own, or names
    nothing.
    """
    rest = re.sub(_NAMED, "", sentence.skeleton)
    if re.sub(_FILLING, "", rest) or _WRONG.search(sentence.text):
        return None
    found: Slots = {}
    fees = fee_codes([m for m in sentence.mentions if isinstance(m, FeeMention)])
    if fees:
        found["fee"] = fees[0] if len(fees) == 1 else fees
    period = choose_period(
        [m for m in sentence.mentions if isinstance(m, PeriodMention)], sentence.text
    )
    if period:
        found["period"] = period
    room = choose_room([m for m in sentence.mentions if isinstance(m, RoomMention)], sentence.text)
    scope = None if room else building_scope(_affirmed(sentence.text))
    if room:
        found["room"] = room
    elif scope:
        found["audience"] = scope
    amount = choose_amount(
        [m for m in sentence.mentions if isinstance(m, AmountMention)], sentence.text
    )
    if amount:
        found["amount"] = amount
    return found or None


def _affirmed(text: str) -> str:
    """Behind 不是3栋，是5栋 only what is said to be right."""
    return re.split(r"(?<!不)(?:是|改成|换成|应该)", text)[-1]


def change(wish: Mapping[str, Any], changed: Slots) -> Slots:
    """The slots of a wish with those a follow-up names in their place; a building corrects the
    building of the room that was named.

    >>> change({"room": "3-2-501", "period": "2026-10"}, {"audience": "building:5"})
    {'room': '5-2-501', 'period': '2026-10'}
    """
    merged = {**wish, **changed}
    building = _BUILDING.fullmatch(str(changed.get("audience", "")))
    room = wish.get("room")
    if building and isinstance(room, str):
        del merged["audience"]
        merged["room"] = "-".join([building[1], *room.split("-")[1:]])
    return merged
