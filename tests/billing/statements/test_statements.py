"""A statement's money reaches the right home once, and what is not certain reaches nobody."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime

import pytest
from sqlalchemy import create_engine, select, text

from billing.bank_accounts import transfer_instructions
from billing.bank_reference import format_reference, reference_of
from billing.bills import list_unpaid
from billing.business_day import BEIJING
from billing.errors import Conflict, InvalidInput, NotFound
from billing.handovers import hand_over
from billing.money import Money
from billing.payment_tables import Payment, PaymentChannel
from billing.people import get_staff
from billing.receipts import number_waiting
from billing.residents import add_resident
from billing.statements.rows import assign, ignore
from billing.statements.tables import BankRow, RowState
from billing.statements.totals import statement_totals
from tests.billing.corrections import BEHIND, IN_TIME, owed, prepaid, violations
from tests.billing.direct_debit.debits import Debit
from tests.billing.drawer import take
from tests.billing.statements.banks import ACCOUNT, Bank, Transfer, table
from tests.conftest import World, make_vault, many_rounds

OWED = Money(401_80)


def ref(world: World, room: str) -> str:
    return reference_of(world.unit(room).id)


def transfers(world: World) -> list[Payment]:
    """Payments by bank transfer."""
    with world.database.transaction() as session:
        query = select(Payment).where(Payment.channel == PaymentChannel.BANK_TRANSFER)
        return list(session.scalars(query.order_by(Payment.id)))


def slip(world: World, room: str, amount: Money, number: str, day: int = 19) -> Payment:
    """A cashier books a transfer by its slip."""
    with world.database.transaction() as session:
        return take(
            session,
            world,
            room,
            amount.yuan,
            number,
            channel=PaymentChannel.SLIP,
            bank="工商银行",
            paid_on=date(2026, 11, day),
        )


def reverse(world: World, payment: Payment) -> None:
    """Take a payment back as far as its row is concerned, past the table's guards."""
    engine = create_engine(world.url)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(
            text("UPDATE payment SET state = 'reversed' WHERE id = :id"), {"id": payment.id}
        )
    engine.dispose()


def decide(world: World, row_id: int, room: str | None, by: str = "chen") -> BankRow:
    with world.database.transaction() as session:
        staff, community_id = get_staff(session, by), world.community.id
        if room is None:
            return ignore(session, community_id, row_id, reason="利息", by=staff, now=world.now)
        unit_id = world.unit(room).id
        return assign(
            session, community_id, row_id, unit_id, reason="问过业主", by=staff, now=world.now
        )


def test_an_owner_is_told_where_to_transfer_and_what_to_write(world: World, bank: Bank) -> None:
    unit_id = world.unit(IN_TIME).id
    with world.database.transaction() as session:
        nothing = transfer_instructions(session, make_vault(), world.community.id, unit_id)
        assert nothing is None
    bank.account()
    with world.database.transaction() as session:
        told = transfer_instructions(session, make_vault(), world.community.id, unit_id)
        assert told is not None
        assert told.number.replace(" ", "") == ACCOUNT
        assert told.reference == format_reference(unit_id)
        with pytest.raises(NotFound):
            transfer_instructions(session, make_vault(), world.community.id, 999)


def test_a_transfer_with_the_reference_pays_the_home_on_the_day_of_the_bank(
    world: World, bank: Bank
) -> None:
    [row] = bank.decided(Transfer("401.80", "外人", ref(world, IN_TIME), "S1", day="2026-11-18"))
    assert (row.state, row.room) == (RowState.MATCHED, IN_TIME)
    assert owed(world, IN_TIME) == Money(0)
    [payment] = transfers(world)
    assert payment.out_trade_no == row.payment == f"BANK-{row.id}"
    assert payment.paid_at == datetime(2026, 11, 18, 9, 30, tzinfo=BEIJING)
    assert payment.is_designated is False
    with world.database.transaction() as session:
        assert number_waiting(session, world.now, limit=100) >= 1
    assert violations(world) == []


