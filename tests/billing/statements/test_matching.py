"""What speaks for a home, and when that is enough. Nobody's number is nearly right."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.bank_reference import format_reference, reference_of
from billing.money import ZERO, Money
from billing.statements.matching import (
    Candidate,
    Clue,
    Directory,
    Evidence,
    Owed,
    after,
    candidates,
    choose,
    outcome,
    with_amounts,
)
from billing.statements.names import Names, likeness
from billing.statements.rooms import Rooms, find_rooms
from billing.statements.tables import RowState

FEE = Money(300_00)
PEOPLE = [
    (1, "张秀英"),
    (2, "张秀英"),
    (3, "李建国"),
    (4, "王芳"),
    (5, "杭州蓝天科技有限公司"),
    (6, "欧阳建国"),
    (7, "赵磊"),
]
ROOMS = [
    (1, "3-2-501"), (2, "1-1-101"), (3, "3-1-501"), (4, "12-801"), (5, "A-1-0301"), (6, "3-2-601"),
    (7, "5-1-102"),
]  # fmt: skip
DIRECTORY = Directory(frozenset(unit_id for unit_id, _ in ROOMS), Rooms.of(ROOMS), Names.of(PEOPLE))
OWES = {unit_id: Owed((FEE,), FEE) for unit_id, _ in ROOMS}


def ranked(
    payer: str = "", remark: str = "", amount: Money = FEE, owed: dict[int, Owed] | None = None
) -> list[Candidate]:
    found = candidates(Clue(amount, payer, remark), DIRECTORY)
    return with_amounts(found, amount, OWES if owed is None else owed)


def chosen(
    payer: str = "", remark: str = "", amount: Money = FEE, owed: dict[int, Owed] | None = None
) -> int | None:
    best = choose(ranked(payer, remark, amount, owed))
    return best.unit_id if best else None


@pytest.mark.parametrize(
    ("remark", "rooms"),
    [
        ("3栋2单元501", {("3", "2", "501")}),
        ("3号楼2单元501室物业费", {("3", "2", "501")}),
        ("3-2-501", {("3", "2", "501")}),
        ("03－02－0501", {("3", "2", "501")}),
        ("３＃２－５０１", {("3", "2", "501")}),
        ("3 栋 2 单元 501", {("3", "2", "501")}),
        ("3幢501", {("3", "501")}),
        ("张三3/2/501", {("3", "2", "501")}),
        ("a-1-0301", {("A", "1", "301")}),
        ("12-801", {("12", "801")}),
        ("3-2-501和3-2-502", {("3", "2", "501"), ("3", "2", "502")}),
        ("2026-11-23", set()),
        ("11-23物业费", set()),
        ("13800001234", set()),
        ("0571-88880000", set()),
        ("501", set()),
    ],
)
def test_rooms_are_read_as_people_write_them(remark: str, rooms: set[tuple[str, ...]]) -> None:
    assert find_rooms(remark) == rooms


def test_the_reference_is_certain_whatever_else_is_said() -> None:
    assert chosen("李建国", f"{reference_of(1)} 3-1-501", Money(7)) == 1
    assert chosen(remark=f"房费 {format_reference(1)}") == 1
    assert chosen(remark=reference_of(999)) is None


def test_two_references_are_left_to_people_even_if_one_home_owes_just_that() -> None:
    owed = OWES | {2: Owed()}
    assert ranked(remark=f"{reference_of(1)} {reference_of(2)}", owed=owed)[0].unit_id == 1
    assert chosen(remark=f"{reference_of(1)} {reference_of(2)}", owed=owed) is None


def test_a_reference_with_a_wrong_digit_speaks_for_nobody() -> None:
    digits = reference_of(1)[:-3] + str((int(reference_of(1)[-3]) + 1) % 10) + reference_of(1)[-2:]
    assert ranked(remark=digits) == []


def test_room_and_amount_or_room_and_name_are_enough() -> None:
    assert chosen(remark="3-2-501") == 1
    assert chosen("李建国", "3栋1单元501", Money(7)) == 3
    assert chosen(remark="3-2-501", amount=Money(7)) is None
    assert [home.unit_id for home in ranked(remark="3-2-501", amount=Money(7))] == [1]


def test_a_room_without_its_entrance_is_every_home_it_may_be() -> None:
    assert {home.unit_id for home in ranked(remark="3栋501")} == {1, 3}
    assert chosen(remark="3栋501") is None
    assert chosen("李建国", "3栋501") == 3


def test_a_number_is_never_nearly_right() -> None:
    assert ranked(remark="3-2-502") == []
    assert ranked(remark="3-2-5010") == []


def test_the_very_name_and_the_amount_are_enough_when_one_home_fits() -> None:
    assert chosen("李建国") == 3
    assert chosen("李建国", amount=Money(7)) is None
    assert chosen("李 建 国") == 3


def test_two_homes_of_one_owner_with_the_same_fee_are_left_to_people() -> None:
    assert chosen("张秀英") is None
    assert [home.unit_id for home in ranked("张秀英")] == [1, 2]
    assert chosen("张秀英", "1-1-101") == 2
    assert chosen("张秀英", owed=OWES | {2: Owed((Money(5),), Money(5))}) == 1


def test_a_misspelt_or_masked_name_needs_the_room() -> None:
    for payer in ("李建囯", "李健国", "李*国"):
        assert chosen(payer) is None
        [home] = ranked(payer)
        assert home.unit_id == 3
        assert Evidence.PAYER_ALIKE in home.evidence
        assert chosen(payer, "3-1-501", Money(7)) == 3


def test_a_name_of_two_characters_is_never_nearly_right() -> None:
    assert ranked("王方") == []
    assert ranked("*芳") == []
    assert ranked("赵") == []


def test_a_company_pays_as_an_owner_or_for_somebody_it_names() -> None:
    assert chosen("杭州蓝天科技有限公司") == 5
    assert chosen("杭州蓝天科技有限 公司", amount=Money(7)) is None
    assert chosen("某某贸易有限公司", "5-1-102赵磊房租", Money(7)) == 7
    assert chosen("某某贸易有限公司", "赵磊") is None


def test_a_child_pays_for_a_parent_of_another_room() -> None:
    assert chosen("赵磊", "3-1-501物业费", owed=OWES | {7: Owed((), Money(5))}) == 3


def test_an_amount_alone_speaks_for_nobody() -> None:
    assert ranked("某某", "物业费") == []


def test_every_point_is_explained() -> None:
    [home] = ranked("李建国", "3-1-501")
    assert home.as_json() == {
        "unit_id": 3, "points": 120, "why": ["room", "payer", "all_owed"]
    }  # fmt: skip


def test_the_amount_is_compared_with_all_bills_one_bill_and_the_monthly_fee() -> None:
    owed = {3: Owed((Money(100), Money(200)), Money(300))}
    kinds = [
        ranked("李建国", amount=Money(fen), owed=owed)[0].evidence[-1]
        for fen in (300, 200, 100, 999)
    ]
    assert kinds == [Evidence.ALL_OWED, Evidence.ONE_BILL, Evidence.ONE_BILL, Evidence.PAYER]
    paid = {3: replace(owed[3], bills=())}
    assert ranked("李建国", amount=Money(300), owed=paid)[0].evidence[-1] is Evidence.MONTHLY


def test_how_an_amount_stands_to_what_is_owed() -> None:
    owed = Owed((Money(100), Money(200)))
    states = [outcome(Money(fen), owed) for fen in (300, 100, 200, 50, 250, 301)]
    assert states == [
        RowState.MATCHED, RowState.MATCHED, RowState.MATCHED,
        RowState.UNDERPAID, RowState.UNDERPAID, RowState.OVERPAID,
    ]  # fmt: skip
    assert outcome(Money(1), Owed()) is RowState.OVERPAID


@given(st.lists(st.integers(1, 500), max_size=5), st.integers(1, 3000))
def test_what_is_left_after_a_payment_is_what_was_owed_less_the_payment(
    fen: list[int], paid: int
) -> None:
    left = after(Owed(tuple(Money(one) for one in fen)), Money(paid))
    assert left.total == max(Money(sum(fen) - paid), ZERO)
    assert all(bill > ZERO for bill in left.bills)


@given(st.lists(st.text("张王李赵建国秀英芳", min_size=3, max_size=4), min_size=1, max_size=30))
def test_a_name_with_one_wrong_character_finds_whom_comparing_with_everybody_finds(
    names: list[str],
) -> None:
    known = Names.of(enumerate(names))
    typo = names[0][:1] + "明" + names[0][2:]
    close = {name: likeness(typo, name) for name in names if _one_off(typo, name)}
    assert close.items() <= known.alike(typo).items()


def _one_off(name: str, other: str) -> bool:
    return len(name) == len(other) and sum(a != b for a, b in zip(name, other, strict=True)) == 1
