"""An import may be repeated: what may change is brought up to date, what is history stays."""

import random
import threading
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from billing.allocation import OpenLine, allocate
from billing.bill_lines import list_lines
from billing.bill_run import one_run_at_a_time
from billing.bills import BillLine, LineKind, list_bills
from billing.checks import run_checks
from billing.closing import PeriodClose
from billing.errors import Conflict
from billing.imports.columns import SheetKind
from billing.imports.run import Outcome
from billing.ledger import JournalEntry
from billing.meters import MeterReading
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentAllocation, Receipt
from billing.people import Occupancy, Resident
from billing.period import Period
from billing.privacy import Vault
from billing.property import Subject, Unit
from billing.resident_keys import ResidentKeyKind, homes_of
from billing.tariffs import Tariff
from tests.billing.imports.test_faults import (
    AGREED,
    COST,
    DEBT,
    DISCOUNT,
    ITEM,
    METER,
    PAID,
    PREPAID,
    TARIFF,
)
from tests.billing.imports.workbooks import complaints, counts, take, take_into
from tests.conftest import NOW, World

K = SheetKind
Content = dict[SheetKind, list[dict[str, Any]]]


def one(world: World, vault: Vault, kind: SheetKind, row: dict[str, Any]) -> Outcome:
    """Import one row."""
    return take_into(world, vault, {kind: [row]})


def sole_count(outcome: Outcome) -> tuple[int, int, int]:
    """Created, updated, unchanged of the only sheet."""
    assert complaints(outcome) == []
    [count] = counts(outcome).values()
    return count


CREATED, UPDATED, UNCHANGED = (1, 0, 0), (0, 1, 0), (0, 0, 1)

CHANGES: list[tuple[SheetKind, dict[str, Any], dict[str, Any]]] = [
    (K.BUILDINGS, {"code": "9", "name": "9号楼"}, {"name": "九号楼"}),
    (
        K.UNITS,
        {"room": "1-1-901", "floor": 9, "area": 80, "billable_from": "2026-01-01"},
        {"area": 81.5},
    ),
    (
        K.UNITS,
        {"room": "1-1-901", "floor": 9, "area": 80, "billable_from": "2026-01-01"},
        {"billable_to": "2026-12-31"},
    ),
    (
        K.SPACES,
        {"code": "B9-1", "area": "B9", "room": "1-1-101", "billable_from": "2026-01-01"},
        {"room": "1-1-102"},
    ),
    (
        K.SPACES,
        {"code": "B9-1", "area": "B9", "room": "1-1-101", "billable_from": "2026-01-01"},
        {"plate": "京A00002"},
    ),
    (
        K.PEOPLE,
        {"room": "1-1-101", "name": "钱丙", "phone": "10000009", "role": "租户",
         "from_on": "2026-01-01"},
        {"to_on": "2026-10-31"},
    ),
    (
        K.PEOPLE,
        {"room": "1-1-101", "name": "钱丙", "phone": "10000009", "role": "租户",
         "from_on": "2026-01-01"},
        {"phone": "10000010"},
    ),
    (K.TARIFFS, TARIFF, {"unit_price": 7}),
    (K.DISCOUNTS, DISCOUNT, {"percent": 20}),
    (K.DISCOUNTS, DISCOUNT, {"to_on": "2026-12-31"}),
    (K.AGREED_PRICES, AGREED, {"unit_price": "2.10"}),
    (K.METERS, METER, {"rolls_over_at": 10000}),
    (K.SHARED_COSTS, COST, {"amount": 110}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "row", "change"), CHANGES)
def test_a_changed_row_is_brought_up_to_date_once(
    world: World, vault: Vault, kind: SheetKind, row: dict[str, Any], change: dict[str, Any]
) -> None:
    one(world, vault, K.ITEMS, ITEM)
    assert sole_count(one(world, vault, kind, row)) == CREATED
    assert sole_count(one(world, vault, kind, row)) == UNCHANGED
    assert sole_count(one(world, vault, kind, row | change)) == UPDATED
    assert sole_count(one(world, vault, kind, row | change)) == UNCHANGED


