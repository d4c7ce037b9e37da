"""Notify tells: facts become notices, notices become messages, messages are delivered once."""
