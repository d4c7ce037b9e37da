"""Which of the follower's homes and which months a sentence is about (pure)."""

from collections import Counter
from collections.abc import Sequence

from billing.homes import Home
from billing.place_names import find_names, plain
from handlers.chat.context import Chat, Reply, ref_of
from handlers.months import Months, read_months

HOMES_OFFERED_MAX = 10


def same_room(room: str, said: str) -> bool:
    """Whether a person may mean this room: the same, or the same without its entrance.

    >>> same_room("3-2-501", "3-501"), same_room("3-2-501", "3-1-501")
    (True, False)
    """
    parts = room.split("-")
    return said in (room, f"{parts[0]}-{parts[-1]}")


def homes_meant(chat: Chat) -> Sequence[Home]:
    """The homes a sentence names; all of them when it names none. Of homes with one number in
    several communities those of the community it names.
    """
    said = chat.slots.get("room")
    if said is None:
        return chat.homes
    homes = [home for home in chat.homes if same_room(home.room, said)]
    names = {home.community_id: home.community_name for home in homes}
    if len(names) < 2:
        return homes
    named = find_names(names, plain(chat.readers.plain(chat.push.text)))
    return [home for home in homes if not named or home.community_id in named]


def which_home(chat: Chat, homes: Sequence[Home]) -> Reply:
    """Ask which of these homes is meant; the answer asks for the same about it. A room number that
    two communities have is offered as a command that names the community.
    """
    rooms = Counter(home.room for home in homes)
    command = f"{chat.topic.label} " if chat.topic else ""
    choices = [
        home.room if rooms[home.room] == 1 else f"{command}{home.community_name} {home.room}"
        for home in homes[:HOMES_OFFERED_MAX]
    ]
    return chat.say("which_home", choices=choices)


def one_home(chat: Chat) -> Home | None:
    """The one home a sentence is about: the only one meant, else the one last talked about."""
    meant = homes_meant(chat)
    if len(meant) == 1:
        return meant[0]
    return next((home for home in meant if ref_of(home) == chat.memory.home), None)


def fees_meant(chat: Chat) -> list[str]:
    """Codes of the fees a sentence names; none when it names none."""
    said = chat.slots.get("fee")
    return [said] if isinstance(said, str) else list(said or [])


def months_meant(chat: Chat) -> Months | None:
    """The months a sentence names, or None when it names none."""
    said = chat.slots.get("period")
    return read_months(said) if said else None
