"""Following, leaving, and scanning a code of ours."""

from handlers.chat import bind, sign_in
from handlers.chat.context import SILENCE, Chat, Reply
from handlers.sign_in import read_scene

BIND_SCENE = "bind_"


def followed(chat: Chat) -> Reply:
    """关注: welcome; by a home's code, bind it in the same step."""
    chat.follower.followed_at = chat.now
    chat.follower.unfollowed_at = None
    reply = _answer_scene(chat, chat.push.key, greeting=True)
    return reply or chat.say("welcome", homes=chat.homes)


def scanned(chat: Chat) -> Reply:
    """扫码 by somebody who follows already."""
    reply = _answer_scene(chat, chat.push.key, greeting=False)
    return reply or chat.say("help", homes=chat.homes)


def unfollowed(chat: Chat) -> Reply:
    """取消关注: nothing is sent to this follower any more; bindings stay for when they return."""
    chat.follower.unfollowed_at = chat.now
    return SILENCE


def _answer_scene(chat: Chat, scene: str, *, greeting: bool) -> Reply | None:
    """The answer to a scene that is ours, or None (old posters, `last_trade_no_…`)."""
    if scene.startswith(BIND_SCENE):
        return bind.redeem(chat, scene.removeprefix(BIND_SCENE), greeting=greeting)
    nonce = read_scene(scene)
    return sign_in.ask(chat, nonce) if nonce else None
