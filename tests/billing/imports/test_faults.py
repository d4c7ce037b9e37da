"""Every fault of every row is named: sheet, row, column, reason. Nothing is written beside one."""

from typing import Any

import pytest

from billing.errors import NotFound
from billing.imports.columns import SheetKind
from billing.imports.parsing import Faults, read_book
from billing.imports.wording import headings, words
from billing.imports.workbook import parse_workbook
from billing.privacy import Vault
from tests.billing.imports.workbooks import complaints, counts, filled, take, take_into, xlsx
from tests.conftest import World

UNIT = {"room": "1-1-901", "floor": 9, "area": 80, "billable_from": "2026-01-01"}
SPACE = {"code": "B9-1", "area": "B9", "room": "1-1-101", "billable_from": "2026-01-01"}
PERSON = {"room": "1-1-101", "name": "钱丙", "role": "租户", "from_on": "2026-01-01"}
ITEM = {
    "code": "gate", "name": "门禁卡", "fee": "物业费", "subject_kind": "房屋", "cycle": "每月",
    "active_from": "2026-01-01",
}  # fmt: skip
TARIFF = {
    "item": "garbage", "effective_from": "2027-01-01", "method": "固定金额", "unit_price": 6,
    "per": "月", "document": "公示",
}  # fmt: skip
TIERED = {
    "item": "garbage", "effective_from": "2027-01-01", "method": "阶梯计价", "mode": "全量按档",
    "document": "公示",
}  # fmt: skip
DISCOUNT = {
    "item": "property", "subject": "1-1-101", "reason": "约定优惠", "percent": 10,
    "from_on": "2026-01-01", "approved_by": "zhao",
}  # fmt: skip
AGREED = {
    "item": "property", "subject": "1-1-101", "unit_price": 2, "from_on": "2027-01-01",
    "approved_by": "zhao",
}  # fmt: skip
METER = {"code": "W1", "item": "garbage", "subject": "1-1-101"}
COST = {
    "item": "gate", "from_on": "2026-10-01", "to_on": "2026-10-31", "amount": 100,
    "apportion_by": "按户",
}  # fmt: skip
DEBT = {
    "room": "1-1-101", "item": "property", "from_on": "2025-01-01", "to_on": "2025-01-31",
    "amount": 100, "due_on": "2025-01-31",
}  # fmt: skip
PAID = {"receipt_no": "1", "room": "1-1-101", "paid_on": "2025-02-01", "amount": 1, "channel": "-"}
PREPAID = {"room": "1-1-101", "amount": 1, "on": "2025-12-31"}
K = SheetKind

