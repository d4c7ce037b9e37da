"""The intent of a read sentence, how sure it is, and which clause carries it."""

from dataclasses import dataclass

from bot.understanding.model import Model
from bot.understanding.phrasebook import BACKGROUND
from bot.understanding.scope import Clause, clauses

OTHER = "other"
STAFF = "staff."
_WEAK = {OTHER: 0.35, BACKGROUND: 0.05, "help": 0.3}
"""How much a clause of small talk counts beside one that wishes something."""

SURE = 0.85
"""Share of the votes above which no second opinion is asked."""

SECOND = 0.4
"""Votes of a phrase that is the very sentence, in shares of all other votes."""

_WHOLE = 0.9
"""Weight of the sentence read as one, beside its clauses (which have 1 and a bit each)."""


@dataclass(frozen=True)
class Decision:
    """The likeliest intent, its share of certainty, and the clauses that speak for it."""

    intent: str
    confidence: float
    runner_up: str
    carriers: tuple[Clause, ...]
    counted: tuple[Clause, ...]
    """All clauses that are neither denied nor postponed."""


def decide(skeleton: str, model: Model, *, staff: bool) -> Decision:
    """What the sender wants now, from all clauses that count."""
    parts = clauses(skeleton) or [Clause(0, len(skeleton), skeleton, 1.0)]
    shares = [model.likelihoods(part.text, staff=staff) for part in parts]
    votes = _votes(parts, shares)
    if len(parts) > 1:
        whole = model.likelihoods(" ".join(part.text for part in parts), staff=staff)
        for name, share in whole.items():
            votes[name] += _WHOLE * share * _WEAK.get(name, 1.0)
    votes = _second_opinion(votes, parts, model)
    total = sum(votes.values())
    votes[OTHER] += votes.pop(BACKGROUND)
    if not staff:
        _take_from_staff(votes)
    ranked = sorted(votes, key=lambda name: votes[name], reverse=True)
    best = ranked[0]
    carriers = tuple(
        part for part, share in zip(parts, shares, strict=True) if share[best] >= 0.2
    ) if best in shares[0] else ()
    return Decision(best, votes[best] / total, ranked[1], carriers or tuple(parts), tuple(parts))


def _second_opinion(votes: dict[str, float], parts: list[Clause], model: Model) -> dict[str, float]:
    """The votes of an unsure sentence with those of the phrases it resembles; a sure one's as is."""
    total = sum(votes.values())
    if max(votes.values()) >= SURE * total:
        return votes
    text = " ".join(part.text for part in parts)
    for name, likeness in model.second_look.resemblance(text).items():
        votes[name] += SECOND * total * likeness
    return votes


def _votes(parts: list[Clause], shares: list[dict[str, float]]) -> dict[str, float]:
    votes = dict.fromkeys(shares[0], 0.0)
    last = len(parts) - 1
    for i, (part, share) in enumerate(zip(parts, shares, strict=True)):
        weight = part.weight * (1.15 if i == last else 1.0)
        for name, value in share.items():
            damped = _WEAK.get(name, 1.0) if last else 1.0
            votes[name] += weight * damped * value
    return votes


def _take_from_staff(votes: dict[str, float]) -> None:
    """An owner who asks for a staff action asks for something we do not do: other."""
    for name in [name for name in votes if name.startswith(STAFF)]:
        votes[OTHER] += votes.pop(name)
