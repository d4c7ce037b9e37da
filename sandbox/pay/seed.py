"""Many paid orders at once, for bills that are long."""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from sqlite3 import Connection

from sandbox.pay.calendar import span
from sandbox.pay.merchants import Merchant
from sandbox.pay.store import Order, insert_orders
from sandbox.pay.texts import say

COUNT_MAX = 1_000_000
_NUMBER = re.compile(r"([0-9A-Za-z_\-|*]*?)([0-9]{1,18})")
_DAY_S = 86_400


@dataclass(frozen=True)
class Seed:
    """Orders to load; the numbers count up from `first_no`, whose last digits keep their width."""

    day: date
    count: int
    first_no: str

    @property
    def total_fen(self) -> int:
        """Give what the orders pay together."""
        return sum(amount_fen(place) for place in range(self.count))


def read_seed(day: object, count: object, first_no: object) -> Seed:
    """Check what is asked for; raises ValueError."""
    if type(count) is not int or not 1 <= count <= COUNT_MAX:
        raise ValueError(f"count must be a whole number from 1 to {COUNT_MAX}")
    parts = _NUMBER.fullmatch(first_no) if isinstance(first_no, str) else None
    if parts is None or not 6 <= len(parts[0]) <= 32:
        raise ValueError("first_no must be an order number that ends in digits")
    if len(str(int(parts[2]) + count - 1)) > len(parts[2]):
        raise ValueError("first_no has too few digits for so many orders")
    try:
        when = date.fromisoformat(day) if isinstance(day, str) else None
    except ValueError:
        when = None
    if when is None:
        raise ValueError("day must be a date like 2026-11-23")
    return Seed(when, count, parts[0])


def amount_fen(place: int) -> int:
    """Give what the order in this place (from 0) pays: 10.00 to 99.99 yuan, in turn."""
    return 1000 + place * 37 % 9000


def load(db: Connection, merchant: Merchant, seed: Seed) -> None:
    """Write the orders as paid, spread over the day and told to nobody.

    Raises sqlite3.IntegrityError where a number is taken; then none is written.
    """
    insert_orders(db, _orders(merchant, seed))


def _orders(merchant: Merchant, seed: Seed) -> Iterator[Order]:
    parts = _NUMBER.fullmatch(seed.first_no)
    if parts is None:
        raise ValueError("first_no must be an order number that ends in digits")
    prefix, first, width = parts[1], int(parts[2]), len(parts[2])
    starts, _ = span(seed.day)
    batch = f"4200{secrets.randbelow(10**6):06}{seed.day:%Y%m%d}"
    description, app_id = say("seed.description"), merchant.app_ids[0]
    for place in range(seed.count):
        paid_at = starts + place * _DAY_S // seed.count
        yield Order(
            mchid=merchant.mchid,
            out_trade_no=f"{prefix}{first + place:0{width}}",
            app_id=app_id,
            openid=f"oSeed{place:07}",
            description=description,
            attach=None,
            notify_url="",
            total_fen=amount_fen(place),
            parameters="",
            expires_at=paid_at,
            state="SUCCESS",
            transaction_id=f"{batch}{place:010}",
            paid_at=paid_at,
            trade_type="JSAPI",
        )
