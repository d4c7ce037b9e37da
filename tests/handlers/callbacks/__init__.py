"""Callbacks of payment providers, from the wire to the books."""
