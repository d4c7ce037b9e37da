"""A workbook with every sheet fills an empty installation, once, and the books are whole."""

import copy
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text

from billing.bill_lines import list_lines
from billing.bills import list_bills
from billing.checks import run_checks
from billing.concessions import AgreedPrice, DiscountGrant
from billing.db import Database
from billing.facts import Fact, FactKind
from billing.imports.columns import SheetKind
from billing.imports.run import Outcome
from billing.ledger import balance
from billing.meters import MeterReading, MeterReplacement
from billing.money import Money
from billing.payment_tables import Payment, PaymentAllocation, PaymentChannel, Receipt
from billing.people import Occupancy, Resident, ResidentRole, Staff, StaffRole
from billing.pricing import explain
from billing.privacy import Vault
from billing.property import Community, ParkingSpace, Subject, SubjectKind, Unit, get_community
from billing.shared_costs import SharedCost
from billing.tariffs import ChargeItem, Tariff
from bot.schema import metadata
from tests.billing.imports.estate import ESTATE
from tests.billing.imports.workbooks import complaints, counts, take

ROWS = {kind.value: len(rows) for kind, rows in ESTATE.items()}


@pytest.fixture
def estate(database: Database, vault: Vault) -> Database:
    """An installation with one member of staff, into which the estate was imported."""
    with database.transaction() as session:
        session.add(Staff(login="manager", name="赵经理", role=StaffRole.MANAGER))
    outcome = again(database, vault)
    assert complaints(outcome) == []
    return database


def again(database: Database, vault: Vault, **changed: list[dict[str, Any]]) -> Outcome:
    """Import the estate, with some sheets changed."""
    content = dict(ESTATE)
    content |= {SheetKind(kind): rows for kind, rows in changed.items()}
    with database.transaction() as session:
        return take(session, vault, content, code="QS")


def everything(database: Database) -> dict[str, list[str]]:
    """Every row of every table."""
    with database.transaction() as session:
        return {
            table: sorted(str(row) for row in session.execute(text(f"SELECT * FROM {table}")))
            for table in metadata().tables
        }


def test_every_sheet_is_taken(database: Database, vault: Vault) -> None:
    with database.transaction() as session:
        session.add(Staff(login="manager", name="赵经理", role=StaffRole.MANAGER))
    outcome = again(database, vault)
    assert complaints(outcome) == []
    written = {name: (rows, 0, 0) for name, rows in ROWS.items() if name != "old_bills"}
    assert counts(outcome) == written


def test_progress_is_told_three_times_a_row(estate: Database, vault: Vault) -> None:
    told: list[int] = []
    with estate.transaction() as session:
        take(session, vault, ESTATE, code="QS", advance=told.append)
    rows = sum(ROWS.values())
    assert sum(told) == 3 * rows - ROWS["old_bills"], "old bills are only read and left"


def test_the_same_workbook_again_changes_nothing(estate: Database, vault: Vault) -> None:
    before = everything(estate)
    outcome = again(estate, vault)
    unchanged = {name: (0, 0, rows) for name, rows in ROWS.items() if name != "old_bills"}
    assert counts(outcome) == unchanged
    assert everything(estate) == before


def test_what_is_only_checked_is_not_written(database: Database, vault: Vault) -> None:
    with database.transaction() as session:
        session.add(Staff(login="manager", name="赵经理", role=StaffRole.MANAGER))
    before = everything(database)
    with database.transaction() as session:
        outcome = take(session, vault, ESTATE, code="QS", write=False)
    assert complaints(outcome) == []
    assert counts(outcome)["units"] == (3, 0, 0)
    assert everything(database) == before


def test_one_fault_in_the_last_sheet_and_nothing_is_written(
    database: Database, vault: Vault
) -> None:
    with database.transaction() as session:
        session.add(Staff(login="manager", name="赵经理", role=StaffRole.MANAGER))
    before = everything(database)
    outcome = again(database, vault, prepayments=[{"room": "9-9-999", "amount": 1, "on": 46000}])
    assert [fault[:3] for fault in complaints(outcome)] == [("期初预存", 2, "房号")]
    assert everything(database) == before


def test_homes_shops_and_spaces_are_where_they_say(estate: Database) -> None:
    with estate.transaction() as session:
        units = {unit.room: unit for unit in session.scalars(select(Unit))}
        subjects = {subject.code: subject for subject in session.scalars(select(Subject))}
        [space] = session.scalars(select(ParkingSpace)).all()
    assert units["1-2-302"].billable_area_m2 == Decimal("89.20")
    assert units["S-101"].entrance_id is None
    assert subjects["S-101"].kind is SubjectKind.SHOP
    assert subjects["S-101"].billable_from == date(2021, 6, 1), "a serial date"
    assert subjects["S-101"].billable_to == date(2028, 1, 1), "the last day is charged"
    assert (space.id, subjects["B1-088"].unit_id) == (subjects["B1-088"].id, units["1-2-301"].id)


def test_people_are_sealed_and_one_person_with_two_homes_is_one(
    estate: Database, vault: Vault
) -> None:
    with estate.transaction() as session:
        people = session.scalars(select(Resident)).all()
        stays = session.scalars(select(Occupancy)).all()
    opened = {vault.open(person.name_sealed): person for person in people}
    assert sorted(opened) == ["张甲", "李乙"]
    assert len(people) == 2
    assert vault.open(opened["张甲"].phone_sealed or "") == "10000000001"
    assert opened["李乙"].phone_sealed is None
    roles = [stay.role for stay in stays if stay.resident_id == opened["张甲"].id]
    assert roles == [ResidentRole.OWNER] * 2


