"""What is owed, what it is made of, and the bills before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from billing.bill_lines import LineState, list_lines
from billing.bills import BillState, list_bills, list_unpaid
from billing.business_day import business_date
from billing.disputes import disputed_lines
from billing.homes import Home
from billing.money import ZERO, Money
from billing.payments import list_confirmed
from handlers.chat.context import Chat, Reply, ref_of
from handlers.chat.scope import fees_meant, homes_meant, months_meant, one_home, which_home
from notify.links import BillRef

HISTORY_BILLS_MAX = 6


@dataclass(frozen=True, slots=True)
class HomeDue:
    """What one home owes, with the link on which it can be paid."""

    home: Home
    url: str
    bills: Sequence[BillState]

    @property
    def total(self) -> Money:
        """What is still owed on these bills, fen."""
        return outstanding(self.bills)

    @property
    def due_on(self) -> date | None:
        """The first due date of what is still owed."""
        return min((bill.due_on for bill in self.bills if bill.outstanding > ZERO), default=None)


def outstanding(bills: Sequence[BillState]) -> Money:
    """What is still owed on all of them, fen."""
    return Money(sum(bill.outstanding.fen for bill in bills))


def due(chat: Chat) -> Reply:
    """账单: what is owed and until when, what it is made of, and the link to pay it.

    For several homes, one line and one link each.
    """
    homes = homes_meant(chat)
    if len(homes) > 1:
        return several_homes(chat, homes)
    home, months = homes[0], months_meant(chat)
    listed = list_bills if months else list_unpaid
    every = listed(chat.session, home.community_id, [home.unit_id], home.seen)
    unpaid = [bill for bill in every if bill.outstanding > ZERO]
    asked = [bill for bill in every if bill.period in months] if months else unpaid
    return chat.say_list(
        "due",
        asked,
        home=ref_of(home),
        room=home,
        total=outstanding(asked),
        elsewhere=outstanding([bill for bill in unpaid if bill not in asked]),
        months=months,
        parts=_owed_by_item(chat, home, [bill for bill in asked if bill.outstanding > ZERO]),
        last_payment=None if unpaid or months else _last_payment(chat, home),
        url=chat.services.links.home_url(ref_of(home)),
        today=chat.today,
    )


def several_homes(chat: Chat, homes: Sequence[Home]) -> Reply:
    """What each of several homes owes, each with its own link, then the sum."""
    owed = [home_due(chat, home) for home in homes]
    return chat.say_list(
        "due_homes", owed, total=Money(sum(item.total.fen for item in owed)), today=chat.today
    )


def home_due(chat: Chat, home: Home) -> HomeDue:
    """Unpaid bills of a home with the link to pay them."""
    unpaid = list_unpaid(chat.session, home.community_id, [home.unit_id], home.seen)
    return HomeDue(home, chat.services.links.home_url(ref_of(home)), unpaid)


def detail(chat: Chat) -> Reply:
    """明细: every line of one bill with its arithmetic; the latest bill unless a month is named."""
    home = one_home(chat)
    if home is None:
        return which_home(chat, homes_meant(chat))
    months = months_meant(chat)
    bills = list_bills(chat.session, home.community_id, [home.unit_id], home.seen)
    asked = [bill for bill in bills if months is None or bill.period in months]
    if not asked:
        return chat.say("no_bill", home=ref_of(home), room=home, url=_history_url(chat, home))
    bill = max(asked, key=lambda bill: (bill.period, bill.id))
    return chat.say_list(
        "detail",
        _lines_asked_for(chat, list_lines(chat.session, home.community_id, [bill.id])),
        home=ref_of(home),
        room=home,
        bill=bill,
        disputed=disputed_lines(chat.session, home.community_id, [bill.id]),
        url=chat.services.links.bill_url(BillRef(bill.community_id, bill.id)),
        today=chat.today,
    )


def history(chat: Chat) -> Reply:
    """历史账单: the last bills, or those of the months named, paid or not."""
    home = one_home(chat)
    if home is None:
        return which_home(chat, homes_meant(chat))
    months = months_meant(chat)
    bills = list_bills(chat.session, home.community_id, [home.unit_id], home.seen)
    asked = [bill for bill in bills if months is None or bill.period in months]
    if not asked:
        return chat.say("no_bill", home=ref_of(home), room=home, url=_history_url(chat, home))
    asked.sort(key=lambda bill: (bill.period, bill.id), reverse=True)
    return chat.say_list(
        "history",
        asked if months else asked[:HISTORY_BILLS_MAX],
        home=ref_of(home),
        room=home,
        url=_history_url(chat, home),
    )


def _history_url(chat: Chat, home: Home) -> str:
    return chat.services.links.history_url(ref_of(home))


def _lines_asked_for(chat: Chat, lines: list[LineState]) -> list[LineState]:
    """The lines of the fees a sentence names; all of them when it names none, or none of these."""
    fees = fees_meant(chat)
    return [line for line in lines if line.fee in fees] or lines


def _owed_by_item(chat: Chat, home: Home, bills: Sequence[BillState]) -> list[tuple[str, Money]]:
    """What is owed by charge item, in the order of the bills; sums to their outstanding."""
    owed: dict[str, int] = {}
    for line in list_lines(chat.session, home.community_id, [bill.id for bill in bills]):
        owed[line.item_name] = owed.get(line.item_name, 0) + line.outstanding.fen
    return [(name, Money(fen)) for name, fen in owed.items() if fen]


def _last_payment(chat: Chat, home: Home) -> tuple[date, Money] | None:
    confirmed = list_confirmed(
        chat.session, home.community_id, [home.unit_id], limit=1, seen=home.seen
    )
    for payment, _receipt in confirmed:
        if payment.confirmed_at is not None:
            return business_date(payment.confirmed_at), payment.amount
    return None
