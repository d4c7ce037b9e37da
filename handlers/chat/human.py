"""人工: an agent at WeChat's customer service, else a ticket and the telephone of the service desk.

A transfer is the whole reply: WeChat shows no words of ours beside it. So the telephone stays where
no agent is fetched: a tap on the menu, and every question for the number.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select

from billing.homes import Home
from billing.labels import LabelEnum
from billing.property import Community
from billing.service_desk import is_open, next_opening
from billing.ticket_tables import TicketKind
from billing.tickets import Matter, open_ticket
from handlers.chat.context import Chat, Reply
from handlers.chat.scope import one_home
from handlers.chat.story import is_bare, story
from handlers.chat.topics import Topic

COMMUNITIES_MAX = 5
NUMBER_CHARACTERS_MAX = 16
"""Who says more than this, or leaves a number of his own, wants more than ours."""


class NumberWord(LabelEnum):
    """Words by which somebody asks for our number, not for a person."""

    NUMBER = "number", "电话"
    HOTLINE = "hotline", "热线"
    DIGITS = "digits", "号码"
    CONTACT = "contact", "联系方式"
    DESK = "desk", "座机"


class CallWord(LabelEnum):
    """Words by which he wants to be called, or could not get through."""

    CALL_BACK = "call_back", "回"
    CALL = "call", "打"
    CONTACT = "contact", "联系我"
    NO_ANSWER = "no_answer", "没人接"
    BUSY = "busy", "占线"
    TALK = "talk", "沟通"


class ComplaintWord(LabelEnum):
    """Words that make it a complaint."""

    COMPLAIN = "complain", "投诉"
    REPORT = "report", "举报"
    TELL = "tell", "反映"


def human(chat: Chat) -> Reply:
    """Fetch a person for the follower's community; moves nothing else.

    Who belongs to several communities, or to none of several, is shown their telephones: nobody
    knows whom to send.
    """
    communities = _communities(chat)
    if len(communities) != 1 or asks_for_number(chat.push.text):
        return chat.say("human", communities=communities, ticket=None)
    [community] = communities
    if community.has_agents and is_open(community, chat.now):
        choices = (Topic.HUMAN.label,) if chat.push.is_event else ()
        reply = chat.say("human", choices=choices, communities=communities, ticket=None)
        return replace(reply, transfer=not chat.push.is_event)
    return _leave_ticket(chat, community)


def asks_for_number(text: str) -> bool:
    """Whether a sentence only asks for a telephone number.

    >>> asks_for_number("物业电话多少"), asks_for_number("给我回个电话")
    (True, False)
    """
    if len(text) > NUMBER_CHARACTERS_MAX or any(map(str.isdigit, text)):
        return False
    wants_number = any(word.label in text for word in NumberWord)
    return wants_number and not any(word.label in text for word in CallWord)


def _leave_ticket(chat: Chat, community: Community) -> Reply:
    said = story(chat) or Topic.HUMAN.label
    complains = any(word.label in said for word in ComplaintWord)
    home = _home(chat)
    matter = Matter(
        community_id=community.id,
        follower_id=chat.follower.id,
        kind=TicketKind.COMPLAINT if complains else TicketKind.HUMAN,
        unit_id=home.unit_id if home else None,
    )
    ticket, is_new = open_ticket(chat.session, chat.services.vault, matter, said, chat.now)
    opens_at = next_opening(community, chat.now)
    return chat.say(
        "human",
        communities=[community],
        ticket=ticket,
        is_new=is_new,
        opens_at=opens_at if opens_at > chat.now else None,
        bare=Topic.HUMAN.label if is_bare(chat, Topic.HUMAN) else "",
    )


def _communities(chat: Chat) -> Sequence[Community]:
    """Of the home last talked about; else of all homes; else of the installation."""
    home = _home(chat)
    query = select(Community).order_by(Community.id).limit(COMMUNITIES_MAX)
    if home is not None:
        query = query.where(Community.id == home.community_id)
    elif chat.homes:
        query = query.where(Community.id.in_({one.community_id for one in chat.homes}))
    return chat.session.scalars(query).all()


def _home(chat: Chat) -> Home | None:
    return one_home(chat) if chat.homes else None
