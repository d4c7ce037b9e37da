"""TEMPLATESENDJOBFINISH: what became of a template message. Nobody waits for an answer."""

from handlers.chat.context import SILENCE, Chat, Reply
from notify.delivery import record_result


def finished(chat: Chat) -> Reply:
    """Write down how the delivery ended; the same event twice changes nothing twice."""
    record_result(chat.session, chat.push.msgid, chat.push.status, chat.now)
    return SILENCE
