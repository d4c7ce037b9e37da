"""Notifications of payment providers: verify → record → answer, within five seconds."""

from handlers.callbacks.providers import callbacks

__all__ = ["callbacks"]
