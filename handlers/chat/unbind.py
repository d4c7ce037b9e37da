"""解绑: one's own binding, or as an owner that of a tenant or family, after a second word."""

from collections.abc import Sequence

from billing.errors import Conflict
from billing.homes import Home
from billing.people import ResidentRole
from billing.unbinding import Guest, end_guest, end_own, list_guests, may_manage
from handlers.chat.context import Chat, Question, QuestionKind, Reply, ref_of
from handlers.chat.scope import HOMES_OFFERED_MAX, homes_meant, which_home
from handlers.chat.topics import Topic


def unbind(chat: Chat) -> Reply:
    """Ask for the word that confirms it; nothing changes yet."""
    homes = homes_meant(chat)
    role = ResidentRole(chat.slots["guest"]) if "guest" in chat.slots else None
    if role is not None and (managed := [home for home in homes if may_manage(home)]):
        return _unbind_guest(chat, managed, role)
    if role is not None and all(home.role is not role for home in homes):
        return chat.say("guests/not_owner")
    if len(homes) > 1:
        return which_home(chat, homes)
    home = homes[0]
    question = Question(QuestionKind.UNBIND, {"binding_id": home.binding_id, "guest_id": None})
    return chat.say(
        "unbind/ask", home=ref_of(home), question=question, room=home, word=question.kind.label
    )


def confirmed(chat: Chat) -> Reply:
    """确认解绑: end the binding that was asked about, if it still is one of the home's."""
    home, guest_id = _in_question(chat)
    if home is not None and guest_id is not None:
        return _guest_confirmed(chat, home, guest_id)
    if home is None or not end_own(chat.session, home.community_id, home.binding_id, chat.now):
        return chat.say("unbind/gone")
    return chat.say("unbind/done", room=home)


def refused(chat: Chat) -> Reply:
    """取消: the binding stays."""
    return chat.say("unbind/kept", room=_in_question(chat)[0])


def _unbind_guest(chat: Chat, homes: Sequence[Home], role: ResidentRole) -> Reply:
    found = {home: _guests(chat, home, role) for home in homes}
    inhabited = [home for home in homes if found[home]]
    if len(inhabited) > 1:
        return which_home(chat, inhabited)
    if not inhabited:
        return chat.say("guests/nobody", homes=homes, role=role)
    home = inhabited[0]
    guests = found[home]
    if len(guests) > 1:
        return chat.say(
            "guests/which",
            home=ref_of(home),
            choices=[
                f"{Topic.UNBIND.label} {home.room} {role.label} {guest.no}"
                for guest in guests[:HOMES_OFFERED_MAX]
            ],
            room=home,
            guests=guests[:HOMES_OFFERED_MAX],
        )
    data = {"binding_id": home.binding_id, "guest_id": guests[0].binding_id}
    question = Question(QuestionKind.UNBIND, data)
    return chat.say(
        "guests/ask",
        home=ref_of(home),
        question=question,
        room=home,
        guest=guests[0],
        word=question.kind.label,
    )


def _guests(chat: Chat, home: Home, role: ResidentRole) -> list[Guest]:
    """Who may be meant: those of the role, or the one of them whose number is said."""
    guests = [guest for guest in list_guests(chat.session, home) if guest.role is role]
    which = chat.slots.get("which")
    return [guest for guest in guests if which is None or guest.no == int(which)]


def _guest_confirmed(chat: Chat, home: Home, guest_id: int) -> Reply:
    try:
        is_ended = end_guest(chat.session, home, guest_id, chat.now)
    except Conflict:  # the home changed hands meanwhile
        is_ended = False
    return chat.say("guests/done" if is_ended else "guests/gone", room=home)


def _in_question(chat: Chat) -> tuple[Home | None, int | None]:
    """The follower's home that was asked about, if it still is his, and whose binding if not his
    own.
    """
    question = chat.memory.question
    if question is None:
        return None, None
    wanted, guest_id = question.data["binding_id"], question.data["guest_id"]
    return next((home for home in chat.homes if home.binding_id == wanted), None), guest_id
