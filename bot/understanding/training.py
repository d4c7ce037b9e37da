"""Builds `model.json` from the phrase files: `python -m bot.understanding.training`.

A softmax regression over the features of every phrasing, plain and disturbed the way people
disturb them (dropped characters, courtesy, a story before the wish). No randomness but a fixed
seed, so the same files give the same model. Development only; nothing at run time imports it.
"""

import json
import math
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from pypinyin import Style, lazy_pinyin

from bot.understanding import phrasebook
from bot.understanding.features import features
from bot.understanding.model import LEXICON, MODEL_FILE, WEIGHT_UNITS, sources_digest
from bot.understanding.normalize import clean
from bot.understanding.sentence import prepare, read_sentence

SEED = 20261123
TODAY = date(2026, 11, 23)
VARIANTS = 30
EPOCHS = 8
STEP = 0.9
DECAY = 2e-6
RAREST_FEATURE = 6
RAREST_SPELLING = 12
SMALLEST_WEIGHT = 0.15
LONGEST_SPELLING = 6

_LEADS = (
    "请问",
    "你好",
    "麻烦",
    "那个",
    "我想问",
    "帮我",
    "我想",
    "你好请问",
    "急",
    "师傅",
    "我",
    "就是",
    "然后",
)
_TAILS = (
    "谢谢",
    "急",
    "啊",
    "吧",
    "呢",
    "吗",
    "了",
    "可以吗",
    "麻烦了",
    "行不行",
    "呀",
    "好吗",
    "快点",
    "一下",
)

_COMMON_WORDS = (
    *(f"{n}月" for n in "一二三四五六七八九十"),
    *(f"{n}月份" for n in "一二三四五六七八九十"),
    *(f"{n}季度" for n in "一二三四"),
    *("十一月", "十二月", "上上个月", "前年", "今年", "去年", "明年", "本月", "帮助", "余额"),
    *("一百", "两百", "三百", "五百", "一千", "块钱", "号楼", "单元"),
    *("多收钱", "收错钱", "扣错钱"),
)
"""Words every typist of pinyin uses and phrases show too seldom."""

OFTEN = 60

Sample = tuple[list[str], int]


def main() -> None:
    """Reads the phrases, trains, writes the model beside this module."""
    write_sounds(LEXICON / "sounds.txt")
    chance = random.Random(SEED)  # noqa: S311 - a seed, not a secret
    names = phrasebook.intents()
    texts = [
        (text, name)
        for name in names
        for line in phrasebook.lines(name)
        for text in phrasebook.variants(line, VARIANTS, chance)
    ]
    prepared = [(prepare(clean(text)), name) for text, name in texts]
    samples = list(_samples(prepared, names, chance))
    known = {
        f for f, n in Counter(f for fs, _ in samples for f in fs).items() if n >= RAREST_FEATURE
    }
    samples = [([f for f in fs if f in known], label) for fs, label in samples]
    weights, bias = _fit(samples, len(names), chance)
    model = {
        "sources": sources_digest(),
        "intents": names,
        "bias": [round(b, 3) for b in bias],
        "weights": {f: _sparse(row) for f, row in sorted(weights.items()) if _sparse(row)},
        "phrases": _skeletons(prepared),
        "spellings": _spellings([clean(text) for text, _ in texts]),
    }
    write_model(MODEL_FILE, model)
    sys.stderr.write(f"{len(texts)} phrasings, {len(samples)} samples, {len(weights)} features\n")


def write_model(path: Path, model: Mapping[str, object]) -> None:
    """The model as JSON, one part to a line."""
    parts = (
        f'"{name}":{json.dumps(part, ensure_ascii=False, separators=(",", ":"))}'
        for name, part in model.items()
    )
    path.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")


def _samples(
    prepared: list[tuple[str, str]], names: list[str], chance: random.Random
) -> Iterator[Sample]:
    """Every phrasing as it is, and once more disturbed."""
    stories = [text for text, name in prepared if name == phrasebook.BACKGROUND]
    for text, name in prepared:
        label = names.index(name)
        staff = name.startswith("staff.")
        skeleton = read_sentence(text, TODAY).skeleton
        yield features(skeleton, staff=staff), label
        disturbed = _disturb(skeleton, chance, [] if name == phrasebook.BACKGROUND else stories)
        yield features(disturbed, staff=staff or (chance.random() < 0.1)), label


