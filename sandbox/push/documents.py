"""The XML of each push, as WeChat writes it. Pure.

Rule: developers.weixin.qq.com, "receiving messages" and "receiving events".
"""

import re
from collections.abc import Mapping, Sequence

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Value = str | int | Mapping[str, "Value"] | Sequence[Mapping[str, "Value"]]
Fields = Mapping[str, Value]


def document(fields: Fields) -> str:
    """Write the fields in order: numbers bare, texts as CDATA, lists as repeated elements."""
    return f"<xml>{''.join(_element(name, value) for name, value in fields.items())}</xml>"


def _element(name: str, value: Value) -> str:
    if isinstance(value, int):
        return f"<{name}>{value}</{name}>"
    if isinstance(value, Mapping):
        inner = "".join(_element(part, each) for part, each in value.items())
        return f"<{name}>{inner}</{name}>"
    if not isinstance(value, str):
        return "".join(_element(name, each) for each in value)
    text = _NOT_XML.sub("", value).replace("]]>", "]]]]><![CDATA[>")
    return f"<{name}><![CDATA[{text}]]></{name}>"


def text_fields(content: str, msg_id: int, menu_item: str | None) -> Fields:
    """A typed message; `menu_item` is the id of a choice tapped in a service message."""
    chosen = {} if menu_item is None else {"bizmsgmenuid": menu_item}
    return {"MsgType": "text", "Content": content, "MsgId": msg_id, **chosen}


def voice_fields(recognition: str, msg_id: int) -> Fields:
    """A spoken message with what WeChat understood of it."""
    return {
        "MsgType": "voice",
        "MediaId": f"voice_{msg_id}",
        "Format": "amr",
        "MsgId": msg_id,
        "Recognition": recognition,
        "MediaId16K": f"voice16k_{msg_id}",
    }


def event_fields(name: str, key: str = "", **more: str | int) -> Fields:
    """An event; `more` are the elements only this event has."""
    return {"MsgType": "event", "Event": name, "EventKey": key, **more}


def template_finished_fields(msgid: int, status: str) -> Fields:
    """The event that tells what became of a template message."""
    return {
        "MsgType": "event",
        "Event": "TEMPLATESENDJOBFINISH",
        "MsgID": msgid,
        "Status": status,
    }


def subscription_fields(event: str, listed: Sequence[Mapping[str, Value]]) -> Fields:
    """An event about subscription notices: `popup`, `change` or `sent`, with its list."""
    return {
        "MsgType": "event",
        "Event": f"subscribe_msg_{event}_event",
        f"SubscribeMsg{event.capitalize()}Event": {"List": listed},
    }
