"""What the core refuses. One tree; every door turns these into a sentence for a person.

BillingError
├── NotFound            the thing asked for does not exist in this community
├── Conflict            somebody else changed it first, or it was already used
├── InvalidInput        a value is missing, malformed or out of range (names the field)
├── LedgerError         postings that do not balance
└── channels.base.ChannelError
"""


class BillingError(Exception):
    """Base of everything the core refuses on purpose; the message is English, for logs and CLI."""


class NotFound(BillingError):
    """No such record."""


class Conflict(BillingError):
    """The record is not in a state that allows this."""


class InvalidInput(BillingError):
    """A value from outside is unusable; `field` names it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class LedgerError(BillingError):
    """An entry that is empty or does not balance: a defect of the caller, never of the data."""