def _disturb(skeleton: str, chance: random.Random, stories: list[str]) -> str:
    kind = chance.random()
    if kind < 0.3 and len(skeleton) > 4:
        gone = chance.randrange(len(skeleton))
        skeleton = skeleton[:gone] + skeleton[gone + 1 :]
    elif kind < 0.55 and stories:
        return chance.choice(stories) + skeleton
    if chance.random() < 0.5:
        skeleton = chance.choice(_LEADS) + skeleton
    if chance.random() < 0.5:
        skeleton += chance.choice(_TAILS)
    return skeleton


def _fit(
    samples: list[Sample], size: int, chance: random.Random
) -> tuple[dict[str, list[float]], list[float]]:
    """Softmax regression by AdaGrad; inputs are 1/√(number of features)."""
    counts = Counter(label for _, label in samples)
    rate = [min(2.0, len(samples) / size / counts[label]) ** 0.5 for label in range(size)]
    weights: dict[str, list[float]] = {}
    squares: dict[str, float] = {}
    bias = [0.0] * size
    order = list(range(len(samples)))
    for _ in range(EPOCHS):
        chance.shuffle(order)
        for index in order:
            found, label = samples[index]
            scale = 1 / math.sqrt(len(found) or 1)
            rows = [weights.setdefault(f, [0.0] * size) for f in found]
            scores = (
                [
                    b + scale * s
                    for b, s in zip(bias, map(sum, zip(*rows, strict=True)), strict=True)
                ]
                if rows
                else bias
            )
            top = max(scores)
            powers = [math.exp(s - top) for s in scores]
            total = sum(powers)
            errors = [rate[label] * p / total for p in powers]
            errors[label] -= rate[label]
            energy = sum(e * e for e in errors)
            if energy < 1e-5:
                continue
            bias = [b - 0.02 * e for b, e in zip(bias, errors, strict=True)]
            for feature, row in zip(found, rows, strict=True):
                square = squares.get(feature, 0.05) + energy * scale * scale
                squares[feature] = square
                step = STEP * scale / math.sqrt(square)
                row[:] = [w - step * (e + DECAY * w) for w, e in zip(row, errors, strict=True)]
    return weights, bias


def _sparse(row: list[float]) -> list[int]:
    """[intent, tenths, intent, tenths …] of the weights that matter."""
    return [
        part
        for intent, weight in enumerate(row)
        if abs(weight) >= SMALLEST_WEIGHT
        for part in (intent, round(weight * WEIGHT_UNITS))
    ]


def _skeletons(prepared: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Each intent's different skeletons, for the second look."""
    found: dict[str, dict[str, None]] = {}
    for text, name in prepared:
        found.setdefault(name, {})[read_sentence(text, TODAY).skeleton] = None
    return {name: sorted(skeletons) for name, skeletons in found.items()}


def _spellings(texts: list[str]) -> dict[str, list[str | int]]:
    """Pinyin (syllables joined by ') -> the commonest word with it and how often it occurs."""
    words: Counter[str] = Counter(dict.fromkeys(_COMMON_WORDS, OFTEN))
    for text in texts:
        for size in range(1, LONGEST_SPELLING + 1):
            words.update(text[i : i + size] for i in range(len(text) - size + 1))
    best: dict[str, list[str | int]] = {}
    for word, count in words.most_common():
        if count >= RAREST_SPELLING and _is_chinese(word):
            best.setdefault("'".join(lazy_pinyin(word, style=Style.NORMAL)), [word, count])
    best["yue"] = ["余额", OFTEN]  # a lone 月 is not typed; 余额 loses its apostrophe
    return dict(sorted(best.items()))


def _is_chinese(text: str) -> bool:
    return all("\u4e00" <= ch <= "\u9fff" for ch in text)


def write_sounds(path: Path) -> None:
    """Every character of GB 2312 under its commonest toneless syllable."""
    groups: dict[str, str] = {}
    for high in range(0xB0, 0xF8):
        for low in range(0xA1, 0xFF):
            ch = bytes((high, low)).decode("gb2312", "ignore")
            if ch:
                syllable = lazy_pinyin(ch, style=Style.NORMAL)[0]
                groups[syllable] = groups.get(syllable, "") + ch
    lines = [f"{syllable} = {groups[syllable]}" for syllable in sorted(groups)]
    head = "# Made by `python -m bot.understanding.training` with pypinyin: syllable = characters."
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
