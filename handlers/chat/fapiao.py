"""开发票: a short form, one question after the other; and how far the ones asked for are.

What was said so far waits in the conversation's memory, the title sealed. Nothing is written before
the word that confirms it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from billing.errors import Conflict, InvalidInput
from billing.fapiao import (
    Uninvoiced,
    find_last_title,
    list_of_follower,
    list_uninvoiced,
    request_fapiao,
)
from billing.fapiao_papers import FapiaoTitle, read_title
from billing.fapiao_tables import TitleKind
from billing.homes import Home
from billing.money import ZERO
from billing.people import ResidentRole
from billing.privacy import Vault
from billing.tax_numbers import read_tax_number
from handlers.chat.context import Chat, Question, QuestionKind, Reply, ref_of
from handlers.chat.scope import homes_meant, one_home, which_home
from notify.links import FapiaoRef

CHOICES_MAX = 8
LIST_MAX = 8


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known of a fapiao before it is asked for; the title and address in clear."""

    community_id: int
    unit_id: int
    payments: tuple[int, ...]
    kind: TitleKind | None = None
    name: str | None = None
    tax_number: str | None = None
    email: str | None = None

    @property
    def missing(self) -> str | None:
        """The template that asks for what is missing next; None when all is there."""
        if self.kind is None:
            return "fapiao/kind"
        if self.name is None:
            return "fapiao/name"
        if self.kind is TitleKind.COMPANY and self.tax_number is None:
            return "fapiao/tax"
        return None

    def as_json(self, vault: Vault) -> dict[str, Any]:
        """To be remembered."""
        sealed = {key: vault.seal(text) for key, text in self._personal.items() if text}
        return asdict(self) | {"name": None, "email": None, "sealed": sealed}

    @classmethod
    def from_json(cls, vault: Vault, stored: Mapping[str, Any]) -> Self:
        """As remembered."""
        values = dict(stored)
        opened = {key: vault.open(text) for key, text in values.pop("sealed").items()}
        kind = TitleKind(values["kind"]) if values["kind"] else None
        return cls(**values | {"kind": kind, "payments": tuple(values["payments"])} | opened)

    @property
    def _personal(self) -> dict[str, str | None]:
        return {"name": self.name, "email": self.email}


def ask(chat: Chat) -> Reply:
    """Begin: the latest payment none is for yet, and whatever the sentence says already."""
    if "asks" in chat.slots:
        return listing(chat)
    offers = [(home, _offers(chat, home)) for home in homes_meant(chat)]
    offers = [(home, found) for home, found in offers if found]
    if not offers:
        return _refuse_guest(chat) or listing(chat)
    meant = one_home(chat)
    if len(offers) > 1:
        offers = [pair for pair in offers if pair[0] == meant]
    if not offers:
        return which_home(chat, homes_meant(chat))
    [(home, found)] = offers
    draft = Draft(home.community_id, home.unit_id, (found[0].payment.id,))
    last = find_last_title(chat.session, chat.services.vault, chat.follower.id)
    if last is not None and not {"title", "tax_number", "kind"} & set(chat.slots):
        draft = _titled(draft, last)
    return _go_on(chat, draft, chat.slots)


def answer(chat: Chat) -> Reply:
    """The answer to the question that was open; what is no answer is asked again."""
    draft = _draft(chat)
    said = dict(chat.slots)
    if not said and draft.missing == "fapiao/name":
        said["title"] = chat.push.text
    if not said and draft.missing == "fapiao/tax":
        said["tax_number"] = chat.push.text
    return _go_on(chat, draft, said, again=not said)


def confirmed(chat: Chat) -> Reply:
    """确认开票: ask staff for it, if everything is there."""
    draft = _draft(chat)
    home = _home(chat, draft)
    if home is None:
        return chat.say("fapiao/gone")
    if draft.kind is None or draft.name is None or draft.missing:
        return _go_on(chat, draft, {}, again=True)
    try:
        title = read_title(draft.kind, draft.name, draft.tax_number, draft.email)
        seen = {offer.payment.id for offer in _offers(chat, home)}
        if not set(draft.payments) <= seen:
            return chat.say("fapiao/gone")
        made = request_fapiao(
            chat.session,
            chat.services.vault,
            community_id=draft.community_id,
            unit_id=draft.unit_id,
            payment_ids=draft.payments,
            title=title,
            follower_id=chat.follower.id,
            now=chat.now,
        )
    except Conflict:  # another member of the family was quicker
        return chat.say("fapiao/gone")
    return chat.say("fapiao/done", home=ref_of(home), room=home, fapiao=made)


def left(chat: Chat) -> Reply:
    """取消: nothing was asked for."""
    return chat.say("fapiao/left")


