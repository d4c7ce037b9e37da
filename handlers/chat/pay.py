"""缴费: the link on which bills are chosen and paid."""

from handlers.chat.bills import home_due, several_homes
from handlers.chat.context import Chat, Reply, ref_of
from handlers.chat.scope import homes_meant


def pay(chat: Chat) -> Reply:
    """The total and the link; how much and which bills is chosen on the page. Moves no money."""
    homes = homes_meant(chat)
    if len(homes) > 1:
        return several_homes(chat, homes)
    owed = home_due(chat, homes[0])
    return chat.say("pay", home=ref_of(owed.home), owed=owed)
