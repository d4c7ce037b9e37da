"""The tables of 收缴 and 催缴效果 as files, and all communities side by side."""

from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from typing import Any

from python_calamine import CalamineWorkbook

from billing.people import StaffRole
from notify.rung_effects import count_rungs
from tests.conftest import World
from tests.handlers.console.conftest import Clerk
from tests.places import add_community

MakeClerk = Callable[..., Clerk]


def sheets(clerk: Clerk, path: str) -> dict[str, list[list[Any]]]:
    with clerk.get(path) as answer:
        assert answer.status_code == 200
        book = CalamineWorkbook.from_filelike(BytesIO(answer.data))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def fen(value: Any) -> int:
    return int(Decimal(str(value)).quantize(Decimal("0.01")) * 100)


def test_every_table_of_a_month_is_in_the_file_and_sums_to_the_whole(
    clerk: MakeClerk, world: World
) -> None:
    found = sheets(clerk(StaffRole.READER), "/HY/reports/?period=2026-10&format=xlsx")
    assert list(found) == ["汇总", "按楼栋", "按收费项目", "费用构成", "近十二个月", "逐日"]
    due, paid = (fen(found["汇总"][1][column]) for column in (1, 2))
    assert due > paid > 0
    for name in ("按楼栋", "按收费项目", "费用构成"):
        *parts, whole = found[name][1:]
        assert (fen(whole[1]), fen(whole[2])) == (due, paid)
        assert sum(fen(part[1]) for part in parts) == due
        assert sum(fen(part[2]) for part in parts) == paid
    months = {row[0]: row for row in found["近十二个月"][1:]}
    assert fen(months["2026-10"][1]) == due
    assert found["近十二个月"][0][-1] == "清欠率"
    assert fen(found["逐日"][-1][2]) == paid
    assert found["汇总"][1][4] == found["逐日"][-1][3]


def test_all_communities_stand_side_by_side_and_sum_up(clerk: MakeClerk, world: World) -> None:
    with world.database.transaction() as session:
        add_community(session, "LY", "绿园小区")
    everywhere = clerk(StaffRole.MANAGER, community_id=None)
    page = everywhere.get("/?period=2026-10").text
    assert "各小区收缴" in page
    assert "/console/HY/reports/?period=2026-10" in page
    *parts, whole = sheets(everywhere, "/?period=2026-10&format=xlsx")["按小区"][1:]
    assert sum(fen(part[1]) for part in parts) == fen(whole[1]) > 0
    assert "还没有出账" in everywhere.get("/?period=2001-01").text
    assert everywhere.get("/?period=x").status_code == 200
    cashier = clerk(StaffRole.CASHIER, community_id=None)
    assert "各小区收缴" not in cashier.get("/").text  # he reads no reports


def test_what_reminders_did_is_a_file_too(clerk: MakeClerk, world: World) -> None:
    with world.database.transaction() as session:
        assert count_rungs(session, world.community.id, world.today) > 0
    found = sheets(clerk(StaffRole.MANAGER), "/HY/reports/reminders?format=xlsx")
    assert list(found) == ["通知", "提醒"]
    assert "逾期 1 天" in clerk(StaffRole.MANAGER).get("/HY/reports/reminders").text


def test_the_bills_of_a_month_say_how_they_stand_and_what_they_sum_to(clerk: MakeClerk) -> None:
    page = clerk(StaffRole.READER).get("/HY/reports/bills?period=2026-09").text
    assert "已缴清" in page
    assert "已逾期" in page
    assert "收缴率" in page
