"""What each address answers. A view neither opens a transaction nor asks who may."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import select

from billing.api_access import ApiScope
from billing.bill_lines import LineState, list_lines
from billing.bills import BillState, get_bills, list_unpaid
from billing.browsing import (
    PaymentRow,
    ReceiptRow,
    find_payment,
    page_of_bills,
    page_of_homes,
    page_of_payments,
    page_of_receipts,
    people_of,
)
from billing.errors import Conflict, InvalidInput, NotFound
from billing.money import ZERO, Money
from billing.outside_payments import record_outside
from billing.payment_tables import PaymentState
from billing.people import Resident, ResidentRole
from billing.period import Period
from billing.prepayments import balance
from billing.pricing.explain import explain
from billing.privacy import mask_name, mask_phone
from billing.property import Community, Unit, get_unit
from billing.receipts import get_receipt
from handlers.api import answers
from handlers.api.call import Call

OK, CREATED = 200, 201


class _Keyed(Protocol):
    @property
    def id(self) -> int: ...


def _next(rows: Sequence[_Keyed], limit: int) -> int | None:
    """The key behind which the next page begins, when this one is full."""
    return rows[-1].id if len(rows) == limit else None


def communities(call: Call) -> tuple[object, int]:
    """The communities this token may see."""
    query = select(Community).order_by(Community.code)
    if call.token.community_id is not None:
        query = query.where(Community.id == call.token.community_id)
    found = [
        answers.Community(one.code, one.name, one.company, one.service_phone)
        for one in call.session.scalars(query)
    ]
    return answers.Communities(found), OK


def homes(call: Call) -> tuple[object, int]:
    """Homes of a community, page by page."""
    rows = page_of_homes(call.session, call.community_id, after=call.after, limit=call.limit)
    items = [
        answers.Home(unit.id, unit.room, building, unit.floor, str(unit.billable_area_m2))
        for unit, building in rows
    ]
    return answers.Homes(items, _next(items, call.limit)), OK


def home(call: Call, room: str) -> tuple[object, int]:
    """One home: who lives there, what is owed, what was prepaid."""
    unit = get_unit(call.session, call.community_id, room)
    owed = list_unpaid(call.session, call.community_id, [unit.id])
    found = answers.HomeAccount(
        room=unit.room,
        area_m2=str(unit.billable_area_m2),
        people=[
            _person(call, resident, role)
            for resident, role in people_of(call.session, unit, call.now)
        ],
        outstanding_fen=sum((bill.outstanding for bill in owed), ZERO).fen,
        prepaid_fen=balance(call.session, call.community_id, unit.id).fen,
    )
    return found, OK


def _person(call: Call, resident: Resident, role: ResidentRole) -> answers.Person:
    vault = call.services.vault
    name = vault.open(resident.name_sealed)
    phone = vault.open(resident.phone_sealed) if resident.phone_sealed else None
    if not call.may(ApiScope.PEOPLE_READ):
        name, phone = mask_name(name), mask_phone(phone) if phone else None
    return answers.Person(name, phone, role.value)


def bills(call: Call) -> tuple[object, int]:
    """Issued bills of a community, page by page."""
    given = call.given
    unit = _named_home(call)
    rows, following = page_of_bills(
        call.session,
        call.community_id,
        after=call.after,
        limit=call.limit,
        period=Period(given["period"]) if "period" in given else None,
        unit_id=unit.id if unit else None,
        is_paid=given["state"] == "paid" if "state" in given else None,
    )
    return answers.Bills([_bill(row) for row in rows], following), OK


def bill(call: Call, number: int) -> tuple[object, int]:
    """One bill with its lines and their arithmetic."""
    [found] = get_bills(call.session, call.community_id, [number])
    lines = list_lines(call.session, call.community_id, [number])
    return answers.BillDetail(_bill(found), [_line(line) for line in lines]), OK


def payments(call: Call) -> tuple[object, int]:
    """Booked payments of a community, page by page."""
    unit = _named_home(call)
    rows = page_of_payments(
        call.session,
        call.community_id,
        after=call.after,
        limit=call.limit,
        unit_id=unit.id if unit else None,
    )
    items = [_payment(row) for row in rows]
    return answers.Payments(items, _next(items, call.limit)), OK


def payment(call: Call, number: int) -> tuple[object, int]:
    """One booked payment."""
    row = find_payment(call.session, call.community_id, number)
    if row is None:
        raise NotFound(f"no booked payment {number} in community {call.community.code}")
    return _payment(row), OK


def record(call: Call) -> tuple[object, int]:
    """Book a payment this system received; the same key again changes nothing."""
    given = call.given
    try:
        unit = get_unit(call.session, call.community_id, given["room"])
    except NotFound as error:
        raise InvalidInput("room", str(error)) from error
    paid, is_new = record_outside(
        call.session,
        unit,
        system_id=call.token.id,
        key=given["key"],
        amount=Money(given["amount_fen"]),
        designated=_designated(given.get("bills")),
        paid_on=given.get("paid_on"),
        now=call.now,
    )
    if paid.state is PaymentState.REVERSED:
        raise Conflict(f"payment {paid.out_trade_no} was taken back; use another key")
    row = find_payment(call.session, call.community_id, paid.id)
    if row is None:
        raise NotFound(f"payment {paid.id} vanished")  # it was booked in this transaction
    return _payment(row), CREATED if is_new else OK


def _designated(parts: list[dict[str, int]] | None) -> dict[int, Money] | None:
    if parts is None:
        return None
    designated = {part["bill"]: Money(part["amount_fen"]) for part in parts}
    if len(designated) != len(parts):
        raise InvalidInput("bills", "names a bill twice")
    return designated


def receipts(call: Call) -> tuple[object, int]:
    """A year's receipts of a community, page by page."""
    rows = page_of_receipts(
        call.session,
        call.community_id,
        call.given["year"],
        after=call.after,
        limit=call.limit,
    )
    following = rows[-1].receipt.no if len(rows) == call.limit else None
    return answers.Receipts([_receipt(row) for row in rows], following), OK


