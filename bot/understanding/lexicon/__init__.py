"""Word lists as data, and the two ways to look words up in a text."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_FOLDER = Path(__file__).parent


def read_lines(path: Path) -> Iterator[str]:
    """Lines of a data file, without blank lines and `#` comments."""
    for line in path.read_text(encoding="utf-8").splitlines():
        content = line.partition("#")[0].strip()
        if content:
            yield content


def load_groups(name: str) -> dict[str, list[str]]:
    """`head = word word …` lines of a lexicon file, a repeated head continuing its group."""
    groups: dict[str, list[str]] = {}
    for line in read_lines(_FOLDER / name):
        head, _, words = line.partition("=")
        groups.setdefault(head.strip(), []).extend(words.split())
    return groups


def load_table(name: str) -> dict[str, str]:
    """word -> head, for every word of every group; a group without head keeps its words."""
    return {word: head or word for head, words in load_groups(name).items() for word in words}


class WordIndex:
    """Finds the longest listed word at a position, without trying every word."""

    def __init__(self, words: Iterable[str]) -> None:
        lengths: dict[str, set[int]] = {}
        for word in words:
            lengths.setdefault(word[0], set()).add(len(word))
        self._lengths = {ch: sorted(found, reverse=True) for ch, found in lengths.items()}
        self._words = frozenset(words)

    def longest_at(self, text: str, start: int) -> str | None:
        """The longest listed word that begins at `start`."""
        for length in self._lengths.get(text[start], ()):
            word = text[start : start + length]
            if word in self._words:
                return word
        return None

    def find(self, text: str) -> Iterator[tuple[int, str]]:
        """Every position where a listed word begins, with the longest one there."""
        for start in range(len(text)):
            word = self.longest_at(text, start)
            if word is not None:
                yield start, word


class Replacer:
    """Replaces listed words by their standard one, left to right, the longest first."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self._table = dict(table)
        self._index = WordIndex(self._table)

    def replace(self, text: str) -> str:
        """`text` with every listed word replaced once; replacements are not read again."""
        parts, start = [], 0
        while start < len(text):
            word = self._index.longest_at(text, start)
            parts.append(text[start] if word is None else self._table[word])
            start += 1 if word is None else len(word)
        return "".join(parts)
