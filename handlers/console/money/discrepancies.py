"""Where the books and a provider disagree (对账差错): who sees to it, what became of it; and a day
compared anew.
"""

from datetime import UTC, date, datetime, timedelta
from functools import partial

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import Date, cast, func, literal, or_, select
from werkzeug.wrappers import Response

from billing.discrepancies import (
    Discrepancy,
    DiscrepancyKind,
    age_days,
    assign_discrepancy,
    close_discrepancy,
)
from billing.errors import InvalidInput, NotFound
from billing.labels import LabelEnum
from billing.merchants import MerchantAccount, ProviderOrder, list_merchants
from billing.money import Money
from billing.payment_tables import PaymentState
from billing.people import Staff, get_staff
from billing.reconciliation import Reconciliation
from billing.refund_tables import RefundStage
from billing.statements.totals import statement_totals
from handlers.console.desk import Desk, Outside
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list
from handlers.console.money.background import COMPARING, order_work
from notify.wording import clock, yuan

CLOSED = "closed"


class Done(LabelEnum):
    """What was done."""

    ASSIGNED = "assigned", "已指派"
    CLOSED = "closed", "已关闭"
    COMPARING = "comparing", "已开始对账，完成后本页会显示结果"
    NOT_STARTED = "not_started", "没有开始：后台任务暂时不可用，请稍候再试"


class Objection(LabelEnum):
    """Why a form is not accepted."""

    TO_COME = "to_come", "这一天还没有到"


class Fact(LabelEnum):
    """What is kept as evidence, by its name in the data."""

    PROVIDER_FEN = "provider_fen", "支付机构金额（元）"
    BOOKED_FEN = "booked_fen", "账上金额（元）"
    PROVIDER_STATE = "provider_state", "支付机构状态"
    STATE = "state", "账上状态"
    REASON = "reason", "哪里不符"
    PAID_AT = "paid_at", "支付时间"
    OUT_REFUND_NO = "out_refund_no", "退款单号"


class Word(LabelEnum):
    """Values of evidence that are codes."""

    AMOUNT = "amount", "金额不一样"
    STATE = "state", "状态不一样"
    MISSING_HERE = "missing_here", "账上没有"
    MISSING_THERE = "missing_there", "支付机构没有"
    UNKNOWN = "unknown_payment", "没有这笔缴费"


class DiscrepancyColumn(LabelEnum):
    """Columns of the list of discrepancies."""

    NUMBER = "key", "编号"
    KIND = "kind", "差错"
    AGE = "age", "已有（天）"
    MERCHANT = "merchant", "商户"
    ORDER = "out_trade_no", "单号"
    OWNER = "owner", "负责人"
    FOUND = "found_at", "发现时间"
    CLOSED = "close_reason", "处理结果"


def index(desk: Desk) -> ResponseReturnValue:
    """Open discrepancies of the community and those of nobody's, or the closed ones."""
    form = Form(request.args)
    is_closed = form.typed("state") == CLOSED
    began = func.coalesce(
        Discrepancy.statement_on, cast(func.timezone("Asia/Shanghai", Discrepancy.found_at), Date)
    )
    query = (
        select(
            Discrepancy.id.label("key"),
            Discrepancy.kind,
            func.greatest(literal(desk.today, Date) - began, 0).label("age"),
            MerchantAccount.code.label("merchant"),
            Discrepancy.out_trade_no,
            Staff.name.label("owner"),
            Discrepancy.found_at,
            Discrepancy.close_reason,
        )
        .join(MerchantAccount, MerchantAccount.id == Discrepancy.merchant_id)
        .outerjoin(Staff, Staff.id == Discrepancy.owner_id)
        .where(
            or_(Discrepancy.community_id == desk.community_id, Discrepancy.community_id.is_(None)),
            Discrepancy.closed_at.is_not(None) if is_closed else Discrepancy.closed_at.is_(None),
        )
    )
    if form.typed("kind"):
        kind = form.choice("kind", DiscrepancyKind, default=DiscrepancyKind.AMOUNT)
        query = query.where(Discrepancy.kind == kind)
    listing = Listing(
        "discrepancies",
        DiscrepancyColumn,
        query,
        sortable=(DiscrepancyColumn.AGE, DiscrepancyColumn.FOUND),
        newest_first=is_closed,
    )
    return show_list(desk, listing, "money/discrepancies.html", form=form, kinds=DiscrepancyKind)


def _discrepancy(desk: Desk, number: int) -> Discrepancy:
    found = desk.session.get(Discrepancy, number)
    if found is None or found.community_id not in (None, desk.community_id):
        raise NotFound(f"no discrepancy {number}")
    return found


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """One of them with its evidence."""
    return _show(desk, _discrepancy(desk, number), Form())


