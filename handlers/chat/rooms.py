"""我的房屋: the homes the follower may act for, and who else may, for their owner."""

from billing.unbinding import count_others
from handlers.chat.context import Chat, Reply


def show(chat: Chat) -> Reply:
    """List the homes; an owner is told how many others are bound to his, by what they are."""
    others = count_others(chat.session, chat.homes)
    return chat.say_list("rooms", chat.homes, others=others)
