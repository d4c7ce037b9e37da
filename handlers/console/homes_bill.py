"""Bills of a home: the list, one with all that became of it, and on paper."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.adjustment_tables import AdjustmentKind, BillShare
from billing.adjustments import get_adjustment, request_adjustment, reverse_adjustment
from billing.bill_history import (
    BillStanding,
    bills_of_home,
    find_void,
    get_bill,
    list_changes,
    list_disputes,
    list_paid_parts,
)
from billing.bill_lines import LineState, list_lines
from billing.bills import Bill, BillState, LineKind, find_bills
from billing.disputes import disputed_lines
from billing.errors import InvalidInput
from billing.labels import LabelEnum
from billing.money import ZERO, Money
from billing.period import Period
from billing.property import Unit
from billing.residents import Stay, list_stays
from billing.shares import list_shares, split_bill
from billing.sightings import Sight, note_sightings
from billing.tariffs import ChargeItem
from handlers.console.desk import Desk
from handlers.console.forms import NUMBER, Form
from handlers.console.homes import find_home
from handlers.console.lists import Listing, show_list
from handlers.qr import qr_image
from notify.links import HomeRef
from notify.told import list_told
from notify.wording import yuan

WEIGHT = "weight-"
"""Fields of the form that shares a bill: this and the number of the resident."""


class BillColumn(LabelEnum):
    """Columns of the list of a home's bills."""

    PERIOD = "period", "账期"
    ISSUED = "issued_on", "出账日"
    DUE = "due_on", "缴费截止"
    AMOUNT = "amount", "账单金额（元）"
    ADJUSTED = "adjusted", "减免、调账（元）"
    PAID = "paid", "已缴（元）"
    OUTSTANDING = "outstanding", "待缴（元）"


class Done(LabelEnum):
    """What was done."""

    ASKED = "asked", "已提交，等待另一位同事审批"
    SHARED = "shared", "已按比例分摊"


