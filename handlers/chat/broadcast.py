"""群发: staff write to many. What will be sent, and how many will read it, is shown before it is
confirmed; for a minute after that it can be taken back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from billing.business_day import BEIJING
from billing.errors import InvalidInput
from billing.home_tags import tags_in
from billing.labels import LabelEnum
from billing.people import Staff
from billing.privacy import Vault
from billing.property import Community
from handlers.chat.broadcast_words import (
    broadcaster,
    not_yours,
    open_preview,
    preview,
    say_of,
    say_to,
)
from handlers.chat.context import Chat, Question, QuestionKind, Reply
from handlers.chat.help import staff_only
from handlers.chat.staff_scope import (
    audience_asked,
    communities_of,
    community_meant,
    place_asked,
    units_named,
    which_community,
)
from handlers.chat.story import ANSWERS, is_bare, meant_sentence
from handlers.chat.topics import Topic
from notify.audiences import Audience
from notify.broadcast_tables import Broadcast, BroadcastState
from notify.broadcasts import BODY_CHARACTERS_MAX, draft_broadcast
from notify.recipients import unknown_places

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
    send_at: datetime | None = None
    per_minute: int | None = None

    @classmethod
    def kept(cls, data: Mapping[str, Any], vault: Vault) -> Self:
        """As it lies in an open question."""
        return cls(
            data["community"],
            Audience.parse(data["audience"]) if data["audience"] else None,
            vault.open(data["body"]) if data["body"] else None,
            datetime.fromisoformat(data["send_at"]) if data["send_at"] else None,
            data["per_minute"],
        )

    def keep(self, wanted: Wanted, vault: Vault) -> Question:
        """The question for what it lacks."""
        data = {
            "community": self.community_id,
            "audience": str(self.audience) if self.audience else None,
            "body": vault.seal(self.body) if self.body else None,
            "send_at": self.send_at.isoformat() if self.send_at else None,
            "per_minute": self.per_minute,
            "wanted": wanted.value,
        }
        return Question(QuestionKind.BROADCAST_DRAFT, data)


def ask(chat: Chat) -> Reply:
    """群发: show what would be sent, or ask for what is missing. While a preview is open, another
    audience alone is for the same words.
    """
    staff = broadcaster(chat)
    if staff is None:
        return not_yours(chat)
    if _word(chat) == QuestionKind.BROADCAST.label:  # and no preview is open
        return chat.say("staff/broadcast_unknown", number=None)
    community = community_meant(chat, last=False)
    community_id = community.id if community else None
    order, body = chat.readers.message(meant_sentence(chat))
    draft = Draft(community_id, _audience(chat, chat.slots, order), body, *_manner(chat.slots))
    shown = _shown(chat, staff)
    if body is None and shown is not None and not is_bare(chat, Topic.BROADCAST):
        is_manner = draft.send_at is not None or draft.per_minute is not None
        draft = Draft(
            shown.community_id,
            draft.audience or (shown.meant if is_manner else None),
            shown.body,
            draft.send_at or shown.send_at,
            draft.per_minute or shown.per_minute,
        )
    return _go_on(chat, staff, draft)


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
            order, body = chat.readers.message(chat.push.text)
            audience = _audience(chat, slots, order)
            draft = replace(draft, audience=audience, body=draft.body or body)
        case Wanted.BODY if _word(chat) not in NO_BODY:
            draft = replace(draft, body=chat.push.text)
    return _go_on(chat, staff, draft)


def again(chat: Chat) -> Reply:
    """写好了, before it is: ask once more."""
    staff, question = chat.staff, chat.memory.question
    if staff is None or question is None:
        return staff_only(chat)
    return _go_on(chat, staff, Draft.kept(question.data, chat.services.vault))


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
    if missing:
        reply = chat.say("staff/broadcast_to", missing=missing, audience=draft.audience)
        return _hold(chat, reply, replace(draft, audience=None), Wanted.AUDIENCE)
    if draft.body is None:
        reply = say_to(chat, "staff/broadcast_body", community, draft.audience or Audience())
        return _hold(chat, reply, draft, Wanted.BODY)
    return _write(chat, staff, draft, community)


def _write(chat: Chat, staff: Staff, draft: Draft, community: Community) -> Reply:
    """Write a whole draft down and show it."""
    if draft.audience is None or draft.body is None:
        raise ValueError("the draft is not whole")
    try:
        written = draft_broadcast(
            chat.session,
            community_id=community.id,
            audience=draft.audience,
            body=draft.body,
            by=staff,
            now=chat.now,
            send_at=draft.send_at,
            per_minute=draft.per_minute,
        )
    except InvalidInput as error:
        return _refused(chat, draft, error)
    if not written.recipients:
        return say_of(chat, "staff/broadcast_nobody", written)
    return preview(chat, written)


def _refused(chat: Chat, draft: Draft, error: InvalidInput) -> Reply:
    """Say why it cannot be sent so; all else of it is kept."""
    if error.field == "body":
        reply = chat.say("staff/broadcast_body_refused", limit=BODY_CHARACTERS_MAX)
        return _hold(chat, reply, replace(draft, body=None), Wanted.BODY)
    if error.field not in ("send_at", "per_minute"):
        raise error
    return chat.say("staff/broadcast_manner_refused", field=error.field, at=draft.send_at)


def _word(chat: Chat) -> str:
    """The sentence without its punctuation."""
    return "".join(filter(str.isalnum, chat.push.text))


def _hold(chat: Chat, reply: Reply, draft: Draft, wanted: Wanted) -> Reply:
    question = draft.keep(wanted, chat.services.vault)
    return replace(reply, question=question, community_id=draft.community_id)


def _audience(chat: Chat, slots: Mapping[str, Any], order: str) -> Audience | None:
    """Whom a sentence names, tags of homes among them. Fees and months narrow it only where it is
    about what is overdue.
    """
    place = place_asked(slots)
    named = audience_asked(slots) if place and place.overdue else place
    tags = tags_in(chat.session, [one.id for one in communities_of(chat)], order)
    return replace(named or Audience(), tags=tuple(tags)) if tags else named


def _manner(slots: Mapping[str, Any]) -> tuple[datetime | None, int | None]:
    """When it is to leave, and how many messages a minute takes."""
    at = slots.get("send_at")
    return (
        datetime.fromisoformat(at).replace(tzinfo=BEIJING) if isinstance(at, str) else None,
        slots.get("per_minute"),
    )


def _placed(
    chat: Chat, community: Community, draft: Draft, audience: Audience
) -> tuple[Draft, list[str]]:
    """The draft with its rooms as the community numbers them, and what the community does not
    have.
    """
    rooms, missing = _rooms(chat, community, audience.rooms)
    if missing:
        return draft, missing
    audience = replace(audience, rooms=tuple(dict.fromkeys(rooms)))
    missing = unknown_places(chat.session, community.id, audience)
    return replace(draft, audience=audience), missing


def _rooms(chat: Chat, community: Community, named: Sequence[str]) -> tuple[list[str], list[str]]:
    """Rooms as the community numbers them, and those that are none of its homes or several."""
    rooms, missing = [], []
    for said in named:
        units = units_named(chat, community, said)
        if len(units) == 1:
            rooms.append(units[0].room)
        else:
            missing.append(said)
    return rooms, missing


def _shown(chat: Chat, staff: Staff) -> Broadcast | None:
    """The same, if it is the member of staff's own and still a draft."""
    found = open_preview(chat)
    if found is None or found.drafted_by != staff.id or found.state is not BroadcastState.DRAFT:
        return None
    return found
