"""Pretend WeChat Pay v3: the merchants' API, the cashier, and the callbacks.

    merchants   routes → merchants (who calls) → endpoints → order_form, refund_form (what is
                asked; fields) → desk, refund_desk, bills (calendar, bill_text) → keys (sign)
    people      cashier; kinds of order
    callbacks   notifier (when; due_queue) → courier (how) → news (what)
    kept in     store, refunds, notices: SQLite tables `pay_…` (tables)
    all of it   book; seed for many orders at once

Prepay ids, order lives, refunds, a bill's address and the callbacks' pauses follow the sandbox's
clock; the window of a signature's timestamp, the five seconds of a callback and the day of a bill
are real.
"""

from sandbox.pay.book import PayBook
from sandbox.pay.cashier import Checkout, Paid
from sandbox.pay.kinds import H5_PATH
from sandbox.pay.refusals import PayRefused
from sandbox.pay.routes import pay_routes

__all__ = ["H5_PATH", "Checkout", "Paid", "PayBook", "PayRefused", "pay_routes"]
