"""Pretend WeChat Pay v3: the merchants' API, the cashier, and the callbacks.

    merchants   routes → merchants (who calls) → order_form (what is asked) → desk → platform (sign)
    people      cashier
    callbacks   notifier (when; due_queue) → courier (how) → transaction (what)
    kept in     store, SQLite tables `pay_…`
    all of it   book

Prepay ids, order lives and the callbacks' pauses follow the sandbox's clock; the window of a
signature's timestamp and the five seconds of a callback are real.
"""

from sandbox.pay.book import PayBook
from sandbox.pay.cashier import Checkout, Paid
from sandbox.pay.refusals import PayRefused
from sandbox.pay.routes import pay_routes

__all__ = ["Checkout", "Paid", "PayBook", "PayRefused", "pay_routes"]
