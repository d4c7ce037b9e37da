"""Notifications of payment providers: verify → record → answer, within five seconds."""

from handlers.callbacks.wechat_pay import callbacks

__all__ = ["callbacks"]
