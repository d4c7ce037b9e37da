"""What the API answers with. The shapes of the description are read off these classes.

Amounts are whole fen; days are half-open: `to` is the first day that does not count.
"""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Community:
    """A residential community."""

    code: str
    name: str
    company: str
    service_phone: str


@dataclass(frozen=True, slots=True)
class Communities:
    """Those this token may see."""

    items: list[Community]


@dataclass(frozen=True, slots=True)
class Person:
    """Who owns the home or lives in it; masked unless the token has people:read."""

    name: str
    phone: str | None
    role: str


@dataclass(frozen=True, slots=True)
class Home:
    """A home or shop; `area_m2` is a decimal number as text."""

    id: int
    room: str
    building: str
    floor: int
    area_m2: str


@dataclass(frozen=True, slots=True)
class Homes:
    """A page of homes; `next` is `after` of the next page, null on the last."""

    items: list[Home]
    next: int | None


@dataclass(frozen=True, slots=True)
class HomeAccount:
    """A home, its people, what it owes and what was prepaid."""

    room: str
    area_m2: str
    people: list[Person]
    outstanding_fen: int
    prepaid_fen: int


@dataclass(frozen=True, slots=True)
class Bill:
    """An issued bill; outstanding = amount + adjusted − paid."""

    id: int
    room: str
    period: str
    issued_on: date
    due_on: date
    amount_fen: int
    adjusted_fen: int
    paid_fen: int
    outstanding_fen: int


@dataclass(frozen=True, slots=True)
class Bills:
    """A page of bills; `next` is `after` of the next page, null on the last. A page may be short,
    or empty, though others follow: go on until `next` is null. Drafts are issued later under the
    keys they have: read a month anew, or listen to the webhook `bill_issued`.
    """

    items: list[Bill]
    next: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a bill, with the sentence that shows how its amount came about."""

    item: str
    name: str
    kind: str
    subject: str
    period_from: date
    period_to: date
    amount_fen: int
    outstanding_fen: int
    arithmetic: str


@dataclass(frozen=True, slots=True)
class BillDetail:
    """A bill with its lines."""

    bill: Bill
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Payment:
    """A booked payment; `reversed` is one that was taken back. `receipt` follows within seconds."""

    id: int
    number: str
    room: str
    channel: str
    state: str
    amount_fen: int
    paid_at: datetime
    receipt: str | None


@dataclass(frozen=True, slots=True)
class Payments:
    """A page of payments; `next` is `after` of the next page, null on the last. A payment has the
    key of its order, which may be older than its money: to follow what is new, read receipts, whose
    numbers have no gaps, or listen to the webhook `payment_confirmed`.
    """

    items: list[Payment]
    next: int | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt and the payment it proves."""

    number: str
    issued_at: datetime
    room: str
    payment_id: int
    payment_state: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Receipts:
    """A page of a year's receipts; `next` is `after` of the next page, null on the last."""

    items: list[Receipt]
    next: int | None
