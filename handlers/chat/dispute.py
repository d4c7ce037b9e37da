"""异议: which line is wrong, and the ticket about it. Money is neither moved nor waived here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from billing.bill_lines import LineState, list_lines
from billing.bills import LineKind, list_bills
from billing.homes import Home
from billing.money import ZERO
from billing.period import Period
from billing.property import Community
from billing.ratings import rateable_ticket
from billing.tariffs import FeeKind
from billing.ticket_tables import TicketKind
from billing.tickets import Matter, list_of_follower, open_ticket
from handlers.chat.context import Chat, Question, QuestionKind, Reply, ref_of
from handlers.chat.rating import with_offer
from handlers.chat.scope import homes_meant, months_meant, one_home, which_home
from handlers.chat.story import is_bare, sealed_story, story
from handlers.chat.topics import Topic

LINES_OFFERED_MAX = 5
"""What fits into a reply together with the links that send them."""


@dataclass(frozen=True, slots=True)
class Disputable:
    """A line that can be disputed, and the sentence that chooses it."""

    line: LineState
    period: Period
    choice: str


def dispute(chat: Chat) -> Reply:
    """Open a ticket on the one line a sentence means; of several ask which, of none say what there
    is. The word alone shows what became of earlier ones.

    What was said first is what staff read, however many questions it takes to find the line.
    """
    asked = _question(chat)
    if asked is None and not chat.slots and is_bare(chat, Topic.DISPUTE):
        return _earlier(chat)
    home = one_home(chat)
    if home is None:
        return _hold(chat, which_home(chat, homes_meant(chat)))
    if asked is not None and chat.push.text in asked.data["lines"]:
        return _dispute_line(chat, home, asked.data["lines"][chat.push.text])
    found = _lines_meant(chat, home)
    if len(found) == 1:
        return _open(chat, home, found[0])
    return _ask_which(chat, home, found)


def without_line(chat: Chat) -> Reply:
    """提交异议: none of the lines offered is the one, or the follower does not know which."""
    chat = replace(chat, slots=chat.memory.slots)
    home = one_home(chat)
    return _earlier(chat) if home is None else _open(chat, home, None)


def left(chat: Chat) -> Reply:
    """取消: nothing was opened."""
    return chat.say("dispute/left")


def _question(chat: Chat) -> Question | None:
    question = chat.memory.question
    return question if question and question.kind is QuestionKind.DISPUTE else None


def _hold(chat: Chat, reply: Reply, lines: dict[str, int] | None = None) -> Reply:
    """The reply, with what was said kept for the answer to it, sealed."""
    data = {"said": sealed_story(chat), "lines": lines or {}}
    return replace(reply, question=Question(QuestionKind.DISPUTE, data))


def _dispute_line(chat: Chat, home: Home, line_id: int) -> Reply:
    """The line that was chosen, if it still is one the follower sees."""
    found = [one for one in _disputable(chat, home) if one.line.id == line_id]
    return _open(chat, home, found[0]) if found else _ask_which(chat, home, [])


def _lines_meant(chat: Chat, home: Home) -> list[Disputable]:
    """By month and fee where they are named; else what is owed, else the latest bill."""
    every = _disputable(chat, home)
    months, fees = months_meant(chat), fees_meant(chat)
    named = [one for one in every if not fees or one.line.fee in fees]
    if months:
        return [one for one in named if one.period in months]
    owed = [one for one in named if one.line.outstanding > ZERO]
    latest = max((one.period for one in named), default=None)
    return owed or [one for one in named if one.period == latest]


def fees_meant(chat: Chat) -> list[str]:
    """Codes of the fees a sentence names, those of `FeeKind`."""
    said = chat.slots.get("fee")
    return [said] if isinstance(said, str) else list(said or [])


def _disputable(chat: Chat, home: Home) -> list[Disputable]:
    """Lines of the bills the follower sees, the latest month first; discounts are none."""
    bills = list_bills(chat.session, home.community_id, [home.unit_id], home.seen)
    periods = {bill.id: bill.period for bill in bills}
    lines = [
        line
        for line in list_lines(chat.session, home.community_id, list(periods))
        if line.kind is not LineKind.DISCOUNT
    ]
    lines.sort(key=lambda line: (periods[line.bill_id], -line.id), reverse=True)
    names = [_name(chat, line, periods[line.bill_id]) for line in lines]
    return [
        Disputable(line, periods[line.bill_id], _distinct(names, i)) for i, line in enumerate(lines)
    ]


def _name(chat: Chat, line: LineState, period: Period) -> str:
    word = Topic.DISPUTE.label
    return chat.say("dispute/choice", line=line, period=period, word=word).text


def _distinct(names: Sequence[str], index: int) -> str:
    """The name; with a number where an earlier line has the same (two meters, two spaces)."""
    earlier = names[:index].count(names[index])
    return f"{names[index]} ({earlier + 1})" if earlier else names[index]


def _ask_which(chat: Chat, home: Home, found: Sequence[Disputable]) -> Reply:
    offered = list(found or _disputable(chat, home))[:LINES_OFFERED_MAX]
    choices = [*(one.choice for one in offered), QuestionKind.DISPUTE.label]
    reply = chat.say(
        "dispute/which",
        home=ref_of(home),
        choices=choices,
        room=home,
        found=bool(found),
        word=QuestionKind.DISPUTE.label,
    )
    return _hold(chat, reply, {one.choice: one.line.id for one in offered})


def _open(chat: Chat, home: Home, disputed: Disputable | None) -> Reply:
    fees: list[str] = fees_meant(chat)
    matter = Matter(
        community_id=home.community_id,
        follower_id=chat.follower.id,
        kind=TicketKind.DISPUTE,
        unit_id=home.unit_id,
        line=disputed.line if disputed else None,
        fee=FeeKind(fees[0]) if len(fees) == 1 else None,
    )
    ticket, is_new = open_ticket(chat.session, chat.services.vault, matter, story(chat), chat.now)
    words: dict[str, Any] = {
        "room": home,
        "ticket": ticket,
        "is_new": is_new,
        "disputed": disputed,
        "phone": chat.session.get_one(Community, home.community_id).service_phone,
    }
    return chat.say("dispute/opened", home=ref_of(home), **words)


def _earlier(chat: Chat) -> Reply:
    """What the follower asked before, the latest first, and how to say what is wrong; of the last
    one that was answered he is asked how it was.
    """
    tickets = list_of_follower(chat.session, chat.follower.id)
    done = (rateable_ticket(chat.session, ticket) for ticket in tickets)
    last = next((thing for thing in done if thing is not None), None)
    return with_offer(chat, chat.say_list("dispute/earlier", tickets), last)
