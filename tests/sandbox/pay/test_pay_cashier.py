"""A person pays at the cashier."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from wechat_pay_world import APP_ID, OWNER, Client, pay

from sandbox.pay import Checkout, Paid, PayBook, PayRefused


@pytest.fixture
def prepay_id(client: Client) -> str:
    prepay_id = client.order()[1]["prepay_id"]
    assert isinstance(prepay_id, str)
    return prepay_id


def test_the_cashier_shows_who_asks_for_what(book: PayBook, client: Client, prepay_id: str) -> None:
    shown = book.checkout(client.call_up(prepay_id), OWNER)
    assert shown == Checkout(prepay_id, "花园物业", "3-2-501 物业费", 32050, "HY20261123A01")
    assert client.query()[1]["trade_state"] == "NOTPAY"


def test_paying_books_the_whole_amount_under_a_28_digit_number(
    book: PayBook, prepay_id: str
) -> None:
    paid = book.confirm(prepay_id, OWNER)
    assert (paid.out_trade_no, paid.paid_fen) == ("HY20261123A01", 32050)
    assert paid.transaction_id.startswith("4200")
    assert len(paid.transaction_id) == 28
    assert paid.transaction_id.isdecimal()


WRONG_CALL_UPS: tuple[dict[str, str], ...] = (
    {"timeStamp": "1795430001"},
    {"nonceStr": "other"},
    {"appId": "wxother"},
    {"paySign": ""},
    {"paySign": "AAAA"},
    {"signType": "MD5"},
    {"timeStamp": "now"},
    {"package": "prepay_id="},
    {"package": "wx123"},
)


def test_a_page_with_a_wrong_call_up_opens_no_cashier(
    book: PayBook, client: Client, prepay_id: str
) -> None:
    for changes in WRONG_CALL_UPS:
        with pytest.raises(PayRefused):
            book.checkout(client.call_up(prepay_id, **changes), OWNER)


def test_a_missing_parameter_opens_no_cashier(
    book: PayBook, client: Client, prepay_id: str
) -> None:
    for name in client.call_up(prepay_id):
        parameters = client.call_up(prepay_id)
        del parameters[name]
        with pytest.raises(PayRefused, match="商家参数格式有误"):
            book.checkout(parameters, OWNER)


def test_the_signature_must_cover_prepay_id_with_its_prefix(
    book: PayBook, client: Client, prepay_id: str
) -> None:
    parameters = client.call_up(prepay_id)
    bare = [APP_ID, parameters["timeStamp"], parameters["nonceStr"], prepay_id]
    with pytest.raises(PayRefused, match="支付验证签名失败"):
        book.checkout(parameters | {"paySign": client.pay.sign(bare)}, OWNER)


def test_only_the_payer_of_the_order_may_pay(book: PayBook, client: Client, prepay_id: str) -> None:
    with pytest.raises(PayRefused, match="本人"):
        book.checkout(client.call_up(prepay_id), "o-stranger")
    with pytest.raises(PayRefused, match="本人"):
        book.confirm(prepay_id, "o-stranger")
    assert client.query()[1]["trade_state"] == "NOTPAY"


def test_an_unknown_prepay_id_is_refused(book: PayBook, client: Client) -> None:
    with pytest.raises(PayRefused, match="订单不存在"):
        book.checkout(client.call_up("wx0000"), OWNER)
    with pytest.raises(PayRefused, match="订单不存在"):
        book.confirm("wx0000", OWNER)


def test_a_paid_order_cannot_be_paid_again(book: PayBook, client: Client, prepay_id: str) -> None:
    book.confirm(prepay_id, OWNER)
    for pay_again in (
        lambda: book.checkout(client.call_up(prepay_id), OWNER),
        lambda: book.confirm(prepay_id, OWNER),
    ):
        with pytest.raises(PayRefused, match="已支付"):
            pay_again()


def test_eight_confirmations_at_once_pay_once(book: PayBook, prepay_id: str) -> None:
    def confirm(_: int) -> Paid | None:
        try:
            return book.confirm(prepay_id, OWNER)
        except PayRefused:
            return None

    with ThreadPoolExecutor(8) as people:
        paid = [done for done in people.map(confirm, range(8)) if done]
    assert len(paid) == 1
    assert [row["paid_fen"] for row in book.ledger()] == [32050]


def test_an_order_closed_while_the_cashier_is_open_is_not_paid(
    book: PayBook, client: Client, prepay_id: str
) -> None:
    book.checkout(client.call_up(prepay_id), OWNER)
    client.close()
    with pytest.raises(PayRefused, match="订单已关闭"):
        book.confirm(prepay_id, OWNER)


def test_the_ledger_tells_every_order_as_the_provider_believes_it(
    book: PayBook, client: Client
) -> None:
    paid = pay(book, client, "HY20261123A01")
    client.order("HY20261123A02")
    client.order("HY20261123A03")
    client.close("HY20261123A03")

    def row(
        number: str, state: str, transaction_id: str | None, paid_fen: int
    ) -> dict[str, object]:
        return {
            "provider": "wechat_pay",
            "out_trade_no": number,
            "transaction_id": transaction_id,
            "state": state,
            "paid_fen": paid_fen,
            "refunded_fen": 0,
        }

    assert book.ledger() == [
        row("HY20261123A01", "SUCCESS", paid.transaction_id, 32050),
        row("HY20261123A02", "NOTPAY", None, 0),
        row("HY20261123A03", "CLOSED", None, 0),
    ]
