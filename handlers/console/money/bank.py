"""Bank statements (银行流水): uploaded, matched by a worker, decided by people row after row; and
the accounts they are of.
"""

from functools import partial
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.bank_accounts import add_account, end_account, list_accounts
from billing.errors import InvalidInput, NotFound
from billing.labels import LabelEnum
from billing.payment_tables import Payment
from billing.people import Staff
from billing.property import Unit, get_unit
from billing.statements.grid import parse_grids
from billing.statements.importing import Imported, import_statement
from billing.statements.matching import Evidence
from billing.statements.rows import (
    assign,
    count_waiting,
    find_next_open,
    ignore,
    list_rows,
    open_masked,
)
from billing.statements.tables import OPEN_ROWS, BankAccount, BankRow, BankStatement, RowState
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list
from handlers.console.money.background import MATCHING, order_work

FILE_BYTES_MAX = 10 * 2**20
ALL = "all"
BROUGHT = ("rows", "fresh", "skipped")
"""What a file brought, in the address behind an upload."""


class Done(LabelEnum):
    """What was done."""

    UPLOADED = "uploaded", "已导入，正在后台匹配；可以离开本页"
    ASSIGNED = "assigned", "已入账"
    IGNORED = "ignored", "已标记为非物业费"
    ALL_DECIDED = "all_decided", "已处理；没有更多待认领的来款了"
    ADDED = "added", "已登记收款账户"
    ENDED = "ended", "业主不再看到这个账户"


class Objection(LabelEnum):
    """Why a form is not accepted."""

    NO_FILE = "no_file", "请选择银行导出的文件"
    NO_ACCOUNT = "no_account", "请选择账户"
    NO_HOME = "no_home", "没有这个房号"
    NO_COLUMN = "no_column", "每行写成“日期=表头”；左边只能是上面列出的名称"
    CHANGED = "changed", "这笔来款刚刚被别人处理过，现在的状态在下面"


class ColumnKey(LabelEnum):
    """Columns of a statement, as staff name them."""

    DATE = "date", "日期"
    TIME = "time", "时间"
    AMOUNT = "amount", "金额"
    DIRECTION = "direction", "借贷方向"
    CREDIT = "credit", "收入"
    DEBIT = "debit", "支出"
    PAYER_NAME = "payer_name", "对方户名"
    PAYER_ACCOUNT = "payer_account", "对方账号"
    REMARKS = "remarks", "附言"
    SERIAL = "serial", "流水号"
    BALANCE = "balance", "余额"


class RowColumn(LabelEnum):
    """Columns of the list of rows."""

    AT = "value_at", "到账时间"
    AMOUNT = "amount", "金额（元）"
    PAYER = "payer", "付款人"
    REMARK = "remark", "附言"
    STATE = "state", "状态"
    ROOM = "room", "房号"
    PAYMENT = "out_trade_no", "缴费单号"


class StatementColumn(LabelEnum):
    """Columns of the list of uploaded files."""

    AT = "imported_at", "导入时间"
    ACCOUNT = "account", "账户"
    FROM = "from_on", "从"
    TO = "to_on", "到"
    BY = "by", "操作人"


def index(desk: Desk) -> ResponseReturnValue:
    """Rows that wait for a decision, or those in a state."""
    form = Form(request.args)
    vault = desk.services.vault
    query = (
        select(
            BankRow.id.label("key"),
            BankRow.value_at,
            BankRow.amount,
            BankRow.details_sealed.label("payer"),
            BankRow.details_sealed.label("remark"),
            BankRow.state,
            Unit.room,
            Payment.out_trade_no,
        )
        .outerjoin(Unit, (Unit.community_id == BankRow.community_id) & (Unit.id == BankRow.unit_id))
        .outerjoin(
            Payment,
            (Payment.community_id == BankRow.community_id) & (Payment.id == BankRow.payment_id),
        )
        .where(BankRow.community_id == desk.community_id)
    )
    if form.typed("state") != ALL:
        state = form.choice("state", RowState, default=RowState.UNKNOWN)
        wanted = (state,) if form.is_fine else OPEN_ROWS
        query = query.where(BankRow.state.in_(wanted))
    listing = Listing(
        "bank-rows",
        RowColumn,
        query,
        sortable=(RowColumn.AT, RowColumn.AMOUNT),
        shown={
            RowColumn.PAYER: lambda sealed: open_masked(vault, sealed).payer,
            RowColumn.REMARK: lambda sealed: open_masked(vault, sealed).remark,
        },
    )
    brought = [request.args.get(name, "") for name in BROUGHT]
    return show_list(
        desk,
        listing,
        "money/bank.html",
        form=form,
        brought=brought if all(map(str.isdecimal, brought)) else None,
        states=RowState,
        waiting=count_waiting(desk.session, desk.community_id),
    )


