"""Orders paid by scanning a code, and outside WeChat."""

import re
from collections.abc import Callable

import pytest
from wechat_pay_world import OWNER, Callbacks, Client, pay, until

from sandbox.pay import PayBook, PayRefused

ORDER = "HY20261123A01"


def code_of(client: Client, out_trade_no: str = ORDER) -> str:
    http, answer = client.order_by_code(out_trade_no)
    assert http == 200, answer
    return str(answer["code_url"])


def address_of(client: Client, out_trade_no: str = ORDER) -> str:
    http, answer = client.order_outside(out_trade_no)
    assert http == 200, answer
    return str(answer["h5_url"])


def test_whoever_scans_the_code_pays_and_becomes_the_payer(
    book: PayBook, client: Client, callbacks: Callbacks
) -> None:
    code = code_of(client)
    assert re.fullmatch(r"weixin://wxpay/bizpayurl\?pr=\w+", code)
    shown = book.scan(code)
    assert (shown.mch_name, shown.amount_fen, shown.out_trade_no) == ("花园物业", 32050, ORDER)
    assert "payer" not in client.query()[1]
    assert book.confirm(shown.prepay_id, "o-a-neighbour").paid_fen == 32050
    paid = client.query()[1]
    assert (paid["trade_type"], paid["payer"]) == ("NATIVE", {"openid": "o-a-neighbour"})
    assert client.read(callbacks.wait_for(1)[0])["resource"] == paid


def test_a_scanned_order_is_paid_once(book: PayBook, client: Client) -> None:
    code = code_of(client)
    first, second = book.scan(code), book.scan(code)
    book.confirm(first.prepay_id, OWNER)
    with pytest.raises(PayRefused, match="已支付"):
        book.confirm(second.prepay_id, "o-a-neighbour")
    with pytest.raises(PayRefused, match="已支付"):
        book.scan(code)


@pytest.mark.parametrize(
    "code", ["", "hello", "weixin://wxpay/bizpayurl?pr=", "https://hy.example"]
)
def test_a_code_that_is_no_payments_opens_nothing(book: PayBook, client: Client, code: str) -> None:
    code_of(client)
    with pytest.raises(PayRefused, match="订单不存在"):
        book.scan(code)


def test_a_code_closed_meanwhile_is_not_paid(book: PayBook, client: Client) -> None:
    shown = book.scan(code_of(client))
    client.close()
    with pytest.raises(PayRefused, match="订单已关闭"):
        book.confirm(shown.prepay_id, OWNER)


def test_an_address_outside_wechat_is_paid_by_somebody_with_an_openid(
    book: PayBook, client: Client, callbacks: Callbacks
) -> None:
    address = address_of(client)
    assert address.startswith(f"{book.public_url}/h5/checkout?prepay_id=wx")
    back = f"{address}&redirect_url=https%3A%2F%2Fhy.example%2Fback"
    assert book.visit(back).amount_fen == 32050
    assert book.confirm_visit(back).paid_fen == 32050
    paid = client.query()[1]
    assert paid["trade_type"] == "MWEB"
    assert paid["payer"]["openid"]
    assert client.read(callbacks.wait_for(1)[0])["resource"] == paid


def test_an_address_lives_five_minutes_and_a_code_two_hours(
    open_book: Callable[..., PayBook], client_of: Callable[..., Client]
) -> None:
    book = open_book(rate=1500)
    client = client_of(book)
    address, code = address_of(client, "HY20261123A01"), code_of(client, "HY20261123A02")
    until(lambda: address_of(client, "HY20261123A01") != address)
    with pytest.raises(PayRefused, match="过期"):
        book.visit(address)
    assert code_of(client, "HY20261123A02") == code


def test_the_same_order_again_gives_the_same_address(client: Client) -> None:
    assert code_of(client, "HY20261123A02") == code_of(client, "HY20261123A02")
    assert address_of(client, "HY20261123A03") == address_of(client, "HY20261123A03")


def test_one_number_belongs_to_one_kind_of_order(client: Client) -> None:
    code_of(client)
    for http, answer in (client.order(), client.order_outside(), client.order_by_code(attach="x")):
        assert (http, answer["code"]) == (400, "INVALID_REQUEST")


def test_each_way_opens_only_its_own_kind(book: PayBook, client: Client) -> None:
    code, address = code_of(client, "HY20261123A02"), address_of(client, "HY20261123A03")
    prepay_id = client.order()[1]["prepay_id"]
    for prepaid in (code.partition("=")[2], address.partition("=")[2].partition("&")[0]):
        with pytest.raises(PayRefused):
            book.checkout(client.call_up(prepaid), OWNER)
    with pytest.raises(PayRefused):
        book.scan(f"weixin://wxpay/bizpayurl?pr={prepay_id}")
    with pytest.raises(PayRefused):
        book.visit(f"{book.public_url}/h5/checkout?prepay_id={prepay_id}")


def test_an_order_in_wechat_is_still_its_payers_alone(book: PayBook, client: Client) -> None:
    pay(book, client)
    assert client.query()[1]["payer"] == {"openid": OWNER}
