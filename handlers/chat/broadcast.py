"""群发: staff write to many. What will be sent, and how many will read it, is shown before it is
confirmed; for a minute after that it can be taken back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import structlog

from billing.errors import Conflict, InvalidInput
from billing.labels import LabelEnum
from billing.people import Staff
from billing.privacy import Vault
from billing.property import Community
from handlers.chat.context import Chat, Question, QuestionKind, Reply
from handlers.chat.help import staff_only
from handlers.chat.staff_scope import (
    audience_asked,
    community_meant,
    place_asked,
    units_named,
    which_community,
)
from handlers.chat.story import ANSWERS, is_bare, meant_sentence
from handlers.chat.topics import Topic
from notify.audiences import Audience
from notify.broadcast_tables import Broadcast, BroadcastState
from notify.broadcasts import (
    BODY_CHARACTERS_MAX,
    BROADCASTERS,
    TAKEN_BACK_WITHIN,
    cancel_broadcast,
    confirm_broadcast,
    draft_broadcast,
    find_broadcast,
    latest_of,
    presses_unlawfully,
    sent_from,
)
from notify.quiet_hours import next_allowed

log = structlog.get_logger(__name__)

NUMBER = re.compile(r"[0-9]{1,15}")
NO_BODY = ANSWERS | {kind.label for kind in QuestionKind}
"""Words that answer a question of ours, and are nothing to be sent."""


class Offered(LabelEnum):
    """Audiences to choose from where none was named."""

    ALL = "all", "全体业主"
    OVERDUE = "overdue", "欠费业主"
    PARKING = "parking", "有车位的业主"


class Wanted(LabelEnum):
    """What a draft still lacks."""

    COMMUNITY = "community", "小区"
    AUDIENCE = "audience", "对象"
    BODY = "body", "内容"


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a broadcast that is being written."""

    community_id: int | None
    audience: Audience | None
    body: str | None

    @classmethod
    def kept(cls, data: Mapping[str, Any], vault: Vault) -> Self:
        """As it lies in an open question."""
        return cls(
            data["community"],
            Audience.parse(data["audience"]) if data["audience"] else None,
            vault.open(data["body"]) if data["body"] else None,
        )

    def keep(self, wanted: Wanted, vault: Vault) -> Question:
        """The question for what it lacks."""
        data = {
            "community": self.community_id,
            "audience": str(self.audience) if self.audience else None,
            "body": vault.seal(self.body) if self.body else None,
            "wanted": wanted.value,
        }
        return Question(QuestionKind.BROADCAST_DRAFT, data)


def ask(chat: Chat) -> Reply:
    """群发: show what would be sent, or ask for what is missing. While a preview is open, another
    audience alone is for the same words.
    """
    staff = chat.staff
    if staff is None or staff.role not in BROADCASTERS:
        return _not_yours(chat)
    if _word(chat) == QuestionKind.BROADCAST.label:  # and no preview is open
        return chat.say("staff/broadcast_unknown", number=None)
    community = community_meant(chat, last=False)
    community_id = community.id if community else None
    sentence = meant_sentence(chat)
    _, body = chat.readers.message(sentence)
    shown = _shown(chat, staff)
    if body is None and shown is not None and not is_bare(chat, Topic.BROADCAST):
        community_id, body = shown.community_id, shown.body
    return _go_on(chat, staff, Draft(community_id, _audience(chat.slots), body))


def answer(chat: Chat) -> Reply:
    """The answer to what the draft lacked."""
    staff, question = chat.staff, chat.memory.question
    if staff is None or question is None:
        return staff_only(chat)
    draft = Draft.kept(question.data, chat.services.vault)
    match Wanted(question.data["wanted"]):
        case Wanted.COMMUNITY:
            community = community_meant(chat, last=False)
            draft = replace(draft, community_id=community.id if community else None)
        case Wanted.AUDIENCE:
            slots = chat.readers.order(chat.push.text, chat.today)
            _, body = chat.readers.message(chat.push.text)
            draft = replace(draft, audience=_audience(slots), body=draft.body or body)
        case Wanted.BODY if _word(chat) not in NO_BODY:
            draft = replace(draft, body=chat.push.text)
    return _go_on(chat, staff, draft)


