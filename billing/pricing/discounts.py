"""Discounts by rule (优惠): negative lines beside the charge, whose own line stays as it is.

Every discount is worked out from the rounded charge line, so an owner can check it alone; several
are granted in the given order until nothing is left of the charge.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.labels import LabelEnum
from billing.money import Money
from billing.period import DateRange
from billing.pricing.fields import FEN_MAX, NUMBER_MAX, Fields, PricingError, read_range
from billing.pricing.line import PricedLine, priced_line
from billing.pricing.prices import Per, plain
from billing.pricing.proration import Part, read_share, share_to_json

DISCOUNT = "discount"


class DiscountReason(LabelEnum):
    """Why less is charged."""

    VACANT = "vacant", "空置优惠"
    PREPAID_YEAR = "prepaid_year", "预缴全年优惠"
    AGREED = "agreed", "约定优惠"


@dataclass(frozen=True, slots=True)
class Discount:
    """A rule.

    Args:
        off: a `Decimal` is percent of the charge, 0 to 100; `Money` is an amount off the whole
            charge, which its lines share by days.
        days: when the rule holds; None is always. Only the days of a line within count.
        approval_required: whether the community's policy asks for somebody's approval.
        approved_by: staff code of who approved.

    Raises:
        PricingError: more than 100 percent, an absurd amount, or an approval that is missing.
    """

    reason: DiscountReason
    off: Decimal | Money
    days: DateRange | None = None
    approval_required: bool = False
    approved_by: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.off, Money):
            if not 0 <= self.off.fen <= FEN_MAX:
                raise PricingError("amount", f"must be 0 to {NUMBER_MAX} yuan")
        elif not 0 <= self.off <= 100:
            raise PricingError("percent", "must be 0 to 100")
        if self.approval_required and not self.approved_by:
            raise PricingError("approved_by", "missing: this discount needs an approval")


@dataclass(frozen=True, slots=True)
class DiscountBasis:
    """`percent` of the charge line, or an amount, × the share of days; never more than `left`.

    Args:
        of: the charge line with a percent, else the amount off.
        share: days with the discount, over the days that `of` stands for.
        left: what earlier discounts left of the charge; None where that is enough.
    """

    reason: DiscountReason
    of: Money
    percent: Decimal | None
    share: Part
    left: Money | None = None
    approved_by: str | None = None

    @property
    def uncapped(self) -> Fraction:
        """Unrounded yuan off, positive, before looking at what is left."""
        off = Fraction(self.of.yuan) * self.share.fraction
        return off if self.percent is None else off * Fraction(self.percent) / 100

    @property
    def capped(self) -> bool:
        """Whether too little is left of the charge."""
        return self.left is not None and self.uncapped > Fraction(self.left.yuan)

    @property
    def exact(self) -> Fraction:
        """Unrounded yuan; zero or negative."""
        off = self.uncapped
        return -off if self.left is None else -min(off, Fraction(self.left.yuan))

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        off = (
            {"amount": self.of.yuan}
            if self.percent is None
            else {"charge": self.of.yuan, "percent": plain(self.percent)}
        )
        return {
            "method": DISCOUNT,
            "reason": self.reason.value,
            **off,
            **share_to_json(self.share),
            **({} if self.left is None else {"left": self.left.yuan}),
            **({} if self.approved_by is None else {"approved_by": self.approved_by}),
        }


def price_discounts(
    lines: Sequence[PricedLine], discounts: Sequence[Discount], span: DateRange
) -> list[PricedLine]:
    """The discounts of a charge, as lines with negative amounts; pure.

    Args:
        lines: of `price_period` for the span; they stay as they are.
        discounts: granted in this order, each from the whole charge line. The one that would take
            more than is left takes what is left.

    Returns:
        For each line, in order, one line per discount that takes something off it, with the days
        they share and the version of the charge. A single charge has no days to share: a rule that
        holds on its first day counts whole, any other not at all.

    Raises:
        PricingError: a charge line too large to be true.

    >>> from datetime import date
    >>> november = DateRange(date(2026, 11, 1), date(2026, 12, 1))
    >>> line = PricedLine(Money(27580), november.start, november.end, 0, {})
    >>> vacant = Discount(DiscountReason.VACANT, Decimal(30))
    >>> [off.amount.yuan for off in price_discounts([line], [vacant], november)]
    ['-82.74']
    """
    return [found for line in lines for found in _line_discounts(line, discounts, span)]


def parse_discount(value: object, path: str = "discount") -> Discount:
    """Read a rule; the shape is in README.md of this package.

    Raises:
        PricingError: what is missing, unknown or absurd, by field.
    """
    fields = Fields(value, path)
    reason = fields.choice("reason", DiscountReason)
    if fields.has("percent") and fields.has("amount"):
        raise PricingError(fields.path("amount"), "cannot be given together with percent")
    off = fields.yuan("amount") if fields.has("amount") else _percent(fields)
    dated = fields.has("from") or fields.has("to")
    required = fields.has("approval_required") and fields.flag("approval_required")
    given = required or fields.has("approved_by")
    discount = Discount(
        reason,
        off,
        read_range(fields) if dated else None,
        approval_required=required,
        approved_by=fields.text("approved_by") if given else None,
    )
    fields.finish()
    return discount


def read_discount_basis(fields: Fields) -> DiscountBasis:
    """The keys of a stored discount without `method`; the caller finishes the object."""
    percent = _percent(fields) if fields.has("percent") else None
    return DiscountBasis(
        reason=fields.choice("reason", DiscountReason),
        of=fields.yuan("amount" if percent is None else "charge"),
        percent=percent,
        share=read_share(fields),
        left=fields.yuan("left") if fields.has("left") else None,
        approved_by=fields.text("approved_by") if fields.has("approved_by") else None,
    )


def _line_discounts(
    line: PricedLine, discounts: Sequence[Discount], span: DateRange
) -> Iterator[PricedLine]:
    left = line.amount
    for index, discount in enumerate(discounts):
        days = _days(line, discount)
        if days is None:
            continue
        priced = priced_line(_basis(line, discount, days, span, left), days, line.version_index)
        if priced.amount:
            left += priced.amount
            yield replace(priced, discount_index=index)


def _days(line: PricedLine, discount: Discount) -> DateRange | None:
    """The days of the line that have the discount, None when there are none."""
    charged = DateRange(line.start, line.end)
    if discount.days is None:
        return charged
    if line.basis.get("per") == Per.ONCE:
        return charged if discount.days.start <= line.start < discount.days.end else None
    return charged.intersection(discount.days)


def _basis(
    line: PricedLine, discount: Discount, days: DateRange, span: DateRange, left: Money
) -> DiscountBasis:
    if line.amount.fen > FEN_MAX:  # its basis could not be read back
        raise PricingError("amount", f"a discount needs a charge of at most {NUMBER_MAX} yuan")
    if isinstance(discount.off, Money):
        of, percent, whole = discount.off, None, span.days
    else:
        of, percent, whole = line.amount, discount.off, (line.end - line.start).days
    share = Part(1) if days.days == whole else Part(days.days, whole)
    basis = DiscountBasis(discount.reason, of, percent, share, left, discount.approved_by)
    if basis.capped:
        return basis
    return DiscountBasis(discount.reason, of, percent, share, None, discount.approved_by)


def _percent(fields: Fields) -> Decimal:
    percent = fields.number("percent")
    if percent > 100:
        raise PricingError(fields.path("percent"), "must not be above 100")
    return percent
