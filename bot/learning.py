"""What the understanding can learn from: its guesses that were none, unsure, or wrong.

Commands, answers to questions and follow-ups are no guesses and are never kept.
"""

from collections.abc import Mapping
from types import MappingProxyType

from billing.masking import mask_sentence
from bot.understanding import Understanding
from handlers.chat.context import Chat, QuestionKind
from handlers.chat.routes import MISUNDERSTOOD, NOT_UNDERSTOOD, UNSURE, no_to
from handlers.heard import HeardReason, Said, correct, keep

SENTENCE_CHARACTERS_MAX = 300

REASONS: Mapping[str, HeardReason] = MappingProxyType(
    {NOT_UNDERSTOOD: HeardReason.NOT_UNDERSTOOD, UNSURE: HeardReason.ASKED_BACK}
)
CORRECTIONS = frozenset({no_to(QuestionKind.MEANT), MISUNDERSTOOD})


def learn(chat: Chat, route: str, guess: Understanding | None) -> Said | None:
    """Keep what is worth it, without its follower; returns what the next sentence may correct."""
    if route in CORRECTIONS and chat.memory.said is not None:
        correct(chat.session, chat.memory.said, is_staff=chat.staff is not None, now=chat.now)
    if guess is None:
        return None
    said = Said(
        masked=mask_sentence(chat.push.text[:SENTENCE_CHARACTERS_MAX]),
        guessed=guess.intent,
        confidence=guess.confidence,
        slots={name: value for name, value in guess.slots.items() if name != "room"},
    )
    reason = REASONS.get(route)
    if reason is None:
        return said
    return keep(
        chat.session, said, reason, answered=route, is_staff=chat.staff is not None, now=chat.now
    )