def again(chat: Chat) -> Reply:
    """写好了, before it is: ask once more."""
    staff, question = chat.staff, chat.memory.question
    if staff is None or question is None:
        return staff_only(chat)
    return _go_on(chat, staff, Draft.kept(question.data, chat.services.vault))


def confirmed(chat: Chat) -> Reply:
    """确认群发: queue it, or leave it to a second person."""
    staff, shown = chat.staff, _open(chat)
    if staff is None or shown is None:
        return staff_only(chat)
    try:
        done = confirm_broadcast(chat.session, shown.community_id, shown.id, by=staff, now=chat.now)
    except Conflict:
        return _say(chat, "staff/broadcast_ended", shown)
    log.info("broadcast_confirmed", broadcast=done.id, staff=staff.login, state=done.state.value)
    if done.state is BroadcastState.WAITING:
        return _say(chat, "staff/broadcast_waiting", done)
    at = sent_from(done)
    is_later = at is not None and at > chat.now + TAKEN_BACK_WITHIN
    return _say(
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
    staff, shown = chat.staff, _open(chat)
    if staff is not None and shown is not None and shown.state is BroadcastState.DRAFT:
        cancel_broadcast(chat.session, shown.community_id, shown.id, by=staff, now=chat.now)
    return chat.say("staff/broadcast_left")


def approve(chat: Chat) -> Reply:
    """同意群发 12: show it to the second person, who confirms it after reading."""
    staff = chat.staff
    if staff is None or staff.role not in BROADCASTERS:
        return _not_yours(chat)
    number = NUMBER.search(chat.push.text)
    found = find_broadcast(chat.session, staff, int(number[0])) if number else None
    if found is None:
        return chat.say("staff/broadcast_unknown", number=number[0] if number else None)
    if found.state is not BroadcastState.WAITING:
        return _say(chat, "staff/broadcast_ended", found)
    if found.drafted_by == staff.id:
        return _say(chat, "staff/broadcast_waiting", found)
    return _preview(chat, found)


def call_off(chat: Chat) -> Reply:
    """取消群发: take back the one that is open, the one that is named, or the last one."""
    staff = chat.staff
    if staff is None or staff.role not in BROADCASTERS:
        return _not_yours(chat)
    number = NUMBER.search(chat.push.text)
    if number:
        found = find_broadcast(chat.session, staff, int(number[0]))
    else:
        found = _open(chat) or latest_of(chat.session, staff)
    if found is None:
        return chat.say("staff/broadcast_unknown", number=number[0] if number else None)
    try:
        cancel_broadcast(chat.session, found.community_id, found.id, by=staff, now=chat.now)
    except Conflict:
        return _say(chat, "staff/broadcast_ended", found)
    log.info("broadcast_cancelled", broadcast=found.id, staff=staff.login)
    return _say(chat, "staff/broadcast_called_off", found)


def _go_on(chat: Chat, staff: Staff, draft: Draft) -> Reply:
    """Ask for what the draft lacks; a whole one is written down and shown."""
    if draft.community_id is None:
        return _hold(chat, which_community(chat), draft, Wanted.COMMUNITY)
    community = chat.session.get_one(Community, draft.community_id)
    if draft.audience is None:
        choices = [offered.label for offered in Offered]
        reply = chat.say("staff/broadcast_to", choices=choices, missing=())
        return _hold(chat, reply, draft, Wanted.AUDIENCE)
    draft, missing = _placed(chat, community, draft, draft.audience)
    if missing or draft.audience is None:
        is_entrance = draft.audience is not None and draft.audience.entrance is not None
        reply = chat.say("staff/broadcast_to", missing=missing, is_entrance=is_entrance)
        return _hold(chat, reply, draft, Wanted.AUDIENCE)
    if draft.body is None:
        reply = _say_to(chat, "staff/broadcast_body", community, draft.audience)
        return _hold(chat, reply, draft, Wanted.BODY)
    try:
        written = draft_broadcast(
            chat.session,
            community_id=community.id,
            audience=draft.audience,
            body=draft.body,
            by=staff,
            now=chat.now,
        )
    except InvalidInput as error:
        if error.field != "body":
            raise
        reply = chat.say("staff/broadcast_body_refused", limit=BODY_CHARACTERS_MAX)
        return _hold(chat, reply, replace(draft, body=None), Wanted.BODY)
    if not written.recipients:
        return _say(chat, "staff/broadcast_nobody", written)
    return _preview(chat, written)


def _word(chat: Chat) -> str:
    """The sentence without its punctuation."""
    return "".join(filter(str.isalnum, chat.push.text))


def _hold(chat: Chat, reply: Reply, draft: Draft, wanted: Wanted) -> Reply:
    question = draft.keep(wanted, chat.services.vault)
    return replace(reply, question=question, community_id=draft.community_id)


def _audience(slots: Mapping[str, Any]) -> Audience | None:
    """Whom a sentence names. Fees and months narrow it only where it is about what is overdue."""
    place = place_asked(slots)
    return audience_asked(slots) if place and place.overdue else place


def _placed(
    chat: Chat, community: Community, draft: Draft, audience: Audience
) -> tuple[Draft, list[str]]:
    """The draft with its room as the community numbers it, and what the community does not have."""
    if audience.room is None:
        return draft, unknown_places(chat.session, community.id, audience)
    units = units_named(chat, community, audience.room)
    if len(units) != 1:
        return replace(draft, audience=None), [audience.room]
    return replace(draft, audience=replace(audience, room=units[0].room)), []


def _preview(chat: Chat, broadcast: Broadcast) -> Reply:
    """It as its readers will see it, with how many they are, to be confirmed."""
    audience = Audience.parse(broadcast.audience)
    at = next_allowed(chat.now + TAKEN_BACK_WITHIN)
    return _say(
        chat,
        "staff/broadcast_preview",
        broadcast,
        question=Question(QuestionKind.BROADCAST, {"id": broadcast.id}),
        choices=(QuestionKind.BROADCAST.label,),
        is_unlawful=presses_unlawfully(audience, broadcast.body),
        at=at if at > chat.now + TAKEN_BACK_WITHIN else None,
        approves=broadcast.state is BroadcastState.WAITING,
    )


def _open(chat: Chat) -> Broadcast | None:
    """The broadcast whose preview is open."""
    question = chat.memory.question
    if question is None or question.kind is not QuestionKind.BROADCAST or chat.staff is None:
        return None
    return find_broadcast(chat.session, chat.staff, question.data["id"])


def _shown(chat: Chat, staff: Staff) -> Broadcast | None:
    """The same, if it is the member of staff's own and still a draft."""
    found = _open(chat)
    if found is None or found.drafted_by != staff.id or found.state is not BroadcastState.DRAFT:
        return None
    return found


def _not_yours(chat: Chat) -> Reply:
    """Staff whose role is another."""
    if chat.staff is None:
        return staff_only(chat)
    log.warning("broadcast_refused", staff=chat.staff.login)
    return chat.say("staff/broadcast_role", role=chat.staff.role)


def _say(chat: Chat, template: str, broadcast: Broadcast, **words: Any) -> Reply:
    community = chat.session.get_one(Community, broadcast.community_id)
    audience = Audience.parse(broadcast.audience)
    return _say_to(chat, template, community, audience, broadcast=broadcast, **words)


def _say_to(
    chat: Chat, template: str, community: Community, audience: Audience, **words: Any
) -> Reply:
    reply = chat.say(template, community=community, audience=audience, **words)
    return replace(reply, community_id=community.id)
