"""The bills of a run, one bill with its arithmetic, and taking bills back (作废)."""

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import Enum, case, select, type_coerce
from werkzeug.wrappers import Response

from billing.adjustment_tables import AfterVoid, BillVoid, is_void
from billing.bill_lines import list_lines
from billing.bill_run_tables import BillRun, BillRunChunk, ChunkState
from billing.bills import Bill
from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.long_work import WorkKind
from billing.property import Unit
from billing.voids import void_bill
from handlers.console import work
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list
from handlers.console.runs import key_of

REASON_MAX = 200


class Done(LabelEnum):
    """What was done."""

    VOIDED = "voided", "账单已作废"


class Standing(LabelEnum):
    """How a bill stands."""

    DRAFT = "draft", "草稿"
    ISSUED = "issued", "已发布"
    VOID = "void", "已作废"


class BillColumn(LabelEnum):
    """Columns of the bills of a run."""

    ROOM = "room", "房号"
    AMOUNT = "amount", "金额（元）"
    STANDING = "standing", "状态"


def _run(desk: Desk, number: int) -> BillRun:
    found = desk.session.get(BillRun, (desk.community_id, number))
    if found is None:
        raise NotFound(f"no bill run {number} in community {desk.community_id}")
    return found


def _bills(desk: Desk, run: BillRun, wanted: str) -> Listing:
    codes = Enum(Standing, native_enum=False, values_callable=lambda cls: [m.value for m in cls])
    standing = case(
        (is_void(Bill.community_id, Bill.id), Standing.VOID),
        (BillRunChunk.state == ChunkState.DRAFT, Standing.DRAFT),
        else_=Standing.ISSUED,
    )
    query = (
        select(
            Bill.id.label("key"),
            Unit.room,
            Bill.amount,
            type_coerce(standing, codes).label("standing"),
        )
        .join(Unit, (Unit.community_id == Bill.community_id) & (Unit.id == Bill.unit_id))
        .join(
            BillRunChunk,
            (BillRunChunk.community_id == Bill.community_id)
            & (BillRunChunk.run_id == Bill.run_id)
            & (BillRunChunk.no == Bill.chunk_no),
        )
        .where(Bill.community_id == desk.community_id, Bill.run_id == run.id)
    )
    if wanted:
        query = query.where(Unit.room.startswith(wanted, autoescape=True))
    return Listing(
        f"bill-run-{run.id}",
        BillColumn,
        query,
        sortable=(BillColumn.ROOM, BillColumn.AMOUNT),
    )


def show(desk: Desk, number: int) -> Any:
    """A run and its bills."""
    return _show(desk, _run(desk, number), Form())


def _show(desk: Desk, run: BillRun, form: Form) -> Any:
    wanted = request.args.get("q", "").strip()
    return show_list(
        desk,
        _bills(desk, run, wanted),
        "runs/show.html",
        run=run,
        q=wanted,
        form=form,
        after=AfterVoid,
    )


def void_run(desk: Desk, number: int) -> ResponseReturnValue:
    """Void every bill of a run that is not void yet, in the background."""
    run = _run(desk, number)
    form = Form(request.form)
    reason = form.text("reason", most=REASON_MAX)
    after = form.choice("after", AfterVoid, default=AfterVoid.REDO)

    def act() -> Response:
        asked = {"run": run.id, "reason": reason, "after": after.value}
        return work.ask(desk, WorkKind.VOID_RUN, key=key_of(run.period), request=asked)

    return desk.submit(form, act, lambda: _show(desk, run, form))


def bill(desk: Desk, number: int) -> ResponseReturnValue:
    """One bill, drafted or issued, with the arithmetic of its lines."""
    return _bill(desk, number, Form())


def _bill(desk: Desk, number: int, form: Form) -> tuple[str, int]:
    found = desk.session.get(Bill, (desk.community_id, number))
    if found is None:
        raise NotFound(f"no bill {number} in community {desk.community_id}")
    key = (found.community_id, found.run_id, found.chunk_no)
    return desk.page(
        "runs/bill.html",
        bill=found,
        unit=desk.session.get_one(Unit, (found.community_id, found.unit_id)),
        chunk=desk.session.get_one(BillRunChunk, key),
        void=desk.session.get(BillVoid, (found.community_id, found.id)),
        lines=list_lines(desk.session, desk.community_id, [found.id]),
        states=ChunkState,
        after=AfterVoid,
        form=form,
    )


def void(desk: Desk, number: int) -> ResponseReturnValue:
    """Void one bill; what was paid on it becomes the home's prepayment."""
    form = Form(request.form)
    reason = form.text("reason", most=REASON_MAX)
    after = form.choice("after", AfterVoid, default=AfterVoid.REDO)

    def act() -> Response:
        void_bill(
            desk.session,
            desk.community_id,
            number,
            after=after,
            reason=reason,
            by=desk.staff,
            today=desk.today,
            now=desk.now,
        )
        return desk.done(Done.VOIDED, "runs_bills_bill", number=number)

    return desk.submit(form, act, lambda: _bill(desk, number, form))
