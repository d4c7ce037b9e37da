"""缴费记录: what arrived, with its receipt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.business_day import business_date
from billing.homes import Home
from billing.money import Money
from billing.payments import list_confirmed
from billing.period import Period
from billing.ratings import Rateable, rateable_payment
from handlers.chat.context import Chat, Reply, ref_of
from handlers.chat.rating import with_offer
from handlers.chat.scope import homes_meant, months_meant

PAYMENTS_MAX = 8
PAYMENTS_READ_MAX = 100


@dataclass(frozen=True, slots=True)
class Paid:
    """One confirmed payment as it is listed."""

    key: tuple[int, int]
    at: datetime
    room: str
    amount: Money
    receipt: str | None


def history(chat: Chat) -> Reply:
    """The last payments of the homes meant, or those made in the months named, latest first."""
    homes = homes_meant(chat)
    months = months_meant(chat)
    paid = [payment for home in homes for payment in _payments(chat, home)]
    if months:
        paid = [one for one in paid if Period.of(business_date(one.at)) in months]
    paid.sort(key=lambda one: one.at, reverse=True)
    single = ref_of(homes[0]) if len(homes) == 1 else None
    reply = chat.say_list(
        "payments",
        paid[:PAYMENTS_MAX],
        home=single,
        more=max(len(paid) - PAYMENTS_MAX, 0),
        named=bool(months),
        rooms=[(home.room, chat.services.links.history_url(ref_of(home))) for home in homes[:3]],
    )
    return with_offer(chat, reply, _latest(chat, paid)) if single else reply


def _latest(chat: Chat, paid: Sequence[Paid]) -> Rateable | None:
    """The last payment of those listed, as something to rate."""
    if not paid:
        return None
    community_id, payment_id = paid[0].key
    return rateable_payment(chat.session, community_id, payment_id)


def _payments(chat: Chat, home: Home) -> list[Paid]:
    rows = list_confirmed(
        chat.session,
        home.community_id,
        [home.unit_id],
        limit=PAYMENTS_READ_MAX,
        seen=home.seen,
    )
    return [
        Paid(
            key=(payment.community_id, payment.id),
            at=payment.confirmed_at,
            room=home.room,
            amount=payment.amount,
            receipt=receipt.number if receipt else None,
        )
        for payment, receipt in rows
        if payment.confirmed_at is not None
    ]
