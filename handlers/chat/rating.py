"""满意度: below what somebody asked for, three words to tap about what was done for him lately.

Nothing is sent for it; who does not answer is not asked again in the same conversation's words.
"""

from dataclasses import replace

from billing.errors import Conflict, NotFound
from billing.rating_tables import RatedKind, Score
from billing.ratings import Rateable, find_rateable, rate, wants_rating
from handlers.chat.context import REPLY_BYTES_MAX, Chat, Question, QuestionKind, Reply
from notify.links import HomeRef, RatedRef

SCORES = {score.label: score for score in Score}


def with_offer(chat: Chat, reply: Reply, thing: Rateable | None) -> Reply:
    """The reply, with the words to tap below it if there is something to ask about and room."""
    if thing is None or not wants_rating(chat.session, thing, chat.follower.id, chat.now):
        return reply
    choices = tuple(SCORES)
    asked = chat.say("rating/ask", choices=choices, thing=thing)
    text = f"{reply.text}\n\n{asked.text}"
    if len(text.encode()) > REPLY_BYTES_MAX:
        return reply
    home = reply.home
    if home is None and thing.unit_id is not None:
        home = HomeRef(thing.community_id, thing.unit_id)
    data = {"community": thing.community_id, "kind": thing.kind.value, "subject": thing.subject_id}
    question = Question(QuestionKind.RATING, data)
    return replace(reply, text=text, home=home, question=question, choices=choices)


def chosen(chat: Chat) -> Reply:
    """满意, 一般 or 不满意, of what was asked about."""
    question = chat.memory.question
    score = SCORES.get("".join(filter(str.isalnum, chat.push.text)))
    if question is None or score is None:
        return left(chat)
    try:
        thing = find_rateable(
            chat.session,
            question.data["community"],
            RatedKind(question.data["kind"]),
            question.data["subject"],
        )
        rating = rate(
            chat.session,
            chat.services.vault,
            thing,
            chat.follower.id,
            score,
            words=None,
            now=chat.now,
        )
    except NotFound:
        return chat.say("rating/gone")
    except Conflict:
        return chat.say("rating/late")
    ref = RatedRef(thing.community_id, thing.kind, thing.subject_id)
    url = chat.services.links.rating_url(ref)
    return chat.say("rating/done", score=rating.score, unhappy=score is Score.BAD, url=url)


def left(chat: Chat) -> Reply:
    """Who does not want to is left in peace."""
    return chat.say("rating/left")
