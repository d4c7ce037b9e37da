"""The bank's answer: what it took is booked, what it did not is closed with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy.orm import Session

from billing.booking import book
from billing.business_day import BEIJING, business_date
from billing.direct_debit.batches import check_sent, get_batch, list_orders
from billing.direct_debit.tables import (
    BatchState,
    DirectDebitBatch,
    DirectDebitOrder,
    OrderState,
)
from billing.direct_debit.words import words
from billing.errors import InvalidInput
from billing.facts import FactKind, record
from billing.imports.cells import Cell, read_day
from billing.imports.reasons import Unreadable
from billing.money import Money
from billing.payment_tables import OPEN_STATES, Payment, PaymentState
from billing.payments import lock_homes, record_closed
from billing.people import BOOKKEEPERS, Staff, require_role
from billing.statements.columns import heading_of
from billing.statements.grid import Grid
from billing.statements.reading import UnreadableCell, read_amount, text_of

NEEDED = ("no", "amount", "result")
ROWS_ABOVE_MAX = 30
REASON_MAX = 200


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the bank's answer."""

    line: int
    batch: str
    no: str
    amount: Money
    is_paid: bool
    reason: str
    paid_on: date | None


@dataclass(slots=True)
class ResultOutcome:
    """What an answer brought; rows are named by their line in the file, orders by their number."""

    paid: int = 0
    failed: int = 0
    already: int = 0
    unknown_rows: list[int] = field(default_factory=list)
    """No order of the batch has this number."""
    wrong_amounts: list[int] = field(default_factory=list)
    contradicting: list[int] = field(default_factory=list)
    """The bank said otherwise before; what was decided stands."""
    missing: list[int] = field(default_factory=list)
    """Orders that the bank says nothing about; they wait."""

    @property
    def is_clean(self) -> bool:
        """Whether nobody must look at it."""
        return not (self.unknown_rows or self.wrong_amounts or self.contradicting or self.missing)

    def as_json(self) -> dict[str, Any]:
        """For `mingzhang direct-debit result import`."""
        return asdict(self)


def read_results(grids: Sequence[Grid]) -> list[Result]:
    """Rows of the bank's answer, wherever its headings stand.

    Raises:
        InvalidInput: a needed heading is missing, or a row cannot be read; names it.
    """
    seen: list[str] = []
    for grid in grids:
        for at, row in enumerate(grid[:ROWS_ABOVE_MAX]):
            headings = [heading_of(cell) for cell in row]
            places = _places(headings)
            if all(key in places for key in NEEDED):
                return _read_rows(grid, at + 1, places)
            seen = max(seen, [heading for heading in headings if heading], key=len)
    needed = ", ".join(words("headings")[key][0] for key in NEEDED)
    raise InvalidInput("columns", f"needed: {needed}; found: {', '.join(seen) or 'none'}")


def _places(headings: Sequence[str]) -> dict[str, int]:
    found = {}
    for key, usual in words("headings").items():
        known = next((heading for heading in usual if heading in headings), None)
        if known is not None:
            found[key] = headings.index(known)
    return found


def _read_rows(grid: Grid, first: int, places: Mapping[str, int]) -> list[Result]:
    results = []
    for at in range(first, len(grid)):
        cells = {key: grid[at][place] for key, place in places.items() if place < len(grid[at])}
        no = text_of(cells.get("no", ""))
        if not no.isdecimal():
            if any(text_of(cell) for key, cell in cells.items() if key == "result"):
                raise InvalidInput("file", f"row {at + 1}: a result without a serial number")
            continue  # totals and footers
        results.append(_read_row(cells, no, at + 1))
    if not results:
        raise InvalidInput("file", "no results below the headings")
    return results


def _read_row(cells: Mapping[str, Cell], no: str, line: int) -> Result:
    word = text_of(cells.get("result", "")).lower()
    if word not in words("paid") and word not in words("failed"):
        raise InvalidInput("file", f"row {line}: {word[:20]!r} is neither success nor failure")
    day = cells.get("day", "")
    try:
        amount = read_amount(cells.get("amount", ""))
        paid_on = read_day(day) if text_of(day) else None
    except (UnreadableCell, Unreadable) as error:
        raise InvalidInput("file", f"row {line}: no amount or no day") from error
    return Result(
        line=line,
        batch=text_of(cells.get("batch", "")),
        no=no.lstrip("0"),
        amount=amount,
        is_paid=word in words("paid"),
        reason=text_of(cells.get("reason", ""))[:REASON_MAX],
        paid_on=paid_on,
    )