class Objection(LabelEnum):
    """Why a form is not accepted."""

    STALE = (
        "stale",
        "这张账单刚刚有变化：您打开页面时待缴 {} 元，现在待缴 {} 元。请看过下面的新数字后再提交",
    )
    NO_LINE = "no_line", "请选择这张账单上的一项收费"
    NO_WEIGHT = "no_weight", "请填写份额，如 1、0.5"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A bill as it is shown.

    Attributes:
        state: None when it was voided.
    """

    bill: Bill
    issued_on: date
    due_on: date
    state: BillState | None
    lines: list[LineState]
    unit: Unit

    @property
    def outstanding(self) -> Money:
        """What is owed on it."""
        return self.state.outstanding if self.state else ZERO


def index(desk: Desk, number: int) -> ResponseReturnValue:
    """Every bill of a home, to be narrowed by how it stands, by month and by what it charges."""
    unit = find_home(desk, number)
    _note(desk, unit)
    items = desk.session.execute(
        select(ChargeItem.id, ChargeItem.name)
        .where(ChargeItem.community_id == desk.community_id)
        .order_by(ChargeItem.id)
    ).all()
    form = Form(request.args)
    standing = next((one for one in BillStanding if one.value == form.typed("standing")), None)
    item = next((one.id for one in items if str(one.id) == form.typed("item")), None)
    query = bills_of_home(
        desk.community_id, unit.id, standing=standing, period=_read_period(form), item_id=item
    )
    listing = Listing(
        f"bills-{unit.room}",
        BillColumn,
        query,
        sortable=(BillColumn.PERIOD, BillColumn.DUE, BillColumn.AMOUNT),
        newest_first=True,
    )
    return show_list(
        desk,
        listing,
        "homes/bills.html",
        unit=unit,
        form=form,
        items=items,
        standings=BillStanding,
    )


def _read_period(form: Form) -> Period | None:
    """The month that is asked for; what is no month is said at its field and narrows nothing."""
    typed = form.typed("period")
    try:
        return Period(typed) if typed else None
    except InvalidInput as error:
        form.refuse("period", str(error))
        return None


def _note(desk: Desk, unit: Unit) -> None:
    note_sightings(
        desk.session,
        [(desk.community_id, unit.id)],
        Sight.HISTORY,
        desk.now,
        staff_id=desk.staff.id,
    )


def _read(desk: Desk, number: int) -> Sheet:
    bill, issued_on, due_on = get_bill(desk.session, desk.community_id, number)
    states = find_bills(desk.session, desk.community_id, [number])
    return Sheet(
        bill=bill,
        issued_on=issued_on,
        due_on=due_on,
        state=states[0] if states else None,
        lines=list_lines(desk.session, desk.community_id, [number]),
        unit=find_home(desk, bill.unit_id),
    )


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """A bill: how each line was worked out, who paid, what was waived, disputed and told."""
    sheet = _read(desk, number)
    _note(desk, sheet.unit)
    line = request.args.get("line", "")
    return _show(desk, sheet, Form({"line": line, "kind": AdjustmentKind.WAIVER.value}), Form())


def _show(desk: Desk, sheet: Sheet, form: Form, sharing: Form) -> tuple[str, int]:
    session, here, bill_id = desk.session, desk.community_id, sheet.bill.id
    people = list_stays(session, desk.services.vault, here, [sheet.unit.id])
    return desk.page(
        "homes/bill.html",
        sheet=sheet,
        unit=sheet.unit,
        form=form,
        sharing=sharing,
        kinds=AdjustmentKind,
        charges=[line for line in sheet.lines if line.kind is not LineKind.DISCOUNT],
        parts_paid=list_paid_parts(session, here, bill_id),
        changes=list_changes(session, here, bill_id=bill_id),
        tickets=list_disputes(session, here, bill_id),
        disputed=disputed_lines(session, here, [bill_id]),
        told=list_told(session, here, sheet.unit.id, bill_id),
        void=find_void(session, here, bill_id),
        people=list({stay.resident_id: stay for stay in people}.values()),
        shares=_named_shares(list_shares(session, here, bill_id), people),
    )


def _named_shares(shares: list[BillShare], people: list[Stay]) -> list[tuple[str, BillShare]]:
    names = {stay.resident_id: stay.name for stay in people}
    return [(names.get(share.resident_id, ""), share) for share in shares]


def _refuse_stale(sheet: Sheet, form: Form) -> None:
    """What is owed was another sum when the page was opened: whoever submits it must see that."""
    seen = form.typed("seen")
    if NUMBER.fullmatch(seen) and int(seen) != sheet.outstanding.fen:
        words = Objection.STALE.label.format(yuan(Money(int(seen))), yuan(sheet.outstanding))
        form.refuse("", words)


def adjust(desk: Desk, number: int) -> ResponseReturnValue:
    """Ask for a waiver or a correction of a line; another person approves it."""
    sheet, form = _read(desk, number), Form(request.form)
    kind = form.choice("kind", AdjustmentKind, default=AdjustmentKind.WAIVER)
    line_id = form.number("line")
    if form.is_fine and line_id not in {line.id for line in sheet.lines}:
        form.refuse("line", Objection.NO_LINE.label)
    amount = form.money("amount", positive=kind is AdjustmentKind.WAIVER)
    reason = form.text("reason")
    _refuse_stale(sheet, form)

    def act() -> Response:
        request_adjustment(
            desk.session,
            desk.community_id,
            line_id,
            kind=kind,
            amount=-amount if kind is AdjustmentKind.WAIVER else amount,
            reason=reason,
            by=desk.staff,
            now=desk.now,
        )
        return desk.done(Done.ASKED, "homes_bill_show", number=number)

    return desk.submit(form, act, lambda: _show(desk, sheet, form, Form()))


def reverse(desk: Desk, number: int) -> ResponseReturnValue:
    """Ask to take an approved waiver or correction of this bill back."""
    sheet, form = _read(desk, number), Form(request.form)
    adjustment_id, reason = form.number("adjustment"), form.text("reason")
    adjustment = get_adjustment(desk.session, desk.community_id, adjustment_id)
    if adjustment.bill_id != sheet.bill.id:
        form.refuse("", Objection.NO_LINE.label)

    def act() -> Response:
        reverse_adjustment(
            desk.session,
            desk.community_id,
            adjustment_id,
            reason=reason,
            by=desk.staff,
            now=desk.now,
        )
        return desk.done(Done.ASKED, "homes_bill_show", number=number)

    return desk.submit(form, act, lambda: _show(desk, sheet, form, Form()))


def share(desk: Desk, number: int) -> ResponseReturnValue:
    """Share a bill among the people of its home, by weights."""
    sheet, form = _read(desk, number), Form(request.form)
    people = list_stays(desk.session, desk.services.vault, desk.community_id, [sheet.unit.id])
    weights = {}
    for resident_id in sorted({stay.resident_id for stay in people}):
        typed = form.typed(f"{WEIGHT}{resident_id}")
        if typed:
            weights[resident_id] = _weight(form, resident_id, typed)
    _refuse_stale(sheet, form)

    def act() -> Response:
        split_bill(
            desk.session,
            desk.community_id,
            number,
            weights,
            by=desk.staff.id,
            now=desk.now,
        )
        return desk.done(Done.SHARED, "homes_bill_show", number=number)

    blank = Form({"kind": AdjustmentKind.WAIVER.value})
    return desk.submit(form, act, lambda: _show(desk, sheet, blank, form))


def _weight(form: Form, resident_id: int, typed: str) -> Decimal:
    try:
        weight = Decimal(typed)
    except InvalidOperation:
        weight = Decimal("NaN")
    if weight.is_finite() and 0 <= weight < 1_000_000:
        return weight
    form.refuse(f"{WEIGHT}{resident_id}", Objection.NO_WEIGHT.label)
    return Decimal(0)


def paper(desk: Desk, number: int) -> ResponseReturnValue:
    """A bill to be printed and handed out (缴费通知单)."""
    sheet = _read(desk, number)
    _note(desk, sheet.unit)
    link = desk.services.links.scan_url(HomeRef(desk.community_id, sheet.unit.id))
    code = qr_image(link) if sheet.outstanding else None
    return desk.page("homes/paper.html", sheet=sheet, unit=sheet.unit, code=code)