FAULTY: list[tuple[SheetKind, dict[str, Any], str, str]] = [
    (K.COMMUNITIES, {"code": "HY"}, "小区名称", "必填"),
    (K.ENTRANCES, {"building": "9", "code": "1"}, "楼栋", "“9”不存在"),
    (K.UNITS, UNIT | {"area": None}, "计费面积", "必填"),
    (K.UNITS, UNIT | {"area": -1}, "计费面积", "不能为负数"),
    (K.UNITS, UNIT | {"room": "9-1-901"}, "房号", "“9”不存在"),
    (K.UNITS, UNIT | {"room": "1-9-901"}, "房号", "“1-9”不存在"),
    (K.UNITS, UNIT | {"billable_to": "2025-12-31"}, "停计日期", "不能早于开始日期"),
    (K.UNITS, UNIT | {"kind": "车位"}, "类型", "“车位”不在可选范围：房屋、商铺"),
    (K.UNITS, UNIT | {"room": "1-1-101", "kind": "商铺"}, "类型", "已有记录为“房屋”"),
    (K.SPACES, SPACE | {"room": "1-1-999"}, "房号", "“1-1-999”不存在"),
    (K.SPACES, SPACE | {"billable_to": "2025-01-01"}, "停计日期", "不能早于开始日期"),
    (K.PEOPLE, PERSON | {"room": "1-1-999"}, "房号", "“1-1-999”不存在"),
    (K.PEOPLE, PERSON | {"phone": "n/a"}, "电话", "不是电话号码"),
    (K.PEOPLE, PERSON | {"to_on": "2025-01-01"}, "迁出日期", "不能早于开始日期"),
    (K.ITEMS, ITEM | {"active_to": "2025-01-01"}, "停用日期", "不能早于开始日期"),
    (K.ITEMS, ITEM | {"code": "garbage"}, "费用类别", "已按“垃圾处理费”出过账"),
    (K.TARIFFS, TARIFF | {"item": "pool"}, "项目编码", "“pool”不存在"),
    (K.TARIFFS, TARIFF | {"per": None}, "计价周期", "必填"),
    (K.TARIFFS, TARIFF | {"unit_price": -6}, "单价", "不能为负数"),
    (K.TARIFFS, TARIFF | {"unit_price": 2e9}, "单价", "应在0至1000000000之间"),
    (K.TARIFFS, TARIFF | {"tiers": ":1"}, "阶梯", "此处不适用，请留空"),
    (K.TARIFFS, TARIFF | {"item": "parking", "method": "按面积"}, "计价方式", "车位没有面积"),
    (K.TARIFFS, TIERED, "阶梯", "必填"),
    (K.TARIFFS, TIERED | {"tiers": "180"}, "阶梯", "阶梯应写成 180:5.00;:7.00"),
    (K.TARIFFS, TIERED | {"tiers": "a:1;:2"}, "阶梯", "“a”不是数字"),
    (K.TARIFFS, TIERED | {"tiers": "180:5;260:7"}, "阶梯", "只有最后一档不写上限"),
    (K.TARIFFS, TIERED | {"tiers": ":5;:7"}, "阶梯", "只有最后一档不写上限"),
    (K.TARIFFS, TIERED | {"tiers": "180:5;180:6;:7"}, "阶梯", "各档上限必须依次增大"),
    (K.TARIFFS, TIERED | {"tiers": "180:-5;:7"}, "阶梯", "不能为负数"),
    (K.DISCOUNTS, DISCOUNT | {"amount": 5}, "减免比例", "必须且只能填一项"),
    (K.DISCOUNTS, DISCOUNT | {"percent": None}, "减免比例", "必须且只能填一项"),
    (K.DISCOUNTS, DISCOUNT | {"approved_by": "nobody"}, "批准人", "“nobody”不存在"),
    (K.DISCOUNTS, DISCOUNT | {"subject": "B1-001"}, "房号或车位号", "“房屋 B1-001”不存在"),
    (K.DISCOUNTS, DISCOUNT | {"to_on": "2025-01-01"}, "结束日期", "不能早于开始日期"),
    (K.AGREED_PRICES, AGREED | {"item": "pool"}, "项目编码", "“pool”不存在"),
    (K.METERS, METER | {"subject": "1-1-999"}, "房号或车位号", "“房屋 1-1-999”不存在"),
    (K.METERS, METER | {"multiplier": 0}, "倍率", "必须大于0"),
    (K.READINGS, {"meter": "W9", "read_on": "2026-01-01", "value": 1}, "表号", "“W9”不存在"),
    (K.SHARED_COSTS, COST | {"amount": None}, "总金额", "二者选一"),
    (K.SHARED_COSTS, COST | {"quantity": 1}, "总金额", "二者选一"),
    (K.SHARED_COSTS, COST | {"quantity": 1, "unit_price": 1}, "总金额", "二者选一"),
    (K.SHARED_COSTS, COST | {"building": "9"}, "楼栋", "“9”不存在"),
    (K.SHARED_COSTS, COST | {"entrance": "1"}, "楼栋", "必填"),
    (K.SHARED_COSTS, COST | {"building": "1", "entrance": "9"}, "单元", "“9”不存在"),
    (K.SHARED_COSTS, COST | {"apportion_by": "按用量"}, "用量项目", "必填"),
    (K.SHARED_COSTS, COST | {"usage_item": "garbage"}, "用量项目", "此处不适用"),
    (K.OPENINGS, DEBT | {"amount": 0}, "金额", "必须大于0"),
    (K.OPENINGS, DEBT | {"room": "1-1-999"}, "房号", "“1-1-999”不存在"),
    (K.OPENINGS, DEBT | {"to_on": "2024-12-31"}, "费用截止", "不能早于开始日期"),
    (K.OPENINGS, DEBT | {"space": "B9-9"}, "车位号", "“B9-9”不存在"),
    (
        K.OPENINGS,
        DEBT | {"from_on": "2026-11-15", "to_on": "2026-11-20"},
        "费用起始",
        "日期与已有记录重叠",
    ),
    (K.PAYMENTS, PAID | {"paid_on": "2026-11-24"}, "缴费日期", "不能晚于今天"),
    (K.PAYMENTS, PAID | {"room": "1-1-999"}, "房号", "“1-1-999”不存在"),
    (K.PREPAYMENTS, PREPAID | {"on": "2026-11-24"}, "余额日期", "不能晚于今天"),
]


