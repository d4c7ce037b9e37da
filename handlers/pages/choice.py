"""What a payer chose on the form: which bills, how much, and how much for each bill. Pure."""

import re
import unicodedata
from collections.abc import Collection, Sequence

from billing.bills import BillState
from billing.money import ZERO, Money
from handlers.pages.refusals import Objected, Objection

PREPAID_MAX = Money(10_000_000)
"""The most one payment may prepay: 100,000 yuan. Above it somebody mistyped."""

AMOUNT = re.compile(r"([+-]?)([0-9]{1,9})(?:\.([0-9]*))?")


def total_owed(bills: Sequence[BillState]) -> Money:
    """Sum of what is still owed on these bills."""
    return sum((bill.outstanding for bill in bills), ZERO)


def read_amount(typed: str) -> Money | None:
    """The amount a person typed in yuan, or None when the field was left empty.

    Full-width digits, a currency sign, grouping commas and spaces are forgiven.

    Raises:
        Objected: not a number, not above zero, or finer than a fen.

    >>> read_amount(" ¥1,234.5 ")
    Money(fen=123450)
    """
    text = "".join(unicodedata.normalize("NFKC", typed).split()).removeprefix("¥").replace(",", "")
    if not text:
        return None
    found = AMOUNT.fullmatch(text)
    if found is None:
        raise Objected(Objection.NOT_A_NUMBER)
    sign, whole, fraction = found.group(1), found.group(2), found.group(3) or "0"
    if len(fraction) > 2:
        raise Objected(Objection.TOO_FINE)
    amount = Money.from_yuan(f"{whole}.{fraction}")
    if sign == "-" or amount == ZERO:
        raise Objected(Objection.NOT_POSITIVE)
    return amount


def choose(unpaid: Sequence[BillState], chosen_ids: Collection[int]) -> list[BillState]:
    """The chosen ones among the unpaid bills, in their order.

    Raises:
        Objected: none was chosen, or one is no longer unpaid (or never was of this home).
    """
    if not chosen_ids:
        raise Objected(Objection.NOTHING_CHOSEN)
    chosen = [bill for bill in unpaid if bill.id in chosen_ids]
    if len(chosen) != len(set(chosen_ids)):
        raise Objected(Objection.CHANGED)
    return chosen


def designate(bills: Sequence[BillState], amount: Money | None) -> dict[int, Money]:
    """How much of `amount` each bill gets, the oldest first; None pays all of them.

    Raises:
        Objected: more than is owed on these bills.
    """
    left = total_owed(bills) if amount is None else amount
    designated: dict[int, Money] = {}
    for bill in bills:
        part = min(left, bill.outstanding)
        if part > ZERO:
            designated[bill.id] = part
            left -= part
    if left > ZERO:
        raise Objected(Objection.TOO_MUCH)
    return designated


def prepaid_part(
    unpaid: Sequence[BillState], chosen: Sequence[BillState], amount: Money | None
) -> Money:
    """How much of `amount` is a prepayment: what is more than everything owed. While something is
    owed that was not chosen there is none, and `designate` refuses what is too much.

    Raises:
        Objected: more than may be prepaid at once.
    """
    more = (amount or ZERO) - total_owed(chosen)
    if more <= ZERO or len(chosen) < len(unpaid):
        return ZERO
    return check_prepaid(more)


def check_prepaid(amount: Money | None) -> Money:
    """An amount somebody wants to prepay.

    Raises:
        Objected: the field was left empty, or it is more than may be prepaid at once.
    """
    if amount is None:
        raise Objected(Objection.NO_AMOUNT)
    if amount > PREPAID_MAX:
        raise Objected(Objection.TOO_MUCH_PREPAID)
    return amount


def designate_whole(unpaid: Sequence[BillState], shown: Money | None) -> dict[int, Money]:
    """What a helper pays who may not see the bills: all of it, as it was shown.

    Raises:
        Objected: what is owed is no longer what was shown.
    """
    if shown != total_owed(unpaid):
        raise Objected(Objection.CHANGED)
    return designate(unpaid, None)