def test_less_and_more_than_what_is_owed_is_booked_the_oldest_first(
    world: World, bank: Bank
) -> None:
    less, more = bank.decided(
        Transfer("400.00", remark=ref(world, BEHIND), serial="S1", clock="08:00:00"),
        Transfer("500.00", remark=ref(world, IN_TIME), serial="S2"),
    )
    assert (less.state, more.state) == (RowState.UNDERPAID, RowState.OVERPAID)
    assert owed(world, BEHIND) == Money(357_92 + 3 * 375_76 - 400_00)
    assert (owed(world, IN_TIME), prepaid(world, IN_TIME)) == (Money(0), Money(98_20))
    assert violations(world) == []


def test_a_transfer_for_a_home_that_was_sold_pays_what_the_buyer_owes(
    world: World, bank: Bank
) -> None:
    with world.database.transaction() as session:
        buyer = add_resident(session, make_vault(), world.community.id, name="钱多多", phone="")
        hand_over(
            session, world.community.id, world.unit(BEHIND).id, [buyer.id],
            on=date(2026, 11, 1), by=get_staff(session, "liu").id, now=world.now,
        )  # fmt: skip
    own, more = bank.decided(
        Transfer("375.76", remark=ref(world, BEHIND), serial="S1", clock="08:00:00"),
        Transfer("100.00", remark=ref(world, BEHIND), serial="S2"),
    )
    assert (own.state, more.state) == (RowState.MATCHED, RowState.OVERPAID)
    with world.database.transaction() as session:
        left = list_unpaid(session, world.community.id, [world.unit(BEHIND).id])
    assert [str(bill.period) for bill in left] == ["2026-08", "2026-09", "2026-10"]
    assert prepaid(world, BEHIND) == Money(100_00)
    assert violations(world) == []


def test_two_transfers_of_one_home_in_one_file_pay_one_after_the_other(
    world: World, bank: Bank
) -> None:
    twice = [
        Transfer("401.80", "张秀英", ref(world, IN_TIME), f"S{number}", clock=f"0{number}:00:00")
        for number in (1, 2)
    ]
    first, second = bank.decided(*twice)
    assert (first.state, second.state) == (RowState.MATCHED, RowState.OVERPAID)
    assert prepaid(world, IN_TIME) == OWED
    assert violations(world) == []


def test_names_rooms_and_amounts_find_homes_and_the_rest_is_left_to_people(
    world: World, bank: Bank
) -> None:
    rows = bank.decided(
        Transfer("401.80", "张秀英", "物业费", "1", clock="01:00:00"),
        Transfer("366.08", "外人", "1栋2单元0103", "2", clock="02:00:00"),
        Transfer("5.00", "李健国", "1-1-302", "3", clock="03:00:00"),
        Transfer("401.80", "郑丽花", "", "4", clock="04:00:00"),
        Transfer("9.99", "外人", "货款", "5", clock="05:00:00"),
        Transfer("", "外人", "手续费", "6", clock="06:00:00", out="3.00"),
    )
    assert [(row.state.value, row.room) for row in rows] == [
        ("matched", "3-2-501"),
        ("matched", "1-2-103"),
        ("underpaid", "1-1-302"),
        ("ambiguous", None),
        ("unknown", None),
        ("outgoing", None),
    ]
    [home] = rows[3].evidence["homes"]
    assert home["unit_id"] == world.unit("1-1-101").id
    assert home["why"] == ["payer_alike", "one_bill"]
    assert rows[0].payer == "张**"
    assert violations(world) == []


def test_the_order_of_the_rows_makes_no_difference(make_world, bank: Bank) -> None:  # type: ignore[no-untyped-def]
    world = bank.world
    rows = [
        Transfer(amount, payer, remark, f"S{number}", clock=f"{number:02d}:00:00")
        for number, (amount, payer, remark) in enumerate(
            [
                ("400.00", "", ref(world, BEHIND)),
                ("1000.00", "", ref(world, BEHIND)),
                ("401.80", "张秀英", ""),
                ("401.80", "张秀英", ""),
                ("486.08", "唐超", "2-2-101"),
                ("1.00", "外人", ""),
            ]
        )
    ]
    shuffled = rows.copy()
    random.Random(4).shuffle(shuffled)
    other = Bank(make_world())

    def seen(of: Bank, order: list[Transfer], limit: int) -> list[tuple[object, ...]]:
        of.take(order)
        of.match(limit)
        return [(row.serial, row.state, row.room, row.evidence) for row in of.rows()]

    assert seen(bank, rows, 500) == seen(other, shuffled, 2)