@pytest.mark.parametrize(("kind", "row", "column", "reason"), FAULTY)
def test_a_faulty_row_is_named(
    world: World, vault: Vault, kind: SheetKind, row: dict[str, Any], column: str, reason: str
) -> None:
    outcome = take_into(world, vault, {kind: [row]})
    found = [fault for fault in complaints(outcome) if fault[2] == column]
    assert [fault[:2] for fault in found] == [(kind.label, 2)], complaints(outcome)
    assert reason in found[0][3]
    assert "{" not in found[0][3]


def test_every_row_of_the_list_above_is_sound_but_for_its_fault(world: World, vault: Vault) -> None:
    sound = {
        K.UNITS: [UNIT],
        K.SPACES: [SPACE],
        K.PEOPLE: [PERSON],
        K.ITEMS: [ITEM],
        K.TARIFFS: [TARIFF],
        K.DISCOUNTS: [DISCOUNT],
        K.AGREED_PRICES: [AGREED],
        K.METERS: [METER],
        K.SHARED_COSTS: [COST],
        K.OPENINGS: [DEBT],
        K.PAYMENTS: [PAID],
        K.PREPAYMENTS: [PREPAID],
    }
    outcome = take_into(world, vault, sound)
    assert complaints(outcome) == []
    assert set(counts(outcome).values()) == {(1, 0, 0)}


def test_all_faults_are_named_not_only_the_first(world: World, vault: Vault) -> None:
    outcome = take_into(
        world,
        vault,
        {
            K.UNITS: [UNIT | {"area": "大", "floor": "高"}, UNIT, UNIT | {"room": "9-1-901"}],
            K.SPACES: [SPACE | {"room": "1-1-901"}, SPACE | {"code": "B9-2", "room": "1-1-999"}],
        },
    )
    assert [fault[:3] for fault in complaints(outcome)] == [
        ("房屋商铺", 2, "楼层"),
        ("房屋商铺", 2, "计费面积"),
        ("房屋商铺", 4, "房号"),
        ("车位", 3, "房号"),
    ]


def test_a_row_that_repeats_another_is_named_with_it(world: World, vault: Vault) -> None:
    outcome = take_into(world, vault, {K.UNITS: [UNIT, UNIT | {"room": "1栋1单元901室"}]})
    assert complaints(outcome) == [("房屋商铺", 3, "房号", "与第2行重复")]


def test_two_versions_of_a_tariff_on_one_day_are_refused(world: World, vault: Vault) -> None:
    outcome = take_into(world, vault, {K.TARIFFS: [TARIFF, TARIFF | {"unit_price": 7}]})
    assert complaints(outcome) == [("收费标准", 3, "项目编码", "与第2行重复")]


def test_debts_and_agreed_prices_of_one_home_do_not_overlap(world: World, vault: Vault) -> None:
    outcome = take_into(
        world,
        vault,
        {
            K.AGREED_PRICES: [AGREED, AGREED | {"from_on": "2027-06-01"}],
            K.OPENINGS: [DEBT, DEBT | {"from_on": "2025-01-31", "to_on": "2025-02-28"}],
        },
    )
    assert [fault[:4] for fault in complaints(outcome)] == [
        ("约定单价", 2, "开始日期", "日期与第3行重叠"),
        ("约定单价", 3, "开始日期", "日期与第2行重叠"),
        ("期初欠费", 3, "费用起始", "日期与第2行重叠"),
    ]


def test_a_cost_of_an_item_with_a_price_is_refused(world: World, vault: Vault) -> None:
    [known] = complaints(take_into(world, vault, {K.SHARED_COSTS: [COST | {"item": "property"}]}))
    assert known == ("公摊费用", 2, "项目编码", "该项目有自己的收费标准，不能用来分摊")
    priced_beside = {
        K.ITEMS: [ITEM],
        K.TARIFFS: [TARIFF | {"item": "gate"}],
        K.SHARED_COSTS: [COST],
    }
    assert complaints(take_into(world, vault, priced_beside)) == [known]


