"""Sign-in on a computer, the phone's side: who scanned the code is asked, and says yes or no."""

from handlers.chat.context import Chat, Question, QuestionKind, Reply
from handlers.sign_in import confirm, is_waiting, refuse


def ask(chat: Chat, nonce: str) -> Reply:
    """Ask whether the person wants to sign in on the computer that shows the code."""
    if not is_waiting(chat.services.redis, nonce):
        return chat.say("sign_in/expired")
    question = Question(QuestionKind.SIGN_IN, {"nonce": nonce})
    return chat.say("sign_in/ask", question=question, word=question.kind.label)


def confirmed(chat: Chat) -> Reply:
    """确认登录: let the browser in."""
    if confirm(chat.services.redis, _nonce(chat), chat.follower.openid):
        return chat.say("sign_in/done")
    return chat.say("sign_in/expired")


def refused(chat: Chat) -> Reply:
    """取消: turn the browser away."""
    refuse(chat.services.redis, _nonce(chat))
    return chat.say("sign_in/refused")


def _nonce(chat: Chat) -> str:
    question = chat.memory.question
    return str(question.data["nonce"]) if question else ""
