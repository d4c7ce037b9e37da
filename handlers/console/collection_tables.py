"""收缴 as tables of a file: every table of the page, and of the page that shows all communities."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from billing.labels import LabelEnum
from billing.period import Period
from billing.reports.growth import Curve
from billing.reports.rolled import Collected, whole_of
from handlers.console.sheets import Table

DAY = timedelta(days=1)


class Title(LabelEnum):
    """The sheets."""

    WHOLE = "whole", "汇总"
    BUILDINGS = "buildings", "按楼栋"
    ITEMS = "items", "按收费项目"
    FEES = "fees", "费用构成"
    MONTHS = "months", "近十二个月"
    DAYS = "days", "逐日"
    COMMUNITIES = "communities", "按小区"


class Head(LabelEnum):
    """The heads of their columns."""

    COMMUNITY = "community", "小区"
    BUILDING = "building", "楼栋"
    ITEM = "item", "收费项目"
    FEE = "fee", "费用"
    PERIOD = "period", "账期"
    FIGURE = "figure", "指标"
    DAY = "day", "日期"
    DAY_NO = "day_no", "第几天"
    DUE = "due", "应收（元）"
    PAID = "paid", "已收（元）"
    OWED = "owed", "未收（元）"
    RATE = "rate", "收缴率"
    SHARE = "share", "比率"
    OLD_DUE = "old_due", "月初逾期（元）"
    OLD_PAID = "old_paid", "当月收回（元）"
    CLEARED = "cleared", "清欠率"
    PAID_SO_FAR = "paid_so_far", "累计已收（元）"
    BEFORE = "before", "上一个月同日"


class Word(LabelEnum):
    """Single words of the tables."""

    WHOLE = "whole", "合计"
    COLLECTION = "collection", "收缴率"
    CLEARED = "cleared", "清欠率（应收为月初逾期，已收为当月收回）"


MONEY_HEADS = (Head.DUE, Head.PAID, Head.OWED, Head.RATE)


def _row(name: object, one: Collected) -> list[object]:
    return [name, one.due, one.paid, one.owed, one.rate]


def parts_table(
    title: Title,
    head: Head,
    parts: Sequence[Collected],
    name: Callable[[Collected], str] = lambda one: one.name,
) -> Table:
    """Parts, and below them the whole they sum to."""
    rows = [_row(name(one), one) for one in parts]
    heads = [one.label for one in (head, *MONEY_HEADS)]
    return Table(title.label, heads, [*rows, _row(Word.WHOLE.label, whole_of(parts))])


def whole_table(whole: Collected, cleared: Collected) -> Table:
    """收缴率 and 清欠率 of a month."""
    heads = [one.label for one in (Head.FIGURE, Head.DUE, Head.PAID, Head.OWED, Head.SHARE)]
    rows = [_row(Word.COLLECTION.label, whole), _row(Word.CLEARED.label, cleared)]
    return Table(Title.WHOLE.label, heads, rows)


def months_table(months: Sequence[tuple[Collected, Collected]]) -> Table:
    """Months, each with its collection and with what was cleared within it."""
    heads = (Head.PERIOD, *MONEY_HEADS, Head.OLD_DUE, Head.OLD_PAID, Head.CLEARED)
    rows = [
        [*_row(one.part, one), cleared.due, cleared.paid, cleared.rate] for one, cleared in months
    ]
    return Table(Title.MONTHS.label, [one.label for one in heads], rows)


def growth_rows(curve: Curve | None, before: Curve | None) -> list[list[object]]:
    """Day by day: the date, its number from the first bill on, what was paid by its end, the share,
    and that of the month before on the same day.
    """
    if curve is None:
        return []
    return [
        [
            curve.begins_on + number * DAY,
            number + 1,
            paid,
            curve.rate_on(number),
            before.rate_on(number) if before else None,
        ]
        for number, paid in enumerate(curve.paid)
    ]


def growth_table(curve: Curve | None, before: Curve | None) -> Table:
    """The same as a sheet."""
    heads = (Head.DAY, Head.DAY_NO, Head.PAID_SO_FAR, Head.RATE, Head.BEFORE)
    return Table(Title.DAYS.label, [one.label for one in heads], growth_rows(curve, before))


def end_of(period: Period, today: date) -> date:
    """The day after the last of a month that is over by now, else tomorrow."""
    return min(period.end, today + DAY)
