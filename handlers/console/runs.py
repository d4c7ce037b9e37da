"""Bill runs: drafted in the background, looked at, confirmed by their totals, published; and the
day of the month on which this happens by itself.
"""

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import BigInteger, Enum, case, cast, func, select, type_coerce
from werkzeug.wrappers import Response

from billing.bill_run_tables import BillRun, BillRunChunk, ChunkState, RunKind, RunState
from billing.bill_schedule import missed_periods, set_schedule
from billing.db import MoneyColumn
from billing.errors import InvalidInput
from billing.labels import LabelEnum
from billing.long_work import WorkKind, WorkState, last_work
from billing.money import Money
from billing.period import Period
from billing.run_comparison import DraftTotals, confirm_drafts, draft_totals
from billing.run_lock import is_run_under_way
from handlers.console import work
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list


class Done(LabelEnum):
    """What was done."""

    SCHEDULED = "scheduled", "出账日已保存"


class RunStage(LabelEnum):
    """How far a run is."""

    DRAFTING = "drafting", "起草中"
    WAITING = "waiting", "待发布"
    PARTLY = "partly", "部分已发布"
    ISSUED = "issued", "已发布"
    EMPTY = "empty", "没有账单"


class RunColumn(LabelEnum):
    """Columns of the list of runs."""

    NUMBER = "key", "批次"
    PERIOD = "period", "账期"
    KIND = "kind", "类型"
    STAGE = "stage", "状态"
    CHARGES = "charges", "收费笔数"
    AMOUNT = "amount", "金额（元）"
    STARTED = "started_at", "开始时间"


class LeftOut(LabelEnum):
    """Why a charge is not drafted, and what to do about it."""

    NOT_BILLABLE = "not_billable", "不在计费期内（未交付或已停止计费），无需处理"
    EXCLUDED = "excluded", "作废时选了“不再出账”，无需处理"
    PARTLY_BILLED = "partly_billed", "这段时间只有一部分出过账，请作废原账单后重新起草"
    NO_TARIFF = "no_tariff", "当时还没有收费标准，请在“收费标准”里补上"
    AGREED = "agreed_price_changes_within_the_period", "约定价在账期中间变化，请把约定改到账期首日"
    NO_METER = "no_meter", "没有表具，请先导入表具"
    NO_READING = "no_reading", "还没有本期读数，抄表后再起草一次即可补上"
    NO_BASE = "no_base_reading", "只有一次读数，作为起始读数；下次抄表后开始计费"
    TWICE = "meter_replaced_twice", "两次抄表之间换了两次表，请补录中间的读数"
    NO_COST = "no_cost", "没有登记这段时间的公摊费用"
    CHANGED = "shared_cost_changed", "一部分住户已按原来的权重分摊，请先作废这些账单"


def index(desk: Desk) -> Any:
    """The runs, the latest first; what is due, what is under way, and the schedule."""
    return _index(desk, _draft_form(desk), _schedule_form(desk))


def _draft_form(desk: Desk) -> Form:
    missed = missed_periods(desk.session, desk.community_id, Period.of(desk.today))
    return Form({"period": str(missed[0] if missed else Period.of(desk.today).next())})


def _schedule_form(desk: Desk) -> Form:
    community = desk.community
    return Form(
        {
            "billing_day": str(community.billing_day),
            "publishes_itself": "1" if community.publishes_itself else "",
        }
    )


def _index(desk: Desk, draft: Form, schedule: Form) -> Any:  # a page, or a file
    return show_list(
        desk,
        _runs(desk),
        "runs/index.html",
        draft_form=draft,
        schedule_form=schedule,
        works=work.under_way(desk),
        missed=missed_periods(desk.session, desk.community_id, Period.of(desk.today)),
        drafts=_waiting(desk),
        is_under_way=is_run_under_way(desk.session, desk.community_id),
        stages=RunStage,
    )


def _runs(desk: Desk) -> Listing:
    def chunks(*states: ChunkState) -> Any:
        return (
            select(func.count())
            .where(
                BillRunChunk.community_id == BillRun.community_id,
                BillRunChunk.run_id == BillRun.id,
                BillRunChunk.state.in_(states),
            )
            .correlate(BillRun)
            .scalar_subquery()
        )

    stage = case(
        (BillRun.state == RunState.DRAFTING, RunStage.DRAFTING),
        (chunks(*ChunkState) == 0, RunStage.EMPTY),
        (chunks(ChunkState.DRAFT) == 0, RunStage.ISSUED),
        (chunks(ChunkState.ISSUED) == 0, RunStage.WAITING),
        else_=RunStage.PARTLY,
    )
    codes = Enum(RunStage, native_enum=False, values_callable=lambda cls: [m.value for m in cls])
    query = select(
        BillRun.id.label("key"),
        BillRun.period,
        BillRun.kind,
        type_coerce(stage, codes).label("stage"),
        cast(BillRun.summary["created"].astext, BigInteger).label("charges"),
        type_coerce(cast(BillRun.summary["amount_fen"].astext, BigInteger), MoneyColumn()).label(
            "amount"
        ),
        BillRun.started_at,
    ).where(BillRun.community_id == desk.community_id)
    return Listing("bill-runs", RunColumn, query, sortable=(RunColumn.PERIOD,), newest_first=True)