def import_results(
    session: Session,
    community_id: int,
    number: str,
    results: Sequence[Result],
    *,
    by: Staff,
    now: datetime,
) -> ResultOutcome:
    """Write down the bank's answer to a batch. The same again changes nothing; an answer in parts
    is taken part by part, and the batch is settled with the last.

    Money is booked when batch, serial number and amount agree, for the day the bank names or today.
    A row that does not fit is reported and moves nothing.

    Raises:
        InvalidInput: `by` may not, the bank never had the batch, or a day before it was made or to
            come; nothing is taken.
        NotFound: no such batch.
    """
    require_role(by, community_id, BOOKKEEPERS)
    batch = get_batch(session, community_id, number)
    check_sent(batch)
    _check_days(batch, results, business_date(now))
    ordered = list_orders(session, batch)
    # All at once: the bank's file names homes in an order of its own.
    lock_homes(session, community_id, {payment.unit_id for _, payment in ordered})
    orders = {str(order.no): (order, payment) for order, payment in ordered}
    outcome = ResultOutcome()
    for result in results:
        known = orders.get(result.no) if result.batch in ("", number) else None
        if known is None:
            outcome.unknown_rows.append(result.line)
        else:
            _take(session, outcome, result, *known, now=now)
    outcome.missing = [
        order.no for order, _ in orders.values() if order.state is OrderState.WAITING
    ]
    if not outcome.missing:
        _settle(session, batch)
    return outcome


def _check_days(batch: DirectDebitBatch, results: Sequence[Result], today: date) -> None:
    # As for statements, a bank ahead of our clock by minutes is not in the future; a day is.
    first, last = business_date(batch.made_at), today + timedelta(days=1)
    for result in results:
        if result.paid_on is not None and not first <= result.paid_on <= last:
            raise InvalidInput(
                "file", f"row {result.line}: {result.paid_on}, of a batch made on {first}"
            )


def _take(
    session: Session,
    outcome: ResultOutcome,
    result: Result,
    order: DirectDebitOrder,
    payment: Payment,
    *,
    now: datetime,
) -> None:
    wanted = OrderState.PAID if result.is_paid else OrderState.FAILED
    if order.state is not OrderState.WAITING:
        if order.state is wanted and result.amount == order.amount:
            outcome.already += 1
        else:
            outcome.contradicting.append(result.line)
    # A bank that took nothing may say that it took 0.00.
    elif result.amount != order.amount and (result.is_paid or result.amount):
        outcome.wrong_amounts.append(result.line)
    elif payment.state not in OPEN_STATES:
        outcome.contradicting.append(result.line)
    elif result.is_paid:
        _book(session, result, order, payment, now)
        outcome.paid += 1
    else:
        _close(session, result, order, payment, now)
        outcome.failed += 1


def _book(
    session: Session, result: Result, order: DirectDebitOrder, payment: Payment, now: datetime
) -> None:
    paid_on = result.paid_on or business_date(now)
    order.state, order.result_at = OrderState.PAID, now
    payment.state = PaymentState.CONFIRMED
    payment.confirmed_at = now
    payment.paid_at = datetime.combine(paid_on, time(12), BEIJING)
    session.flush()  # the allocations refer to the confirmed row
    book(session, payment, now)


def _close(
    session: Session, result: Result, order: DirectDebitOrder, payment: Payment, now: datetime
) -> None:
    order.state, order.result_at, order.reason = OrderState.FAILED, now, result.reason
    record_closed(session, payment, now)
    record(
        session,
        FactKind.DEBIT_FAILED,
        community_id=payment.community_id,
        unit_id=payment.unit_id,
        ref_id=payment.id,
        amount=payment.amount,
        at=now,
        data={"reason": result.reason},
    )


def _settle(session: Session, batch: DirectDebitBatch) -> None:
    batch.state = BatchState.SETTLED
    session.flush()
