"""费用变化: why a bill is more or less than the one before, and than a year ago, to the fen."""

from collections.abc import Sequence
from dataclasses import dataclass

from billing.bills import BillState, list_bills
from billing.changes import Change, Comparison, compare, earlier_periods
from billing.homes import Home
from billing.period import Period
from billing.tariffs import FeeKind
from handlers.chat.context import Chat, Reply, ref_of
from handlers.chat.scope import fees_meant, homes_meant, months_meant, one_home, which_home
from notify.links import BillRef


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the answer: how the bill compares with an earlier one, or one change of it."""

    comparison: Comparison
    change: Change | None = None


def explain(chat: Chat) -> Reply:
    """Every change in yuan, summing to the difference; the latest bill unless a month is named,
    all fees unless some are.
    """
    home = one_home(chat)
    if home is None:
        return which_home(chat, homes_meant(chat))
    bills = list_bills(chat.session, home.community_id, [home.unit_id], home.seen)
    period = _asked(chat, bills)
    if period is None:
        url = chat.services.links.history_url(ref_of(home))
        return chat.say("no_bill", home=ref_of(home), room=home, url=url)
    return _compared(chat, home, bills, period)


def _asked(chat: Chat, bills: Sequence[BillState]) -> Period | None:
    """The latest billed period of those named."""
    months = months_meant(chat)
    return max((bill.period for bill in bills if not months or bill.period in months), default=None)


def _compared(chat: Chat, home: Home, bills: Sequence[BillState], period: Period) -> Reply:
    fees = [FeeKind(fee) for fee in fees_meant(chat)]
    comparisons = [
        compare(chat.session, bills, period, base, fees=fees)
        for base in earlier_periods(bills, period)
    ]
    if fees and not any(one.before or one.after for one in comparisons):
        comparisons = [
            compare(chat.session, bills, period, one.base) for one in comparisons
        ]  # none of the fees named is on these bills: better all of them than nothing
        fees = []
    bill = max((bill for bill in bills if bill.period == period), key=lambda bill: bill.id)
    return chat.say_list(
        "changes",
        [
            row
            for one in comparisons
            for row in (Row(one), *(Row(one, change) for change in one.changes))
        ],
        home=ref_of(home),
        room=home,
        period=period,
        fees=fees,
        has_earlier=bool(comparisons),
        url=chat.services.links.bill_url(BillRef(bill.community_id, bill.id)),
    )