def progress(desk: Desk) -> ResponseReturnValue:
    """How many rows a worker has still to look at; a part of a page."""
    return desk.page(
        "money/bank_progress.html", waiting=count_waiting(desk.session, desk.community_id)
    )


def row(desk: Desk, number: int) -> ResponseReturnValue:
    """A row with what speaks for which home."""
    return _row(desk, number, Form())


def _row(desk: Desk, number: int, form: Form) -> tuple[str, int]:
    session, vault = desk.session, desk.services.vault
    found = list_rows(session, vault, desk.community_id, row_id=number)
    if not found:
        raise NotFound(f"no bank row {number}")
    kept = found[0].evidence.get("homes", [])
    rooms = _rooms(desk, [one["unit_id"] for one in kept])
    return desk.page(
        "money/bank_row.html",
        form=form,
        row=found[0],
        candidates=[
            (rooms[one["unit_id"]], one["points"], [Evidence(why).label for why in one["why"]])
            for one in kept
            if one["unit_id"] in rooms
        ],
        decided_by=session.get(Staff, found[0].decided_by) if found[0].decided_by else None,
        may_decide=found[0].state in OPEN_ROWS or found[0].is_reversed,
    )


def _rooms(desk: Desk, unit_ids: list[int]) -> dict[int, str]:
    rows = desk.session.execute(
        select(Unit.id, Unit.room).where(
            Unit.community_id == desk.community_id, Unit.id.in_(unit_ids)
        )
    )
    return dict(rows.all())


def _check_seen(desk: Desk, number: int, form: Form) -> None:
    found = desk.session.get(BankRow, (desk.community_id, number))
    if found is None:
        raise NotFound(f"no bank row {number}")
    if form.typed("seen") != found.state.value:
        form.refuse("", Objection.CHANGED.label)


def decide(desk: Desk, number: int) -> ResponseReturnValue:
    """Say whose a row is; on to the next one that waits."""
    form = Form(request.form)
    _check_seen(desk, number, form)
    room, reason = form.text("room"), form.text("reason")

    def act() -> Response:
        try:
            unit = get_unit(desk.session, desk.community_id, room)
        except NotFound as error:
            raise InvalidInput("room", str(error)) from error
        assign(
            desk.session,
            desk.community_id,
            number,
            unit.id,
            reason=reason,
            by=desk.staff,
            now=desk.now,
        )
        return _on(desk, Done.ASSIGNED)

    return desk.submit(form, act, lambda: _row(desk, number, form))


def set_aside(desk: Desk, number: int) -> ResponseReturnValue:
    """Say that a row is no home's money."""
    form = Form(request.form)
    _check_seen(desk, number, form)
    reason = form.text("what")

    def act() -> Response:
        ignore(desk.session, desk.community_id, number, reason=reason, by=desk.staff, now=desk.now)
        return _on(desk, Done.IGNORED)

    return desk.submit(form, act, lambda: _row(desk, number, form), called={"reason": "what"})


def _on(desk: Desk, said: LabelEnum) -> Response:
    desk.session.flush()
    following = find_next_open(desk.session, desk.community_id)
    if following is None:
        return desk.done(Done.ALL_DECIDED, "bank_index")
    return desk.done(said, "bank_row", number=following.id)


def statements(desk: Desk) -> ResponseReturnValue:
    """Files that were uploaded, and the form for the next."""
    return _statements(desk, Form(request.args))


