"""催缴效果 as words, bars and sheets."""

import re
from collections.abc import Sequence
from fractions import Fraction

from billing.labels import LabelEnum
from handlers.charts import Bars, Value, lying_bars
from handlers.console.sheets import Table
from notify.outcomes import Outcomes
from notify.rung_effects import RungEffect

RUNG = re.compile(r"T([+-]?)([0-9]+)(?:\+([0-9]+)m)?")


class Step(LabelEnum):
    """What becomes of messages, and the sheets."""

    NOTICES = "notices", "通知"
    SENT = "sent", "发出"
    DELIVERED = "delivered", "送达"
    OPENED = "opened", "打开"
    PAID = "paid", "三天内缴费"
    FAILED = "failed", "未送达"


class Told(LabelEnum):
    """What is compared of a reminder."""

    RUNGS = "rungs", "提醒"
    TOLD = "told", "已提醒"
    TOLD_PAID = "told_paid", "已提醒中两天内缴费"
    TOLD_RATE = "told_rate", "已提醒的缴费率"
    UNTOLD = "untold", "未提醒"
    UNTOLD_PAID = "untold_paid", "未提醒中两天内缴费"
    UNTOLD_RATE = "untold_rate", "未提醒的缴费率"
    EFFECT = "effect", "效果"


class Span(LabelEnum):
    """When a reminder goes out, seen from the due date."""

    BEFORE = "before", "到期前 {0} 天"
    ON = "on", "到期当天"
    AFTER = "after", "逾期 {0} 天"
    MONTHS = "months", "逾期 {0} 天又 {1} 个月"


def rung_name(code: str) -> str:
    """A rung as people say it.

    >>> rung_name("T-7"), rung_name("T0"), rung_name("T+30+1m")
    ('到期前 7 天', '到期当天', '逾期 30 天又 1 个月')
    """
    found = RUNG.fullmatch(code)
    if found is None:
        return code
    sign, days, months = found.groups()
    if months:
        span = Span.MONTHS
    elif sign == "-":
        span = Span.BEFORE
    else:
        span = Span.AFTER if int(days) else Span.ON
    return span.label.format(days, months)


def share(part: int, whole: int) -> Fraction | None:
    """Part ÷ whole; None of nothing."""
    return Fraction(part, whole) if whole else None


def funnel(outcomes: Sequence[Outcomes]) -> Bars:
    """All messages together: how many went out, were opened, led to a payment."""
    steps = (Step.SENT, Step.DELIVERED, Step.OPENED, Step.PAID)
    sums = [(step, sum(getattr(one, step.value) for one in outcomes)) for step in steps]
    return lying_bars([Value(step.label, count, str(count)) for step, count in sums])


def reminder_tables(outcomes: Sequence[Outcomes], effects: Sequence[RungEffect]) -> list[Table]:
    """Both tables of the page."""
    notices = [
        [
            f"{one.kind.label} {one.broadcast_id or ''}".strip(),
            one.sent,
            one.delivered,
            one.opened,
            one.paid,
            one.failed,
        ]
        for one in outcomes
    ]
    rungs = [
        [
            rung_name(one.code),
            one.told,
            one.told_paid,
            share(one.told_paid, one.told),
            one.untold,
            one.untold_paid,
            share(one.untold_paid, one.untold),
            one.effect,
        ]
        for one in effects
    ]
    return [
        Table(Step.NOTICES.label, [step.label for step in Step], notices),
        Table(Told.RUNGS.label, [head.label for head in Told], rungs),
    ]
