"""Direct debit (银行托收): what homes with a mandate owe, to the bank in a file, and back."""

import tempfile
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from flask import request, send_file
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, case, func, or_, select
from werkzeug.wrappers import Response

from billing.direct_debit.bank_files import write_batch
from billing.direct_debit.batches import (
    Skipped,
    cancel_batch,
    make_batch,
    mark_sent,
    prepare_file,
)
from billing.direct_debit.mandates import list_mandates
from billing.direct_debit.results import ResultOutcome, import_results, read_results
from billing.direct_debit.tables import (
    BatchState,
    DirectDebitBatch,
    DirectDebitMandate,
    DirectDebitOrder,
    OrderState,
)
from billing.direct_debit.withdrawal import Withdrawn
from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.money import Money
from billing.payment_tables import Payment
from billing.property import Unit
from billing.statements.grid import parse_grids
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list
from handlers.console.sheets import XLSX

FILE_BYTES_MAX = 10 * 2**20


class Done(LabelEnum):
    """What was done."""

    MADE = "made", "已生成托收批次，并通知户主"
    SENT = "sent", "已标记送盘，等待银行回盘"
    CANCELLED = "cancelled", "已撤销，账单可以用其他方式缴了"
    ANSWERED = "answered", "回盘已入账"
    LOOK = "look", "回盘已入账；有几行需要人工核对"


class Objection(LabelEnum):
    """Why a form is not accepted."""

    NO_FILE = "no_file", "请选择银行的回盘文件"


class BatchColumn(LabelEnum):
    """Columns of the list of batches."""

    NUMBER = "number", "批次号"
    DUE = "due_by", "账单到期日截至"
    MADE = "made_at", "生成时间"
    ORDERS = "orders", "笔数"
    AMOUNT = "amount", "金额（元）"
    STATE = "state", "状态"


class OrderColumn(LabelEnum):
    """Columns of the list of a batch's orders."""

    NO = "key", "序号"
    ROOM = "room", "房号"
    TAIL = "tail", "账号尾号"
    AMOUNT = "amount", "金额（元）"
    STATE = "state", "状态"
    REASON = "reason", "原因"


def index(desk: Desk) -> ResponseReturnValue:
    """Every batch, the latest first, and the form for the next."""
    return _index(desk, Form({"due_by": desk.today.isoformat()}))


def _index(desk: Desk, form: Form) -> ResponseReturnValue:
    orders = (
        select(
            DirectDebitOrder.batch_id,
            func.count().label("orders"),
            func.sum(DirectDebitOrder.amount).label("amount"),
        )
        .join(
            DirectDebitBatch,
            (DirectDebitBatch.community_id == DirectDebitOrder.community_id)
            & (DirectDebitBatch.id == DirectDebitOrder.batch_id),
        )
        .where(DirectDebitOrder.community_id == desk.community_id, _counts())
        .group_by(DirectDebitOrder.batch_id)
        .subquery()
    )
    query = (
        select(
            DirectDebitBatch.id.label("key"),
            DirectDebitBatch.number,
            DirectDebitBatch.due_by,
            DirectDebitBatch.made_at,
            orders.c.orders,
            orders.c.amount,
            DirectDebitBatch.state,
        )
        .join(orders, orders.c.batch_id == DirectDebitBatch.id)
        .where(DirectDebitBatch.community_id == desk.community_id)
    )
    listing = Listing("direct-debit", BatchColumn, query, newest_first=True)
    mandates = list_mandates(desk.session, desk.services.vault, desk.community_id)
    living = sum(one.ended_on is None for one in mandates)
    return show_list(desk, listing, "money/debit.html", form=form, living=living)


def _counts() -> ColumnElement[bool]:
    """Whether an order is part of its batch's total: what was withdrawn from one that lives is
    not in the bank's file.
    """
    return or_(
        DirectDebitBatch.state == BatchState.CANCELLED,
        DirectDebitOrder.state != OrderState.CANCELLED,
    )


def make(desk: Desk) -> ResponseReturnValue:
    """Order from the bank what homes with a mandate owe."""
    form = Form(request.form)
    due_by = form.day("due_by", default=desk.today)

    def act() -> Response:
        made = make_batch(
            desk.session, desk.community_id, due_by=due_by, by=desk.staff, now=desk.now
        )
        return desk.done(Done.MADE, "debit_show", number=made.id)

    return desk.submit(form, act, lambda: _index(desk, form))


def _batch(desk: Desk, number: int) -> DirectDebitBatch:
    found = desk.session.get(DirectDebitBatch, (desk.community_id, number))
    if found is None:
        raise NotFound(f"no batch {number}")
    return found


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """One batch with its orders, and what may be done with it."""
    return _show(desk, _batch(desk, number), Form(), None)