def _statements(desk: Desk, form: Form) -> ResponseReturnValue:
    query = (
        select(
            BankStatement.id.label("key"),
            BankStatement.imported_at,
            BankAccount.code.label("account"),
            BankStatement.from_on,
            BankStatement.to_on,
            Staff.name.label("by"),
        )
        .join(
            BankAccount,
            (BankAccount.community_id == BankStatement.community_id)
            & (BankAccount.id == BankStatement.account_id),
        )
        .join(Staff, Staff.id == BankStatement.imported_by)
        .where(BankStatement.community_id == desk.community_id)
    )
    listing = Listing("bank-statements", StatementColumn, query, newest_first=True)
    return show_list(
        desk,
        listing,
        "money/statements.html",
        form=form,
        accounts=list_accounts(desk.session, desk.community_id),
        keys=ColumnKey,
    )


def upload(desk: Desk) -> ResponseReturnValue:
    """Take a file; a worker matches what it brought."""
    form = Form(request.form)
    account = _account(desk, form.number("account"))
    if account is None:
        form.refuse("account", Objection.NO_ACCOUNT.label)
    sent = request.files.get("file")
    content = sent.read() if sent is not None else b""
    form.values["file"] = ""
    if not content:
        form.refuse("file", Objection.NO_FILE.label)
    told = _read_columns(form)

    def act() -> Response:
        if account is None:
            raise NotFound("no account")
        taken: Imported = import_statement(
            desk.session,
            desk.services.vault,
            account,
            parse_grids(content),
            told=told,
            by=desk.staff,
            now=desk.now,
        )
        desk.afterwards.append(partial(_match, desk))
        return desk.done(
            Done.UPLOADED,
            "bank_index",
            **{name: getattr(taken, name) for name in BROUGHT},
        )

    return desk.submit(form, act, lambda: _statements(desk, form), called={"serial": "columns"})


def _match(desk: Desk) -> None:
    order_work(desk.services, MATCHING)


def _account(desk: Desk, number: int) -> BankAccount | None:
    return desk.session.get(BankAccount, (desk.community_id, number))


def _read_columns(form: Form) -> dict[str, Any]:
    keys = {key.label: key.value for key in ColumnKey}
    told: dict[str, Any] = {}
    for line in form.typed("columns").splitlines():
        label, equals, heading = line.replace("＝", "=").partition("=")
        key = keys.get(label.strip())
        if key is None or not equals:
            form.refuse("columns", Objection.NO_COLUMN.label)
        elif key == ColumnKey.REMARKS.value and heading.strip():
            told[key] = [*told.get(key, []), heading.strip()]
        else:
            told[key] = heading.strip()
    return told


def accounts(desk: Desk) -> ResponseReturnValue:
    """Accounts owners transfer to."""
    return _accounts(desk, Form())


def _accounts(desk: Desk, form: Form) -> tuple[str, int]:
    found = list_accounts(desk.session, desk.community_id)
    return desk.page("money/accounts.html", form=form, accounts=found)


def add(desk: Desk) -> ResponseReturnValue:
    """Write an account down."""
    form = Form(request.form)
    fields = {name: form.text(name) for name in ("code", "holder", "bank")}
    number = form.text("account_number")

    def act() -> Response:
        add_account(
            desk.session,
            desk.services.vault,
            desk.community_id,
            **fields,
            number=number,
            by=desk.staff,
            now=desk.now,
        )
        return desk.done(Done.ADDED, "bank_accounts")

    return desk.submit(
        form, act, lambda: _accounts(desk, form), called={"number": "account_number"}
    )


def end(desk: Desk, number: int) -> ResponseReturnValue:
    """Show an account to owners no longer."""
    account = _account(desk, number)
    if account is None:
        raise NotFound(f"no account {number}")
    code, form = account.code, Form()

    def act() -> Response:
        end_account(desk.session, desk.community_id, code, by=desk.staff, now=desk.now)
        return desk.done(Done.ENDED, "bank_accounts")

    return desk.submit(form, act, lambda: _accounts(desk, form))
