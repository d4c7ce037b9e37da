"""The merchants' API misbehaves as planned."""

import time
from typing import Any

import pytest
import requests
from wechat_pay_world import Client, pay

from sandbox.faults import Faults
from sandbox.pay import PayBook


def call(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1].get("code", "")


@pytest.mark.parametrize("mode", ["errcode", "drop"])
def test_an_error_leaves_nothing_done(
    book: PayBook, client: Client, faults: Faults, mode: str
) -> None:
    faults.add(target="pay_api", mode=mode, count=2)
    assert call(client.order()) == (500, "SYSTEM_ERROR")
    assert call(client.order()) == (500, "SYSTEM_ERROR")
    assert book.ledger() == []
    assert client.order()[0] == 200


def test_a_delayed_call_is_done_late(client: Client, faults: Faults) -> None:
    faults.add(target="pay_api", mode="delay", seconds=0.2)
    started = time.monotonic()
    assert client.order()[0] == 200
    assert time.monotonic() - started >= 0.2


def test_a_lost_answer_belongs_to_a_call_that_was_carried_out(
    book: PayBook, client: Client, faults: Faults
) -> None:
    faults.add(target="pay_api", mode="lost")
    with pytest.raises(requests.ConnectionError):
        client.order()
    assert [row["state"] for row in book.ledger()] == ["NOTPAY"]
    assert client.order()[0] == 200
    assert len(book.ledger()) == 1


def test_a_refund_whose_answer_is_lost_is_one_refund_when_asked_again(
    book: PayBook, client: Client, faults: Faults
) -> None:
    pay(book, client)
    faults.add(target="pay_api", mode="lost")
    with pytest.raises(requests.ConnectionError):
        client.refund()
    http, answer = client.query_refund()
    assert http == 200
    assert client.refund()[1]["refund_id"] == answer["refund_id"]


def test_pay_api_comes_before_api_and_api_still_means_this_one_too(
    client: Client, faults: Faults
) -> None:
    faults.add(target="api", mode="delay", seconds=0.2)
    faults.add(target="pay_api", mode="errcode")
    assert call(client.order()) == (500, "SYSTEM_ERROR")
    started = time.monotonic()
    assert client.order()[0] == 200
    assert time.monotonic() - started >= 0.2
