"""Handlers answer: chat replies, owners' pages, provider callbacks, the staff console."""
