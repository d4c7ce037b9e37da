"""The staff console under /console: one module per group of pages, one table of routes."""

from handlers.console.blueprint import console

__all__ = ["console"]
