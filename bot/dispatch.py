"""From a push to the words that answer it: read it, find its route, check who may, answer.

One transaction per push, opened here. Sentences of one follower are answered one after the other.
Whatever goes wrong, a person gets a sentence with a reference number and the operator a traceback.
"""

import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import structlog

from billing.bindings import normalize_code
from billing.homes import meet
from billing.sightings import Sight, note_sightings
from bot.conversation import Conversations, TurnTaken
from bot.learning import learn
from bot.pushes import Transfer, presentable
from bot.understanding import (
    Understanding,
    asks_for_progress,
    change,
    clean,
    read_choice,
    read_fapiao,
    read_order,
    read_period,
    read_person,
    read_relation,
    read_reminder,
    read_room,
    split_message,
    understand,
)
from handlers.chat import help
from handlers.chat.bind import find_code
from handlers.chat.context import (
    FORMS,
    LEAVING,
    Agreement,
    Chat,
    Memory,
    Objection,
    Push,
    QuestionKind,
    Readers,
    Refusal,
    Reply,
    ref_of,
)
from handlers.chat.rating import SCORES
from handlers.chat.routes import (
    LEFT,
    MISUNDERSTOOD,
    NEIGHBOUR,
    NOT_TEXT,
    NOT_UNDERSTOOD,
    ROUTES,
    STAFF_ONLY,
    UNSURE,
    Audience,
    Route,
    answer_to,
    no_to,
    yes_to,
)
from handlers.chat.scope import homes_meant
from handlers.chat.topics import Topic
from handlers.heard import Said
from handlers.services import Services

LAST_MESSAGE_PRECISION = timedelta(minutes=10)
"""`follower.last_message_at` may be this old: it saves a write per sentence."""

EDGES = re.compile(r"^\W+|\W+$")
NUMBER_BEHIND = re.compile(r"[0-9-]+$")
REFUSED = {"staff": STAFF_ONLY, "neighbour": NEIGHBOUR}
REFUSALS = {refusal.label: refusal for refusal in Refusal}
OBJECTIONS = frozenset(objection.label for objection in Objection)
AGREEMENTS = frozenset(agreement.label for agreement in Agreement)
NEVER_MEANT_AGAIN = frozenset(
    {Topic.HELP, Topic.HUMAN, Topic.APPROVE, Topic.CALL_OFF, Topic.PROGRESS}
)
"""They name nothing that another sentence could change."""

ABOUT_ROOMS = frozenset(
    {Topic.BIND, Topic.UNBIND, Topic.ROOMS, Topic.REMINDERS, Topic.AUTOPAY, Topic.BALANCE}
)
"""They name a room at most: whoever names a month or a fee behind them begins anew."""

READERS = Readers(
    plain=clean, room=read_room, person=read_person, message=split_message, order=read_order
)

ONCE = frozenset({Topic.DISPUTE, Topic.BROADCAST})
"""They are done when nothing is asked any more: a month named later is not another of them."""

MANNER = frozenset({"send_at", "per_minute"})
"""Slots that say how a broadcast is to leave."""