def test_what_was_changed_is_changed(world: World, vault: Vault) -> None:
    unit = world.unit("1-1-101")
    row = {"room": "1-1-101", "floor": 1, "area": "77.77", "billable_from": "2020-02-02"}
    assert sole_count(one(world, vault, K.UNITS, row)) == UPDATED
    assert world.unit("1-1-101").billable_area_m2 == Decimal("77.77")
    with world.database.transaction() as session:
        subject = session.get_one(Subject, (world.community.id, unit.id))
        others = session.scalars(
            select(func.count()).where(Unit.billable_area_m2 == Decimal("77.77"))
        ).one()
    assert (subject.billable_from, others) == (date(2020, 2, 2), 1)


HISTORY: list[tuple[SheetKind, dict[str, Any], dict[str, Any], str, str]] = [
    (K.OPENINGS, DEBT, {"amount": 101}, "金额", "已按“100.00 2025-01-31”入账，不能再改"),
    (K.OPENINGS, DEBT, {"due_on": "2025-02-28"}, "金额", "已按“100.00 2025-01-31”入账"),
    (K.PAYMENTS, PAID, {"amount": 2}, "收据号", "已按“2025-02-01 1.00”入账，不能再改"),
    (K.PAYMENTS, PAID, {"room": "1-1-102"}, "收据号", "已按“2025-02-01 1.00”入账"),
    (K.PREPAYMENTS, PREPAID, {"amount": 2}, "金额", "已按“1.00”入账，不能再改"),
    (K.METERS, METER, {"subject": "1-1-102"}, "房号或车位号", "已有记录为“1-1-101”，导入不能更改"),
    (K.METERS, METER, {"code": "W2"}, "房号或车位号", "已被“W1”使用"),
]


@pytest.mark.parametrize(("kind", "row", "change", "column", "reason"), HISTORY)
def test_history_is_not_rewritten(
    world: World,
    vault: Vault,
    kind: SheetKind,
    row: dict[str, Any],
    change: dict[str, Any],
    column: str,
    reason: str,
) -> None:
    assert sole_count(one(world, vault, kind, row)) == CREATED
    assert sole_count(one(world, vault, kind, row)) == UNCHANGED
    [fault] = complaints(one(world, vault, kind, row | change))
    assert fault[:3] == (kind.label, 2, column)
    assert reason in fault[3]
    assert sole_count(one(world, vault, kind, row)) == UNCHANGED