def test_a_price_of_an_item_that_shares_costs_is_refused(world: World, vault: Vault) -> None:
    take_into(world, vault, {K.ITEMS: [ITEM], K.SHARED_COSTS: [COST]})
    outcome = take_into(world, vault, {K.TARIFFS: [TARIFF | {"item": "gate"}]})
    assert complaints(outcome) == [
        ("收费标准", 2, "项目编码", "该项目已有公摊费用，不能再定收费标准")
    ]


def test_costs_of_one_item_do_not_overlap(world: World, vault: Vault) -> None:
    first, second = COST | {"building": "1"}, COST | {"building": "2"}
    of_all = COST | {"from_on": "2026-10-31", "to_on": "2026-11-30"}
    later = COST | {"from_on": "2026-11-01", "to_on": "2026-11-30", "building": "1"}
    outcome = take_into(
        world, vault, {K.ITEMS: [ITEM], K.SHARED_COSTS: [first, second, of_all, later]}
    )
    assert complaints(outcome) == [("公摊费用", 4, "开始日期", "日期与第2行重叠")]
    apart = {K.ITEMS: [ITEM], K.SHARED_COSTS: [first, second, later]}
    assert complaints(take_into(world, vault, apart)) == []
    entrance = later | {"entrance": "1"}
    assert complaints(take_into(world, vault, {K.SHARED_COSTS: [entrance, of_all]})) == [
        ("公摊费用", 2, "开始日期", "日期与已有记录重叠"),
        ("公摊费用", 3, "开始日期", "日期与已有记录重叠"),
    ]


def test_a_price_that_falls_is_a_warning_and_is_taken(world: World, vault: Vault) -> None:
    outcome = take_into(world, vault, {K.TARIFFS: [TIERED | {"tiers": "100:0.60;:0.50"}]})
    assert complaints(outcome) == []
    assert counts(outcome) == {"tariffs": (1, 0, 0)}
    [warning] = outcome.warnings
    assert warning.reason == "用量超过100时总价反而下降：60.00元变为50.00元"


def faults_of(content: bytes) -> list[tuple[str, int, str, str]]:
    faults = Faults()
    read_book(parse_workbook(content), faults)
    return [(one.sheet, one.row, one.column, one.reason) for one in faults.found]


def test_what_stands_under_a_name_nobody_knows_is_not_lost_silently() -> None:
    assert faults_of(xlsx({"房屋": [["房号"], ["3-2-501"]], "抄表": [["表号"]], "Sheet1": []})) == [
        ("房屋", 0, "", "不认识的工作表，请使用模板中的名称"),
        ("抄表", 1, "抄表日期", "缺少该列"),
        ("抄表", 1, "读数", "缺少该列"),
    ]
    titles = ["表号", "抄表日期*", "读 数", "读数", "备注"]
    assert [fault[2:] for fault in faults_of(xlsx({"抄表": [[], titles]}))] == [
        ("读数", "该列出现了两次"),
        ("备注", "不认识的列，请使用模板中的标题"),
    ]


def test_an_empty_workbook_is_a_fault() -> None:
    assert faults_of(xlsx({"Sheet1": []})) == [("", 0, "", "没有任何数据行")]
    assert faults_of(filled({K.READINGS: []})) == [("", 0, "", "没有任何数据行")]


def test_remarks_and_empty_rows_are_passed_over_and_rows_keep_their_numbers() -> None:
    rows = [
        {"meter": "# W1", "read_on": "例", "value": "例"},
        {},
        {"meter": "W1", "read_on": "2026-11-01", "value": "x"},
    ]
    assert faults_of(filled({K.READINGS: rows})) == [("抄表", 4, "读数", "“x”不是数字")]


def test_optional_columns_may_be_left_out() -> None:
    faults = Faults()
    titles = [headings(K.METERS)[key].heading for key in ("code", "item", "subject")]
    book = read_book(parse_workbook(xlsx({"表具": [titles, ["W1", "water", "1-1-101"]]})), faults)
    assert not faults
    assert book.total == 1


def test_the_notes_of_the_template_are_no_data() -> None:
    content = xlsx({words()["notes"]["title"]: [["说明"]], "抄表": [["表号", "抄表日期", "读数"]]})
    assert faults_of(content) == [("", 0, "", "没有任何数据行")]


def test_a_community_nobody_knows_is_refused(world: World, vault: Vault) -> None:
    with (
        pytest.raises(NotFound, match="no community 'XX', and no row of it in the workbook"),
        world.database.transaction() as session,
    ):
        take(session, vault, {K.UNITS: [UNIT]}, code="XX")
