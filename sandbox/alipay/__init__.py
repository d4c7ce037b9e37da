"""Pretend Alipay: the open gateway, its cashier in the browser, notifications and bills.

    merchants   routes → gateway (who calls, RSA2) → desk, refunds, bills → gateway (sign)
    people      routes → cashier; a trade exists once its payer opened the cashier, not before
    callbacks   notifier (when, how) → telling (what)
    kept in     store, SQLite tables `alipay_…`
    all of it   book

Lives of trades and the notifications' pauses follow the sandbox's clock; the seconds a merchant has
to answer and the dates of bills are real.
"""

from sandbox.alipay.book import AlipayBook
from sandbox.alipay.control import alipay_control_routes
from sandbox.alipay.routes import alipay_routes

__all__ = ["AlipayBook", "alipay_control_routes", "alipay_routes"]