def test_the_same_file_twice_and_an_overlapping_one_change_nothing_twice(
    world: World, bank: Bank
) -> None:
    rows = [
        Transfer("5.00", remark=ref(world, IN_TIME), serial=f"S{number}") for number in range(4)
    ]
    first, again, overlap = bank.take(rows[:3]), bank.take(rows[:3]), bank.take(rows[1:])
    assert (first.fresh, again.fresh, overlap.fresh) == (3, 0, 1)
    assert overlap.as_json()["already_imported"] == 2
    bank.match()
    bank.take(rows)
    assert bank.match() == {}
    assert len(transfers(world)) == 4
    assert owed(world, IN_TIME) == OWED - Money(20_00)


def test_without_serial_numbers_rows_are_told_apart_by_all_they_say(bank: Bank) -> None:
    alike = Transfer("5.00", "张秀英", "房费")
    rows = [alike, alike, Transfer("5.00", "张秀英", "房费", clock="10:00:00")]
    assert bank.take(rows).fresh == 3
    assert bank.take(rows).fresh == 0
    assert bank.take([*rows, alike]).fresh == 1


def test_a_file_keyed_by_other_columns_may_not_overlap(bank: Bank) -> None:
    rows = [Transfer("5.00", "张秀英", serial="S1")]
    bank.take(rows)
    with pytest.raises(Conflict, match="taken twice"):
        bank.take(rows, {"serial": ""})
    assert bank.take([Transfer("5.00", "张秀英", day="2026-11-21")], {"serial": ""}).fresh == 1


def test_one_serial_number_for_two_movements_is_refused(bank: Bank) -> None:
    rows = [Transfer("5.00", "张秀英", serial="S1"), Transfer("5.00", "李建国", serial="S1")]
    with pytest.raises(InvalidInput, match="rows 2 and 3"):
        bank.take(rows)
    assert bank.rows() == []
    differs = [Transfer("5.00", serial="S1"), Transfer("6.00", serial="S1")]
    assert bank.take(differs).fresh == 2


def test_days_to_come_are_refused(bank: Bank) -> None:
    with pytest.raises(InvalidInput, match="2027-11-20"):
        bank.take([Transfer("5.00", day="2027-11-20")])


def test_who_keeps_no_books_imports_nothing(world: World, bank: Bank) -> None:
    bank.take([Transfer("5.00", serial="S1")])
    bank.match()
    [row] = bank.rows()
    with pytest.raises(InvalidInput, match="liu is service"):
        decide(world, row.id, IN_TIME, by="liu")


def test_columns_are_remembered_for_the_bank(bank: Bank) -> None:
    strange = "Buchung,Haben,Text\n2026-11-20,5.00,{}\n"
    bank.take(strange.format("a"), {"date": "Buchung", "credit": "Haben", "remarks": ["Text"]})
    again = bank.take(strange.format("b"))
    assert (again.fresh, again.columns.remarks) == (1, ("text",))


@many_rounds
def test_one_file_imported_by_two_at_once_is_taken_once(world: World, bank: Bank) -> None:
    rows = [
        Transfer("5.00", remark=ref(world, IN_TIME), serial=f"S{number}") for number in range(30)
    ]
    bank.account()
    with ThreadPoolExecutor(2) as both:
        imported = [one.result() for one in [both.submit(bank.take, rows) for _ in range(2)]]
        assert sorted(one.fresh for one in imported) == [0, 30]
        counts = [one.result() for one in [both.submit(bank.match, 7) for _ in range(2)]]
    assert sum(counts[0].values()) + sum(counts[1].values()) == 30
    assert len(transfers(world)) == 30
    assert owed(world, IN_TIME) == OWED - Money(150_00)
    assert violations(world) == []