def test_a_version_that_priced_a_line_is_not_edited(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        used = session.scalars(
            select(Tariff).join(BillLine, BillLine.tariff_id == Tariff.id).limit(1)
        ).first()
    assert used is not None
    row = {
        "item": "property", "effective_from": used.effective_from, "method": "按面积",
        "unit_price": used.price["unit_price"], "per": "月", "document": used.basis_document,
    }  # fmt: skip
    assert sole_count(one(world, vault, K.TARIFFS, row)) == UNCHANGED
    [fault] = complaints(one(world, vault, K.TARIFFS, row | {"unit_price": 9}))
    assert fault[2:] == ("生效日期", f"已按“{used.effective_from}”出过账，不能再改")


def test_an_agreed_price_days_were_billed_with_is_kept(world: World, vault: Vault) -> None:
    row = AGREED | {"from_on": "2026-07-01"}
    assert sole_count(one(world, vault, K.AGREED_PRICES, row)) == CREATED
    [fault] = complaints(one(world, vault, K.AGREED_PRICES, row | {"unit_price": 3}))
    assert fault[2:] == ("约定单价", "已按“2”出过账，不能再改")


def test_a_row_may_end_what_the_row_above_follows(world: World, vault: Vault) -> None:
    one(world, vault, K.AGREED_PRICES, AGREED)
    outcome = take_into(
        world,
        vault,
        {K.AGREED_PRICES: [AGREED | {"from_on": "2027-06-01"}, AGREED | {"to_on": "2027-05-31"}]},
    )
    assert complaints(outcome) == []
    assert counts(outcome) == {"agreed_prices": (1, 1, 0)}


def test_a_reading_is_written_once(world: World, vault: Vault) -> None:
    row = {"meter": "W1", "read_on": "2026-11-01", "value": 10}
    meter: Content = {K.METERS: [METER]}
    outcome = take_into(world, vault, meter | {K.READINGS: [row]})
    assert counts(outcome) == {"meters": CREATED, "readings": CREATED}
    assert sole_count(one(world, vault, K.READINGS, row)) == UNCHANGED
    [other] = complaints(one(world, vault, K.READINGS, row | {"value": 11}))
    assert other == ("抄表", 2, "读数", "当天已有另一个数值10")
    [lower] = complaints(one(world, vault, K.READINGS, row | {"read_on": "2026-11-02", "value": 9}))
    assert lower[3] == "低于2026-11-01的10，而其间没有换表或过零"
    later = row | {"read_on": "2026-11-24", "value": 12}
    assert complaints(one(world, vault, K.READINGS, later))[0][2:] == ("抄表日期", "不能晚于今天")
    with world.database.transaction() as session:
        assert session.scalars(select(MeterReading.value)).all() == [Decimal(10)]


def test_a_meter_does_not_roll_over_below_what_it_showed(world: World, vault: Vault) -> None:
    take_into(
        world,
        vault,
        {K.METERS: [METER], K.READINGS: [{"meter": "W1", "read_on": "2026-11-01", "value": 500}]},
    )
    [fault] = complaints(one(world, vault, K.METERS, METER | {"rolls_over_at": 500}))
    assert fault[2:] == ("满码", "与已有读数矛盾")
    assert sole_count(one(world, vault, K.METERS, METER | {"rolls_over_at": 1000})) == UPDATED


def test_a_new_number_is_the_persons_everywhere_and_two_are_a_fault(
    world: World, vault: Vault
) -> None:
    person = {"name": "钱丙", "phone": "10000009", "role": "租户", "from_on": "2026-01-01"}
    homes = [person | {"room": room} for room in ("1-1-101", "1-1-102")]
    take_into(world, vault, {K.PEOPLE: homes})
    new = [home | {"phone": "10000010"} for home in homes]
    assert counts(take_into(world, vault, {K.PEOPLE: new})) == {"people": (0, 1, 1)}
    with world.database.transaction() as session:
        sealed = session.scalars(
            select(Resident.phone_sealed)
            .join(Occupancy, Occupancy.resident_id == Resident.id)
            .where(Occupancy.from_on == date(2026, 1, 1))
        ).all()
        found = homes_of(
            vault, world.community.id, ResidentKeyKind.PHONE, "10000010", today=world.today
        )
        assert len(session.scalars(found).all()) == 2
    assert [vault.open(token or "") for token in sealed] == ["10000010"] * 2
    [fault] = complaints(take_into(world, vault, {K.PEOPLE: [new[0], homes[1]]}))
    assert fault == ("住户", 3, "电话", "同一人在第2行是另一个电话")


def test_receipts_go_on_where_the_years_numbers_stand(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        last = session.scalars(select(func.max(Receipt.no)).where(Receipt.year == 2026)).one()
    assert last > 0
    rows = [PAID | {"receipt_no": number, "paid_on": "2026-10-05"} for number in ("b", "a")]
    assert counts(take_into(world, vault, {K.PAYMENTS: rows})) == {"payments": (2, 0, 0)}
    with world.database.transaction() as session:
        numbers = session.execute(
            select(Payment.out_trade_no, Receipt.no)
            .join(Receipt, Receipt.payment_id == Payment.id)
            .where(Payment.out_trade_no.startswith("IMP-"))
            .order_by(Receipt.no)
        ).all()
        assert [tuple(row) for row in numbers] == [("IMP-a", last + 1), ("IMP-b", last + 2)]
        assert [found for found in run_checks(session) if found.violations] == []


def test_debts_imported_later_are_paid_from_the_payments_after_them_only(
    world: World, vault: Vault
) -> None:
    take_into(world, vault, {K.OPENINGS: [DEBT], K.PAYMENTS: [PAID | {"amount": 60}]})
    more = {
        K.OPENINGS: [DEBT | {"from_on": "2025-02-01", "to_on": "2025-02-28", "amount": 50}],
        K.PAYMENTS: [PAID | {"receipt_no": "2", "amount": 100}],
    }
    assert complaints(take_into(world, vault, more)) == []
    with world.database.transaction() as session:
        assert [found for found in run_checks(session) if found.violations] == []
        owed = session.scalars(
            select(JournalEntry.postings).where(
                JournalEntry.idempotency_key.in_(("payment:IMP-1", "payment:IMP-2"))
            )
        ).all()
    assert sorted(owed) == [2, 4], "cash; what is left of both bills, and ten yuan prepaid"


def test_history_of_a_closed_month_is_dated_in_the_open_one(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        session.add(
            PeriodClose(
                community_id=world.community.id, period=Period("2026-05"), closed_by=1,
                closed_at=NOW, entries=0, total=ZERO,
            )
        )  # fmt: skip
    outcome = take_into(world, vault, {K.OPENINGS: [DEBT], K.PAYMENTS: [PAID], K.PREPAYMENTS: [
        PREPAID]})  # fmt: skip
    assert complaints(outcome) == []
    with world.database.transaction() as session:
        days = session.scalars(
            select(JournalEntry.effective_on).order_by(JournalEntry.id.desc()).limit(3)
        ).all()
        paid_on = session.scalars(
            select(PaymentAllocation.effective_on).order_by(PaymentAllocation.id.desc()).limit(1)
        ).one()
    assert days == [date(2026, 6, 1)] * 3
    # A late fee asks when the money was paid, whatever month its entry had to go into.
    assert paid_on < date(2026, 6, 1)


def test_two_imports_of_one_workbook_at_once_make_it_once(world: World, vault: Vault) -> None:
    content: Content = {K.OPENINGS: [DEBT], K.PAYMENTS: [PAID], K.PREPAYMENTS: [PREPAID]}
    outcomes: list[Outcome] = []

    def work() -> None:
        with world.database.transaction() as session:
            outcomes.append(take(session, vault, content))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [complaints(outcome) for outcome in outcomes] == [[], []]
    assert sorted(counts(outcome)["payments"] for outcome in outcomes) == [UNCHANGED, CREATED]
    with world.database.transaction() as session:
        assert [found for found in run_checks(session) if found.violations] == []


def test_nothing_is_imported_while_a_bill_run_prices_with_what_was_there(
    world: World, vault: Vault
) -> None:
    with one_run_at_a_time(world.database, world.community.id):
        with pytest.raises(Conflict, match="a bill run of this community is under way"):
            one(world, vault, K.TARIFFS, TARIFF)
        with world.database.transaction() as session:
            checked = take(session, vault, {K.TARIFFS: [TARIFF]}, write=False)
    assert sole_count(checked) == CREATED
    assert sole_count(one(world, vault, K.TARIFFS, TARIFF)) == CREATED


@pytest.mark.parametrize("seed", range(3))
def test_old_payments_are_applied_as_any_payment_is(world: World, vault: Vault, seed: int) -> None:
    """Set-wise, and yet to the fen what `allocate` gives one payment after the other."""
    chance = random.Random(seed)
    rooms = ("1-1-101", "1-1-102", "1-1-103")
    debts = [
        DEBT | {"room": room, "amount": f"{chance.randint(1, 30000) / 100:.2f}",
                "from_on": date(2024, month, 1), "to_on": date(2024, month, 28),
                "due_on": date(2024, chance.randint(1, 12), 28)}
        for room in rooms for month in range(1, 9)
    ]  # fmt: skip
    paid = [
        PAID | {"room": chance.choice(rooms), "receipt_no": f"{number:03d}",
                "amount": f"{chance.randint(1, 30000) / 100:.2f}",
                "paid_on": date(2025, chance.randint(1, 6), 1)}
        for number in range(24)
    ]  # fmt: skip
    assert complaints(take_into(world, vault, {K.OPENINGS: debts, K.PAYMENTS: paid})) == []
    expected = Counter[tuple[str, int]]()
    with world.database.transaction() as session:
        for room in rooms:
            unit_id = world.unit(room).id
            bills = list_bills(session, world.community.id, [unit_id])
            rank = {bill.id: bill.due_on for bill in bills}
            lines = [
                line
                for line in list_lines(session, world.community.id, list(rank))
                if line.kind is LineKind.OPENING
            ]
            lines.sort(key=lambda line: (rank[line.bill_id], line.period_from))
            owed = {line.id: line.amount for line in lines}
            own = [row for row in paid if row["room"] == room]
            for row in sorted(own, key=lambda row: (row["paid_on"], row["receipt_no"])):
                open_lines = [OpenLine(line.bill_id, line.id, owed[line.id]) for line in lines]
                for part in allocate(Money.from_yuan(row["amount"]), None, open_lines).parts:
                    owed[part.line_id] -= part.amount
                    expected[f"IMP-{row['receipt_no']}", part.line_id] += part.amount.fen
        found = session.execute(
            select(Payment.out_trade_no, PaymentAllocation.bill_line_id, PaymentAllocation.amount)
            .join(PaymentAllocation, PaymentAllocation.payment_id == Payment.id)
            .where(Payment.out_trade_no.startswith("IMP-"))
        ).all()
        assert [one for one in run_checks(session) if one.violations] == []
    assert {(number, line): amount.fen for number, line, amount in found} == dict(expected)
    assert len(found) > 20
