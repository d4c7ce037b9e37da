"""What a provider that takes money by mandate must do (WeChat 委托代扣): the contract alone.

It needs a permission of its own at WeChat Pay. A module with this shape, its rows of
`direct_debit_mandate` with kind `wechat`, and its tests are all that is added then.
"""

from typing import Protocol

from billing.channels.base import ProviderAnswer
from billing.money import Money


class MandateChannel(Protocol):
    """Signs, asks about and ends mandates, and takes money by them. No method touches the database
    or is called with a transaction open; each raises `ChannelError` when there is no trustworthy
    answer.
    """

    mchid: str

    def sign_url(self, contract_code: str, shown_name: str, notify_url: str) -> str:
        """Where the owner signs. Moves no money."""
        ...

    def find_mandate(self, contract_code: str) -> str | None:
        """The provider's number of a mandate that was signed and not ended. Safe to repeat."""
        ...

    def end_mandate(self, contract_code: str, reason: str) -> None:
        """End a mandate. Safe to repeat."""
        ...

    def take(self, mandate_no: str, out_trade_no: str, amount: Money, description: str) -> None:
        """Ask for money: the one method that may move some, later. With a number that was used it
        moves nothing more. The outcome comes by `query` or a notification.
        """
        ...

    def query(self, out_trade_no: str) -> ProviderAnswer:
        """What became of an order; `confirmation.confirm` books it."""
        ...