def test_what_a_cashier_booked_by_its_slip_is_not_booked_again(world: World, bank: Bank) -> None:
    booked = slip(world, IN_TIME, OWED, "P-1")
    [row] = bank.decided(Transfer("401.80", "张秀英", ref(world, IN_TIME), "S1"))
    assert (row.state, row.payment) == (RowState.RECORDED, booked.out_trade_no)
    assert transfers(world) == []
    [_, second] = bank.decided(
        Transfer("401.80", "张秀英", ref(world, IN_TIME), "S2", clock="11:00:00")
    )
    assert second.state is RowState.OVERPAID
    assert violations(world) == []


def test_a_row_of_a_slip_assigned_to_the_home_of_the_slip_books_nothing(
    world: World, bank: Bank
) -> None:
    slip(world, IN_TIME, OWED, "P-1")
    [row] = bank.decided(Transfer("401.80", "张秀英", ref(world, IN_TIME), "S1"))
    decide(world, row.id, IN_TIME)
    assert (bank.rows()[0].state, transfers(world)) == (RowState.RECORDED, [])
    decide(world, row.id, "1-1-101")
    [moved] = transfers(world)
    assert (bank.rows()[0].payment, bank.rows()[0].room) == (moved.out_trade_no, "1-1-101")
    assert violations(world) == []


def test_the_credit_of_a_direct_debit_is_not_booked_as_a_transfer(world: World, bank: Bank) -> None:
    debit = Debit(world)
    debit.sign(IN_TIME, "XY-1")
    debit.answer(debit.send(debit.make()), ",1,401.80,成功,,2026-11-23")
    of_the_debit, own = bank.decided(
        Transfer("401.80", "张秀英", ref(world, IN_TIME), "S1", day="2026-11-23"),
        Transfer("20.00", "张秀英", ref(world, IN_TIME), "S2", day="2026-11-24"),
    )
    assert (of_the_debit.state, own.state) == (RowState.AMBIGUOUS, RowState.OVERPAID)
    assert prepaid(world, IN_TIME) == Money(20_00)
    decide(world, of_the_debit.id, None)
    assert violations(world) == []


def test_a_row_is_the_slip_that_was_booked_while_nobody_knew_whose_it_was(
    world: World, bank: Bank
) -> None:
    [row] = bank.decided(Transfer("401.80", "外人", "", "S1"))
    assert row.state is RowState.UNKNOWN
    booked = slip(world, IN_TIME, OWED, "P-1")
    decide(world, row.id, IN_TIME)
    [row] = bank.rows()
    assert (row.state, row.payment) == (RowState.RECORDED, booked.out_trade_no)
    assert transfers(world) == []
    assert violations(world) == []


def test_a_slip_of_a_transfer_that_is_booked_already_is_refused(world: World, bank: Bank) -> None:
    bank.decided(
        Transfer("401.80", "", ref(world, IN_TIME), "HD20261120001"),
        Transfer("88.00", "", ref(world, BEHIND), "S2"),
    )
    for room, amount, number in (
        (IN_TIME, OWED, "hd20261120001"),
        (BEHIND, Money(88_00), "P-2"),
    ):
        with pytest.raises(Conflict, match="is booked already"):
            slip(world, room, amount, number)
    slip(world, BEHIND, Money(88_01), "P-2")
    slip(world, BEHIND, Money(88_00), "P-3", day=1)
    assert len(transfers(world)) == 2
    assert violations(world) == []


def test_a_slip_is_known_by_its_number_or_by_home_amount_and_days(world: World, bank: Bank) -> None:
    numbered = slip(world, IN_TIME, Money(88_00), "HD20261119001", day=1)
    slip(world, BEHIND, Money(77_00), "P-2", day=1)
    by_number, too_old = bank.decided(
        Transfer("88.00", "外人", "回单 HD20261119001", "S1", clock="08:00:00"),
        Transfer("77.00", "", ref(world, BEHIND), "S2"),
    )
    assert (by_number.state, by_number.payment) == (RowState.RECORDED, numbered.out_trade_no)
    assert by_number.room == IN_TIME
    assert too_old.state is RowState.UNDERPAID


