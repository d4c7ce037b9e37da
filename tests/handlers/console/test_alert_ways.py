"""An alert says what happened and leads to where it is dealt with, for who may go there."""

from collections.abc import Callable
from typing import Any

import pytest
from lxml import html
from sqlalchemy import select

from billing.alerts import Alert, AlertKind, raise_alert
from billing.channels.base import RefundState
from billing.discrepancies import DiscrepancyKind, record_discrepancy
from billing.money import Money
from billing.people import StaffRole
from notify.gate import template_line
from tests.conftest import NOW, World
from tests.desk import Desk
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]


def raised(world: World, kind: AlertKind, data: dict[str, Any]) -> int:
    with world.database.transaction() as session:
        raise_alert(session, kind, key="k", community_id=world.community.id, data=data, now=NOW)
        return session.scalars(select(Alert.id).order_by(Alert.id.desc()).limit(1)).one()


def last_alert(world: World) -> int:
    with world.database.transaction() as session:
        return session.scalars(select(Alert.id).order_by(Alert.id.desc()).limit(1)).one()


def ways(clerk: Clerk, alert_id: int) -> list[tuple[str, str]]:
    """Name and address of what the page of an alert leads to; each opens."""
    tree = html.fromstring(clerk.get(f"/HY/alerts/{alert_id}").text)
    links = tree.xpath("//div[dt='到哪里处理']//a")
    for link in links:
        path = link.get("href").removeprefix("/console")
        assert clerk.get(path).status_code == 200, path
    return [(link.text, link.get("href").removeprefix("/console")) for link in links]


def test_a_discrepancy_s_alert_leads_to_it_and_to_its_day(clerk: MakeClerk, world: World) -> None:
    with world.database.transaction() as session:
        record_discrepancy(
            session,
            DiscrepancyKind.WRONG_AMOUNT,
            merchant_id=world.merchant_id,
            community_id=world.community.id,
            out_trade_no="MZ1",
            transaction_id="42",
            data={"provider_fen": 1, "booked_fen": 123450},
            now=NOW,
            statement_on=world.today,
        )
    one = clerk(StaffRole.ACCOUNTANT)
    number = last_alert(world)
    assert ways(one, number) == [
        ("这条差错", "/HY/discrepancies/1"),
        ("这一天的对账", f"/HY/compared?day={world.today}"),
    ]
    assert "账上 1,234.50 元" in one.get(f"/HY/alerts/{number}").text
    assert ways(clerk(StaffRole.READER), number) == [], "who may not keep the books"


def test_a_refund_s_alert_leads_to_the_refund(clerk: MakeClerk, desk: Desk) -> None:
    refund = desk.approved(desk.paid("1-1-302", Money(80_00)))
    desk.told(refund, RefundState.ABNORMAL)
    one = clerk(StaffRole.ACCOUNTANT)
    number = last_alert(desk.world)
    assert ways(one, number) == [("这笔退款", f"/HY/refunds/{refund.id}")]
    assert (
        f"退款 80.00 元退不进付款人的账户（退款单 {refund.out_refund_no}）" in one.get("/HY/").text
    )


@pytest.mark.parametrize(
    ("kind", "data", "found"),
    [
        (AlertKind.NOT_RECONCILED, {"date": "2026-11-22"}, "/HY/compared?day=2026-11-22"),
        (AlertKind.CODE_GUESSING, {}, "/HY/approvals"),
        (AlertKind.SENDING_STOPPED, {"line": "account"}, "/HY/notices?state=failed"),
        (
            AlertKind.SENDING_STOPPED,
            {"line": template_line("T")},
            "/HY/notices?state=failed /templates",
        ),
        (AlertKind.WEBHOOK_FAILED, {"webhook": "ERP"}, "/outside"),
        (AlertKind.HOLIDAYS_UNKNOWN, {"year": 2027}, "/HY/settings/reminders"),
        (AlertKind.MONEY_WAITING, {}, "/HY/bank"),
        (AlertKind.CHARGES_PARKED, {}, "/HY/bill-runs"),
        (AlertKind.LIMITATION, {"bill_id": 1}, "/HY/bills/1"),
        (AlertKind.UNDUE_LATE_FEE, {"bill_id": 1}, "/HY/bills/1"),
        (AlertKind.JOB_FAILED, {"job": "bot.jobs.run_billing"}, ""),
        (AlertKind.DISCREPANCY, {}, "/HY/discrepancies"),
    ],
)
def test_what_is_mended_elsewhere_leads_there(
    clerk: MakeClerk, world: World, kind: AlertKind, data: dict[str, Any], found: str
) -> None:
    number = raised(world, kind, data)
    assert [address for _, address in ways(clerk(StaffRole.MANAGER), number)] == found.split()


@pytest.mark.parametrize("kind", AlertKind)
def test_an_alert_of_before_that_lacks_everything_still_has_a_page(
    clerk: MakeClerk, world: World, kind: AlertKind
) -> None:
    one = clerk(StaffRole.READER)
    answer = one.get(f"/HY/alerts/{raised(world, kind, {})}")
    assert answer.status_code == 200
    [said] = html.fromstring(answer.text).xpath("//section[@class='card']/p")
    assert said.text == kind.label