def _show(
    desk: Desk, batch: DirectDebitBatch, form: Form, outcome: ResultOutcome | None
) -> ResponseReturnValue:
    order = DirectDebitOrder
    query = (
        select(
            order.no.label("key"),
            Unit.room,
            DirectDebitMandate.account_tail.label("tail"),
            order.amount,
            order.state,
            case(
                {one.value: one.label for one in Withdrawn}, value=order.reason, else_=order.reason
            ).label("reason"),
        )
        .join(
            Payment,
            (Payment.community_id == order.community_id) & (Payment.id == order.payment_id),
        )
        .join(Unit, (Unit.community_id == Payment.community_id) & (Unit.id == Payment.unit_id))
        .join(
            DirectDebitMandate,
            (DirectDebitMandate.community_id == order.community_id)
            & (DirectDebitMandate.id == order.mandate_id),
        )
        .where(order.community_id == desk.community_id, order.batch_id == batch.id)
    )
    taken, total = desk.session.execute(
        select(func.count(), func.sum(order.amount))
        .join(
            DirectDebitBatch,
            (DirectDebitBatch.community_id == order.community_id)
            & (DirectDebitBatch.id == order.batch_id),
        )
        .where(order.community_id == desk.community_id, order.batch_id == batch.id, _counts())
    ).one()
    return show_list(
        desk,
        Listing(f"direct-debit-{batch.number}", OrderColumn, query),
        "money/debit_batch.html",
        form=form,
        batch=batch,
        taken=taken,
        total=total or Money(0),
        withdrawn=_withdrawn(desk, batch),
        outcome=outcome,
        skipped=[(Skipped(reason).label, len(homes)) for reason, homes in batch.skipped.items()],
        BatchState=BatchState,
        waits=batch.sent_from > desk.today,
    )


def _withdrawn(desk: Desk, batch: DirectDebitBatch) -> list[tuple[str, list[int]]]:
    """Why, and which orders, by their serial numbers."""
    rows = desk.session.execute(
        select(DirectDebitOrder.reason, DirectDebitOrder.no)
        .where(
            DirectDebitOrder.community_id == batch.community_id,
            DirectDebitOrder.batch_id == batch.id,
            DirectDebitOrder.state == OrderState.CANCELLED,
            DirectDebitOrder.reason.is_not(None),
        )
        .order_by(DirectDebitOrder.reason, DirectDebitOrder.no)
    )
    return [
        (Withdrawn(reason).label, [no for _, no in group])
        for reason, group in groupby(rows, key=itemgetter(0))
    ]


def file(desk: Desk, number: int) -> ResponseReturnValue:
    """The file for the bank. It holds names and numbers, so that it is written down who has it."""
    batch = _batch(desk, number)
    form = Form(request.form)

    def act() -> Response:
        lines = prepare_file(desk.session, desk.services.vault, batch, desk.now)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "batch.xlsx"
            write_batch(path, batch.number, lines)
            sheet = tempfile.TemporaryFile()  # noqa: SIM115  # closed by whoever sends it
            sheet.write(path.read_bytes())
        sheet.seek(0)
        name = f"{batch.number}.xlsx"
        return send_file(sheet, mimetype=XLSX, as_attachment=True, download_name=name)

    return desk.submit(form, act, lambda: _show(desk, batch, form, None))


def sent(desk: Desk, number: int) -> ResponseReturnValue:
    """The bank has the file."""
    batch = _batch(desk, number)
    form = Form(request.form)

    def act() -> Response:
        mark_sent(desk.session, desk.community_id, batch.number, by=desk.staff, now=desk.now)
        return desk.done(Done.SENT, "debit_show", number=number)

    return desk.submit(form, act, lambda: _show(desk, batch, form, None))


def cancel(desk: Desk, number: int) -> ResponseReturnValue:
    """Take a batch back that the bank does not have yet."""
    batch = _batch(desk, number)
    form = Form(request.form)

    def act() -> Response:
        cancel_batch(desk.session, desk.community_id, batch.number, by=desk.staff, now=desk.now)
        return desk.done(Done.CANCELLED, "debit_show", number=number)

    return desk.submit(form, act, lambda: _show(desk, batch, form, None))


def answer(desk: Desk, number: int) -> ResponseReturnValue:
    """Book the bank's answer; what does not fit is shown, row by row."""
    batch = _batch(desk, number)
    form = Form(request.form)
    uploaded = request.files.get("file")
    content = uploaded.read() if uploaded is not None else b""
    form.values["file"] = ""
    if not content:
        form.refuse("file", Objection.NO_FILE.label)
    found: list[ResultOutcome] = []

    def act() -> Response:
        results = read_results(parse_grids(content))
        found.append(
            import_results(
                desk.session,
                desk.community_id,
                batch.number,
                results,
                by=desk.staff,
                now=desk.now,
            )
        )
        return desk.done(Done.ANSWERED, "debit_show", number=number)

    response = desk.submit(
        form, act, lambda: _show(desk, batch, form, None), called={"columns": "file"}
    )
    if found and not found[0].is_clean:
        return _show(desk, batch, Form(), found[0])
    return response
