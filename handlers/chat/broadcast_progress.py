"""群发进度: what became of a broadcast until now."""

from handlers.chat.broadcast_words import (
    broadcast_meant,
    broadcaster,
    not_yours,
    say_of,
    unknown,
)
from handlers.chat.context import Chat, Reply
from handlers.chat.topics import Topic
from notify.broadcast_results import read_results
from notify.broadcast_tables import BroadcastState
from notify.broadcasts import sent_from


def progress(chat: Chat) -> Reply:
    """Of the one that is named, or his last one: how many it reached, and whom it did not and
    why.
    """
    staff = broadcaster(chat)
    if staff is None:
        return not_yours(chat)
    found = broadcast_meant(chat, staff)
    if found is None:
        return unknown(chat)
    results = read_results(chat.session, found)
    is_running = found.state is BroadcastState.QUEUED or bool(results.waiting)
    return say_of(
        chat,
        "staff/broadcast_progress",
        found,
        results=results,
        at=sent_from(found),
        choices=(f"{Topic.CALL_OFF.label} {found.id}",) if is_running else (),
    )
