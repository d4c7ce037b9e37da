"""From WeChat's XML or JSON to a `Push`, and from an answer back to the same form.

An account chooses its data format; what a push looks like says which one it is. wechatpy's classes
read and write XML, so JSON is turned into it on the way in; this module fences what they stumble
over (1.8.18): control characters (ExpatError), a missing or empty MsgType (KeyError,
AttributeError), nested elements where text belongs, `]]>` in a reply, which would end its CDATA.
"""

import hashlib
import json
import re
from datetime import datetime
from xml.parsers.expat import ExpatError

import xmltodict
from wechatpy.messages import BaseMessage
from wechatpy.parser import parse_message
from wechatpy.replies import TextReply, TransferCustomerServiceReply

from handlers.chat.context import REPLY_BYTES_MAX, Push

UNREADABLE = (ExpatError, KeyError, AttributeError, TypeError, ValueError, RecursionError)
"""What xmltodict, json and wechatpy raise on what is no message."""

NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters XML 1.0 does not allow."""

FOLLOWED_BY_SCAN = {"subscribe_scan": "subscribe", "subscribe_scan_product": "subscribe"}
"""Names wechatpy gives to the event `subscribe` when it carries a scene; it strips `qrscene_`."""

SUBSCRIPTIONS = {
    "subscribe_msg_popup_event": "SubscribeMsgPopupEvent",
    "subscribe_msg_change_event": "SubscribeMsgChangeEvent",
    "subscribe_msg_sent_event": "SubscribeMsgSentEvent",
}
"""Events about subscription notices, and the element that lists what they say."""

MORE = "…"


class Transfer(str):
    """An answer that hands the message over to an agent; as words, what to say where none can be
    fetched any more.
    """

    __slots__ = ()


class Malformed(Exception):
    """The body is no message we can read."""


def is_json(body: str) -> bool:
    """Whether a push is JSON rather than XML."""
    return body.lstrip()[:1] == "{"


def encrypted_part(body: str) -> str:
    """The `Encrypt` element of a sealed push; nothing else of the body is looked at.

    Raises:
        Malformed: neither XML nor JSON, or no such element.
    """
    try:
        part = (json.loads(body) if is_json(body) else xmltodict.parse(body)["xml"])["Encrypt"]
    except UNREADABLE:
        raise Malformed("no Encrypt element") from None
    if not isinstance(part, str):
        raise Malformed("no Encrypt text")
    return part


def read_message(body: str) -> BaseMessage:
    """The message in this XML or JSON, as wechatpy's class of its kind.

    Raises:
        Malformed: neither, or without sender, receiver or kind.
    """
    try:
        xml = xmltodict.unparse({"xml": json.loads(body)}) if is_json(body) else body
        message = parse_message(NOT_IN_XML.sub("", xml))
    except UNREADABLE:
        raise Malformed("not a message") from None
    if message is None or not (_word(message, "FromUserName") and _word(message, "ToUserName")):
        raise Malformed("no sender or receiver")
    return message


def push_of(message: BaseMessage) -> Push:
    """What the dispatcher needs of a message.

    A voice message counts as what WeChat recognised in it. A scene comes without `qrscene_`.
    """
    kind = _word(message, "MsgType").lower()
    if _is_event(message):
        event = _word(message, "Event").lower()
        kind = f"event.{FOLLOWED_BY_SCAN.get(event, event)}"
    return Push(
        kind=kind,
        openid=_word(message, "FromUserName"),
        text=_word(message, "Content") or _word(message, "Recognition"),
        key=_word(message, "EventKey"),
        msgid=_word(message, "MsgID"),
        status=_word(message, "Status"),
        details=_details(message),
    )


def repeat_key(message: BaseMessage) -> str:
    """The same for every delivery of one push, different for any two pushes.

    A message has its MsgId. An event has none: its sender, second, kind and what distinguishes two
    events of one kind in one second (menu key, template message, template, menu rule, or all that
    is said about subscription notices).
    """
    names = ["FromUserName", "MsgId"]
    if not _word(message, "MsgId") or _is_event(message):
        names = ["FromUserName", "CreateTime", "MsgType", "Event", "EventKey"]
        names += ["MsgID", "TemplateId", "MenuId"]
    details = json.dumps(_details(message), sort_keys=True) if _is_event(message) else ""
    joined = "\x00".join([*(_word(message, name) for name in names), details])
    return hashlib.sha256(joined.encode()).hexdigest()


def _details(message: BaseMessage) -> tuple[dict[str, str], ...]:
    """What an event about subscription notices lists: in XML under the name of the event, in JSON
    at once; one alone is no list.
    """
    data = message._data
    under = SUBSCRIPTIONS.get(_word(message, "Event").lower())
    if under is None:
        return ()
    inner = data.get(under)
    listed = inner.get("List") if isinstance(inner, dict) else data.get("List")
    return tuple(
        {name: str(value) for name, value in one.items() if value is not None}
        for one in (listed if isinstance(listed, list) else [listed])
        if isinstance(one, dict)
    )


def reply_xml(message: BaseMessage, text: str, now: datetime) -> str:
    """An answer to this message: a text, or the transfer to an agent."""
    envelope = {
        "source": _cdata(_word(message, "ToUserName")),
        "target": _cdata(_word(message, "FromUserName")),
        "time": int(now.timestamp()),
    }
    if isinstance(text, Transfer):
        return str(TransferCustomerServiceReply(**envelope).render())
    return str(TextReply(content=_cdata(text), **envelope).render())


def reply_json(message: BaseMessage, text: str, now: datetime) -> str:
    """The same to a push in JSON."""
    envelope = {
        "ToUserName": _word(message, "FromUserName"),
        "FromUserName": _word(message, "ToUserName"),
        "CreateTime": int(now.timestamp()),
    }
    if isinstance(text, Transfer):
        said = {"MsgType": TransferCustomerServiceReply.type}
    else:
        said = {"MsgType": "text", "Content": text}
    return json.dumps(envelope | said, ensure_ascii=False)


def presentable(text: str) -> str:
    """A text WeChat takes: no control characters but the line break, at most 2048 bytes.

    Handlers keep within the limit by themselves; what does not is cut after a whole line.
    """
    text = NOT_IN_XML.sub("", text.replace("\r\n", "\n")).replace("\r", "\n").replace("\t", " ")
    if len(text.encode()) <= REPLY_BYTES_MAX:
        return text
    room = REPLY_BYTES_MAX - len(MORE.encode()) - 1
    head = text.encode()[:room].decode(errors="ignore")
    whole_lines = head.rpartition("\n")[0] or head
    return f"{whole_lines}\n{MORE}"


def _is_event(message: BaseMessage) -> bool:
    """Events, and whatever a device says (`device_event`, `device_text`): no person wrote it."""
    kind = _word(message, "MsgType").lower()
    return kind == "event" or kind.startswith("device_")


def _word(message: BaseMessage, name: str) -> str:
    """The text of an element; empty when it is missing, empty or not plain text."""
    value = message._data.get(name)
    return value if isinstance(value, str) else ""


def _cdata(text: str) -> str:
    """Text that stays inside the CDATA section wechatpy wraps around it."""
    return text.replace("]]>", "]]]]><![CDATA[>")
