"""Billing counts: property, tariffs, prices, bills, ledger, payments. Knows no web, no queue, no
chat.
"""
