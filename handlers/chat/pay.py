"""缴费: the link on which bills are chosen and paid; which ways there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from billing.bank_accounts import transfer_instructions
from billing.bill_lines import list_lines
from billing.bills import BillState
from billing.homes import Home
from billing.money import Money
from billing.property import Community
from handlers.chat import balance
from handlers.chat.bills import home_due, outstanding, several_homes
from handlers.chat.context import Chat, Reply, ref_of
from handlers.chat.scope import fees_meant, homes_meant, months_meant, one_home
from handlers.months import Months
from handlers.ways import offered_providers


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a home's debts a sentence means to pay, fen, and how the form begins.

    Attributes:
        owed: on the months and fees named; `total` on everything.
        amount: the sum named, at most what the form can take; None: all of `owed`.
        fees: their names where only some are meant.
    """

    total: Money
    owed: Money
    amount: Money | None
    months: Months | None
    fees: tuple[str, ...]
    begins: Mapping[str, str]


def pay(chat: Chat) -> Reply:
    """The total and the link, on which the bills and the sum a sentence names are chosen. Moves no
    money.
    """
    if balance.is_meant(chat):
        return balance.show(chat)
    homes = homes_meant(chat)
    if len(homes) > 1:
        return several_homes(chat, homes)
    home = homes[0]
    scope = _scope(chat, home, home_due(chat, home).bills)
    return chat.say(
        "pay",
        home=ref_of(home),
        room=home,
        scope=scope,
        providers=offered_providers(chat.services, chat.session, home.community_id),
        url=chat.services.links.home_url(ref_of(home), **scope.begins),
    )


def _scope(chat: Chat, home: Home, unpaid: Sequence[BillState]) -> Scope:
    months, said = months_meant(chat), fees_meant(chat)
    meant = [bill for bill in unpaid if months is None or bill.period in months]
    owed = outstanding(meant)
    names: tuple[str, ...] = ()
    if said and meant:
        lines = list_lines(chat.session, home.community_id, [bill.id for bill in meant])
        lines = [line for line in lines if line.fee in said]
        owed = Money(sum(line.outstanding.fen for line in lines))
        names = tuple(dict.fromkeys(line.item_name for line in lines))
    typed = chat.slots.get("amount")
    amount = Money(typed) if isinstance(typed, int) else owed if names else None
    begins = {"period": chat.slots["period"]} if months and meant else {}
    if amount:
        begins["amount"] = amount.yuan
    return Scope(outstanding(unpaid), owed, amount, months, names, begins)


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
