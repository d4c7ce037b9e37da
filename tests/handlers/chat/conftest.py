"""Chat tests live in the town."""

from tests.town import town

__all__ = ["town"]
