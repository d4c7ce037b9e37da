"""What staff are told about a tariff before it is in force; nothing here stops a calculation."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from billing.labels import LabelEnum
from billing.money import Money, round_to_fen
from billing.pricing.fields import PricingError
from billing.pricing.prices import Price, TariffVersion, Tier, TieredPrice, TierMode


class WarningKind(LabelEnum):
    """What is odd about a price that is computed all the same."""

    TOTAL_FALLS = "total_falls", "用量增加时总价反而下降"


@dataclass(frozen=True, slots=True)
class TariffWarning:
    """`field` is odd: a usage of `at` costs `up_to_there`, any more at first only `beyond`."""

    kind: WarningKind
    field: str
    at: Decimal
    up_to_there: Money
    beyond: Money


def tariff_warnings(price: Price) -> list[TariffWarning]:
    """What is odd about a price, by tier; nothing for almost all. Pure.

    Only volume tiers can fall: past a bound all units are charged at the next price. Bounds that
    scale with days are taken as written, that is, for a period of `normal_days`.

    >>> tiers = (Tier(Decimal(100), Decimal("0.60"), Decimal(0)),
    ...          Tier(None, Decimal("0.50"), Decimal(0)))
    >>> (found,) = tariff_warnings(TieredPrice(TierMode.VOLUME, tiers))
    >>> found.field, found.at, found.up_to_there.yuan, found.beyond.yuan
    ('tiers[1]', Decimal('100'), '60.00', '50.00')
    """
    if not isinstance(price, TieredPrice) or price.mode is not TierMode.VOLUME:
        return []
    found = []
    for at, (tier, following) in enumerate(pairwise(price.tiers), start=1):
        if tier.up_to is None:  # only the last may be open, and nothing follows it
            continue
        before, after = _charge(tier, tier.up_to), _charge(following, tier.up_to)
        if after < before:
            amounts = round_to_fen(before), round_to_fen(after)
            kind = WarningKind.TOTAL_FALLS
            found.append(TariffWarning(kind, f"tiers[{at}]", tier.up_to, *amounts))
    return found


def refuse_overlap(versions: Sequence[TariffVersion]) -> None:
    """A version is in force until the next begins, so two overlap when they begin on one day.

    Raises:
        PricingError: two versions of one day.
    """
    if len({version.effective_from for version in versions}) < len(versions):
        raise PricingError("versions", "two versions take effect on the same day")


def _charge(tier: Tier, quantity: Decimal) -> Fraction:
    return Fraction(quantity) * Fraction(tier.unit_price) + Fraction(tier.flat)
