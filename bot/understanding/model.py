"""The trained classifier: what it knows, and the intents of one skeleton by likelihood."""

import hashlib
import json
import math
from array import array
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.understanding.features import features
from bot.understanding.pinyin import TypedPinyin
from bot.understanding.second_look import SecondLook

_HERE = Path(__file__).parent
MODEL_FILE = _HERE / "model.json"
WEIGHT_UNITS = 10
"""Weights are stored as whole tenths."""

LEXICON = _HERE / "lexicon"


@dataclass(frozen=True)
class Model:
    """Weights by feature, the phrases for the second look, and the spellings of typed pinyin."""

    sources: str
    """Fingerprint of the files it was built from."""

    intents: tuple[str, ...]
    bias: tuple[float, ...]
    weights: dict[str, "array[int]"]
    """Of each feature: an intent's place, its weight, the next intent's place, …"""

    second_look: SecondLook
    typed_pinyin: TypedPinyin

    def likelihoods(self, skeleton: str, *, staff: bool) -> dict[str, float]:
        """Every intent's share of one, for a skeleton or a part of one."""
        return softmax(dict(zip(self.intents, self._scores(skeleton, staff=staff), strict=True)))

    def _scores(self, skeleton: str, *, staff: bool) -> list[float]:
        scores = [0.0] * len(self.intents)
        known = [row for row in map(self.weights.get, features(skeleton, staff=staff)) if row]
        for row in known:
            for intent, weight in zip(row[::2], row[1::2], strict=True):
                scores[intent] += weight
        scale = 1 / math.sqrt(len(known) or 1) / WEIGHT_UNITS
        return [bias + scale * score for bias, score in zip(self.bias, scores, strict=True)]


def softmax(scores: dict[str, float]) -> dict[str, float]:
    """Scores as shares that sum to one."""
    top = max(scores.values())
    powers = {name: math.exp(score - top) for name, score in scores.items()}
    total = sum(powers.values())
    return {name: power / total for name, power in powers.items()}


@cache
def load_model() -> Model:
    """The model of `model.json`, read once, at the first sentence."""
    data = json.loads(MODEL_FILE.read_text(encoding="utf-8"))
    weights = {feature: array("h", row) for feature, row in data["weights"].items()}
    spellings = {key: (str(word), int(count)) for key, (word, count) in data["spellings"].items()}
    return Model(
        data["sources"],
        tuple(data["intents"]),
        tuple(data["bias"]),
        weights,
        SecondLook(data["phrases"]),
        TypedPinyin(spellings),
    )


def sources_digest() -> str:
    """A fingerprint of all phrase and word files; the model carries the one it was built from."""
    digest = hashlib.sha256()
    for path in sorted([*_HERE.glob("phrases/*.txt"), *_HERE.glob("lexicon/*.txt")]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
