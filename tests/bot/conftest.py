"""Tests of the bot that need owners and bills live in the town."""

from tests.town import town

__all__ = ["town"]
