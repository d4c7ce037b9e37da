"""The parallel run finds every difference and says why."""

from fractions import Fraction
from pathlib import Path
from typing import Any

from billing.bill_lines import list_lines
from billing.bill_run import run_bills
from billing.bills import list_bills
from billing.imports.columns import SheetKind
from billing.imports.parallel_run import (
    Charged,
    Comparison,
    Why,
    compare,
    compare_workbook,
    our_charges,
    reasons,
    write_comparison,
)
from billing.imports.workbook import parse_workbook, read_workbook
from billing.money import Money
from billing.period import Period
from billing.privacy import Vault
from tests.billing.imports.workbooks import filled, xlsx
from tests.conftest import NOW, World

NOVEMBER = Period("2026-11")


def charged(fen: int, **stated: Any) -> Charged:
    """What a system charges, with what it states."""
    numbers = {
        name: {Fraction(value)} if name in ("areas", "prices") else [value]
        for name, value in stated.items()
    }
    return Charged(Money(fen), **numbers)


def test_the_reason_is_what_the_systems_disagree_on() -> None:
    ours = charged(27580, areas="98.5", prices="2.8", days=30)
    assert reasons(charged(27580), ours) == ()
    assert reasons(charged(27581), ours) == (Why.ROUNDING,)
    assert reasons(charged(27582), ours) == (Why.AMOUNT,)
    assert reasons(charged(25000, areas="89.2"), ours) == (Why.AREA,)
    assert reasons(charged(25000, prices="2.5"), ours) == (Why.PRICE,)
    assert reasons(charged(25000, areas=89, prices=2), ours) == (Why.AREA, Why.PRICE)
    assert reasons(charged(13000, days=15, areas="98.50"), ours) == (Why.DAYS,)
    assert reasons(charged(500, quantities=5), charged(600, quantities=6)) == (Why.QUANTITY,)
    assert reasons(None, ours) == (Why.MISSING_THERE,)
    assert reasons(ours, None) == (Why.MISSING_HERE,)
    assert reasons(charged(0), None) == ()


def test_totals_add_up_to_the_differences() -> None:
    theirs = {("1", "a"): charged(100), ("2", "a"): charged(200), ("1", "b"): charged(7)}
    ours = {("1", "a"): charged(100), ("2", "a"): charged(250), ("3", "a"): charged(30)}
    found = compare(theirs, ours)
    assert [(one.room, one.item, one.difference.fen) for one in found.differences] == [
        ("1", "b", -7),
        ("2", "a", 50),
        ("3", "a", 30),
    ]
    assert found.as_json()["totals"] == {
        "a": {"theirs_fen": 300, "ours_fen": 380, "difference_fen": 80, "equal": 1, "different": 2},
        "b": {"theirs_fen": 7, "ours_fen": 0, "difference_fen": -7, "equal": 0, "different": 1},
    }


def november(world: World) -> list[dict[str, Any]]:
    """Our November bills, as an old system that agrees would list them."""
    with world.database.transaction() as session:
        ours = our_charges(session, world.community.id, NOVEMBER)
    return [
        {"room": room, "item": item, "amount": one.amount.yuan}
        for (room, item), one in sorted(ours.items())
    ]


def compared(world: World, rows: list[dict[str, Any]], period: Period = NOVEMBER) -> Comparison:
    sheets = parse_workbook(filled({SheetKind.OLD_BILLS: rows}))
    with world.database.transaction() as session:
        return compare_workbook(session, world.community.id, period, sheets)


def test_ours_are_the_issued_lines(world: World) -> None:
    unit = world.unit("3-2-501")
    with world.database.transaction() as session:
        ours = our_charges(session, world.community.id, NOVEMBER)
        bills = list_bills(session, world.community.id, [unit.id])
        last = [bill.id for bill in bills if bill.period == NOVEMBER]
        lines = list_lines(session, world.community.id, last)
    own = {item: one for (room, item), one in ours.items() if room == "3-2-501"}
    assert {item: one.amount for item, one in own.items()} == {
        line.item_code: line.amount for line in lines
    }
    assert own["property"].areas == {Fraction("98.5")}
    assert own["property"].days == [30]


def test_systems_that_agree_have_no_difference(world: World) -> None:
    rows = november(world)
    assert len(rows) > 48
    found = compared(world, rows)
    assert (found.differences, found.faults) == ([], [])
    assert sum(total.equal for total in found.totals.values()) == len(rows)


def test_every_difference_is_listed_with_its_reason(world: World) -> None:
    rows = {(row["room"], row["item"]): row for row in november(world)}
    del rows["1-1-101", "garbage"]
    rows["1-1-101", "property"] |= {"amount": "1.00", "unit_price": "2.60", "area": "10"}
    rows["1-1-102", "garbage"] |= {"amount": "6.01"}
    rows["1-1-102", "late"] = {"room": "1-1-102", "item": "garbage", "amount": "0"}
    found = compared(world, list(rows.values()))
    assert [(one.room, one.item, one.why) for one in found.differences] == [
        ("1-1-101", "garbage", (Why.MISSING_THERE,)),
        ("1-1-101", "property", (Why.AREA, Why.PRICE)),
        ("1-1-102", "garbage", (Why.ROUNDING,)),
    ]


def test_drafts_are_compared_before_they_are_issued(world: World) -> None:
    december = Period("2026-12")
    run_bills(
        world.database, world.community, december, today=december.start, now=NOW, publish=False
    )
    rows = november(world)
    found = compared(world, rows, december)
    assert found.differences == [], "the prices are November's"
    assert sum(total.equal for total in found.totals.values()) == len(rows)


def test_a_row_that_cannot_be_read_stops_the_comparison(world: World) -> None:
    found = compared(
        world,
        [
            {"room": "9-9-999", "item": "property", "amount": 1},
            {"room": "1-1-101", "item": "pool", "amount": 1},
            {"room": "1-1-101", "item": "property", "amount": "abc"},
        ],
    )
    assert [(fault.row, fault.column) for fault in found.faults] == [
        (4, "金额"),
        (2, "房号"),
        (3, "项目编码"),
    ]
    assert (found.differences, found.totals) == ([], {})


def test_other_sheets_of_the_workbook_do_not_matter(world: World, vault: Vault) -> None:
    sheets = parse_workbook(xlsx({"乱写": [["x"]]}))
    sheets += parse_workbook(filled({SheetKind.OLD_BILLS: november(world)}))
    with world.database.transaction() as session:
        found = compare_workbook(session, world.community.id, NOVEMBER, sheets)
    assert (found.faults, found.differences) == ([], [])


def test_the_report_is_a_workbook_staff_can_read(world: World, tmp_path: Path) -> None:
    rows = november(world)
    rows[0] |= {"amount": "0.01", "unit_price": "0.01"}
    path = tmp_path / "differences.xlsx"
    write_comparison(path, compared(world, rows))
    differences, totals = read_workbook(path)
    assert differences.rows[1][0] == rows[0]["room"]
    assert "单价 0.01" in differences.rows[1][6]  # type: ignore[operator]
    assert len(differences.rows) == 2
    assert [row[0] for row in totals.rows] == ["项目", "garbage", "parking", "property"]
