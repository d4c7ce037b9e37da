"""绑定: by one-time code or by a request that staff decide; my rooms; 解绑 after a second word."""

import re
import unicodedata

from billing.bindings import (
    CODE_LENGTH,
    count_requests,
    end_binding,
    normalize_code,
    redeem_code,
    request_binding,
)
from billing.homes import Home, list_homes
from billing.property import find_units
from handlers.chat.context import Chat, Question, QuestionKind, Reply, ref_of
from handlers.chat.scope import homes_meant, which_home

ASCII_RUN = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z \-]*[0-9A-Za-z])?")
CODE_LENGTH_MIN = CODE_LENGTH - 2
"""A run this long is a code with a typing error rather than something else."""

REQUESTS_OPEN_MAX = 3
"""Requests of one follower that may wait for staff at a time."""


def bind(chat: Chat) -> Reply:
    """Bind by the code in the text; without one, ask staff for the room in it; else say how."""
    typed = find_code(chat.push.text)
    room = chat.slots.get("room")
    if typed is not None and (normalize_code(typed) or room is None):
        return redeem(chat, typed)
    if room is not None:
        return _request(chat, room)
    return chat.say("bind/how", homes=chat.homes)


def find_code(text: str) -> str | None:
    """What in a text a person may have meant as a code, right or mistyped; None when nothing.

    >>> find_code("绑定 7k9qf 2m8tx"), find_code("绑定 3-2-501")
    ('7k9qf 2m8tx', None)
    """
    runs = ASCII_RUN.findall(unicodedata.normalize("NFKC", text))
    right = next((run for run in runs if normalize_code(run)), None)
    return right or next((run for run in runs if _length(run) >= CODE_LENGTH_MIN), None)


def _length(run: str) -> int:
    return len(run.replace(" ", "").replace("-", ""))


def redeem(chat: Chat, typed: str, *, greeting: bool = False) -> Reply:
    """Use a code and say what came of it. Never raises for a wrong code: the guess must be counted.

    Args:
        greeting: begin with a welcome, for somebody who followed by scanning the code.
    """
    outcome = redeem_code(chat.session, chat.services.vault, chat.follower, typed, chat.now)
    homes = list_homes(chat.session, chat.follower.id)
    known = {home.binding_id for home in chat.homes}
    new = next((home for home in homes if home.binding_id not in known), None)
    return chat.say(
        f"bind/{outcome.value}",
        home=ref_of(new) if new else None,
        new=new,
        homes=homes,
        greeting=greeting,
    )


def _request(chat: Chat, room: str) -> Reply:
    """Ask staff to bind a room; the room must be in exactly one community, or the text names it."""
    places = find_units(chat.session, room)
    found = [place for place in places if place[1].name in chat.push.text] or places
    if len(found) != 1:
        communities = [community.name for _unit, community in found]
        return chat.say("bind/which_room", wanted=room, communities=communities)
    unit, community = found[0]
    if count_requests(chat.session, chat.follower.id) >= REQUESTS_OPEN_MAX:
        return chat.say("bind/too_many_requests", community=community)
    binding = request_binding(chat.session, chat.follower, unit, chat.now)
    bound = any(ref_of(home).unit_id == unit.id for home in chat.homes)
    return chat.say(
        "bind/requested", community=community, wanted=room, fresh=binding is not None, bound=bound
    )


def my_rooms(chat: Chat) -> Reply:
    """我的房屋: the homes the follower may act for."""
    return chat.say_list("rooms", chat.homes)


def unbind(chat: Chat) -> Reply:
    """解绑: ask for the word that confirms it; nothing changes yet."""
    homes = homes_meant(chat)
    if len(homes) > 1:
        return which_home(chat, homes)
    home = homes[0]
    question = Question(QuestionKind.UNBIND, {"binding_id": home.binding_id})
    return chat.say(
        "unbind/ask", home=ref_of(home), question=question, room=home, word=question.kind.label
    )


def unbind_confirmed(chat: Chat) -> Reply:
    """确认解绑: end the binding that was asked about, if it still is one of the follower's."""
    home = _home_in_question(chat)
    if home is None or not end_binding(chat.session, home.community_id, home.binding_id, chat.now):
        return chat.say("unbind/gone")
    return chat.say("unbind/done", room=home)


def unbind_refused(chat: Chat) -> Reply:
    """取消: the binding stays."""
    return chat.say("unbind/kept", room=_home_in_question(chat))


def _home_in_question(chat: Chat) -> Home | None:
    question = chat.memory.question
    wanted = question.data["binding_id"] if question else None
    return next((home for home in chat.homes if home.binding_id == wanted), None)
