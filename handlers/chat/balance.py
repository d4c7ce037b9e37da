"""预存: what a home has with us, paying more in, and what is deducted by itself. Moves no money."""

from urllib.parse import urlencode

from billing.homes import Home
from billing.prepayments import balance, list_auto_deduction
from billing.tariffs import list_tariffs
from handlers.chat.context import Chat, Reply, ref_of
from handlers.chat.scope import homes_meant, one_home, which_home
from handlers.chat.topics import TopUpWord
from handlers.ways import offered_providers


def show(chat: Chat) -> Reply:
    """余额, 预存500, 充值: the balance, and the link on which money is paid in."""
    home = one_home(chat)
    if home is None or home.seen.end is not None:
        return _which(chat)
    url = _url(chat, home)
    amount = chat.slots.get("amount")
    if isinstance(amount, int):
        url += "?" + urlencode({"amount": f"{amount // 100}.{amount % 100:02d}"})
    return chat.say(
        "balance",
        home=ref_of(home),
        room=home,
        balance=balance(chat.session, home.community_id, home.unit_id),
        url=url,
        can_top_up=bool(offered_providers(chat.services, chat.session, home.community_id)),
    )


def autopay(chat: Chat) -> Reply:
    """自动抵扣: which items are paid from the prepayment, and the link where the owner decides."""
    home = one_home(chat)
    if home is None or home.seen.end is not None:
        return _which(chat)
    codes = set(list_auto_deduction(chat.session, home.community_id, home.unit_id))
    items = list_tariffs(chat.session, home.community_id, chat.today)
    return chat.say(
        "autopay",
        home=ref_of(home),
        room=home,
        names=[one.item.name for one in items if one.item.code in codes],
        balance=balance(chat.session, home.community_id, home.unit_id),
        url=_url(chat, home),
    )


def is_meant(chat: Chat) -> bool:
    """Whether somebody who wants to pay means to pay in advance."""
    return any(word.label in chat.push.text for word in TopUpWord)


def _which(chat: Chat) -> Reply:
    homes = [home for home in homes_meant(chat) if home.seen.end is None]
    return which_home(chat, homes) if homes else chat.say("handed_over")


def _url(chat: Chat, home: Home) -> str:
    return chat.services.links.prepayment_url(ref_of(home))
