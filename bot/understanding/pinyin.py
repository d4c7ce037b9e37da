"""Sound: words restored from homophones, and typed pinyin turned into words.

Both are exact on sound and know only words of our trade, so a number or an address never changes.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from bot.understanding.lexicon import load_groups, load_table

_TYPED = re.compile(r"[a-z][a-z' ]*[a-z]")
_SHORTEST_TYPED = 3
_LONGEST_HOMOPHONE = 4
_LONE_COST = 2.0
_UNFUZZY = (("zh", "z"), ("ch", "c"), ("sh", "s"))


def sound(ch: str) -> str:
    """The toneless pinyin of one Chinese character (its commonest reading), or the character."""
    return _sounds().get(ch, ch)


@cache
def _sounds() -> dict[str, str]:
    """Character -> syllable, from `lexicon/sounds.txt` (made by `training` with pypinyin)."""
    return {ch: syllable for group, syllable in load_table("sounds.txt").items() for ch in group}


def loose(syllable: str) -> str:
    """A syllable as southern speakers confuse it: zh/z, ch/c, sh/s, -ng/-n."""
    for wide, narrow in _UNFUZZY:
        if syllable.startswith(wide):
            syllable = narrow + syllable[2:]
    return syllable[:-1] if syllable.endswith(("ang", "eng", "ing")) else syllable


class Homophones:
    """Restores words of our trade that are written with other characters of the same sound."""

    def __init__(self, words: Iterable[str], kept: Iterable[str]) -> None:
        self._words = {word for word in words if len(word) > 1}
        self._kept = frozenset(kept) | self._words
        self._exact = {tuple(map(sound, word)): word for word in self._words}
        self._loose = {tuple(loose(sound(ch)) for ch in w): w for w in self._words if len(w) > 2}
        self._firsts = {key[0] for key in (*self._exact, *self._loose)}

    def restore(self, text: str) -> str:
        """`text` with such words put right; words of their own stay."""
        sounds = [sound(ch) for ch in text]
        parts, start = [], 0
        while start < len(text):
            word = self._word_at(text, sounds, start)
            parts.append(word or text[start])
            start += len(word) if word else 1
        return "".join(parts)

    def _word_at(self, text: str, sounds: list[str], start: int) -> str | None:
        if sounds[start] not in self._firsts and loose(sounds[start]) not in self._firsts:
            return None
        for length in range(min(_LONGEST_HOMOPHONE, len(text) - start), 1, -1):
            written = text[start : start + length]
            if written in self._kept:
                return written
            key = tuple(sounds[start : start + length])
            word = self._exact.get(key) or (
                self._loose.get(tuple(map(loose, key))) if length > 2 else None
            )
            if word and any(a == b for a, b in zip(word, written, strict=True)):
                return word
        return None


@cache
def homophones() -> Homophones:
    """The words of `lexicon/homophones.txt`, read once."""
    groups = load_groups("homophones.txt")
    return Homophones(groups["words"], groups["--"])


def _cost(word: str, count: int, total: int) -> float:
    """−log frequency; a lone character is rarely what a syllable stands for."""
    return math.log(total / count) + (_LONE_COST if len(word) == 1 else 0.0)


@dataclass(frozen=True)
class Spelling:
    """A word, its syllables' lengths in pinyin letters, and its cost (−log frequency)."""

    word: str
    breaks: frozenset[int]
    cost: float


class TypedPinyin:
    """A small input method: the likeliest words for a run of pinyin letters."""

    def __init__(self, counts: dict[str, tuple[str, int]]) -> None:
        """`counts`: syllables joined by `'` -> (word, how often it occurs in our phrases)."""
        total = sum(count for _, count in counts.values()) or 1
        self._spellings: dict[str, list[Spelling]] = {}
        for key, (word, count) in counts.items():
            syllables = key.split("'")
            ends = {sum(map(len, syllables[: i + 1])) for i in range(len(syllables))}
            spelling = Spelling(word, frozenset(ends), _cost(word, count, total))
            self._spellings.setdefault("".join(syllables), []).append(spelling)
        self._longest = max(map(len, self._spellings), default=0)

    def decode(self, text: str) -> str:
        """`text` with every run of typed pinyin that can be read whole turned into words."""
        return _TYPED.sub(lambda match: self._decode_run(match.group()), text)

    def _decode_run(self, run: str) -> str:
        """One run of letters; spaces and apostrophes are syllable borders."""
        letters = re.sub(r"[ ']", "", run)
        if len(letters) < _SHORTEST_TYPED:
            return run
        borders, position = set(), 0
        for ch in run:
            if ch in " '":
                borders.add(position)
            else:
                position += 1
        best: list[tuple[float, str] | None] = [(0.0, ""), *[None] * len(letters)]
        for start in range(len(letters)):
            reached = best[start]
            if reached is None:
                continue
            for end in range(start + 1, min(len(letters), start + self._longest) + 1):
                inner = {b - start for b in borders if start < b < end}
                for spelling in self._spellings.get(letters[start:end], ()):
                    if inner <= spelling.breaks:
                        cost = reached[0] + spelling.cost
                        here = best[end]
                        if here is None or cost < here[0]:
                            best[end] = (cost, reached[1] + spelling.word)
        last = best[-1]
        return last[1] if last else run