def test_prices_and_concessions_are_those_of_the_columns(estate: Database) -> None:
    with estate.transaction() as session:
        items = {item.id: item for item in session.scalars(select(ChargeItem))}
        prices = {items[one.item_id].code: one.price for one in session.scalars(select(Tariff))}
        [discount] = session.scalars(select(DiscountGrant)).all()
        [agreed] = session.scalars(select(AgreedPrice)).all()
        [cost] = session.scalars(select(SharedCost)).all()
    assert prices["property"] == {
        "method": "area", "unit_price": "2.80", "per": "month", "proration": "calendar_month",
    }  # fmt: skip
    assert prices["water"]["tiers"] == [
        {"up_to": "180", "unit_price": "5.00", "flat": "0"},
        {"up_to": None, "unit_price": "7.00", "flat": "0"},
    ]
    assert (discount.percent, discount.to_on) == (Decimal(30), date(2027, 1, 1))
    assert agreed.unit_price == Decimal(270)
    assert (cost.quantity, cost.unit_price, cost.amount) == (Decimal(300), Decimal("0.52"), None)
    assert cost.cap == Money(10000)


def test_a_replaced_meter_may_show_less(estate: Database) -> None:
    with estate.transaction() as session:
        values = session.scalars(select(MeterReading.value).order_by(MeterReading.read_on)).all()
        assert len(session.scalars(select(MeterReplacement)).all()) == 1
    assert values == [Decimal("120.5"), Decimal(8)]


def test_old_debts_are_issued_bills_one_per_home_and_due_date(estate: Database) -> None:
    with estate.transaction() as session:
        community = get_community(session, "QS")
        unit = session.scalars(select(Unit).where(Unit.room == "1-2-301")).one()
        bills = list_bills(session, community.id, [unit.id])
        lines = list_lines(session, community.id, [bill.id for bill in bills])
    assert [(str(bill.period), bill.due_on, bill.amount.fen) for bill in bills] == [
        ("2025-12", date(2025, 11, 30), 57580),
        ("2025-12", date(2025, 12, 31), 27580),
    ]
    assert explain(lines[-1].basis) == "期初欠费 = 275.80元，依据：旧系统欠费清单"
    assert {line.subject_code for line in lines} == {"1-2-301", "B1-088"}


def test_old_payments_pay_the_oldest_debt_first_and_the_rest_is_prepaid(estate: Database) -> None:
    with estate.transaction() as session:
        community = get_community(session, "QS")
        units = {unit.room: unit.id for unit in session.scalars(select(Unit))}
        first, second = list_bills(session, community.id, [units["1-2-301"]])
        [other] = list_bills(session, community.id, [units["1-2-302"]])
        prepaid = {
            room: -balance(session, community.id, "liabilities:prepayments", unit_id)
            for room, unit_id in units.items()
        }
        owed = balance(session, community.id, "assets:receivable")
        cash = balance(session, community.id, "assets:cash")
        opening = balance(session, community.id, "equity:opening_balances")
    assert (first.outstanding, second.outstanding) == (Money(0), Money(0))
    assert other.outstanding == Money(120000)
    assert prepaid == {"1-2-301": Money(4840), "1-2-302": Money(0), "S-101": Money(50000)}
    assert owed == Money(120000)
    assert cash == Money(94976)
    assert opening == -(Money(210136) - Money(50000))


def test_a_payment_over_two_bills_is_split_to_the_fen(estate: Database) -> None:
    with estate.transaction() as session:
        payments = {
            row.out_trade_no: row
            for row in session.scalars(select(Payment).order_by(Payment.out_trade_no))
        }
        parts = session.execute(
            select(PaymentAllocation.payment_id, PaymentAllocation.amount).order_by(
                PaymentAllocation.id
            )
        ).all()
        receipts = session.scalars(select(Receipt).order_by(Receipt.year, Receipt.no)).all()
    assert list(payments) == ["IMP-S001", "IMP-S002", "IMP-S003"]
    assert {payment.channel for payment in payments.values()} == {PaymentChannel.IMPORTED}
    own = [part.amount.fen for part in parts if part.payment_id == payments["IMP-S001"].id]
    assert sorted(own) == [2420, 27580, 30000]
    assert [(receipt.year, receipt.no) for receipt in receipts] == [(2025, 1), (2026, 1), (2026, 2)]


def test_the_books_are_whole_and_nobody_is_told(estate: Database) -> None:
    with estate.transaction() as session:
        results = list(run_checks(session))
        waiting = session.scalars(select(Fact).where(Fact.taken_at.is_(None))).all()
        kinds = set(session.scalars(select(Fact.kind)))
    assert {result.name: result.violations for result in results if result.violations} == {}
    assert waiting == []
    assert kinds == {FactKind.BILL_ISSUED, FactKind.PAYMENT_CONFIRMED, FactKind.PREPAID_OPENED}


def test_a_community_keeps_what_its_row_says(estate: Database, vault: Vault) -> None:
    row = copy.deepcopy(ESTATE[SheetKind.COMMUNITIES][0])
    outcome = again(estate, vault, communities=[row | {"billing_day": 5, "merchant_name": ""}])
    assert counts(outcome)["communities"] == (0, 1, 0)
    with estate.transaction() as session:
        [community] = session.scalars(select(Community)).all()
    assert (community.billing_day, community.publishes_itself) == (5, False)
