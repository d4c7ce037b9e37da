"""The one table of the chat: what somebody wants → who may → which handler answers.

A name is a topic of `Topic`, `event.<name>`, `message.<what>`, or `yes.`, `no.`, `answer.` and the
kind of the question that was open. Events that are not listed are acknowledged and change nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from billing.sightings import Sight
from handlers.chat import (
    balance,
    bills,
    bind,
    broadcast,
    broadcast_approval,
    broadcast_progress,
    changes,
    delivered,
    dispute,
    fapiao,
    help,
    human,
    pay,
    payments,
    rating,
    reminders,
    rooms,
    sign_in,
    staff,
    tariff,
    unbind,
    welcome,
)
from handlers.chat.context import Chat, QuestionKind, Reply
from handlers.chat.topics import Topic

Handler = Callable[[Chat], Reply]


class Audience(Enum):
    """Who may use a route."""

    ANYONE = "anyone"
    BOUND = "bound"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Route:
    """One way to answer. `awaited` is false where no person waits for words; `shows` is what of a
    home the answer lets its reader see, for the log.
    """

    name: str
    audience: Audience
    handler: Handler
    awaited: bool = True
    shows: Sight | None = None


def yes_to(kind: QuestionKind) -> str:
    """Name of the route that takes a yes to this question."""
    return f"yes.{kind.value}"


def no_to(kind: QuestionKind) -> str:
    """Name of the route that takes a no to this question."""
    return f"no.{kind.value}"


def answer_to(kind: QuestionKind) -> str:
    """Name of the route that takes any other answer to this question, which is a form."""
    return f"answer.{kind.value}"


NOT_TEXT = "message.not_text"
NOT_UNDERSTOOD = "message.not_understood"
UNSURE = "message.unsure"
STAFF_ONLY = "message.staff_only"
NEIGHBOUR = "message.neighbour"
MISUNDERSTOOD = "message.misunderstood"
LEFT = "message.left"

ANYONE, BOUND, STAFF = Audience.ANYONE, Audience.BOUND, Audience.STAFF

TABLE = (
    Route("event.subscribe", ANYONE, welcome.followed),
    Route("event.scan", ANYONE, welcome.scanned),
    Route("event.unsubscribe", ANYONE, welcome.unfollowed, awaited=False),
    Route("event.templatesendjobfinish", ANYONE, delivered.finished, awaited=False),
    Route("event.subscribe_msg_popup_event", ANYONE, delivered.subscribed, awaited=False),
    Route("event.subscribe_msg_change_event", ANYONE, delivered.subscribed, awaited=False),
    Route("event.subscribe_msg_sent_event", ANYONE, delivered.subscription_sent, awaited=False),
    Route(yes_to(QuestionKind.SIGN_IN), ANYONE, sign_in.confirmed),
    Route(no_to(QuestionKind.SIGN_IN), ANYONE, sign_in.refused),
    Route(yes_to(QuestionKind.BIND), ANYONE, bind.which_again),
    Route(no_to(QuestionKind.BIND), ANYONE, help.left),
    Route(yes_to(QuestionKind.UNBIND), ANYONE, unbind.confirmed),
    Route(no_to(QuestionKind.UNBIND), ANYONE, unbind.refused),
    Route(yes_to(QuestionKind.FAPIAO), BOUND, fapiao.confirmed),
    Route(no_to(QuestionKind.FAPIAO), ANYONE, fapiao.left),
    Route(answer_to(QuestionKind.FAPIAO), BOUND, fapiao.answer),
    Route(yes_to(QuestionKind.DISPUTE), BOUND, dispute.without_line),
    Route(no_to(QuestionKind.DISPUTE), ANYONE, dispute.left),
    Route(yes_to(QuestionKind.BROADCAST), STAFF, broadcast_approval.confirmed),
    Route(no_to(QuestionKind.BROADCAST), STAFF, broadcast_approval.left),
    Route(yes_to(QuestionKind.BROADCAST_DRAFT), STAFF, broadcast.again),
    Route(no_to(QuestionKind.BROADCAST_DRAFT), STAFF, broadcast_approval.left),
    Route(answer_to(QuestionKind.BROADCAST_DRAFT), STAFF, broadcast.answer),
    Route(yes_to(QuestionKind.RATING), ANYONE, rating.left),
    Route(no_to(QuestionKind.RATING), ANYONE, rating.left),
    Route(answer_to(QuestionKind.RATING), ANYONE, rating.chosen),
    Route(Topic.DUE, BOUND, bills.due, shows=Sight.BILLS),
    Route(Topic.DETAIL, BOUND, bills.detail, shows=Sight.BILLS),
    Route(Topic.EXPLAIN, BOUND, changes.explain, shows=Sight.BILLS),
    Route(Topic.HISTORY, BOUND, bills.history, shows=Sight.HISTORY),
    Route(Topic.PAY, BOUND, pay.pay, shows=Sight.BILLS),
    Route(Topic.PAYMENTS, BOUND, payments.history, shows=Sight.HISTORY),
    Route(Topic.INVOICE, BOUND, fapiao.ask, shows=Sight.FAPIAO),
    Route(Topic.METHODS, BOUND, pay.methods),
    Route(Topic.BALANCE, BOUND, balance.show, shows=Sight.BALANCE),
    Route(Topic.AUTOPAY, BOUND, balance.autopay, shows=Sight.BALANCE),
    Route(Topic.TARIFF, BOUND, tariff.tariff),
    Route(Topic.REMINDERS, BOUND, reminders.settings),
    Route(Topic.BIND, ANYONE, bind.bind),
    Route(Topic.UNBIND, BOUND, unbind.unbind),
    Route(Topic.ROOMS, BOUND, rooms.show),
    Route(Topic.DISPUTE, BOUND, dispute.dispute, shows=Sight.BILLS),
    Route(Topic.HUMAN, ANYONE, human.human),
    Route(Topic.HELP, ANYONE, help.menu),
    Route(Topic.COLLECTION, STAFF, staff.collection),
    Route(Topic.ARREARS, STAFF, staff.arrears),
    Route(Topic.ROOM, STAFF, staff.room),
    Route(Topic.BROADCAST, STAFF, broadcast.ask),
    Route(Topic.APPROVE, STAFF, broadcast_approval.approve),
    Route(Topic.CALL_OFF, STAFF, broadcast_approval.call_off),
    Route(Topic.PROGRESS, STAFF, broadcast_progress.progress),
    Route(STAFF_ONLY, ANYONE, help.staff_only),
    Route(NEIGHBOUR, ANYONE, help.neighbour),
    Route(UNSURE, ANYONE, help.unsure),
    Route(no_to(QuestionKind.MEANT), ANYONE, help.not_meant),
    Route(MISUNDERSTOOD, ANYONE, help.not_meant),
    Route(LEFT, ANYONE, help.left),
    Route(NOT_TEXT, ANYONE, help.not_text),
    Route(NOT_UNDERSTOOD, ANYONE, help.not_understood),
)

ROUTES: Mapping[str, Route] = {route.name: route for route in TABLE}
