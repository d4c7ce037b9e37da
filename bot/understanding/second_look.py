"""A second opinion on an unsure sentence: the phrases it resembles most, by rapidfuzz."""

from collections import Counter
from collections.abc import Iterable, Mapping

from rapidfuzz import fuzz, process

_CANDIDATES = 80
_RAREST_PAIRS = 6
_LIKE = 55.0
"""Below this similarity two sentences have nothing to do with each other."""


class SecondLook:
    """All phrases by their pairs of characters, so that only a few are compared."""

    def __init__(self, phrases: Mapping[str, Iterable[str]]) -> None:
        self._phrases = [phrase for found in phrases.values() for phrase in found]
        self._intents = [intent for intent, found in phrases.items() for _ in found]
        self._by_pair: dict[str, list[int]] = {}
        for number, phrase in enumerate(self._phrases):
            for pair in _pairs(phrase):
                self._by_pair.setdefault(pair, []).append(number)

    def resemblance(self, skeleton: str) -> dict[str, float]:
        """Each resembling intent and how much its closest phrase is like `skeleton` (0 to 1)."""
        known = [self._by_pair[pair] for pair in _pairs(skeleton) if pair in self._by_pair]
        shared = Counter(n for found in sorted(known, key=len)[:_RAREST_PAIRS] for n in found)
        candidates = {n: self._phrases[n] for n, _ in shared.most_common(_CANDIDATES)}
        best: dict[str, float] = {}
        for _, score, number in process.extract(
            skeleton, candidates, scorer=fuzz.ratio, limit=8, score_cutoff=_LIKE
        ):
            intent = self._intents[number]
            best[intent] = max(best.get(intent, 0.0), (score - _LIKE) / (100 - _LIKE))
        return best


def _pairs(text: str) -> list[str]:
    """The different pairs of neighbouring characters, in order."""
    return list(dict.fromkeys(text[i : i + 2] for i in range(len(text) - 1))) or [text]
