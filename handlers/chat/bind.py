"""绑定: by one-time code, or by a request that staff decide; a code for one's tenant or family."""

import re
import unicodedata

from billing.addresses import Address, find_addresses
from billing.binding_requests import Claim, request_binding
from billing.bindings import CODE_LENGTH, normalize_code, redeem_code
from billing.guest_codes import GUEST_CODE_LIFE, GUEST_ROLES, issue_guest_code
from billing.homes import Home, list_homes
from billing.people import ResidentRole
from billing.property import Community, Unit
from billing.unbinding import may_manage
from handlers.chat.context import Chat, Question, QuestionKind, Reply, ref_of
from handlers.chat.scope import HOMES_OFFERED_MAX, homes_meant, which_home
from handlers.chat.story import meant_sentence
from handlers.chat.topics import Topic

ASCII_RUN = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z \-]*[0-9A-Za-z])?")
CODE_LENGTH_MIN = CODE_LENGTH - 2
"""A run this long is a code with a typing error rather than something else."""


def bind(chat: Chat) -> Reply:
    """Bind by the code in the text; without one, ask staff for the home in it; else say how.

    An owner who names his tenant or family gets a code for them instead.
    """
    sentence = meant_sentence(chat)
    claim = _claim(chat, sentence)
    room = chat.slots.get("room")
    typed = None if claim else find_code(sentence)
    if typed is not None and (normalize_code(typed) or room is None):
        return redeem(chat, typed)
    if "guest" in chat.slots and (homes := [h for h in homes_meant(chat) if may_manage(h)]):
        return _let_in(chat, homes, ResidentRole(chat.slots["guest"]))
    said = chat.readers.plain(sentence)
    found = find_addresses(chat.session, said, room, chat.readers.room)
    if not found and room is None:
        return chat.say("bind/how", homes=chat.homes)
    if not found:
        return chat.say("bind/no_such_home", wanted=room)
    if len(found) > 1:
        return _which(chat, found, claim)
    return _request(chat, found[0], claim)


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


def which_again(chat: Chat) -> Reply:
    """确认绑定, where a home had to be chosen first: say how to bind."""
    return chat.say("bind/how", homes=chat.homes)


def _claim(chat: Chat, sentence: str) -> Claim | None:
    """Who the follower says he is, now or in the sentence that named several homes."""
    person = chat.readers.person(sentence)
    if person is not None:
        return Claim(*person)
    question = chat.memory.question
    if question is None or question.kind is not QuestionKind.BIND or not question.data["claim"]:
        return None
    return Claim.open(chat.services.vault, question.data["claim"])


def _which(chat: Chat, found: list[Address], claim: Claim | None) -> Reply:
    """Ask which of these homes is meant; who he says he is, is kept for the answer."""
    sealed = claim.seal(chat.services.vault) if claim else None
    return chat.say(
        "bind/which_home",
        question=Question(QuestionKind.BIND, {"claim": sealed}),
        choices=[f"{Topic.BIND.label} {address}" for address in found[:HOMES_OFFERED_MAX]],
        more=len(found) > HOMES_OFFERED_MAX,
    )


def _request(chat: Chat, address: Address, claim: Claim | None) -> Reply:
    """Ask staff for a home, and say the same whether or not the claim fits."""
    unit = chat.session.get_one(Unit, (address.community_id, address.unit_id))
    said = chat.slots.get("as") or chat.slots.get("guest")
    asked = request_binding(
        chat.session,
        chat.services.vault,
        chat.follower,
        unit,
        chat.now,
        role=ResidentRole(said) if said else ResidentRole.OWNER,
        claim=claim,
    )
    community = chat.session.get_one(Community, address.community_id)
    return chat.say(
        f"bind/{asked.value}",
        community=community,
        wanted=address.room,
        claimed=claim is not None,
        greeting=False,
    )


def _let_in(chat: Chat, homes: list[Home], role: ResidentRole) -> Reply:
    """A code for the tenant or family of an owner's home."""
    if len(homes) > 1:
        return which_home(chat, homes)
    home = homes[0]
    if role not in GUEST_ROLES:
        return chat.say("guests/owners_by_staff", home=ref_of(home), room=home)
    code = issue_guest_code(
        chat.session, chat.services.vault, home, role, follower_id=chat.follower.id, now=chat.now
    )
    return chat.say(
        "guests/code" if code else "guests/too_many_codes",
        home=ref_of(home),
        room=home,
        role=role,
        code=code,
        until=chat.now + GUEST_CODE_LIFE,
    )
