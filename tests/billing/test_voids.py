"""A void bill is as if it had never been issued, and nobody's money is lost with it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from sqlalchemy import Engine, event, select, text

from billing import bill_run
from billing.adjustment_tables import AdjustmentKind, AfterVoid
from billing.adjustments import approve_adjustment, request_adjustment
from billing.bill_run import run_bills
from billing.bill_run_tables import BillRun, RunState
from billing.bills import BillState, list_bills
from billing.bindings import see_follower
from billing.closing import close_period
from billing.db import Database
from billing.errors import Conflict, InvalidInput, NotFound
from billing.ledger import FixedAccount, balance
from billing.money import ZERO, Money
from billing.payment_tables import PaymentChannel
from billing.payments import new_out_trade_no, prepare
from billing.period import Period
from billing.voids import void_bill, void_chunk, void_run
from tests.billing.corrections import (
    BEHIND,
    IN_TIME,
    OPENID,
    arrive,
    bill_of,
    lines_of,
    owed,
    pay,
    prepaid,
    prepared,
    rows,
    staff,
    violations,
)
from tests.conftest import NOW, TODAY, World, many_rounds

DECEMBER = Period("2026-12")


def void(
    world: World,
    bill_id: int,
    *,
    after: AfterVoid = AfterVoid.REDO,
    by: str = "zhao",
    reason: str = "面积有误",
    database: Database | None = None,
) -> None:
    who = staff(world, by)
    with (database or world.database).transaction() as session:
        void_bill(
            session,
            world.community.id,
            bill_id,
            after=after,
            reason=reason,
            by=who,
            today=TODAY,
            now=NOW,
        )


def void_whole_run(world: World, run_id: int, database: Database | None = None) -> int:
    return void_run(
        database or world.database,
        world.community.id,
        run_id,
        after=AfterVoid.REDO,
        reason="单价有误",
        by=staff(world, "zhao"),
        today=TODAY,
        now=NOW,
    )


def run_december(world: World, *, publish: bool) -> int:
    summary = run_bills(
        world.database,
        world.community,
        DECEMBER,
        today=DECEMBER.start,
        now=NOW,
        publish=publish,
    )
    assert summary.run_id is not None
    return summary.run_id


def run_of(world: World, bill: BillState) -> int:
    [(run_id,)] = rows(world, "SELECT run_id FROM bill WHERE id = :id", id=bill.id)
    return int(str(run_id))


def months(world: World, room: str) -> list[str]:
    """Months of the bills a home is shown."""
    with world.database.transaction() as session:
        bills = list_bills(session, world.community.id, [world.unit(room).id])
    return [str(bill.period) for bill in bills]


def facts(world: World, kind: str) -> list[tuple[object, ...]]:
    return rows(
        world,
        "SELECT ref_id, data FROM fact WHERE kind = :kind ORDER BY ref_id",
        kind=kind,
    )


def test_a_void_bill_is_owed_no_longer(world: World) -> None:
    bill, before = bill_of(world, BEHIND, "2026-11"), owed(world, BEHIND)
    void(world, bill.id)
    assert owed(world, BEHIND) == before - bill.amount
    assert "2026-11" not in months(world, BEHIND)
    assert prepaid(world, BEHIND) == ZERO
    assert facts(world, "bill_voided") == [
        (bill.id, {"after": "redo", "issued": True, "released_fen": 0})
    ]
    assert violations(world) == []


def test_its_rows_stay_and_its_entry_is_mirrored(world: World) -> None:
    bill = bill_of(world, BEHIND, "2026-11")
    void(world, bill.id)
    entries = rows(
        world,
        "SELECT kind, idempotency_key, effective_on, total FROM journal_entry"
        " WHERE source_id = :bill AND kind IN ('bill_issued', 'reversal') ORDER BY id",
        bill=bill.id,
    )
    assert entries == [
        ("bill_issued", f"bill:{bill.id}", date(2026, 11, 1), bill.amount.fen),
        ("reversal", f"reversal:bill:{bill.id}", TODAY, bill.amount.fen),
    ]
    assert len(lines_of(world, bill)) > 0


def test_what_was_paid_on_it_becomes_a_prepayment(world: World) -> None:
    payment = pay(world, BEHIND)
    bill = bill_of(world, BEHIND, "2026-10")
    void(world, bill.id)
    assert prepaid(world, BEHIND) == bill.amount
    assert owed(world, BEHIND) == ZERO
    released = rows(
        world,
        "SELECT idempotency_key, source_id, total, effective_on FROM journal_entry"
        " WHERE kind = 'release'",
    )
    assert released == [(f"release:{payment.id}:{bill.id}", payment.id, bill.amount.fen, TODAY)]
    net = rows(
        world,
        "SELECT sum(amount), count(*) FILTER (WHERE amount < 0), max(effective_on)"
        " FROM payment_allocation WHERE bill_id = :bill",
        bill=bill.id,
    )
    assert net == [(0, len(lines_of(world, bill)), TODAY)]
    [(_, data)] = facts(world, "bill_voided")
    assert data == {"after": "redo", "issued": True, "released_fen": bill.amount.fen}
    assert violations(world) == []


def test_money_of_two_payments_is_released_to_each(world: World) -> None:
    unit, bill = world.unit(BEHIND), bill_of(world, BEHIND, "2026-11")
    with world.database.transaction() as session:
        part = prepare(
            session,
            community_id=world.community.id,
            unit_id=unit.id,
            channel=PaymentChannel.WECHAT_JSAPI,
            merchant_id=world.merchant_id,
            payer_id=see_follower(session, OPENID, NOW).id,
            designated={bill.id: Money(1000)},
            out_trade_no=new_out_trade_no(),
            now=NOW,
        )
        arrive(session, part)
    pay(world, BEHIND)
    void(world, bill.id)
    released = rows(world, "SELECT total FROM journal_entry WHERE kind = 'release' ORDER BY total")
    assert released == [(1000,), (bill.amount.fen - 1000,)]
    assert violations(world) == []


def test_its_adjustments_are_taken_back_with_it(world: World) -> None:
    bill = bill_of(world, BEHIND, "2026-11")
    before = owed(world, BEHIND)
    for kind, amount in ((AdjustmentKind.WAIVER, -2000), (AdjustmentKind.ADJUSTMENT, 700)):
        asker, decider = staff(world, "liu"), staff(world, "zhao")
        with world.database.transaction() as session:
            request = request_adjustment(
                session,
                world.community.id,
                lines_of(world, bill)[0].id,
                kind=kind,
                amount=Money(amount),
                reason="协商",
                by=asker,
                now=NOW,
            )
            approve_adjustment(
                session, world.community.id, request.id, by=decider, today=TODAY, now=NOW
            )
    void(world, bill.id)
    assert owed(world, BEHIND) == before - bill.amount
    with world.database.transaction() as session:
        assert balance(session, world.community.id, FixedAccount.WAIVERS) == ZERO
    assert rows(world, "SELECT count(*) FROM journal_entry WHERE kind = 'reversal'") == [(3,)]
    assert violations(world) == []


def test_a_payment_that_was_on_its_way_is_booked_as_a_prepayment(world: World) -> None:
    payment = prepared(world, IN_TIME)
    void(world, bill_of(world, IN_TIME, "2026-11").id)
    with world.database.transaction() as session:
        assert arrive(session, payment).value == "booked"
    assert prepaid(world, IN_TIME) == payment.amount
    assert owed(world, IN_TIME) == ZERO
    assert violations(world) == []


def test_a_void_bill_is_not_offered_for_payment(world: World) -> None:
    bill = bill_of(world, IN_TIME, "2026-11")
    void(world, bill.id)
    with pytest.raises(NotFound), world.database.transaction() as session:
        prepare(
            session,
            community_id=world.community.id,
            unit_id=world.unit(IN_TIME).id,
            channel=PaymentChannel.WECHAT_JSAPI,
            merchant_id=world.merchant_id,
            payer_id=see_follower(session, OPENID, NOW).id,
            designated={bill.id: bill.outstanding},
            out_trade_no=new_out_trade_no(),
            now=NOW,
        )


def test_a_bill_is_voided_once(world: World) -> None:
    bill = bill_of(world, BEHIND, "2026-11")
    void(world, bill.id)
    with pytest.raises(Conflict, match=f"bill {bill.id} is void already"):
        void(world, bill.id)
    with pytest.raises(NotFound, match="no bill 999999"):
        void(world, 999_999)


@many_rounds
def test_two_voids_and_a_payment_at_once_book_each_once(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    payment, bill = prepared(world, IN_TIME), bill_of(world, IN_TIME, "2026-11")
    database = Database(engine_for(world.url), after_facts=lambda: None)
    start = threading.Barrier(3)

    def press(_: int) -> str:
        start.wait()
        try:
            void(world, bill.id, database=database)
        except Conflict:
            return "refused"
        return "void"

    def come(_: int) -> str:
        start.wait()
        with database.transaction() as session:
            return arrive(session, payment).value

    with ThreadPoolExecutor(3) as pool:
        told = [pool.submit(press, 1), pool.submit(press, 2), pool.submit(come, 3)]
        assert sorted(one.result() for one in told) == ["booked", "refused", "void"]
    assert prepaid(world, IN_TIME) == payment.amount
    assert owed(world, IN_TIME) == ZERO
    assert violations(world) == []


def test_a_void_needs_a_reason_and_somebody_who_keeps_the_books(world: World) -> None:
    bill = bill_of(world, BEHIND, "2026-11")
    with pytest.raises(InvalidInput, match="reason"):
        void(world, bill.id, reason=" ")
    with pytest.raises(InvalidInput, match="liu is service"):
        void(world, bill.id, by="liu")
    assert rows(world, "SELECT count(*) FROM bill_void") == [(0,)]


def test_it_is_dated_in_the_open_month_and_leaves_the_closed_ones_alone(world: World) -> None:
    bill, manager = bill_of(world, BEHIND, "2026-08"), staff(world, "zhao")
    with world.database.transaction() as session:
        for month in ("2026-07", "2026-08", "2026-09", "2026-10"):
            close_period(session, world.community.id, Period(month), by=manager, now=NOW)
    with world.database.transaction() as session:
        void_bill(
            session,
            world.community.id,
            bill.id,
            after=AfterVoid.EXCLUDE,
            reason="重复入账",
            by=manager,
            today=date(2026, 10, 31),
            now=NOW,
        )
    [(dated,)] = rows(world, "SELECT effective_on FROM journal_entry WHERE kind = 'reversal'")
    assert dated == date(2026, 11, 1)
    assert violations(world) == []


def late_fee(world: World, debt: BillState) -> int:
    """Bill a late fee for a bill, as a line of the kind; returns the bill that charges it."""
    with world.database.transaction() as session:
        statements = (
            "INSERT INTO bill_run (community_id, period, kind, started_at, summary)"
            " VALUES (:c, '2026-11', 'late_fee', now(), '{}') RETURNING id",
            "INSERT INTO bill_run_chunk (community_id, run_id, no, state)"
            " VALUES (:c, :run, 1, 'draft') RETURNING 1",
            "INSERT INTO bill (community_id, run_id, chunk_no, unit_id, period, amount)"
            " VALUES (:c, :run, 1, :unit, '2026-11', 317) RETURNING id",
        )
        values = {"c": world.community.id, "unit": debt.unit_id}
        values["run"] = session.execute(text(statements[0]), values).scalar_one()
        session.execute(text(statements[1]), values)
        values["bill"] = session.execute(text(statements[2]), values).scalar_one()
        session.execute(
            text(
                "INSERT INTO bill_line (community_id, bill_id, subject_id, item_id, kind,"
                " source_id, period_from, period_to, amount, basis) SELECT :c, :bill, :unit,"
                " (SELECT min(id) FROM charge_item), 'late_fee', :debt, '2026-11-01',"
                " '2026-11-24', 317, CAST(:basis AS jsonb)"
            ),
            values
            | {
                "debt": debt.id,
                "basis": '{"method": "late_fee", "parts": [{"principal": "275.80",'
                ' "daily_rate": "0.0005", "days": 23}]}',
            },
        )
        return values["bill"]


def test_a_bill_with_late_fees_is_voided_after_them(world: World) -> None:
    debt = bill_of(world, BEHIND, "2026-10")
    fees = late_fee(world, debt)
    with pytest.raises(Conflict, match=f"bill {fees} charges a late fee for bill {debt.id}"):
        void(world, debt.id)
    with pytest.raises(Conflict, match="charges a late fee"):
        void_whole_run(world, run_of(world, debt))
    assert rows(world, "SELECT count(*) FROM bill_void") == [(0,)]
    void(world, fees)
    void(world, debt.id)
    assert violations(world) == []


def test_a_void_draft_books_nothing(world: World) -> None:
    run_december(world, publish=False)
    [(draft,)] = rows(
        world,
        "SELECT id FROM bill WHERE period = '2026-12' AND unit_id = :unit",
        unit=world.unit(BEHIND).id,
    )
    entries = rows(world, "SELECT count(*) FROM journal_entry")
    void(world, int(str(draft)), after=AfterVoid.EXCLUDE)
    assert rows(world, "SELECT count(*) FROM journal_entry") == entries
    assert facts(world, "bill_voided") == [
        (draft, {"after": "exclude", "issued": False, "released_fen": 0})
    ]
    assert violations(world) == []


def test_a_whole_run_is_voided_chunk_by_chunk(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bill_run, "UNITS_PER_CHUNK", 5)
    before = {room: owed(world, room) for room in (BEHIND, IN_TIME)}
    run_id = run_december(world, publish=True)
    pay(world, IN_TIME)
    assert void_whole_run(world, run_id) == 24
    assert owed(world, BEHIND) == before[BEHIND]
    assert owed(world, IN_TIME) == ZERO
    assert prepaid(world, IN_TIME) > ZERO
    assert len(facts(world, "bill_voided")) == 24
    assert violations(world) == []
    with pytest.raises(Conflict, match=f"run {run_id} has no bill that is not void already"):
        void_whole_run(world, run_id)


def test_an_interrupted_void_of_a_run_is_finished_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    def die() -> None:
        raise Killed

    monkeypatch.setattr(bill_run, "UNITS_PER_CHUNK", 10)
    run_id = run_december(world, publish=True)
    with pytest.raises(Killed):
        void_whole_run(world, run_id, Database(world.database.engine, after_facts=die))
    [(done,)] = rows(world, "SELECT count(*) FROM bill_void")
    assert done == 10
    assert violations(world) == []
    assert void_whole_run(world, run_id) == 14
    assert violations(world) == []


def test_a_run_that_does_not_exist_or_is_still_drafting_is_not_voided(world: World) -> None:
    with pytest.raises(NotFound, match="no bill run 999999"):
        void_whole_run(world, 999_999)
    run_id = run_december(world, publish=False)
    with world.database.transaction() as session:
        run = session.scalars(select(BillRun).where(BillRun.id == run_id)).one()
        run.state = RunState.DRAFTING
    with pytest.raises(Conflict, match="still drafting"):
        void_whole_run(world, run_id)


def statements_of_a_void(world: World, run_id: int, no: int, bills: int) -> int:
    """How many statements voiding this chunk of so many bills takes."""
    sent: list[str] = []

    def count(*arguments: object) -> None:
        sent.append(str(arguments[2]))

    manager = staff(world, "zhao")
    event.listen(world.database.engine, "before_cursor_execute", count)
    with world.database.transaction() as session:
        voided = void_chunk(
            session,
            world.community.id,
            run_id,
            no,
            after=AfterVoid.REDO,
            reason="单价有误",
            by=manager,
            today=TODAY,
            now=NOW,
        )
    event.remove(world.database.engine, "before_cursor_execute", count)
    assert voided == bills
    return len(sent)


def test_a_chunk_takes_as_many_statements_as_a_bill(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bill_run, "UNITS_PER_CHUNK", 23)
    run_id = run_december(world, publish=True)
    many, one = (
        statements_of_a_void(world, run_id, 1, 23),
        statements_of_a_void(world, run_id, 2, 1),
    )
    assert many == one < 20
    assert statements_of_a_void(world, run_id, 2, 0) < one


def test_a_chunk_that_does_not_exist_is_not_found(world: World) -> None:
    with pytest.raises(NotFound, match="no chunk 9"):
        statements_of_a_void(world, run_of(world, bill_of(world, BEHIND, "2026-11")), 9, 0)
