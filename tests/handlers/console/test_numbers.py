"""What the numbers say in the console: figures agree with the core, lead to the rows behind them,
and what is odd is dealt with by whoever may.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

import pytest
from lxml import html
from python_calamine import CalamineWorkbook
from sqlalchemy import select

from billing.alerts import Alert, AlertKind, Severity, raise_alert
from billing.bill_run import run_bills
from billing.money import ZERO, Money
from billing.people import StaffRole
from billing.period import Period
from billing.reports.ageing import age_debts
from billing.reports.rolled import Division, divide, whole_of
from billing.reports.scope import Scope
from notify.wording import yuan
from tests.billing.corrections import IN_TIME
from tests.billing.drawer import take
from tests.conftest import NOW, TODAY, World
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]
NOVEMBER = Period("2026-11")


def text_of(clerk: Clerk, path: str) -> str:
    """What a page says, without its mark-up."""
    answer = clerk.get(path)
    assert answer.status_code == 200, path
    return re.sub(r"\s+", " ", html.fromstring(answer.text).text_content())


@pytest.fixture
def alert_id(world: World) -> int:
    """A home that used too much water."""
    data = {"room": "3-2-501", "item": "水费", "read_on": "2026-11-01", "now": "9", "expected": "2"}
    with world.database.transaction() as session:
        raise_alert(
            session,
            AlertKind.USAGE_JUMP,
            key="k",
            community_id=world.community.id,
            data=data,
            now=NOW,
            severity=Severity.MEDIUM,
            unit_id=world.unit("3-2-501").id,
        )
        return session.scalars(select(Alert.id)).one()


def test_the_first_page_says_what_came_in_and_what_waits(
    clerk: MakeClerk, world: World, alert_id: int
) -> None:
    with world.database.transaction() as session:
        take(session, world, IN_TIME, "123.45", "A")
        whole = whole_of(
            divide(session, Division.ITEM, Scope(world.community.id, NOVEMBER, NOVEMBER), TODAY)
        )
    said = text_of(clerk(StaffRole.MANAGER), "/HY/")
    for words in ("¥123.45", "1 笔", yuan(whole.due), yuan(whole.paid), "3-2-501 水费日均用量 9"):
        assert words in said
    live = clerk(StaffRole.MANAGER).get("/HY/live").text
    assert "123.45" in live
    assert "<html" not in live


def test_who_may_not_see_statistics_sees_what_waits_alone(clerk: MakeClerk, world: World) -> None:
    said = text_of(clerk(StaffRole.CASHIER), "/HY/")
    assert "待批退款" in said
    assert "收缴率" not in said
    assert clerk(StaffRole.CASHIER).get("/HY/reports/").status_code == 403


@pytest.mark.parametrize("role", StaffRole)
def test_what_waits_leads_only_where_one_may_go(clerk: MakeClerk, role: StaffRole) -> None:
    one = clerk(role)
    tree = html.fromstring(one.get("/HY/").text)
    links = tree.xpath("//ul[@class='waits']//a/@href")
    assert links
    for link in links:
        assert one.get(link.removeprefix("/console")).status_code == 200, link


def test_the_tables_of_a_month_sum_to_its_whole(clerk: MakeClerk, world: World) -> None:
    with world.database.transaction() as session:
        scope = Scope(world.community.id, NOVEMBER, NOVEMBER)
        whole = whole_of(divide(session, Division.ITEM, scope, TODAY))
    tree = html.fromstring(clerk(StaffRole.READER).get("/HY/reports/?period=2026-11").text)
    feet = tree.xpath("//tfoot/tr")
    assert len(feet) == 3
    for foot in feet:
        cells = [cell.text_content() for cell in foot.xpath("td")]
        assert cells[1:4] == [yuan(whole.due), yuan(whole.paid), yuan(whole.owed)]
    for table in tree.xpath("//table[tfoot]"):
        column = [cell.text_content().replace(",", "") for cell in table.xpath("tbody/tr/td[2]")]
        assert sum((Money.from_yuan(cell) for cell in column), ZERO) == whole.due


def test_a_bar_leads_to_the_bills_behind_it(clerk: MakeClerk, world: World) -> None:
    one = clerk(StaffRole.READER)
    tree = html.fromstring(one.get("/HY/reports/?period=2026-11").text)
    [link] = tree.xpath("//svg//a[contains(@href, 'building=3')]/@href")
    with world.database.transaction() as session:
        scope = Scope(world.community.id, NOVEMBER, NOVEMBER, ("3",))
        building = whole_of(divide(session, Division.ITEM, scope, TODAY))
    with one.get(link.removeprefix("/console") + "&format=xlsx") as answer:
        rows = CalamineWorkbook.from_filelike(BytesIO(answer.data)).get_sheet_by_index(0)
        [_, *lines] = rows.to_python()
    assert lines
    assert len({line[6] for line in lines}) == 1
    due = (Money.from_yuan(f"{line[3]:.2f}") for line in lines)
    assert sum(due, ZERO) == building.due


def test_only_bills_that_are_not_paid(clerk: MakeClerk, world: World) -> None:
    tree = html.fromstring(
        clerk(StaffRole.READER).get("/HY/reports/bills?period=2026-10&unpaid=1").text
    )
    owed = [cell.text_content() for cell in tree.xpath("//tbody/tr/td[7]")]
    assert owed
    assert "0.00" not in owed


def test_arrears_by_age_sum_to_all_and_lead_to_homes(clerk: MakeClerk, world: World) -> None:
    with world.database.transaction() as session:
        aged = age_debts(session, world.community.id, TODAY)
    one = clerk(StaffRole.ACCOUNTANT)
    said = text_of(one, "/HY/reports/arrears")
    assert yuan(sum((each.owed for each in aged), ZERO)) in said
    for each in aged:
        page = text_of(one, f"/HY/reports/arrears?age={each.bucket.value}&sort=owed&order=desc")
        assert f"共 {each.homes} 条" in page


@pytest.mark.parametrize(
    "path",
    [
        "/HY/reports/?period=nonsense",
        "/HY/reports/?period=1999-01",
        "/HY/reports/arrears?age=ancient",
        "/HY/reports/bills?period=2026-13&building=%27;--",
        "/HY/reports/income?period=",
        "/HY/reports/income?period=2020-01",
        "/HY/reports/reminders",
        "/HY/alerts?kind=nonsense&all=1",
    ],
)
def test_an_address_nobody_meant_still_gives_a_page(clerk: MakeClerk, path: str) -> None:
    assert clerk(StaffRole.MANAGER).get(path).status_code == 200


def test_a_month_that_is_billed_before_it_begins_has_cleared_no_arrears(
    clerk: MakeClerk, world: World
) -> None:
    month = NOVEMBER.next()
    run_bills(world.database, world.community, month, today=TODAY, now=NOW, publish=True)
    said = text_of(clerk(StaffRole.READER), "/HY/reports/?period=2026-12")
    assert re.search("清欠率 ?无", said), said


def test_income_is_by_day_and_channel(clerk: MakeClerk, world: World) -> None:
    with world.database.transaction() as session:
        take(session, world, IN_TIME, "20.00", "A")
        take(session, world, IN_TIME, "3.00", "B")
    said = text_of(clerk(StaffRole.READER), "/HY/reports/income?period=2026-11&sort=amount")
    assert "2026-11-23 现金 2 23.00" in said


def seen(clerk: Clerk, alert_id: int) -> str:
    """The state of an alert as its page shows it."""
    found = re.search(r'name="state" value="([^"]*)"', clerk.get(f"/HY/alerts/{alert_id}").text)
    assert found is not None
    return found[1]


def test_an_alert_is_taken_and_closed_with_its_reason(
    clerk: MakeClerk, world: World, alert_id: int
) -> None:
    one = clerk(StaffRole.ACCOUNTANT)
    assert "还没有人负责" in text_of(one, f"/HY/alerts/{alert_id}")
    taken = one.post(f"/HY/alerts/{alert_id}/take", state=seen(one, alert_id))
    assert taken.status_code == 303
    missing = one.post(f"/HY/alerts/{alert_id}/close", state=seen(one, alert_id), reason=" ")
    assert missing.status_code == 422
    closed = one.post(f"/HY/alerts/{alert_id}/close", state=seen(one, alert_id), reason="漏水")
    assert closed.status_code == 303
    with world.database.transaction() as session:
        alert = session.get_one(Alert, alert_id)
        assert (alert.owner_id, alert.closed_by) == (one.staff_id, one.staff_id)
        assert alert.close_reason == "漏水"
    assert "没有未处理的异常" in text_of(one, "/HY/alerts")
    assert "用量异常偏高" in text_of(one, "/HY/alerts?all=1")


def test_a_snoozed_alert_is_gone_until_its_day(
    clerk: MakeClerk, world: World, alert_id: int
) -> None:
    one = clerk(StaffRole.MANAGER)
    where = f"/HY/alerts/{alert_id}/snooze"
    refused = one.post(where, state=seen(one, alert_id), until="2030-01-01")
    assert refused.status_code == 422
    assert "请选择今后 90 天内的一天" in refused.text
    assert 'value="2030-01-01"' in refused.text
    day = (TODAY + timedelta(days=2)).isoformat()
    assert one.post(where, state=seen(one, alert_id), until=day).status_code == 303
    assert "没有未处理的异常" in text_of(one, "/HY/alerts")


def test_who_decides_on_an_alert_that_changed_meanwhile_is_told(
    clerk: MakeClerk, world: World, alert_id: int
) -> None:
    first, second = clerk(StaffRole.MANAGER), clerk(StaffRole.ACCOUNTANT)
    stale = seen(second, alert_id)
    first.post(f"/HY/alerts/{alert_id}/take", state=seen(first, alert_id))
    answer = second.post(f"/HY/alerts/{alert_id}/close", state=stale, reason="核对无误")
    assert answer.status_code == 422
    assert "刚刚被别人改过" in answer.text
    assert "核对无误" in answer.text


def test_an_alert_of_another_community_does_not_exist(clerk: MakeClerk, world: World) -> None:
    with world.database.transaction() as session:
        raise_alert(
            session,
            AlertKind.DISCREPANCY,
            key="elsewhere",
            community_id=world.community.id + 1,
            data={},
            now=NOW,
        )
        other = session.scalars(select(Alert.id)).one()
    assert clerk(StaffRole.MANAGER).get(f"/HY/alerts/{other}").status_code == 404


@pytest.mark.parametrize("period", ["1900-01", "2999-12", "1989-12"])
def test_a_month_nobody_was_billed_for_gives_the_last_that_was(
    clerk: MakeClerk, period: str
) -> None:
    one = clerk(StaffRole.MANAGER)
    for path in ("/HY/", "/HY/reports/", "/HY/reports/income"):
        assert one.get(f"{path}?period={period}").status_code == 200
