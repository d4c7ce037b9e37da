"""Where work begins: the communities, and the state of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import redirect, request
from flask.typing import ResponseReturnValue
from sqlalchemy import or_, select

from billing.alerts import Alert
from billing.errors import InvalidInput
from billing.labels import LabelEnum
from billing.money import ZERO
from billing.period import Period
from billing.rating_tables import Score
from billing.refund_tables import RefundStage
from billing.reports.ageing import Bucket, age_debts
from billing.reports.collection import last_billed
from billing.reports.income import income_by_day
from billing.reports.rolled import Division, divide, divide_by_community, whole_of
from billing.reports.scope import Scope
from billing.reports.waiting import UNHAPPY_DAYS, count_waiting
from billing.setting_up import Step
from handlers.console.collection_tables import Head, Title, parts_table
from handlers.console.desk import Desk
from handlers.console.notices import LATELY_DAYS, day_begins, first_of
from handlers.console.permissions import Permission
from handlers.console.reports import asked_period, month_curves, rate_words
from handlers.console.setup import read_setup
from handlers.console.sheets import send_tables
from notify.outbox import MessageState
from notify.outcomes import count_failed

ALERTS_SHOWN = 5


class Wait(LabelEnum):
    """What needs a hand, as the cards say it."""

    ADJUSTMENTS = "adjustments", "待批减免调账"
    REFUNDS = "refunds", "待批退款"
    BINDINGS = "bindings", "待审绑定"
    TICKETS = "tickets", "待答工单"
    UNMATCHED = "unmatched", "未认领到账"
    DISCREPANCIES = "discrepancies", "支付差错"
    ALERTS = "alerts", "异常提醒"
    UNHAPPY = "unhappy", "七天内不满意评价"
    FAILED = "failed", "七天内未送达通知"


PAGES: Mapping[Wait, tuple[str, Permission, Mapping[str, object]]] = {
    Wait.ADJUSTMENTS: ("approvals_index", Permission.LOOK, {}),
    Wait.REFUNDS: ("refunds_index", Permission.LOOK, {"state": RefundStage.REQUESTED.value}),
    Wait.BINDINGS: ("approvals_index", Permission.LOOK, {}),
    Wait.TICKETS: ("tickets_index", Permission.TICKETS, {}),
    Wait.UNMATCHED: ("bank_index", Permission.BANK, {}),
    Wait.DISCREPANCIES: ("discrepancies_index", Permission.BANK, {}),
    Wait.ALERTS: ("alerts_index", Permission.REPORTS, {}),
    Wait.FAILED: ("reports_reminders", Permission.REPORTS, {"days": LATELY_DAYS}),
}
"""Where each is worked on, what that takes, and what is asked of the page, so that it shows what
was counted; `_page_of` knows the others.
"""


@dataclass(frozen=True, slots=True)
class Card:
    """So many of something wait, and where."""

    label: str
    count: int
    link: str


def index(desk: Desk) -> ResponseReturnValue:
    """The communities one works for; with a single one, that."""
    if len(desk.communities) == 1:
        return redirect(desk.url("overview_community", code=desk.communities[0].code))
    if not desk.may(Permission.REPORTS) or not desk.communities:
        return desk.page("overview/index.html", parts=[])
    ids = [one.id for one in desk.communities]
    period = _asked_month(desk, ids)
    parts = divide_by_community(desk.session, ids, period, period, desk.today)
    if request.args.get("format") == "xlsx":
        table = parts_table(Title.COMMUNITIES, Head.COMMUNITY, parts)
        return send_tables(f"collection-{period}", [table])
    return desk.page(
        "overview/index.html",
        parts=parts,
        whole=whole_of(parts),
        period=period,
        rate_words=rate_words,
    )


def _asked_month(desk: Desk, community_ids: Sequence[int]) -> Period:
    """The month of the address; the last that any of the communities was billed for."""
    try:
        return Period(request.args.get("period", ""))
    except InvalidInput:
        billed = [last_billed(desk.session, one) for one in community_ids]
        return max((one for one in billed if one), default=Period.of(desk.today))


def community(desk: Desk) -> ResponseReturnValue:
    """What needs a hand in a community, and how much came in; first what it lacks to begin."""
    setup = read_setup(desk) if desk.may(Permission.SETTINGS) else None
    return desk.page("overview/community.html", setup=setup, Step=Step, **_figures(desk))


def live(desk: Desk) -> ResponseReturnValue:
    """The figures of that page, as they stand now."""
    return desk.page("overview/figures.html", **_figures(desk))


def _figures(desk: Desk) -> dict[str, object]:
    cards = _cards(desk)
    figures: dict[str, object] = {"cards": cards, "needs": any(card.count for card in cards)}
    if not desk.may(Permission.REPORTS):
        return figures
    period = asked_period(desk)
    scope = Scope(desk.community_id, period, period)
    tomorrow = desk.today + timedelta(days=1)
    received = income_by_day(desk.session, desk.community_id, desk.today, tomorrow)
    aged = age_debts(desk.session, desk.community_id, desk.today)
    return figures | {
        "period": period,
        "received": received,
        "today_total": sum((one.amount for one in received), ZERO),
        "today_count": sum(one.payments for one in received),
        "whole": whole_of(divide(desk.session, Division.BUILDING, scope, desk.today)),
        "overdue": sum((one.owed for one in aged if one.bucket is not Bucket.NOT_DUE), ZERO),
        "rate_words": rate_words,
        "alerts": _latest_alerts(desk),
        **month_curves(desk, period),
    }


def _cards(desk: Desk) -> list[Card]:
    """What waits for somebody of this role: what he may not open is no work of his."""
    waiting = count_waiting(desk.session, desk.community_id, desk.today)
    since = day_begins(first_of(desk.today, LATELY_DAYS))
    failed = count_failed(desk.session, desk.community_id, since)
    return [
        Card(wait.label, failed if wait is Wait.FAILED else getattr(waiting, wait.value), link)
        for wait in Wait
        if (link := _page_of(desk, wait))
    ]


def _unhappy(desk: Desk) -> str | None:
    """The bad ratings that are counted, for those who may read reports."""
    if not desk.may(Permission.REPORTS):
        return None
    since = desk.today - timedelta(days=UNHAPPY_DAYS - 1)
    days = {"from": since.isoformat(), "to": desk.today.isoformat()}
    return desk.url("satisfaction_index", **days, score=Score.BAD.value) + "#things"


def _page_of(desk: Desk, wait: Wait) -> str | None:
    if wait is Wait.UNHAPPY:
        return _unhappy(desk)
    if wait is Wait.FAILED and desk.may(Permission.NOTICES):
        return desk.url("notices_index", state=MessageState.FAILED.value)
    page, takes, asked = PAGES[wait]
    return desk.url(page, **asked) if desk.may(takes) else None


def _latest_alerts(desk: Desk) -> list[Alert]:
    return list(
        desk.session.scalars(
            select(Alert)
            .where(
                or_(Alert.community_id == desk.community_id, Alert.community_id.is_(None)),
                Alert.closed_at.is_(None),
                or_(Alert.snoozed_until.is_(None), Alert.snoozed_until <= desk.today),
            )
            .order_by(Alert.id.desc())
            .limit(ALERTS_SHOWN)
        )
    )
