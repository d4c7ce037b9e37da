"""Payments as staff look for them: by any number that stands on a paper, by home, day and way."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, false, func, select, union
from sqlalchemy.orm import Session

from billing.business_day import BEIJING
from billing.counter_tables import CounterPayment
from billing.db import is_one_of
from billing.payment_tables import (
    BOOKED_STATES,
    OPEN_STATES,
    Payment,
    PaymentChannel,
    PaymentState,
    Receipt,
)
from billing.property import Unit
from billing.receipts import PRINTED

HOMES_MAX = 3_000
"""Homes whose payments are looked up home by home."""

TAIL_CHARACTERS_MIN = 6
"""So many last characters of a provider's number are enough to look for it."""


@dataclass(frozen=True, slots=True)
class PaymentSearch:
    """What is looked for.

    Attributes:
        wanted: number of the receipt, of the order, of the provider or of the cashier's paper; ""
            for everything.
        of_homes: condition on `Unit`: of such homes it is wanted too, whatever its number.
        state: None: whatever was booked.
        first, last: days on which it was booked, both included.
    """

    wanted: str = ""
    of_homes: ColumnElement[bool] = field(default_factory=false)
    channel: PaymentChannel | None = None
    state: PaymentState | None = None
    first: date | None = None
    last: date | None = None


def search_payments(
    session: Session, community_id: int, search: PaymentSearch
) -> Select[*tuple[Any, ...]]:
    """SELECT of payments of a community with room and receipt; `key` is the payment's id."""
    number = func.concat(Receipt.year, "-", func.lpad(cast(Receipt.no, String), 6, "0"))
    query = (
        select(
            Payment.id.label("key"),
            Payment.out_trade_no,
            func.coalesce(Payment.paid_at, Payment.prepared_at).label("at"),
            Unit.room,
            Payment.channel,
            Payment.amount,
            Payment.state,
            func.nullif(number, "-").label("receipt"),
        )
        .outerjoin(Unit, (Unit.community_id == Payment.community_id) & (Unit.id == Payment.unit_id))
        .outerjoin(
            Receipt,
            (Receipt.community_id == Payment.community_id) & (Receipt.payment_id == Payment.id),
        )
        .where(Payment.community_id == community_id, *_of_state(search.state))
    )
    if search.channel is not None:
        query = query.where(Payment.channel == search.channel)
    began = Payment.prepared_at if search.state in OPEN_STATES else Payment.confirmed_at
    if search.first is not None:
        query = query.where(began >= _midnight(search.first))
    if search.last is not None:
        query = query.where(began < _midnight(search.last + timedelta(days=1)))
    if search.wanted:
        query = query.where(_meant(session, community_id, search))
    return query


def _of_state(state: PaymentState | None) -> list[ColumnElement[bool]]:
    return [Payment.state.in_(BOOKED_STATES) if state is None else Payment.state == state]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), BEIJING)


def _meant(session: Session, community_id: int, search: PaymentSearch) -> ColumnElement[bool]:
    """Condition on `Payment`: it has this number; else it is of a home that is meant. Both are
    looked for apart, by their own indexes: joined by OR every payment would be looked at. Of very
    many homes a page is full before that matters.
    """
    printed = PRINTED.fullmatch(search.wanted)
    if printed is not None:  # told by its form, and then nothing else
        receipt = select(Receipt.payment_id).where(
            Receipt.community_id == community_id,
            Receipt.year == int(printed[1]),
            Receipt.no == int(printed[2]),
        )
        return Payment.id.in_(receipt)
    numbered = session.scalars(union(*_by_number(community_id, search.wanted))).all()
    if numbered:
        return is_one_of(Payment.id, numbered)
    here = select(Unit.id).where(Unit.community_id == community_id, search.of_homes)
    homes = session.scalars(here.limit(HOMES_MAX + 1)).all()
    return is_one_of(Payment.unit_id, homes) if len(homes) <= HOMES_MAX else search.of_homes


def _by_number(community_id: int, wanted: str) -> list[Select[int]]:
    mine = select(Payment.id).where(Payment.community_id == community_id)
    ways: list[Select[int]] = [
        mine.where(Payment.out_trade_no == wanted),
        select(CounterPayment.payment_id).where(
            CounterPayment.community_id == community_id, CounterPayment.number == wanted
        ),
    ]
    if len(wanted) >= TAIL_CHARACTERS_MIN:
        # By its end, as people read it out; the index is of the number reversed.
        backwards = func.reverse(Payment.transaction_id)
        ways.append(mine.where(backwards.startswith(wanted[::-1], autoescape=True)))
    return ways
