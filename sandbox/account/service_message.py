"""Bodies of service messages (custom/send): text, one article, or a menu of choices. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.account.refusals import ApiError
from sandbox.phone.links import first_url

TEXT_BYTES_MAX = 2048


@dataclass(frozen=True)
class ServiceMessage:
    """What the person will see."""

    text: str
    url: str | None
    data: dict[str, Any] = field(default_factory=dict)


def read_service_message(body: Mapping[str, Any]) -> ServiceMessage:
    """Read the message out of a call's body; raises ApiError 40008, 44004, 45002, 45008, 47001."""
    kind = body.get("msgtype")
    if kind not in ("text", "news", "msgmenu"):
        raise ApiError(40008)
    part = body.get(kind)
    if not isinstance(part, dict):
        raise ApiError(47001)
    if kind == "text":
        content = _text(part, "content")
        return ServiceMessage(content, first_url(content))
    return _news(part) if kind == "news" else _menu(part)


def _news(part: Mapping[str, Any]) -> ServiceMessage:
    articles = part.get("articles")
    if not isinstance(articles, list) or not all(isinstance(each, dict) for each in articles):
        raise ApiError(47001)
    if len(articles) != 1:
        raise ApiError(45008)
    names = ("title", "description", "url", "picurl")
    article = {name: str(articles[0].get(name) or "") for name in names}
    if not article["title"]:
        raise ApiError(44004)
    text = "\n".join(filter(None, (article["title"], article["description"])))
    return ServiceMessage(text, article["url"] or None, {"articles": [article]})


def _menu(part: Mapping[str, Any]) -> ServiceMessage:
    choices = part.get("list")
    if not isinstance(choices, list) or not choices:
        raise ApiError(47001)
    read = [_choice(choice) for choice in choices]
    head, tail = str(part.get("head_content") or ""), str(part.get("tail_content") or "")
    lines = [head, *(choice["content"] for choice in read), tail]
    text = "\n".join(filter(None, lines))
    if len(text.encode()) > TEXT_BYTES_MAX:
        raise ApiError(45002)
    return ServiceMessage(text, None, {"head": head, "choices": read, "tail": tail})


def _choice(choice: object) -> dict[str, str]:
    if not isinstance(choice, dict) or not isinstance(choice.get("id"), str | int):
        raise ApiError(47001)
    return {"id": str(choice["id"]), "content": _text(choice, "content")}


def _text(part: Mapping[str, Any], key: str) -> str:
    value = part.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ApiError(44004)
    if len(value.encode()) > TEXT_BYTES_MAX:
        raise ApiError(45002)
    return value
