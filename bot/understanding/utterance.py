"""The door: one utterance in, its intent, slots and certainty out; and the three single readers."""

import re
from dataclasses import dataclass, replace
from datetime import date

from bot.understanding.amounts import choose_amount, find_amounts
from bot.understanding.audience import names_everybody
from bot.understanding.follow_up import read_follow_up
from bot.understanding.intents import Refusal, decide
from bot.understanding.messages import split_message
from bot.understanding.model import load_model
from bot.understanding.normalize import clean
from bot.understanding.periods import choose_period, find_periods
from bot.understanding.rooms import choose_room, find_rooms
from bot.understanding.sending import MOMENT, leaves_places_out, narrow, read_manner
from bot.understanding.sentence import Sentence, cover, prepare, read_sentence
from bot.understanding.slots import Slots, read_slots

ACTING = frozenset({"pay", "bind", "unbind", "autopay", "staff.broadcast"})
"""Intents that change something; a guess is never acted on."""

BROADCAST = "staff.broadcast"

_ANY_DAY = date(2026, 1, 1)
"""Amounts only need to know where a period stands, and that hardly depends on today."""

_NEVER_ASKED = re.compile("没说要|没说过要|没要求|没让你|没叫你|没申请|没有要")
CERTAIN_TO_ACT = 0.72
CERTAIN_TO_ANSWER = 0.4


@dataclass(frozen=True)
class Understanding:
    """What one utterance wants; with `ask` the bot should ask back instead of acting."""

    intent: str
    slots: Slots
    confidence: float
    ask: bool
    refusal: Refusal | None = None
    """Why the sender may not ask this: it is for staff, or about another household."""

    follow_up: Slots | None = None
    """What the sentence changes of the wish before it, when it has no wish of its own."""


def understand(text: str, *, today: date, staff: bool) -> Understanding:
    """The intent and slots of an utterance; `staff` is the sender's role. Pure, twice-safe."""
    sentence = read_sentence(_plain(text), today)
    decision = decide(sentence.skeleton, load_model(), staff=staff)
    needed = CERTAIN_TO_ACT if decision.intent in ACTING else CERTAIN_TO_ANSWER
    return Understanding(
        decision.intent,
        read_slots(sentence, decision),
        round(decision.confidence, 3),
        decision.confidence < needed or (decision.intent in ACTING and _is_disowned(sentence)),
        decision.refusal,
        read_follow_up(sentence),
    )


def read_order(text: str, today: date) -> Slots:
    """Whom an order to send something is for, with the fees and months it names: read from the
    order alone, since the words to be sent name buildings and fees of their own. All are meant
    only where it says so. With when and how fast it is to leave (`sending.read_manner`).
    """
    order = split_message(text)[0]
    manner = read_manner(clean(order), today)
    # Its date is no month of bills.
    sentence = read_sentence(_plain(MOMENT.sub("", clean(order))), today)
    decision = decide(sentence.skeleton, load_model(), staff=True)
    slots = read_slots(sentence, replace(decision, intent=BROADCAST))
    if slots.get("audience") == "all" and not names_everybody(sentence.text):
        del slots["audience"]
    if leaves_places_out(sentence.text):
        slots.pop("audience", None)
        return slots | manner
    return _narrowed(slots, sentence.text) | manner


def _narrowed(slots: Slots, text: str) -> Slots:
    """The slots with whom the order is for in full; a sum is part of that."""
    audience, amount = slots.get("audience"), slots.pop("amount", None)
    narrowed = narrow(
        audience if isinstance(audience, str) else None,
        text,
        amount if isinstance(amount, int) else None,
    )
    return slots if narrowed is None else slots | {"audience": narrowed}


def _is_disowned(sentence: Sentence) -> bool:
    """我没说要解绑: what the sender says he never asked for is not done on one sentence."""
    return bool(_NEVER_ASKED.search(sentence.skeleton))


def read_room(text: str) -> str | None:
    """The one home named in `text` as building-unit-room or building-room, or None."""
    plain = _plain(text)
    return choose_room(find_rooms(plain), plain)


def read_period(text: str, today: date) -> str | None:
    """The one period named in `text`: YYYY, YYYY-MM, YYYY-Qn or YYYY-MM/YYYY-MM, or None."""
    plain = _plain(text)
    return choose_period(find_periods(plain, today), plain)


def read_amount(text: str) -> int | None:
    """The one exact sum in `text` in fen, or None; a bare number is yuan."""
    plain = _plain(text)
    covered = cover(plain, find_rooms(plain))
    covered = cover(covered, find_periods(covered, _ANY_DAY))
    return choose_amount(find_amounts(covered, bare=True), plain)


def _plain(text: str) -> str:
    """Raw text cleaned, typed pinyin turned into words, in standard words."""
    return prepare(load_model().typed_pinyin.decode(clean(text)))