def _waiting(desk: Desk) -> list[tuple[Period, DraftTotals]]:
    """Periods with drafts, and what publishing them would issue."""
    periods = desk.session.scalars(
        select(BillRun.period)
        .join(
            BillRunChunk,
            (BillRunChunk.community_id == BillRun.community_id)
            & (BillRunChunk.run_id == BillRun.id),
        )
        .where(
            BillRun.community_id == desk.community_id,
            BillRun.kind == RunKind.REGULAR,
            BillRunChunk.state == ChunkState.DRAFT,
        )
        .distinct()
        .order_by(BillRun.period)
    )
    found = [(one, draft_totals(desk.session, desk.community_id, one)) for one in periods]
    return [(period, totals) for period, totals in found if totals.bills]


def key_of(period: Period) -> str:
    """One piece of work at a time for the bills of a month."""
    return f"bills {period}"


def draft(desk: Desk) -> ResponseReturnValue:
    """Draft what is missing of a month, in the background; publishes nothing."""
    form = Form(request.form)
    period = form.period("period", default=Period.of(desk.today))

    def act() -> Response:
        _refuse_distant(desk, period)
        return work.ask(desk, WorkKind.DRAFT, key=key_of(period), request={"period": str(period)})

    return desk.submit(form, act, lambda: _index(desk, form, _schedule_form(desk)))


def _refuse_distant(desk: Desk, period: Period) -> None:
    """A slip of the pen bills the year 2126."""
    if period > Period.of(desk.today).next():
        raise InvalidInput("period", f"{period} has not come yet; at most next month is drafted")


def schedule(desk: Desk) -> ResponseReturnValue:
    """The day bills are made, and whether they are issued at once."""
    form = Form(request.form)
    day = form.number("billing_day")

    def act() -> Response:
        set_schedule(
            desk.session,
            desk.community_id,
            billing_day=day,
            publishes_itself=form.ticked("publishes_itself"),
            by=desk.staff,
        )
        return desk.done(Done.SCHEDULED, "runs_index")

    return desk.submit(form, act, lambda: _index(desk, _draft_form(desk), form))


def drafts(desk: Desk) -> ResponseReturnValue:
    """The drafts of a month: what publishing would issue, what is left out, what is odd."""
    asked = Form(request.args)
    period = asked.period("period", default=Period.of(desk.today))
    return _drafts(desk, period, Form())


def _drafts(desk: Desk, period: Period, form: Form) -> tuple[str, int]:
    found = last_work(
        desk.session,
        desk.community_id,
        WorkKind.DRAFT,
        key_of(period),
        state=WorkState.DONE,
    )
    totals = draft_totals(desk.session, desk.community_id, period)
    outcome = {} if found is None or found.outcome is None else found.outcome
    left_out = outcome.get("preview", {}).get("left_out", {})
    return desk.page(
        "runs/drafts.html",
        period=period,
        totals=totals,
        looked_at=found.ended_at if found else None,
        outcome=outcome,
        reasons={reason: _why(reason) for reason in left_out},
        is_old=bool(outcome) and _drafted_fen(outcome) != totals.amount.fen,
        form=form,
        works=work.under_way(desk),
    )


def _why(reason: str) -> str:
    return LeftOut(reason).label if reason in set(LeftOut) else reason


def _drafted_fen(outcome: dict[str, Any]) -> int:
    return sum(item["amount"] for item in outcome["preview"]["by_item"])


def publish(desk: Desk) -> ResponseReturnValue:
    """Publish the drafts of a month as they were confirmed, in the background."""
    form = Form(request.form)
    period = form.period("period", default=Period.of(desk.today))
    bills, fen = form.number("bills"), form.number("fen")

    def act() -> Response:
        chunks = confirm_drafts(
            desk.session, desk.community_id, period, seen=DraftTotals(bills, Money(fen))
        )
        asked = {"period": str(period), "chunks": chunks, "bills": bills, "fen": fen}
        return work.ask(desk, WorkKind.PUBLISH, key=key_of(period), request=asked)

    return desk.submit(form, act, lambda: _drafts(desk, period, form))
