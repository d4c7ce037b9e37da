"""What was used: as a quantity, or as the readings of a meter."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.pricing.fields import EXACT, Fields, PricingError
from billing.pricing.prices import plain


@dataclass(frozen=True, slots=True)
class MeterChange:
    """The meter was replaced: the last reading of the old one and the first of the new one."""

    old_final: Decimal
    new_initial: Decimal


@dataclass(frozen=True, slots=True)
class Reading:
    """Two readings and what one step of the meter stands for.

    Args:
        change: the meter was replaced between the readings; old and new have one multiplier.
        rolls_over_at: the meter shows 0 again after so many steps; a lower current has then rolled
            over once.

    Raises:
        PricingError: a meter went backwards for no reason given here; that is a wrong reading.

    >>> Reading(Decimal(99990), Decimal(12), Decimal(1), rolls_over_at=Decimal(100000)).quantity
    Decimal('22')
    >>> change = MeterChange(old_final=Decimal(133), new_initial=Decimal(0))
    >>> Reading(Decimal("120.5"), Decimal(8), Decimal(1), change).quantity
    Decimal('20.5')
    """

    previous: Decimal
    current: Decimal
    multiplier: Decimal
    change: MeterChange | None = None
    rolls_over_at: Decimal | None = None

    def __post_init__(self) -> None:
        if self.change is not None:
            self._refuse_backward_change(self.change)
        elif self.rolls_over_at is not None:
            self._refuse_beyond_capacity(self.rolls_over_at)
        elif self.current < self.previous:
            raise PricingError("reading.current", "lower than previous without a meter change")

    def _refuse_backward_change(self, change: MeterChange) -> None:
        if self.rolls_over_at is not None:  # of which meter? Two meters may differ.
            raise PricingError("reading.rolls_over_at", "cannot be given together with change")
        if change.old_final < self.previous:
            raise PricingError("reading.change.old_final", "lower than previous")
        if self.current < change.new_initial:
            raise PricingError("reading.current", "lower than change.new_initial")

    def _refuse_beyond_capacity(self, capacity: Decimal) -> None:
        for name, shown in (("previous", self.previous), ("current", self.current)):
            if shown >= capacity:
                raise PricingError(f"reading.{name}", f"must be below rolls_over_at, {capacity:f}")

    @property
    def rolled_over(self) -> bool:
        """Whether the meter passed its last number between the readings."""
        return self.rolls_over_at is not None and self.current < self.previous

    @property
    def quantity(self) -> Decimal:
        """Units used, exactly."""
        steps = EXACT.subtract(self.current, self.previous)
        if self.change is not None:
            old, new = self.change.old_final, self.change.new_initial
            steps = EXACT.add(steps, EXACT.subtract(old, new))
        elif self.rolls_over_at is not None and self.rolled_over:
            steps = EXACT.add(steps, self.rolls_over_at)
        return EXACT.multiply(steps, self.multiplier)


Usage = Reading | Decimal
"""Units used: as two readings, or known as a quantity."""


def quantity_of(usage: Usage) -> Fraction:
    """Units used, exactly."""
    return Fraction(usage.quantity if isinstance(usage, Reading) else usage)


def read_usage(fields: Fields) -> Usage | None:
    """`reading` or `quantity` of an object, None when neither is given.

    Raises:
        PricingError: both are given, or either is unusable. Without a base reading nothing is
            charged: what a meter shows at first is not what this home used.
    """
    if fields.has("reading") and fields.has("quantity"):
        raise PricingError(fields.path("quantity"), "cannot be given together with reading")
    if fields.has("quantity"):
        return fields.number("quantity")
    if not fields.has("reading"):
        return None
    inner = fields.object("reading")
    if inner.has("previous") and inner.take("previous") is None:
        raise PricingError(inner.path("previous"), "no base reading")
    reading = Reading(
        inner.number("previous"),
        inner.number("current"),
        inner.number("multiplier"),
        _change(inner.object("change")) if inner.has("change") else None,
        inner.number("rolls_over_at") if inner.has("rolls_over_at") else None,
    )
    inner.finish()
    return reading


def usage_to_json(usage: Usage) -> dict[str, Any]:
    """The key that `read_usage` reads back to an equal usage."""
    if not isinstance(usage, Reading):
        return {"quantity": plain(usage)}
    stored: dict[str, Any] = {
        "previous": plain(usage.previous),
        "current": plain(usage.current),
        "multiplier": plain(usage.multiplier),
    }
    if usage.change is not None:
        stored["change"] = {
            "old_final": plain(usage.change.old_final),
            "new_initial": plain(usage.change.new_initial),
        }
    if usage.rolls_over_at is not None:
        stored["rolls_over_at"] = plain(usage.rolls_over_at)
    return {"reading": stored}


def _change(fields: Fields) -> MeterChange:
    change = MeterChange(fields.number("old_final"), fields.number("new_initial"))
    fields.finish()
    return change
