"""An amount that was stated, not calculated: a debt taken over from the books before ours."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from billing.money import FEN_PER_YUAN, Money
from billing.pricing.fields import Fields

STATED = "stated"


@dataclass(frozen=True, slots=True)
class StatedBasis:
    """An amount and the document that states it."""

    amount: Money
    document: str

    @property
    def exact(self) -> Fraction:
        """The amount in yuan; nothing is left to round."""
        return Fraction(self.amount.fen, FEN_PER_YUAN)

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        return {"method": STATED, "amount": self.amount.yuan, "document": self.document}


def read_stated_basis(fields: Fields) -> StatedBasis:
    """The keys of a stored basis; the caller finishes the object.

    Raises:
        PricingError: an amount that is none, or no document.
    """
    return StatedBasis(fields.yuan("amount"), fields.text("document"))
