"""帮助, and whatever has no answer of its own."""

import structlog

from handlers.chat.context import Chat, Question, QuestionKind, Reply
from handlers.chat.story import sealed_story

log = structlog.get_logger(__name__)


def menu(chat: Chat) -> Reply:
    """帮助: what can be asked."""
    return chat.say("help", homes=chat.homes)


def not_understood(chat: Chat) -> Reply:
    """A sentence that means nothing to us: say so, and what can be asked."""
    return chat.say("not_understood", homes=chat.homes)


def unsure(chat: Chat) -> Reply:
    """A sentence that may mean something: say what, and do it at the next word."""
    if chat.topic is None:
        return not_understood(chat)
    data = {"topic": chat.topic, "slots": dict(chat.slots), "said": sealed_story(chat)}
    question = Question(QuestionKind.MEANT, data)
    return chat.say("unsure", question=question, choices=(question.kind.label,), topic=chat.topic)


def not_meant(chat: Chat) -> Reply:
    """不是: our guess, or our answer, was wrong; ask for other words."""
    return chat.say("not_meant", homes=chat.homes)


def left(chat: Chat) -> Reply:
    """取消, with nothing open: nothing is begun, and what was talked about is forgotten."""
    return chat.say("left")


def neighbour(chat: Chat) -> Reply:
    """Another household's data: refused, and written down."""
    log.warning("neighbour_refused", follower=chat.follower.id)
    return chat.say("neighbour")


def staff_only(chat: Chat) -> Reply:
    """Something only staff may ask, by somebody who is not: refused, and written down."""
    log.warning("staff_topic_refused", topic=chat.topic, follower=chat.follower.id)
    return chat.say("staff_only", homes=chat.homes)


def not_text(chat: Chat) -> Reply:
    """A picture, a place, a file: nobody reads them here."""
    return chat.say("not_text")


def unbound(chat: Chat) -> Reply:
    """Something that needs a home, asked by somebody who has none yet."""
    return chat.say("unbound")


def not_yours(chat: Chat) -> Reply:
    """A room that is not one of the follower's; says nothing about it."""
    return chat.say("not_yours", said=chat.slots["room"], homes=chat.homes)