COMMANDS = {topic.label: topic for topic in Topic}
TOPICS = {topic.value: topic for topic in Topic}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a push asks for: the name of a route, and what was understood on the way; of a guess,
    all of it.
    """

    route: str
    topic: Topic | None = None
    slots: Mapping[str, Any] = field(default_factory=dict)
    guess: Understanding | None = None


class Dispatcher:
    """Answers pushes. Safe to use from many threads."""

    def __init__(self, services: Services, conversations: Conversations) -> None:
        self._services = services
        self._conversations = conversations

    def answer(self, push: Push) -> str:
        """The words to send back; empty when there is nothing to say.

        Raises:
            Exception: only for an event nobody waits on; WeChat should deliver it again.
        """
        if not awaited(push):
            if push.kind in ROUTES:
                self._reply(push, Memory())
            return ""
        try:
            with self._conversations.turn(push.openid):
                return self._converse(push)
        except TurnTaken:
            return self.say("still_busy")
        except Exception:
            reference = secrets.token_hex(4).upper()
            log.exception("chat_failed", reference=reference, kind=push.kind)
            return self.say("failed", reference=reference)

    def say(self, template: str, **words: Any) -> str:
        """A sentence that needs no conversation, from `templates/chat/<template>.txt`."""
        page = self._services.text.get_template(f"chat/{template}.txt")
        return presentable(page.render(words).strip())

    def _converse(self, push: Push) -> str:
        memory = self._conversations.recall(push.openid)
        wish, reply, said = self._reply(push, memory)
        remembered = _remembered(memory, wish, reply, said)
        if remembered != memory:
            self._conversations.remember(push.openid, remembered)
        words = presentable(reply.text)
        return Transfer(words) if reply.transfer else words

    def _reply(self, push: Push, memory: Memory) -> tuple[Wish, Reply, Said | None]:
        """Answer inside one transaction; what was said is committed before it is sent."""
        now = self._services.clock()
        with self._services.database.transaction() as session:
            person = meet(session, push.openid, now)
            chat = Chat(
                session,
                self._services,
                person.follower,
                person.homes,
                _chosen(push, memory),
                memory,
                now,
                READERS,
                staff=person.staff,
            )
            if not push.is_event:
                _note_message(chat)
            wish = read_wish(chat)
            chat = replace(chat, topic=wish.topic, slots=wish.slots)
            route = ROUTES[wish.route]
            refusal = _refused(route, chat)
            reply = refusal or route.handler(chat)
            if refusal is None and route.shows is not None:
                _note_sight(chat, reply, route.shows)
            return wish, reply, learn(chat, wish.route, wish.guess)


def _chosen(push: Push, memory: Memory) -> Push:
    """The number of an offered sentence stands for the sentence."""
    number = read_choice(push.text) if memory.choices else None
    if number is None or number > len(memory.choices):
        return push
    return replace(push, text=memory.choices[number - 1])


def _remembered(memory: Memory, wish: Wish, reply: Reply, said: Said | None) -> Memory:
    """What the next sentence may lean on: a wish that was understood stays until there is
    another, or the follower leaves.
    """
    home, community_id = reply.home or memory.home, reply.community_id or memory.community_id
    if wish.route == LEFT:
        return Memory(home, community_id=community_id)
    topic, slots = memory.topic, memory.slots
    if wish.route == wish.topic and wish.topic not in NEVER_MEANT_AGAIN:
        topic, slots = wish.topic, wish.slots
    if topic in ONCE and reply.question is None:
        topic, slots = None, {}
    return Memory(home, reply.question, topic, slots, reply.choices, said, community_id)


def awaited(push: Push) -> bool:
    """Whether a person waits for words: every message, and the few events we answer."""
    if not push.is_event or push.kind == "event.click":
        return True
    route = ROUTES.get(push.kind)
    return route is not None and route.awaited


def _note_sight(chat: Chat, reply: Reply, what: Sight) -> None:
    """Write down whose bills were shown; a reply that asks which home is meant shows none."""
    if reply.home is None and reply.choices:
        return
    refs = [reply.home] if reply.home else [ref_of(home) for home in homes_meant(chat)]
    note_sightings(
        chat.session,
        [(ref.community_id, ref.unit_id) for ref in refs],
        what,
        chat.now,
        follower_id=chat.follower.id,
    )


def _note_message(chat: Chat) -> None:
    """A message proves that its sender follows, and opens the window of service messages."""
    follower = chat.follower
    last = follower.last_message_at
    if last is None or chat.now - last > LAST_MESSAGE_PRECISION:
        follower.last_message_at = chat.now
    if follower.unfollowed_at is not None:
        follower.unfollowed_at = None
    if follower.unreachable_at is not None:
        follower.unreachable_at = None


def _refused(route: Route, chat: Chat) -> Reply | None:
    """Who may: what needs a home is for those who have one, and about their own only."""
    if route.audience is Audience.ANYONE:
        return None
    if route.audience is Audience.STAFF:
        return None if chat.staff else help.staff_only(chat)
    if not chat.homes:
        return help.unbound(chat)
    return None if homes_meant(chat) else help.not_yours(chat)


def read_wish(chat: Chat) -> Wish:
    """What the push asks for. A command by its exact word is never left to chance."""
    push = chat.push
    if push.kind == "event.click":
        topic = TOPICS.get(push.key, Topic.HELP)
        return Wish(topic, topic)
    if push.is_event:
        return Wish(push.kind)
    text = unicodedata.normalize("NFKC", push.text).strip()
    if not text:
        return Wish(NOT_TEXT)
    return _answer_to_question(chat, text) or _read_sentence(chat, text)


def _answer_to_question(chat: Chat, text: str) -> Wish | None:
    """A yes or a no to the open question, or an answer to a form; any other sentence stands for
    itself.
    """
    question = chat.memory.question
    word = EDGES.sub("", text).lower()
    refusal = REFUSALS.get(word)
    if word in OBJECTIONS:
        return _objection(chat)
    if question is None and refusal is Refusal.NOT_SO and chat.memory.said is not None:
        return _objection(chat)
    if question is None:
        return Wish(LEFT) if refusal in LEAVING else None
    if question.kind is QuestionKind.MEANT and (word in AGREEMENTS or word == question.kind.label):
        meant = Topic(question.data["topic"])
        return Wish(meant, meant, question.data["slots"])
    if question.kind is QuestionKind.RATING and word in SCORES:
        return Wish(answer_to(question.kind))
    if word == question.kind.label:
        return Wish(yes_to(question.kind))
    if refusal is not None:
        return Wish(no_to(question.kind))
    if question.kind in FORMS and word not in COMMANDS:
        is_fapiao = question.kind is QuestionKind.FAPIAO
        return Wish(answer_to(question.kind), slots=read_fapiao(text) if is_fapiao else {})
    return None


def _objection(chat: Chat) -> Wish:
    """理解错了, to our guess or to our answer; 不是 says it too of what was guessed."""
    question = chat.memory.question
    if question is not None and question.kind is QuestionKind.MEANT:
        return Wish(no_to(question.kind))
    return Wish(MISUNDERSTOOD)


def _read_sentence(chat: Chat, text: str) -> Wish:
    if text in COMMANDS:
        return Wish(COMMANDS[text], COMMANDS[text])
    understood = understand(text, today=chat.today, staff=chat.staff is not None)
    command = COMMANDS.get(EDGES.sub("", NUMBER_BEHIND.sub("", text.split()[0])))
    if command is None and _carries_code(text):
        command = Topic.BIND
    if command is None and chat.staff is not None:
        command = _of_broadcast(chat, text)
    if command is not None:
        slots = {**understood.slots, **_read_places(text, chat.today)}
        if command is chat.memory.topic and chat.push.text in chat.memory.choices:
            slots = {**chat.memory.slots, **slots}  # what was asked before we asked which
        return Wish(command, command, _slots_of(command, slots, text, chat.today))
    last = chat.memory.topic
    if last is not None and _goes_on(last, understood.follow_up):
        return Wish(last, last, change(chat.memory.slots, understood.follow_up or {}))
    topic = TOPICS.get(understood.intent)
    if topic is None:
        refused = REFUSED.get(understood.refusal) if understood.refusal else None
        return Wish(refused or NOT_UNDERSTOOD, guess=understood)
    slots = _slots_of(topic, understood.slots, text, chat.today)
    return Wish(UNSURE if understood.ask else topic, topic, slots, understood)


def _of_broadcast(chat: Chat, text: str) -> Topic | None:
    """How the last one is doing; or another time or speed of the one whose preview is open."""
    if asks_for_progress(text):
        return Topic.PROGRESS
    question = chat.memory.question
    if question is None or question.kind is not QuestionKind.BROADCAST:
        return None
    is_manner = MANNER & read_order(text, chat.today).keys()
    return Topic.BROADCAST if is_manner else None


def _goes_on(last: Topic, changed: Mapping[str, Any] | None) -> bool:
    """Whether a sentence without a wish of its own asks for the last topic again."""
    if changed is None:
        return False
    return last not in ABOUT_ROOMS or changed.keys() <= {"room", "audience"}


def _slots_of(topic: Topic, slots: Mapping[str, Any], text: str, today: date) -> dict[str, Any]:
    """Those found in the sentence, and what only this topic needs; of an order to send something
    only those of the order, not of the words to be sent.
    """
    if topic is Topic.BROADCAST:
        return dict(read_order(text, today))
    return {**slots, **_read_more(topic, text, today)}


def _read_more(topic: Topic, text: str, today: date) -> dict[str, str]:
    """What only one topic needs, by a grammar of its own."""
    if topic is Topic.REMINDERS:
        return read_reminder(text, today)
    if topic in (Topic.BIND, Topic.UNBIND):
        return read_relation(text)
    return read_fapiao(text) if topic is Topic.INVOICE else {}


def _read_places(text: str, today: date) -> dict[str, str]:
    """Room and months behind a command, by grammar alone."""
    found = {"room": read_room(text), "period": read_period(text, today)}
    return {name: value for name, value in found.items() if value is not None}


def _carries_code(text: str) -> bool:
    """A valid code with a letter in it: rooms and dates have none, nearly every code has."""
    code = find_code(text)
    if code is None or normalize_code(code) is None:
        return False
    return any(character.isalpha() for character in code)
