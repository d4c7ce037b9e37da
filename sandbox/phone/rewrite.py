"""Rewrites a page for the in-app browser: its links stay inside, and it gets the bridge. Pure."""

from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from itertools import accumulate

BRIDGE = '<script src="/static/bridge.js"></script>'


def rewrite_page(page: str, rewrite: Callable[[str], str]) -> str:
    """Put every attribute value through `rewrite` and add the bridge before `</head>`.

    Whatever needs no change stays as it was written, to the letter. A page without a head gets
    the bridge in front.
    """
    reader = _Reader(page, rewrite)
    reader.feed(page)
    reader.close()
    if reader.head_end is None:
        return BRIDGE + _splice(page, reader.edits)
    return _splice(page, sorted([*reader.edits, (reader.head_end, 0, BRIDGE)]))


def _splice(page: str, edits: list[tuple[int, int, str]]) -> str:
    """Replace (start, length, by) parts of a page, given in order."""
    written, end = [], 0
    for start, length, text in edits:
        written += [page[end:start], text]
        end = start + length
    return "".join([*written, page[end:]])


class _Reader(HTMLParser):
    """Finds the tags to change; `edits` are (start, length, by) and `head_end` a place."""

    def __init__(self, page: str, rewrite: Callable[[str], str]):
        super().__init__(convert_charrefs=True)
        self._rewrite = rewrite
        self._line_starts = [0, *accumulate(len(line) + 1 for line in page.split("\n"))]
        self.edits: list[tuple[int, int, str]] = []
        self.head_end: int | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag(tag, attrs, "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag(tag, attrs, "/")

    def handle_endtag(self, tag: str) -> None:
        if tag == "head" and self.head_end is None:
            self.head_end = self._place()

    def _tag(self, tag: str, attrs: list[tuple[str, str | None]], end: str) -> None:
        changed = [(name, value and self._rewrite(value)) for name, value in attrs]
        if changed != attrs:
            written = "".join(
                f" {name}" if value is None else f' {name}="{escape(value)}"'
                for name, value in changed
            )
            length = len(self.get_starttag_text() or "")
            self.edits.append((self._place(), length, f"<{tag}{written}{end}>"))

    def _place(self) -> int:
        line, column = self.getpos()
        return self._line_starts[line - 1] + column
