"""What refunds and reconciliation are tested with."""

from tests.desk import desk

__all__ = ["desk"]