def receipt(call: Call, printed: str) -> tuple[object, int]:
    """One receipt by its printed number."""
    found, paid = get_receipt(call.session, call.community_id, printed)
    unit = call.session.get_one(Unit, (paid.community_id, paid.unit_id))
    return _receipt(ReceiptRow(found, paid, unit.room)), OK


def _named_home(call: Call) -> Unit | None:
    room = call.given.get("room")
    return None if room is None else get_unit(call.session, call.community_id, room)


def _bill(state: BillState) -> answers.Bill:
    return answers.Bill(
        id=state.id,
        room=state.room,
        period=str(state.period),
        issued_on=state.issued_on,
        due_on=state.due_on,
        amount_fen=state.amount.fen,
        adjusted_fen=state.adjusted.fen,
        paid_fen=state.paid.fen,
        outstanding_fen=state.outstanding.fen,
    )


def _line(line: LineState) -> answers.Line:
    return answers.Line(
        item=line.item_code,
        name=line.item_name,
        kind=line.kind.value,
        subject=line.subject_code,
        period_from=line.period_from,
        period_to=line.period_to,
        amount_fen=line.amount.fen,
        outstanding_fen=line.outstanding.fen,
        arithmetic=explain(line.basis),
    )


def _payment(row: PaymentRow) -> answers.Payment:
    found = row.payment
    return answers.Payment(
        id=found.id,
        number=found.out_trade_no,
        room=row.room,
        channel=found.channel.value,
        state=found.state.value,
        amount_fen=found.amount.fen,
        paid_at=found.paid_at or found.prepared_at,
        receipt=row.receipt.number if row.receipt else None,
    )


def _receipt(row: ReceiptRow) -> answers.Receipt:
    return answers.Receipt(
        number=row.receipt.number,
        issued_at=row.receipt.issued_at,
        room=row.room,
        payment_id=row.payment.id,
        payment_state=row.payment.state.value,
        amount_fen=row.payment.amount.fen,
    )