def listing(chat: Chat) -> Reply:
    """What the follower asked for, with states; and that there is nothing to ask for, if so."""
    links = chat.services.links
    rooms = {(home.community_id, home.unit_id): home.room for home in chat.homes}
    asked = [
        (
            fapiao,
            rooms.get((fapiao.community_id, fapiao.unit_id), ""),
            links.fapiao_url(FapiaoRef(fapiao.community_id, fapiao.id)),
        )
        for fapiao in list_of_follower(chat.session, chat.follower.id, limit=LIST_MAX)
    ]
    more = any(_offers(chat, home) for home in chat.homes)
    return chat.say_list("fapiao/list", asked, more=more)


def _offers(chat: Chat, home: Home) -> Sequence[Uninvoiced]:
    """What the follower may ask for: an owner for every payment he sees, a tenant or one of the
    family for those he made himself.
    """
    return list_uninvoiced(
        chat.session,
        home.community_id,
        home.unit_id,
        limit=CHOICES_MAX,
        seen=home.seen,
        payer_id=None if home.role is ResidentRole.OWNER else chat.follower.id,
    )


def _refuse_guest(chat: Chat) -> Reply | None:
    """The sentence for who wants a fapiao for what the owner paid; None when there is none."""
    for home in homes_meant(chat):
        if home.role is not ResidentRole.OWNER and list_uninvoiced(
            chat.session, home.community_id, home.unit_id, limit=1, seen=home.seen
        ):
            return chat.say("fapiao/owner_only", home=ref_of(home), room=home)
    return None


def _draft(chat: Chat) -> Draft:
    question = chat.memory.question
    if question is None:
        raise LookupError("no form is open")  # the dispatcher routes answers to open forms only
    return Draft.from_json(chat.services.vault, question.data)


def _home(chat: Chat, draft: Draft) -> Home | None:
    """The home of the form, if it still is one of the follower's."""
    wanted = (draft.community_id, draft.unit_id)
    return next((home for home in chat.homes if (home.community_id, home.unit_id) == wanted), None)


def _titled(draft: Draft, title: FapiaoTitle) -> Draft:
    return replace(
        draft,
        kind=title.kind,
        name=title.name,
        tax_number=title.tax_number,
        email=title.email,
    )


def _go_on(chat: Chat, draft: Draft, said: Mapping[str, Any], *, again: bool = False) -> Reply:
    """Take in what was said and ask for what is missing, or for the word that confirms it."""
    home = _home(chat, draft)
    offers = _offers(chat, home) if home else []
    if home is None or not offers:
        return chat.say("fapiao/gone")
    draft = _choose(draft, said.get("choice"), offers)
    wrong = None
    try:
        draft = _fill(draft, said)
    except InvalidInput as refusal:
        wrong = refusal.field
    chosen = [offer for offer in offers if offer.payment.id in draft.payments]
    question = Question(QuestionKind.FAPIAO, draft.as_json(chat.services.vault))
    number = read_tax_number(draft.tax_number) if draft.tax_number else None
    return chat.say(
        draft.missing or "fapiao/confirm",
        home=ref_of(home),
        question=question,
        room=home,
        draft=draft,
        look_twice=number is not None and number.is_legacy,
        chosen=chosen,
        amount=sum((offer.amount for offer in chosen), ZERO),
        offers=offers,
        wrong=wrong,
        again=again,
        word=QuestionKind.FAPIAO.label,
    )


def _choose(draft: Draft, choice: str | None, offers: Sequence[Uninvoiced]) -> Draft:
    if choice == "all":
        return replace(draft, payments=tuple(offer.payment.id for offer in offers))
    if choice is not None and int(choice) <= len(offers):
        return replace(draft, payments=(offers[int(choice) - 1].payment.id,))
    return draft


def _fill(draft: Draft, said: Mapping[str, Any]) -> Draft:
    """The draft with what was said, each part checked by itself.

    Raises:
        InvalidInput: field `title`, `tax_number` or `email`.
    """
    kind = TitleKind(said["kind"]) if "kind" in said else draft.kind
    if kind is not draft.kind:
        draft = replace(draft, kind=kind, name=None, tax_number=None)
    if "title" in said:
        title = read_title(TitleKind.PERSONAL, said["title"])
        draft = replace(draft, name=title.name)
    if "email" in said:
        read_title(TitleKind.PERSONAL, "--", email=said["email"])
        draft = replace(draft, email=said["email"])
    if "tax_number" in said and kind is not TitleKind.PERSONAL:
        draft = replace(draft, tax_number=read_tax_number(said["tax_number"]).value)
    return draft