def test_staff_choose_between_homes_and_their_word_is_kept(world: World, bank: Bank) -> None:
    [row] = bank.decided(Transfer("401.80", "郑丽花", "", "S1"))
    assert row.state is RowState.AMBIGUOUS
    decide(world, row.id, "1-1-101")
    decide(world, row.id, "1-1-101")
    [row] = bank.rows()
    assert (row.state, row.room, row.reason) == (RowState.MATCHED, "1-1-101", "问过业主")
    assert row.decided_by is not None
    assert len(transfers(world)) == 1
    with pytest.raises(Conflict, match="cannot be assigned"):
        decide(world, row.id, IN_TIME)
    with pytest.raises(Conflict, match="cannot be ignored"):
        decide(world, row.id, None)
    assert violations(world) == []


def test_what_is_nobodys_is_ignored_with_a_reason_and_may_be_somebodys_after_all(
    world: World, bank: Bank
) -> None:
    [row] = bank.decided(Transfer("9.99", "银行", "结息", "S1"))
    decide(world, row.id, None)
    decide(world, row.id, None)
    assert [one.state for one in bank.rows()] == [RowState.IGNORED]
    decide(world, row.id, IN_TIME)
    assert [one.state for one in bank.rows()] == [RowState.UNDERPAID]
    with world.database.transaction() as session:
        chen = get_staff(session, "chen")
        with pytest.raises(InvalidInput, match="say why"):
            ignore(session, world.community.id, row.id, reason=" ", by=chen, now=world.now)
        with pytest.raises(NotFound):
            ignore(session, world.community.id, 999, reason="x", by=chen, now=world.now)


def test_outgoing_money_is_nobodys_to_assign(world: World, bank: Bank) -> None:
    [row] = bank.decided(Transfer("", "银行", "手续费", "S1", out="3.00"))
    with pytest.raises(Conflict, match="outgoing"):
        decide(world, row.id, IN_TIME)


def test_a_row_whose_payment_was_taken_back_is_assigned_again_with_a_number_of_its_own(
    world: World, bank: Bank
) -> None:
    [row] = bank.decided(Transfer("401.80", "", ref(world, IN_TIME), "S1"))
    reverse(world, transfers(world)[0])
    assert bank.rows()[0].is_reversed
    decide(world, row.id, "1-1-101")
    assert [one.out_trade_no for one in transfers(world)] == [f"BANK-{row.id}", f"BANK-{row.id}-2"]
    [row] = bank.rows()
    assert (row.room, row.is_reversed) == ("1-1-101", False)


def test_the_totals_of_a_day_are_what_came_what_was_booked_and_what_is_open(
    world: World, bank: Bank
) -> None:
    bank.decided(
        Transfer("401.80", "", ref(world, IN_TIME), "S1"),
        Transfer("10.00", "外人", "", "S2"),
        Transfer("3.00", "外人", "", "S3", day="2026-11-18"),
        Transfer("", "银行", "", "S4", out="7.00"),
    )
    interest, unknown = bank.rows(RowState.UNKNOWN)
    decide(world, unknown.id, None)
    with world.database.transaction() as session:
        [totals] = statement_totals(session, datetime(2026, 11, 20, tzinfo=BEIJING).date())
    assert totals.credited == Money(411_80)
    assert (totals.booked, totals.ignored) == (OWED, Money(10_00))
    assert [(row.id, row.age_days) for row in totals.open_rows] == [(interest.id, 2)]


def test_what_payers_wrote_is_sealed_in_the_table(world: World, bank: Bank) -> None:
    bank.decided(Transfer("5.00", "张秀英", "电话13800001234", "S1"))
    with world.database.transaction() as session:
        kept = session.execute(text("SELECT bank_row::text FROM bank_row")).scalar_one()
        account = session.execute(text("SELECT bank_account::text FROM bank_account")).scalar_one()
    assert "张秀英" not in kept
    assert "13800001234" not in kept
    assert ACCOUNT not in account
    assert bank.rows()[0].remark == "电话*******1234"


def test_a_damaged_file_leaves_nothing_behind(bank: Bank) -> None:
    good = table([Transfer("5.00", serial="S1")])
    with pytest.raises(InvalidInput):
        bank.take(good + "2026-13-45,,5.00\n")
    assert bank.rows() == []
