"""Owners' pages: what is owed and why, paying it, what was paid. Nothing loads from elsewhere."""

from handlers.pages.blueprint import pages

__all__ = ["pages"]
