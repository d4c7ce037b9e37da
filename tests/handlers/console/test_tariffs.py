"""Prices in the console: tried, kept, taken back; never by somebody who saw an older page."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from lxml import html
from sqlalchemy import select

from billing.bill_run import run_bills
from billing.long_work import LongWork
from billing.meters import Meter
from billing.people import StaffRole
from billing.period import Period
from billing.tariffs import ChargeItem, Tariff
from bot.program import Program
from handlers.long_work import do_long_work
from tests.conftest import World
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]
AREA = {
    "price.method": "area",
    "price.unit_price": "3.80",
    "price.per": "month",
    "price.proration": "calendar_month",
}


@pytest.fixture
def accountant(clerk: MakeClerk) -> Clerk:
    return clerk(StaffRole.ACCOUNTANT)


def item(program: Program, code: str) -> ChargeItem:
    with program.services.database.transaction() as session:
        return session.scalars(select(ChargeItem).where(ChargeItem.code == code)).one()


def versions(program: Program, of: ChargeItem) -> list[Tariff]:
    with program.services.database.transaction() as session:
        found = session.scalars(select(Tariff).where(Tariff.item_id == of.id).order_by(Tariff.id))
        return list(found)


@pytest.fixture
def property_fee(program: Program) -> ChargeItem:
    with program.services.database.transaction() as session:
        found = select(ChargeItem).join(Tariff, Tariff.item_id == ChargeItem.id)
        return session.scalars(found.where(Tariff.price["method"].astext == "area")).first()  # type: ignore[return-value]


def version(program: Program, of: ChargeItem, **changes: str) -> dict[str, Any]:
    last = str(versions(program, of)[-1].id)
    begins = {"effective_from": "2027-01-01", "basis_document": "业主大会 2026 年第 2 号决议"}
    return AREA | begins | {"last": last} | changes


def test_a_home_is_tried_line_by_line_and_nothing_is_kept(
    accountant: Clerk, program: Program, property_fee: ChargeItem
) -> None:
    before = versions(program, property_fee)
    fields = version(program, property_fee, room="1-1-302", period="2026-11")
    answer = accountant.post(f"/HY/tariffs/{property_fee.id}/trial", **fields)
    assert answer.status_code == 200
    assert "89.20㎡ × 2.80元/㎡·月 = 249.76元" in answer.text
    assert "89.20㎡ × 3.80元/㎡·月 = 338.96元" in answer.text
    assert 'value="3.80"' in answer.text
    assert len(versions(program, property_fee)) == len(before)


def test_everybody_is_tried_in_the_background(
    accountant: Clerk, program: Program, property_fee: ChargeItem
) -> None:
    fields = version(program, property_fee, everybody="1", period="2026-11")
    sent = accountant.post(f"/HY/tariffs/{property_fee.id}/trial", **fields)
    assert sent.status_code == 303
    assert do_long_work(program.services) == {"done": 1}
    with program.services.database.transaction() as session:
        outcome = session.scalars(select(LongWork)).one().outcome
    assert outcome is not None
    assert outcome["homes"] == outcome["much"] == 24
    assert outcome["fen_then"] * 28 == outcome["fen"] * 38
    page = accountant.get(sent.headers["Location"].removeprefix("/console"))
    assert "变动超过 30% 的" in page.text


@pytest.mark.parametrize("is_billed", [False, True])
def test_usage_is_tried_with_tiers_whether_it_is_billed_or_not(
    accountant: Clerk, program: Program, world: World, water: Meter, is_billed: bool
) -> None:
    """30 units at 2 yuan, or 10 at 2 and 20 at 3."""
    with program.services.database.transaction() as session:
        session.add(
            Tariff(
                community_id=world.community.id,
                item_id=water.item_id,
                effective_from=date(2026, 1, 1),
                price={"method": "metered", "unit_price": "2"},
                basis_document="水价公示",
                supplier_price={"method": "metered", "unit_price": "2"},
                created_at=world.now,
            )
        )
    november = Period("2026-11")
    if is_billed:
        run_bills(
            program.services.database,
            world.community,
            november,
            today=world.today,
            now=world.now,
            publish=True,
        )
    tiers = {
        "price.method": "tiered",
        "price.mode": "graduated",
        "price.tiers[0].up_to": "10",
        "price.tiers[0].unit_price": "2",
        "price.tiers[1].unit_price": "3",
        "room": "1-1-302",
        "period": str(november),
    }
    page = accountant.post(f"/HY/tariffs/{water.item_id}/trial", **tiers).text
    assert "(130 − 100) × 1 × 2.00元 = 60.00元" in page
    assert "10 × 2.00元 + 20 × 3.00元 = 80.00元" in page


def test_a_version_is_kept_and_taken_back(
    accountant: Clerk, program: Program, property_fee: ChargeItem
) -> None:
    page = f"/HY/tariffs/{property_fee.id}"
    fields = version(program, property_fee)
    assert accountant.post(page, **fields).status_code == 303
    shown = accountant.get(page).text
    assert "变动超过三成" in shown
    assert "业主大会 2026 年第 2 号决议" in shown
    last = versions(program, property_fee)[-1].id
    removal = {"from": "2027-01-01", "seen": str(last)}
    assert accountant.post(f"{page}/remove", **removal).status_code == 303
    assert versions(program, property_fee)[-1].id != last


def test_whoever_saw_an_older_page_is_told(
    accountant: Clerk, program: Program, property_fee: ChargeItem
) -> None:
    page = f"/HY/tariffs/{property_fee.id}"
    seen = version(program, property_fee)
    assert accountant.post(page, **seen).status_code == 303
    mine = seen | {"effective_from": "2027-02-01"}
    answer = accountant.post(page, **mine)
    assert answer.status_code == 422
    assert "别人保存了新的一版" in answer.text
    [last] = html.fromstring(answer.text).xpath("//input[@name='last']/@value")
    assert accountant.post(page, **mine | {"last": last}).status_code == 303  # seen now


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"price.unit_price": "abc"}, "请填写数字"),
        ({"price.unit_price": ""}, "请填写数字"),
        ({"price.unit_price": "-1"}, "不能是负数"),
        ({"effective_from": "2026-01-15"}, "已出账到"),
        ({"effective_from": "1026-01-15"}, "请填写日期"),
        ({"basis_document": ""}, "请填写"),
        ({"price.method": "metered"}, "按用量和按时间不能互换"),
    ],
)
def test_a_bad_version_is_refused_at_its_field(
    accountant: Clerk,
    program: Program,
    property_fee: ChargeItem,
    changes: dict[str, str],
    words: str,
) -> None:
    before = len(versions(program, property_fee))
    fields = version(program, property_fee, **changes)
    answer = accountant.post(f"/HY/tariffs/{property_fee.id}", **fields)
    assert answer.status_code == 422
    assert words in answer.text
    assert len(versions(program, property_fee)) == before


def test_a_new_item_takes_tiers_and_a_bad_tier_is_named(
    accountant: Clerk, program: Program
) -> None:
    fields = {"code": "gas", "name": "燃气费", "fee": "gas", "subject_kind": "home"}
    fields |= {"cycle_months": "1", "active_from": "2027-01-01", "pass_through": "no"}
    assert accountant.post("/HY/tariffs/new", **fields).status_code == 303
    again = accountant.post("/HY/tariffs/new", **fields)
    assert "已经有了" in again.text
    gas = item(program, "gas")
    tiers = {
        "price.method": "tiered",
        "price.mode": "graduated",
        "price.tiers[0].up_to": "50",
        "price.tiers[0].unit_price": "2.50",
        "price.tiers[1].unit_price": "x",
        "effective_from": "2027-01-01",
        "basis_document": "发改价格 1 号",
        "last": "",
    }
    answer = accountant.post(f"/HY/tariffs/{gas.id}", **tiers)
    assert 'id="problem-price.tiers[1].unit_price"' in answer.text
    fine = tiers | {"price.tiers[1].unit_price": "3.00"}
    assert accountant.post(f"/HY/tariffs/{gas.id}", **fine).status_code == 303
    [kept] = versions(program, gas)
    assert [tier["unit_price"] for tier in kept.price["tiers"]] == ["2.50", "3.00"]
