"""Direct debit: what is ordered is taken once, and what the bank did not take is owed as before."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select, text

from billing.bank_reference import reference_of
from billing.deduction import deduct_home
from billing.direct_debit.bank_files import write_batch
from billing.direct_debit.batches import (
    get_batch,
    prepare_file,
)
from billing.direct_debit.mandates import list_mandates
from billing.direct_debit.results import read_results
from billing.direct_debit.tables import BatchState, DirectDebitBatch, OrderState
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import Fact, FactKind
from billing.handovers import hand_over
from billing.money import Money
from billing.payment_tables import Payment, PaymentChannel, PaymentState
from billing.payments import InFlight, lock_home, record_closed
from billing.people import Resident, get_staff
from billing.statements.grid import parse_grids
from tests.billing.corrections import BEHIND, IN_TIME, owed, prepaid, prepared, violations
from tests.billing.direct_debit.debits import ACCOUNT, Debit
from tests.billing.drawer import take
from tests.billing.paper import Line, write_bill
from tests.conftest import World, make_vault
from tests.waiting import wait_until_somebody_waits


@pytest.fixture
def debit(world: World) -> Debit:
    """Two homes with mandates: 1-1-302 is order 1, 3-2-501 order 2."""
    debit = Debit(world)
    debit.sign(BEHIND, "XY-1", "6217000099998888777", "李建国")
    debit.sign(IN_TIME, "XY-2")
    return debit


@pytest.fixture
def sent(debit: Debit) -> DirectDebitBatch:
    """Their batch, at the bank."""
    return debit.send(debit.make())


def test_a_batch_orders_what_is_due_of_homes_with_a_mandate(world: World, debit: Debit) -> None:
    batch = debit.make(date(2026, 10, 31))
    assert batch.number == "TS20261123-1"
    assert debit.orders(batch) == [(OrderState.WAITING, PaymentState.PREPARED)]
    assert batch.skipped == {"nothing_due": [world.unit(IN_TIME).id]}
    debit.send(batch)
    debit.send(batch)
    assert debit.orders(batch) == [(OrderState.WAITING, PaymentState.WAITING)]
    assert violations(world) == []


def test_the_file_says_who_pays_what_and_why(world: World, debit: Debit, tmp_path: Path) -> None:
    batch = debit.make()
    with world.database.transaction() as session:
        lines = prepare_file(session, make_vault(), batch, world.now)
    for name in ("out.xlsx", "out.csv"):
        write_batch(tmp_path / name, batch.number, lines)
    raw = (tmp_path / "out.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    assert rows[0] == ["批次号", "序号", "户名", "账号", "金额", "备注"]
    assert rows[2] == [
        batch.number, "2", "张秀英", ACCOUNT.replace(" ", ""), "401.80",
        reference_of(world.unit(IN_TIME).id),
    ]  # fmt: skip
    [grid] = parse_grids((tmp_path / "out.xlsx").read_bytes())
    assert grid == rows
    with pytest.raises(InvalidInput, match="must end in"):
        write_batch(tmp_path / "out.txt", batch.number, lines)
    with pytest.raises(InvalidInput, match="cannot be written"):
        write_batch(tmp_path / "none" / "out.csv", batch.number, lines)


def test_what_the_bank_took_is_booked_and_what_it_did_not_is_owed(
    world: World, debit: Debit, sent: DirectDebitBatch
) -> None:
    before = owed(world, BEHIND)
    outcome = debit.answer(
        sent,
        f"{sent.number},0002,401.80,成功,,2026-11-24",
        f"{sent.number},0001,{before.yuan},失败,余额不足,2026-11-23",
        "合计,,1887.00,,,",
    )
    assert (outcome.paid, outcome.failed, outcome.is_clean) == (1, 1, True)
    assert (owed(world, IN_TIME), owed(world, BEHIND)) == (Money(0), before)
    assert debit.orders(sent) == [
        (OrderState.FAILED, PaymentState.CLOSED),
        (OrderState.PAID, PaymentState.CONFIRMED),
    ]
    with world.database.transaction() as session:
        batch = get_batch(session, world.community.id, sent.number)
        assert batch.state is BatchState.SETTLED
        [fact] = session.scalars(select(Fact).where(Fact.kind == FactKind.DEBIT_FAILED))
        assert (fact.unit_id, fact.data) == (world.unit(BEHIND).id, {"reason": "余额不足"})
        paid = session.scalars(
            select(Payment).where(
                Payment.channel == PaymentChannel.DIRECT_DEBIT,
                Payment.state == PaymentState.CONFIRMED,
            )
        ).one()
        assert f"{paid.paid_at:%Y-%m-%d}" == "2026-11-24"
    assert violations(world) == []


def test_the_same_answer_twice_changes_nothing(
    world: World, debit: Debit, sent: DirectDebitBatch
) -> None:
    rows = [f",1,{owed(world, BEHIND).yuan},失败,余额不足,", ",2,401.80,成功,,"]
    debit.answer(sent, *rows)
    again = debit.answer(sent, *rows)
    assert (again.already, again.paid, again.failed, again.is_clean) == (2, 0, 0, True)
    assert owed(world, IN_TIME) == Money(0)
    assert violations(world) == []


def test_the_banks_answer_locks_homes_in_the_order_of_ids_not_of_its_rows(
    world: World, debit: Debit, sent: DirectDebitBatch
) -> None:
    lower, higher = sorted(world.unit(room).id for room in (BEHIND, IN_TIME))
    owing = {1: owed(world, BEHIND).yuan, 2: "401.80"}
    [low_no] = [no for no, room in ((1, BEHIND), (2, IN_TIME)) if world.unit(room).id == lower]
    rows = [f",{no},{owing[no]},成功,," for no in (3 - low_no, low_no)]
    with ThreadPoolExecutor(1) as pool:
        with world.database.transaction() as session:
            lock_home(session, world.community.id, lower)
            answer = pool.submit(debit.answer, sent, *rows)
            wait_until_somebody_waits(world)
            lock_home(session, world.community.id, higher)
        assert answer.result(10).paid == 2
    assert violations(world) == []


def test_what_does_not_fit_is_reported_and_moves_nothing(
    world: World, debit: Debit, sent: DirectDebitBatch
) -> None:
    outcome = debit.answer(
        sent,
        ",2,401.81,成功,,",
        ",7,1.00,成功,,",
        f"TS19990101-1,1,{owed(world, BEHIND).yuan},成功,,",
    )
    assert (outcome.wrong_amounts, outcome.unknown_rows) == ([2], [3, 4])
    assert (outcome.missing, outcome.is_clean) == ([1, 2], False)
    assert debit.orders(sent) == [(OrderState.WAITING, PaymentState.WAITING)] * 2
    later = debit.answer(sent, ",2,401.80,成功,,")
    assert (later.paid, later.missing) == (1, [1])
    assert violations(world) == []


@pytest.mark.parametrize("day", ["2062-11-20", "2026-11-25", "2026-10-20"])
def test_a_day_on_which_the_bank_cannot_have_taken_it_is_refused(
    world: World, debit: Debit, sent: DirectDebitBatch, day: str
) -> None:
    with pytest.raises(InvalidInput, match=f"row 2: {day}"):
        debit.answer(sent, f",2,401.80,成功,,{day}")
    assert owed(world, IN_TIME) == Money(401_80)


def test_a_mandate_ends_when_its_home_changes_hands(world: World, debit: Debit) -> None:
    with world.database.transaction() as session:
        unit_id = world.unit(IN_TIME).id
        buyer = Resident(community_id=world.community.id, name_sealed=make_vault().seal("钱多多"))
        session.add(buyer)
        session.flush()
        hand_over(
            session, world.community.id, unit_id, [buyer.id], on=date(2026, 11, 20),
            by=get_staff(session, "liu").id, now=world.now,
        )  # fmt: skip
    with world.database.transaction() as session:
        states = {
            one.contract_code: one.ended_on
            for one in list_mandates(session, make_vault(), world.community.id)
        }
    assert states == {"XY-1": None, "XY-2": date(2026, 11, 20)}
    debit.sign(IN_TIME, "XY-3")
    batch = debit.make()  # November, which both owe by days, is not taken from the buyer
    assert (len(debit.orders(batch)), batch.skipped) == (1, {"nothing_due": [unit_id]})
    debit.cancel(batch)
    with world.database.transaction() as session:
        write_bill(
            session, world, IN_TIME, [Line("10.00", days=(date(2026, 12, 1), date(2027, 1, 1)))],
            issued_on=date(2026, 11, 23), due=date(2026, 11, 30),
        )  # fmt: skip
    assert len(debit.orders(debit.make())) == 2


def test_what_the_bank_is_asked_for_is_not_paid_from_the_prepayment_meanwhile(
    world: World, debit: Debit, sent: DirectDebitBatch
) -> None:
    unit = world.unit(IN_TIME)
    with world.database.transaction() as session:
        take(session, world, IN_TIME, "500.00", designated={})
    with pytest.raises(InFlight), world.database.transaction() as session:
        deduct_home(session, unit.community_id, unit.id, now=world.now)
    debit.answer(sent, ",2,401.80,成功,,")
    assert (owed(world, IN_TIME), prepaid(world, IN_TIME)) == (Money(0), Money(500_00))
    assert violations(world) == []


def test_a_bank_that_changes_its_mind_is_reported(debit: Debit, sent: DirectDebitBatch) -> None:
    debit.answer(sent, ",2,0.00,失败,账户不存在,")
    outcome = debit.answer(sent, ",2,401.80,成功,,")
    assert outcome.contradicting == [2]
    assert debit.orders(sent)[1] == (OrderState.FAILED, PaymentState.CLOSED)


def test_what_failed_is_ordered_again_with_the_next_batch(
    world: World, debit: Debit, sent: DirectDebitBatch
) -> None:
    debit.answer(sent, ",2,401.80,失败,余额不足,")
    second = debit.make()
    assert second.number == "TS20261123-2"
    assert second.skipped == {"in_flight": [world.unit(BEHIND).id]}
    debit.send(second)
    assert debit.answer(second, ",1,401.80,成功,,").is_clean
    assert owed(world, IN_TIME) == Money(0)
    assert violations(world) == []


def test_a_home_that_pays_otherwise_is_left_out_and_nobody_else_may_pay_what_is_ordered(
    world: World, debit: Debit
) -> None:
    online = prepared(world, BEHIND)
    batch = debit.make()
    assert batch.skipped == {"in_flight": [world.unit(BEHIND).id]}
    with world.database.transaction() as session:
        record_closed(session, online, world.now)
    debit.end("XY-2")
    assert debit.make().skipped == {}
    with pytest.raises(Conflict, match="still open"):
        prepared(world, IN_TIME)
    with pytest.raises(Conflict, match="in_flight: 1"):
        debit.make()


def test_a_batch_is_cancelled_before_the_bank_has_it_and_not_after(
    world: World, debit: Debit
) -> None:
    batch = debit.make()
    debit.cancel(batch)
    debit.cancel(batch)
    assert debit.orders(batch) == [(OrderState.CANCELLED, PaymentState.CLOSED)] * 2
    with pytest.raises(Conflict, match="cancelled"):
        debit.send(batch)
    with (
        pytest.raises(Conflict, match="cancelled"),
        world.database.transaction() as session,
    ):
        prepare_file(
            session,
            make_vault(),
            get_batch(session, world.community.id, batch.number),
            world.now,
        )
    with pytest.raises(InvalidInput, match="the bank has none"):
        debit.answer(batch, ",1,1.00,成功,,")
    second = debit.send(debit.make())
    with pytest.raises(Conflict, match="was sent"):
        debit.cancel(second)
    with pytest.raises(NotFound):
        debit.answer(DirectDebitBatch(number="TS1"), ",1,1.00,成功,,")
    assert violations(world) == []


def test_an_answer_to_a_batch_that_was_not_sent_is_refused(debit: Debit) -> None:
    with pytest.raises(InvalidInput, match="is made, the bank has none"):
        debit.answer(debit.make(), ",1,1.00,成功,,")


@pytest.mark.parametrize(
    ("headings", "row", "why"),
    [
        ("序号,金额", "1,5.00", "needed: 序号, 金额, 结果; found: 序号, 金额"),
        ("序号,金额,结果", "1,5.00,也许", "neither success nor failure"),
        ("序号,金额,结果", "1,五元,成功", "no amount or no day"),
        ("序号,金额,结果", "x,5.00,成功", "without a serial number"),
        ("序号,金额,结果", ",,", "no results"),
    ],
)
def test_an_answer_that_cannot_be_read_is_refused(headings: str, row: str, why: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_results(parse_grids(f"{headings}\n{row}\n".encode()))
    assert why in str(error.value)


def test_a_mandate_is_signed_once_and_ended_once(world: World, debit: Debit) -> None:
    debit.sign(IN_TIME, "XY-2")
    with pytest.raises(Conflict, match="stands for another"):
        debit.sign(IN_TIME, "XY-2", account="6222000011112222444")
    with pytest.raises(Conflict, match="has a mandate already"):
        debit.sign(IN_TIME, "XY-3")
    debit.end("XY-2", date(2026, 11, 23))
    debit.end("XY-2", date(2026, 11, 24))
    debit.sign(IN_TIME, "XY-3")
    with world.database.transaction() as session:
        seen = list_mandates(session, make_vault(), world.community.id)
        assert [(one.room, one.contract_code, one.holder, one.account_tail) for one in seen] == [
            (BEHIND, "XY-1", "李**", "8777"),
            (IN_TIME, "XY-2", "张**", "2333"),
            (IN_TIME, "XY-3", "张**", "2333"),
        ]
        assert seen[1].ended_on == date(2026, 11, 23)
        kept = session.execute(text("SELECT direct_debit_mandate::text FROM direct_debit_mandate"))
        rows = "".join(kept.scalars())
        assert "张秀英" not in rows
        assert ACCOUNT.replace(" ", "") not in rows
    with pytest.raises(NotFound):
        debit.end("XY-9")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"paper": "X Y"}, "contract_code"),
        ({"account": "1234"}, "8 to 32 digits"),
        ({"account": "62220000x1112222"}, "8 to 32 digits"),
        ({"holder": "=HYPERLINK(1)"}, "formula"),
        ({"holder": " "}, "holder"),
    ],
)
def test_what_cannot_be_a_mandate_is_refused(
    world: World, change: dict[str, str], why: str
) -> None:
    with pytest.raises(InvalidInput, match=why) as error:
        Debit(world).sign(**({"room": IN_TIME, "paper": "XY-1"} | change))
    assert "6222" not in str(error.value)
