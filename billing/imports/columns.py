"""What a sheet and a column are: the pieces `sheets` is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from billing.imports.cells import choice
from billing.labels import LabelEnum


class SheetKind(LabelEnum):
    """The sheets, in the order in which they refer to each other; labels name them in Excel."""

    COMMUNITIES = "communities", "小区"
    BUILDINGS = "buildings", "楼栋"
    ENTRANCES = "entrances", "单元"
    UNITS = "units", "房屋商铺"
    SPACES = "spaces", "车位"
    PEOPLE = "people", "住户"
    ITEMS = "items", "收费项目"
    TARIFFS = "tariffs", "收费标准"
    DISCOUNTS = "discounts", "优惠"
    AGREED_PRICES = "agreed_prices", "约定单价"
    METERS = "meters", "表具"
    READINGS = "readings", "抄表"
    REPLACEMENTS = "replacements", "换表"
    SHARED_COSTS = "shared_costs", "公摊费用"
    OPENINGS = "openings", "期初欠费"
    PAYMENTS = "payments", "历史缴费"
    PREPAYMENTS = "prepayments", "期初预存"
    OLD_BILLS = "old_bills", "旧系统账单"


class Cycle(LabelEnum):
    """How often an item is charged."""

    MONTHLY = "monthly", "每月"
    QUARTERLY = "quarterly", "每季"
    YEARLY = "yearly", "每年"

    @property
    def months(self) -> int:
        """Months of one cycle."""
        return {Cycle.QUARTERLY: 3, Cycle.YEARLY: 12}.get(self, 1)


@dataclass(frozen=True, slots=True)
class Column:
    """How a column is read. `absent` stands for an empty cell where one is allowed; `options`
    become the list Excel offers.
    """

    read: Callable[[Any], Any]
    required: bool = True
    absent: Any = None
    options: tuple[LabelEnum, ...] = ()


def optional(read: Callable[[Any], Any], absent: Any = None) -> Column:
    """A column that may be left empty, or left out."""
    return Column(read, required=False, absent=absent)


def chosen(
    kind: type[LabelEnum],
    among: tuple[LabelEnum, ...] = (),
    *,
    required: bool = True,
    absent: LabelEnum | None = None,
) -> Column:
    """A column of an enum."""
    return Column(choice(kind, among), required, absent, among or tuple(kind))
