"""A broadcast whose words are there: confirmed by its author, approved by a second person, taken
back or stopped by either.
"""

import structlog

from billing.errors import Conflict
from billing.people import Staff
from handlers.chat.broadcast_words import (
    broadcast_meant,
    broadcaster,
    not_yours,
    number_named,
    open_preview,
    preview,
    say_of,
    unknown,
)
from handlers.chat.context import Chat, Reply
from handlers.chat.help import staff_only
from handlers.chat.topics import Topic
from notify.broadcast_results import read_results
from notify.broadcast_tables import Broadcast, BroadcastState
from notify.broadcasts import (
    TAKEN_BACK_WITHIN,
    cancel_broadcast,
    confirm_broadcast,
    find_broadcast,
    list_waiting,
    sent_from,
    was_told,
)

log = structlog.get_logger(__name__)


def confirmed(chat: Chat) -> Reply:
    """确认群发: queue it, or leave it to a second person. Of two who approve it at once the second
    is told that it is queued already.
    """
    staff, shown = chat.staff, open_preview(chat)
    if staff is None or shown is None:
        return staff_only(chat)
    return _confirm(chat, staff, shown)


def _confirm(chat: Chat, staff: Staff, shown: Broadcast) -> Reply:
    try:
        done = confirm_broadcast(chat.session, shown.community_id, shown.id, by=staff, now=chat.now)
    except Conflict:
        return say_of(chat, "staff/broadcast_ended", shown)
    log.info("broadcast_confirmed", broadcast=done.id, staff=staff.login, state=done.state.value)
    if done.state is BroadcastState.WAITING:
        return say_of(chat, "staff/broadcast_waiting", done)
    is_his = staff.id in (done.drafted_by, done.approved_by)
    if done.state is not BroadcastState.QUEUED or not is_his:
        return say_of(chat, "staff/broadcast_ended", done)
    at = sent_from(done)
    is_later = at is not None and at > chat.now + TAKEN_BACK_WITHIN
    return say_of(
        chat,
        "staff/broadcast_queued",
        done,
        at=at if is_later else None,
        choices=(Topic.CALL_OFF.label,),
    )


def left(chat: Chat) -> Reply:
    """取消, before it was confirmed: nothing is sent. Who only was to approve it leaves it as it
    is.
    """
    staff, shown = chat.staff, open_preview(chat)
    if staff is not None and shown is not None and shown.state is BroadcastState.DRAFT:
        cancel_broadcast(chat.session, shown.community_id, shown.id, by=staff, now=chat.now)
    return chat.say("staff/broadcast_left")


def approve(chat: Chat) -> Reply:
    """同意群发 12: who was told of it and has read it there approves it by that; anybody else is
    shown it first. Without its number the only one that waits.
    """
    staff = broadcaster(chat)
    if staff is None:
        return not_yours(chat)
    number = number_named(chat)
    if number is None:
        waiting = list_waiting(chat.session, staff)
        found = waiting[0] if len(waiting) == 1 else None
    else:
        found = find_broadcast(chat.session, staff, number)
    if found is None:
        return unknown(chat)
    if found.state is not BroadcastState.WAITING:
        return say_of(chat, "staff/broadcast_ended", found)
    if found.drafted_by == staff.id:
        return say_of(chat, "staff/broadcast_waiting", found)
    if was_told(chat.session, found, chat.follower.id):
        return _confirm(chat, staff, found)
    return preview(chat, found)


def call_off(chat: Chat) -> Reply:
    """取消群发: take back the one that is open, the one that is named, or the last one; of one on
    its way, what has not left yet.
    """
    staff = broadcaster(chat)
    if staff is None:
        return not_yours(chat)
    found = broadcast_meant(chat, staff)
    if found is None:
        return unknown(chat)
    try:
        cancel_broadcast(chat.session, found.community_id, found.id, by=staff, now=chat.now)
    except Conflict:
        return say_of(chat, "staff/broadcast_ended", found)
    log.info("broadcast_cancelled", broadcast=found.id, staff=staff.login)
    results = read_results(chat.session, found)
    return say_of(chat, "staff/broadcast_called_off", found, results=results)
