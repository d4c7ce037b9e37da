"""收费标准: what the community charges for, at which price, on which ground (明码标价)."""

from billing.tariffs import list_tariffs
from handlers.chat.context import Chat, Reply, ref_of
from handlers.chat.scope import homes_meant, one_home


def tariff(chat: Chat) -> Reply:
    """Prices in force today in the community of the home meant; the page says on which ground."""
    home = one_home(chat) or homes_meant(chat)[0]
    items = list_tariffs(chat.session, home.community_id, chat.today)
    return chat.say_list(
        "tariff",
        [
            (one.item, version)
            for one in items
            if (version := one.current(chat.today)) or one.shared
        ],
        home=ref_of(home),
        room=home,
        url=chat.services.links.tariffs_url(ref_of(home)),
    )
