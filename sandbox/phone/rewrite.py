"""Rewrites a page for the in-app browser: its links stay inside, and it gets the bridge. Pure."""

from collections.abc import Callable
from html import escape
from html.parser import HTMLParser

BRIDGE = '<script src="/static/bridge.js"></script>'


def rewrite_page(page: str, rewrite: Callable[[str], str]) -> str:
    """Put every attribute value through `rewrite` and add the bridge before `</head>`.

    Whatever needs no change stays as it was written, to the letter. A page without a head gets
    the bridge in front.
    """
    writer = _Rewriter(rewrite)
    writer.feed(page)
    writer.close()
    text = "".join(writer.written)
    return text if writer.has_bridge else BRIDGE + text


class _Rewriter(HTMLParser):
    def __init__(self, rewrite: Callable[[str], str]):
        super().__init__(convert_charrefs=False)
        self._rewrite = rewrite
        self.written: list[str] = []
        self.has_bridge = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag(tag, attrs, "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag(tag, attrs, "/")

    def handle_endtag(self, tag: str) -> None:
        if tag == "head" and not self.has_bridge:
            self.written.append(BRIDGE)
            self.has_bridge = True
        self.written.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.written.append(data)

    def handle_entityref(self, name: str) -> None:
        self.written.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.written.append(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.written.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.written.append(f"<!{decl}>")

    def _tag(self, tag: str, attrs: list[tuple[str, str | None]], end: str) -> None:
        changed = [(name, value and self._rewrite(value)) for name, value in attrs]
        if changed == attrs:
            self.written.append(self.get_starttag_text() or "")
            return
        written = "".join(
            f" {name}" if value is None else f' {name}="{escape(value)}"' for name, value in changed
        )
        self.written.append(f"<{tag}{written}{end}>")
