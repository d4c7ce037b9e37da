"""缴费: the link on which bills are chosen and paid; which ways there are."""

from billing.bank_accounts import transfer_instructions
from billing.property import Community
from handlers.chat import balance
from handlers.chat.bills import home_due, several_homes
from handlers.chat.context import Chat, Reply, ref_of
from handlers.chat.scope import homes_meant, one_home
from handlers.ways import offered_providers


def pay(chat: Chat) -> Reply:
    """The total and the link; how much and which bills is chosen on the page. Moves no money."""
    if balance.is_meant(chat):
        return balance.show(chat)
    homes = homes_meant(chat)
    if len(homes) > 1:
        return several_homes(chat, homes)
    owed = home_due(chat, homes[0])
    return chat.say(
        "pay",
        home=ref_of(owed.home),
        owed=owed,
        providers=offered_providers(chat.services, chat.session, owed.home.community_id),
    )


def methods(chat: Chat) -> Reply:
    """缴费方式: the ways that are open for the home meant, each with where it begins."""
    home = one_home(chat) or homes_meant(chat)[0]
    ref = ref_of(home)
    return chat.say(
        "methods",
        home=ref,
        room=home,
        providers=offered_providers(chat.services, chat.session, home.community_id),
        phone=chat.session.get_one(Community, home.community_id).service_phone,
        links=chat.services.links,
        ref=ref,
        transfer=transfer_instructions(
            chat.session, chat.services.vault, home.community_id, home.unit_id
        ),
    )
