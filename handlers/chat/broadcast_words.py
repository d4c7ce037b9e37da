"""What staff are shown of a broadcast, and who may do what with it: for the modules that draft,
approve and follow them.
"""

import re
from dataclasses import replace
from typing import Any

import structlog

from billing.people import Staff
from billing.property import Community
from handlers.chat.context import Chat, Question, QuestionKind, Reply
from handlers.chat.help import staff_only
from notify.approved import read_approved
from notify.audiences import Audience
from notify.broadcast_preview import show_broadcast
from notify.broadcast_tables import Broadcast, BroadcastState
from notify.broadcasts import (
    BROADCASTERS,
    TAKEN_BACK_WITHIN,
    find_broadcast,
    latest_of,
    presses_unlawfully,
)
from notify.quiet_hours import next_allowed
from notify.recipients import count_readers

log = structlog.get_logger(__name__)

NUMBER = re.compile(r"([0-9]{1,15})\W*$")


def broadcaster(chat: Chat) -> Staff | None:
    """Who speaks, if his role lets him broadcast."""
    staff = chat.staff
    return staff if staff is not None and staff.role in BROADCASTERS else None


def number_named(chat: Chat) -> int | None:
    """The number of a broadcast at the end of the sentence."""
    found = NUMBER.search(chat.push.text)
    return int(found[1]) if found else None


def broadcast_meant(chat: Chat, staff: Staff) -> Broadcast | None:
    """The one that is named, the one whose preview is open, or his last one."""
    number = number_named(chat)
    if number is not None:
        return find_broadcast(chat.session, staff, number)
    return open_preview(chat) or latest_of(chat.session, staff)


def unknown(chat: Chat) -> Reply:
    """There is none of this number, or none at all."""
    return chat.say("staff/broadcast_unknown", number=number_named(chat))


def preview(chat: Chat, broadcast: Broadcast) -> Reply:
    """It as its readers will see it, with how many they are, to be confirmed."""
    audience = broadcast.meant
    soon = chat.now + TAKEN_BACK_WITHIN
    at = next_allowed(max(soon, broadcast.send_at or soon))
    return say_of(
        chat,
        "staff/broadcast_preview",
        broadcast,
        question=Question(QuestionKind.BROADCAST, {"id": broadcast.id}),
        choices=(QuestionKind.BROADCAST.label,),
        is_unlawful=presses_unlawfully(audience, broadcast.body),
        at=at if at > soon else None,
        readers=count_readers(chat.session, broadcast.community_id, audience, chat.now),
        shown=show_broadcast(
            chat.session.get_one(Community, broadcast.community_id),
            broadcast.body,
            at,
            chat.services.text,
            read_approved(chat.session, chat.services.approved),
        ),
        approves=broadcast.state is BroadcastState.WAITING,
    )


def open_preview(chat: Chat) -> Broadcast | None:
    """The broadcast whose preview is open."""
    question = chat.memory.question
    if question is None or question.kind is not QuestionKind.BROADCAST or chat.staff is None:
        return None
    return find_broadcast(chat.session, chat.staff, question.data["id"])


def not_yours(chat: Chat) -> Reply:
    """Staff whose role is another."""
    if chat.staff is None:
        return staff_only(chat)
    log.warning("broadcast_refused", staff=chat.staff.login)
    return chat.say("staff/broadcast_role", role=chat.staff.role)


def say_of(chat: Chat, template: str, broadcast: Broadcast, **words: Any) -> Reply:
    """Reply about a broadcast."""
    community = chat.session.get_one(Community, broadcast.community_id)
    return say_to(chat, template, community, broadcast.meant, broadcast=broadcast, **words)


def say_to(
    chat: Chat, template: str, community: Community, audience: Audience, **words: Any
) -> Reply:
    """Reply about a community and an audience in it."""
    reply = chat.say(template, community=community, audience=audience, **words)
    return replace(reply, community_id=community.id)
