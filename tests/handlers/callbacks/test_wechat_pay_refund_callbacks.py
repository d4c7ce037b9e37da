"""What WeChat Pay tells of refunds is booked once, and only when it fits what we asked for."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry
from werkzeug.test import TestResponse

from billing.channels.wechat_pay import WeChatPayChannel
from billing.ledger import FixedAccount
from billing.money import ZERO
from billing.refund_outcomes import RefundOutcome
from billing.refund_tables import Refund, RefundStage
from handlers.callbacks import callbacks
from handlers.refunding import send_refund
from tests.billing.channels.provider import (
    OTHER_MCHID,
    callback,
    merchant_keys,
    refund_news,
)
from tests.conftest import MERCHANT
from tests.desk import NOWHERE, Desk
from tests.handlers.callbacks.conftest import PATH, Door
from tests.handlers.callbacks.test_wechat_pay_callbacks import wait_until_accepted
from tests.handlers.callbacks.till import Till
from tests.pretend_channel import PretendChannel


@dataclass
class RefundDoor:
    """The callback address of a desk."""

    desk: Desk
    registry: CollectorRegistry
    app: Flask

    def told(
        self, refund: Refund, number: str, status: str = "SUCCESS", **changes: Any
    ) -> TestResponse:
        """WeChat Pay says what became of a refund of this order, signed just now."""
        said = refund_news(
            **{
                "out_trade_no": number,
                "out_refund_no": refund.out_refund_no,
                "refund_status": status,
                "amount": {"total": 32050, "refund": refund.amount.fen},
                "success_time": self.desk.now.isoformat() if status == "SUCCESS" else None,
                **changes,
            }
        )
        headers, body = callback(self.desk.now, said, event=f"REFUND.{status}")
        return self.app.test_client().post(PATH, headers=headers, data=body)

    def counted(self, outcome: str) -> float:
        """How many callbacks ended so."""
        name = "mingzhang_payment_callbacks_total"
        labels = {"provider": "wechat_pay", "outcome": outcome}
        return self.registry.get_sample_value(name, labels) or 0


@pytest.fixture
def refund_door(desk: Desk) -> RefundDoor:
    registry, app = CollectorRegistry(), Flask("door")
    services = desk.with_channels({MERCHANT[0]: WeChatPayChannel(merchant_keys(), NOWHERE)})
    app.register_blueprint(callbacks(services, registry), url_prefix="/callbacks")
    return RefundDoor(desk, registry, app)


def test_a_refund_that_is_done_is_booked_once(desk: Desk, refund_door: RefundDoor) -> None:
    payment = desk.paid()
    refund = desk.approved(payment)
    answers = [refund_door.told(refund, payment.out_trade_no) for _ in range(3)]
    assert [(answer.status_code, answer.data) for answer in answers] == [(204, b"")] * 3
    assert desk.stage(refund) is RefundStage.DONE
    assert desk.account(FixedAccount.WECHAT_CLEARING) == ZERO
    assert refund_door.counted("refund_done") == 1
    assert refund_door.counted("refund_already_known") == 2


@pytest.mark.parametrize(
    ("status", "stage", "outcome"),
    [
        ("CLOSED", RefundStage.FAILED, "refund_failed"),
        ("ABNORMAL", RefundStage.ABNORMAL, "refund_abnormal"),
    ],
)
def test_a_refund_that_ends_otherwise_is_written_down(
    desk: Desk, refund_door: RefundDoor, status: str, stage: RefundStage, outcome: str
) -> None:
    payment = desk.paid()
    refund = desk.approved(payment)
    assert refund_door.told(refund, payment.out_trade_no, status).status_code == 204
    assert (desk.stage(refund), refund_door.counted(outcome)) == (stage, 1)
    assert desk.account(FixedAccount.WECHAT_CLEARING) == payment.amount


@pytest.mark.parametrize(
    "changes",
    [{"mchid": OTHER_MCHID}, {"out_refund_no": "RF-nobody-knows"}, {"amount": {"refund": 1}}],
    ids=["another merchant", "a number we never gave", "another amount"],
)
def test_what_does_not_fit_is_accepted_written_down_and_not_booked(
    desk: Desk, refund_door: RefundDoor, changes: dict[str, Any]
) -> None:
    payment = desk.paid()
    refund = desk.approved(payment)
    assert refund_door.told(refund, payment.out_trade_no, **changes).status_code == 204
    assert refund_door.counted("refund_discrepancy") == 1
    assert len(desk.discrepancies()) == 1
    assert desk.stage(refund) is RefundStage.APPROVED


def test_a_refund_sent_to_the_provider_is_booked_by_its_callback(
    till: Till, door: Door, served: Callable[[Door], str]
) -> None:
    address, payment = served(door), till.prepared()
    till.provider.pay(till.order(payment, address))
    wait_until_accepted(till, payment.out_trade_no)
    services = replace(till.services, base_url=address.removesuffix(PATH))
    desk = Desk(till.world, services, PretendChannel(services.clock), till.now)
    refund = desk.approved(payment)
    assert send_refund(services, refund) is RefundOutcome.PROCESSING
    end = time.monotonic() + 8
    while desk.stage(refund) is RefundStage.PROCESSING and time.monotonic() < end:
        time.sleep(0.02)
    assert desk.stage(refund) is RefundStage.DONE
    assert till.arrived() == ZERO
    assert door.counted("refund_done") == 1
