"""What a service may answer a push with, read as strictly as WeChat does. Pure.

Rule: developers.weixin.qq.com, "passive replies": text up to 2048 bytes; one article to a
message, eight to an event.
"""

from dataclasses import dataclass
from typing import Any

from lxml import etree

TEXT_BYTES_MAX = 2048
ARTICLES_MAX, ARTICLES_TO_MESSAGE_MAX = 8, 1
TRANSFER = "transfer_customer_service"
_MEDIA = {"image": "Image", "voice": "Voice", "video": "Video"}


class BrokenReplyError(ValueError):
    """WeChat would not show this answer; the message says why."""


@dataclass(frozen=True)
class Reply:
    """A passive reply; which of the parts is there depends on `type`."""

    type: str
    text: str | None = None
    articles: tuple[dict[str, str], ...] = ()
    media_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the reply as the control API shows it."""
        parts = {"text": self.text, "articles": self.articles, "media_id": self.media_id}
        return {"type": self.type} | {name: part for name, part in parts.items() if part}


def read_xml(body: str) -> Any:
    """Parse a document, fetching and expanding nothing; raises BrokenReplyError."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(body.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BrokenReplyError(f"the reply is not XML: {error}") from None
    if root.tag != "xml":
        raise BrokenReplyError("the reply's root is not <xml>")
    return root


def read_reply(xml: str, *, sender: str, receiver: str, to_event: bool) -> Reply:
    """Read a reply from the account `sender` to the person `receiver`; raises BrokenReplyError."""
    root = read_xml(xml)
    if _text(root, "FromUserName") != sender or _text(root, "ToUserName") != receiver:
        raise BrokenReplyError("the reply's ToUserName or FromUserName is wrong")
    if not _text(root, "CreateTime").isdigit():
        raise BrokenReplyError("the reply's CreateTime is not a number")
    kind = _text(root, "MsgType")
    if kind == "text":
        return Reply(kind, text=_content(root))
    if kind == "news":
        return Reply(kind, articles=_articles(root, to_event=to_event))
    if kind == TRANSFER:
        return Reply(kind)
    if kind in _MEDIA:
        return Reply(kind, media_id=_text(root, f"{_MEDIA[kind]}/MediaId"))
    raise BrokenReplyError(f"the reply's MsgType {kind!r} is not known")


def _content(root: Any) -> str:
    content = _text(root, "Content")
    if len(content.encode()) > TEXT_BYTES_MAX:
        raise BrokenReplyError(f"the reply's text is longer than {TEXT_BYTES_MAX} bytes")
    return content


def _articles(root: Any, *, to_event: bool) -> tuple[dict[str, str], ...]:
    items = root.findall("Articles/item")
    if not 1 <= len(items) <= ARTICLES_MAX or _text(root, "ArticleCount") != str(len(items)):
        raise BrokenReplyError("the reply's ArticleCount is wrong")
    shown = items if to_event else items[:ARTICLES_TO_MESSAGE_MAX]
    return tuple(
        {
            "title": _text(item, "Title"),
            "description": item.findtext("Description") or "",
            "url": item.findtext("Url") or "",
            "picurl": item.findtext("PicUrl") or "",
        }
        for item in shown
    )


def _text(root: Any, path: str) -> str:
    value = root.findtext(path)
    if not value:
        raise BrokenReplyError(f"the reply has no {path}")
    return str(value)