def _show(desk: Desk, found: Discrepancy, form: Form) -> tuple[str, int]:
    session = desk.session
    workers = session.scalars(
        select(Staff)
        .where(
            Staff.left_at.is_(None),
            or_(Staff.community_id == desk.community_id, Staff.community_id.is_(None)),
        )
        .order_by(Staff.login)
    ).all()
    payment_id = session.scalar(
        select(ProviderOrder.payment_id).where(
            ProviderOrder.merchant_id == found.merchant_id,
            ProviderOrder.out_trade_no == found.out_trade_no,
            ProviderOrder.community_id == desk.community_id,
        )
    )
    return desk.page(
        "money/discrepancy.html",
        form=form,
        found=found,
        age=age_days(found, desk.today),
        merchant=session.get_one(MerchantAccount, found.merchant_id),
        workers=workers,
        owner=session.get(Staff, found.owner_id) if found.owner_id else None,
        closer=session.get(Staff, found.closed_by) if found.closed_by else None,
        payment_id=payment_id,
        evidence=_evidence(found),
    )


def _evidence(found: Discrepancy) -> list[tuple[str, str]]:
    """What is known, as a person reads it; what nobody knows a word for stays as it is."""
    said = []
    for name, value in found.data.items():
        label = Fact(name).label if name in set(Fact) else name
        if name.endswith("_fen") and isinstance(value, int):
            said.append((label, yuan(Money(value))))
        elif name == Fact.PAID_AT and value is not None:
            said.append((label, clock(datetime.fromisoformat(str(value)))))
        elif value is not None:
            said.append((label, _word(str(value))))
    return said


def _word(value: str) -> str:
    known: tuple[type[LabelEnum], ...] = (Word, PaymentState, RefundStage)
    for words in known:
        if value in {one.value for one in words}:
            return words(value).label
    return value


def hand(desk: Desk, number: int) -> ResponseReturnValue:
    """Name who sees to it."""
    found = _discrepancy(desk, number)
    form = Form(request.form)
    login = form.text("to")

    def act() -> Response:
        try:
            to = get_staff(desk.session, login)
        except NotFound as error:
            raise InvalidInput("to", str(error)) from error
        assign_discrepancy(desk.session, number, to=to)
        return desk.done(Done.ASSIGNED, "discrepancies_show", number=number)

    return desk.submit(form, act, lambda: _show(desk, found, form))


def close(desk: Desk, number: int) -> ResponseReturnValue:
    """Say what became of the money."""
    found = _discrepancy(desk, number)
    form = Form(request.form)
    reason = form.text("reason")

    def act() -> Response:
        close_discrepancy(desk.session, number, by=desk.staff, reason=reason, now=desk.now)
        return desk.done(Done.CLOSED, "discrepancies_index")

    return desk.submit(form, act, lambda: _show(desk, found, form))


def compared(desk: Desk) -> ResponseReturnValue:
    """What comparing a day with the providers and the banks came to."""
    form = Form(request.args)
    yesterday = desk.today - timedelta(days=1)
    day = form.day("day", default=yesterday) if form.typed("day") else yesterday
    form.values["day"] = form.values.get("day") or day.isoformat()
    return _compared(desk, day, form)


def _compared(desk: Desk, day: date, form: Form) -> tuple[str, int]:
    merchants = list_merchants(desk.session, desk.community_id)
    done = {
        one.merchant_id: one
        for one in desk.session.scalars(
            select(Reconciliation).where(
                Reconciliation.merchant_id.in_([merchant.id for merchant in merchants]),
                Reconciliation.statement_on == day,
            )
        )
    }
    banks = [
        bank
        for bank in statement_totals(desk.session, day)
        if bank.community_id == desk.community_id
    ]
    return desk.page(
        "money/compared.html",
        form=form,
        day=day,
        since=form.values.get("since", "") if form.typed("since").isdecimal() else None,
        rows=[(merchant, done.get(merchant.id)) for merchant in merchants],
        banks=banks,
    )


def compared_yet(desk: Desk) -> ResponseReturnValue:
    """The part of that page that says whether a worker is through with it."""
    form = Form(request.args)
    day = form.day("day", default=desk.today)
    since = datetime.fromtimestamp(min(form.number("since"), int(desk.now.timestamp())), UTC)
    merchants = [one.id for one in list_merchants(desk.session, desk.community_id)]
    done = desk.session.scalar(
        select(func.count()).where(
            Reconciliation.merchant_id.in_(merchants),
            Reconciliation.statement_on == day,
            Reconciliation.tried_at >= since,
        )
    )
    return desk.page("money/compared_yet.html", left=len(merchants) - (done or 0))


def compare(desk: Desk) -> ResponseReturnValue | Outside:
    """Compare a day now; a worker asks the providers."""
    form = Form(request.form)
    day = form.day("day", default=desk.today)
    if day > desk.today:
        form.refuse("day", Objection.TO_COME.label)
    if not form.is_fine:
        return _compared(desk, min(day, desk.today), form)[0], 422
    merchants = [one.id for one in list_merchants(desk.session, desk.community_id)]
    return Outside(partial(_compare, desk, day, merchants))


def _compare(desk: Desk, day: date, merchants: list[int]) -> ResponseReturnValue:
    is_ordered = order_work(desk.services, COMPARING, day.isoformat(), merchants)
    if not is_ordered:
        return desk.done(Done.NOT_STARTED, "discrepancies_compared", day=day.isoformat())
    since = int(desk.now.timestamp())
    return desk.done(Done.COMPARING, "discrepancies_compared", day=day.isoformat(), since=since)
