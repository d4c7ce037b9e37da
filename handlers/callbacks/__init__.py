"""Notifications of payment providers: verify → record → answer, within five seconds; and reports of
the provider of SMS.
"""

from handlers.callbacks.providers import callbacks
from handlers.callbacks.sms import sms_reports

__all__ = ["callbacks", "sms_reports"]
