"""Late fees: by the contract's clause, from day 1, the same total whenever and however often."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.adjustment_tables import AdjustmentKind, AdjustmentState, AfterVoid
from billing.alerts import Alert, AlertKind
from billing.bill_lines import list_lines
from billing.bill_run_tables import BillRun, RunKind
from billing.bills import Bill, BillLine, LineKind, get_bills, list_bills
from billing.bindings import see_follower
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import Fact, FactKind
from billing.insight.nightly import look
from billing.late_fee_bills import issue_late_fees
from billing.late_fee_policy import (
    ensure_late_fee_item,
    freeze,
    list_freezes,
    set_policy,
    unfreeze,
)
from billing.late_fee_tables import LateFeeCap, LateFeePolicy
from billing.late_fees import LateFeeLine, late_fee_lines, preview_late_fee
from billing.ledger import JournalEntry, balance
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentAllocation, PaymentChannel
from billing.pricing import (
    DailyRate,
    LateFeeTerms,
    PrincipalPayment,
    explain,
    price_late_fee,
    recompute,
)
from billing.privacy import Vault
from billing.ticket_tables import TicketKind
from billing.tickets import Matter, answer_ticket, open_ticket
from tests.billing.drawer import take
from tests.billing.paper import (
    Line,
    adjust,
    at,
    faults,
    pay,
    shut,
    staff,
    statements,
    void,
    write_bill,
)
from tests.conftest import NOW, World

ROOM = "3-1-1201"
ISSUED, DUE = date(2027, 1, 1), date(2027, 1, 31)
DAYS = (date(2027, 1, 1), date(2027, 2, 1))


def policy(
    session: Session,
    world: World,
    *,
    begins: date = date(2027, 1, 1),
    rate: str = "0.0005",
    grace_days: int = 0,
    cap: LateFeeCap = LateFeeCap.PRINCIPAL,
    document: str = "合同第九条",
) -> list[str]:
    return set_policy(
        session,
        world.community.id,
        effective_from=begins,
        daily_rate=Decimal(rate),
        grace_days=grace_days,
        cap=cap,
        document=document,
    )


def debt(session: Session, world: World, *lines: Line) -> int:
    """A bill due on 31 January 2027, of 1000.00 unless other lines are given."""
    wanted = lines or (Line("1000.00", days=DAYS),)
    return write_bill(session, world, ROOM, wanted, issued_on=ISSUED, due=DUE)


def due_now(session: Session, world: World, bill_id: int, as_of: date) -> LateFeeLine | None:
    return preview_late_fee(session, world.community.id, bill_id, as_of)


def fee(session: Session, world: World, bill_id: int, as_of: date) -> int:
    line = due_now(session, world, bill_id, as_of)
    return 0 if line is None else line.amount.fen


def accrue(session: Session, world: World, on: date) -> list[int]:
    return issue_late_fees(session, world.community, world.unit(ROOM).id, today=on, now=at(on))


def charged(session: Session, bill_id: int) -> int:
    """What issued late-fee lines take for a debt, fen."""
    lines = session.scalars(
        select(BillLine.amount).where(
            BillLine.kind == LineKind.LATE_FEE, BillLine.source_id == bill_id
        )
    )
    return sum(amount.fen for amount in lines)


def release(session: Session, payment: Payment, bill_id: int, yuan: str, on: date) -> None:
    """Money that was applied to a bill no longer is."""
    session.add(
        PaymentAllocation(
            community_id=payment.community_id,
            payment_id=payment.id,
            bill_line_id=first_line(session, bill_id).id,
            bill_id=bill_id,
            amount=-Money.from_yuan(yuan),
            effective_on=on,
        )
    )
    session.flush()


def first_line(session: Session, bill_id: int) -> BillLine:
    return session.scalars(
        select(BillLine).where(BillLine.bill_id == bill_id).order_by(BillLine.id).limit(1)
    ).one()


FEBRUARY_10 = date(2027, 2, 10)


def test_a_debt_costs_its_rate_from_the_day_after_it_was_due(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        assert fee(session, world, bill_id, DUE) == 0
        assert fee(session, world, bill_id, date(2027, 2, 1)) == 50
        line = due_now(session, world, bill_id, FEBRUARY_10)
    assert line is not None
    assert (line.amount.fen, line.start, line.end) == (500, date(2027, 2, 1), date(2027, 2, 11))
    assert explain(line.basis).startswith("1000.00元 × 0.0005 × 10天 = 5.00元")
    assert recompute(line.basis) == line.amount


def test_without_a_policy_nothing_is_charged(world: World) -> None:
    with world.database.transaction() as session:
        bill_id = debt(session, world)
        assert fee(session, world, bill_id, FEBRUARY_10) == 0
        assert accrue(session, world, FEBRUARY_10) == []


def test_a_clause_does_not_reach_back_to_debts_that_were_late_before_it(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world, begins=date(2027, 2, 2))
        bill_id = debt(session, world)
        assert fee(session, world, bill_id, FEBRUARY_10) == 0


def test_grace_and_cap_are_those_in_force_when_the_debt_became_late(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world, grace_days=5, rate="0.5")
        policy(session, world, begins=date(2027, 2, 5), grace_days=0, rate="0.9",
               cap=LateFeeCap.NONE)  # fmt: skip
        bill_id = debt(session, world)
        assert fee(session, world, bill_id, date(2027, 2, 5)) == 0
        assert fee(session, world, bill_id, date(2027, 2, 6)) == 90_000
        assert fee(session, world, bill_id, FEBRUARY_10) == 100_000


def test_the_rate_changes_from_day_to_day_with_the_versions(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        policy(session, world, begins=date(2027, 2, 6), rate="0.0003")
        bill_id = debt(session, world)
        assert fee(session, world, bill_id, FEBRUARY_10) == 5 * 50 + 5 * 30


def test_a_rate_of_nothing_ends_late_fees(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        policy(session, world, begins=date(2027, 2, 2), rate="0")
        bill_id = debt(session, world)
        assert fee(session, world, bill_id, FEBRUARY_10) == 50


def test_a_debt_paid_in_time_costs_nothing_and_one_paid_late_its_days(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        in_time, late = debt(session, world), debt(session, world, Line("1000.00", "garbage", DAYS))
        pay(session, world, ROOM, "1000.00", DUE, in_time)
        pay(session, world, ROOM, "400.00", date(2027, 2, 4), late)
        pay(session, world, ROOM, "600.00", date(2027, 2, 6), late)
        assert fee(session, world, in_time, FEBRUARY_10) == 0
        assert fee(session, world, late, FEBRUARY_10) == 4 * 50 + 2 * 30


def test_who_paid_in_time_bears_no_fee_though_the_month_was_closed_meanwhile(world: World) -> None:
    unit = world.unit(ROOM)
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        shut(session, world, "2027-01")
        owed = list_bills(session, world.community.id, [unit.id])
        take(
            session,
            world,
            ROOM,
            sum((bill.outstanding for bill in owed), ZERO).yuan,
            channel=PaymentChannel.SLIP,
            bank="工商银行",
            paid_on=DUE,
            now=at(FEBRUARY_10),
        )
        assert fee(session, world, bill_id, date(2027, 2, 15)) == 0
        entry = session.scalars(
            select(JournalEntry).order_by(JournalEntry.id.desc()).limit(1)
        ).one()
        assert entry.effective_on == date(2027, 2, 1)


def test_frozen_days_are_not_counted(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        unit_id, by = world.unit(ROOM).id, staff(session).id
        frozen = freeze(
            session, world.community.id, unit_id, from_on=date(2027, 2, 3), to_on=None,
            reason="disputed", by=by, now=NOW,
        )  # fmt: skip
        assert fee(session, world, bill_id, FEBRUARY_10) == 100
        unfreeze(
            session, world.community.id, frozen.id, on=date(2027, 2, 9), reason="settled", by=by
        )
        assert fee(session, world, bill_id, FEBRUARY_10) == 200
        [kept] = list_freezes(session, world.community.id, unit_id)
        assert (kept.reason, kept.lift_reason, kept.lifted_by) == ("disputed", "settled", by)


def test_a_freeze_is_refused_without_reason_home_or_days(world: World) -> None:
    unit_id, day = world.unit(ROOM).id, date(2027, 2, 3)
    with world.database.transaction() as session:
        by = staff(session).id

        def attempt(unit: int = unit_id, to: date | None = None, reason: str = "disputed") -> Any:
            return freeze(
                session, world.community.id, unit, from_on=day, to_on=to, reason=reason, by=by,
                now=NOW,
            )  # fmt: skip

        with pytest.raises(InvalidInput, match="reason"):
            attempt(reason=" ")
        with pytest.raises(InvalidInput, match="to_on"):
            attempt(to=day)
        with pytest.raises(NotFound):
            attempt(unit=10**9)
        frozen = attempt(to=date(2027, 2, 8))
        for on, refusal in ((date(2027, 2, 8), Conflict), (day, InvalidInput)):
            with pytest.raises(refusal):
                unfreeze(session, world.community.id, frozen.id, on=on, reason="over", by=by)
        with pytest.raises(NotFound):
            unfreeze(session, world.community.id, 10**9, on=day, reason="over", by=by)


def test_a_correction_counts_from_the_start_and_a_waiver_from_its_day(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        corrected = debt(session, world)
        waived = debt(session, world, Line("1000.00", "garbage", DAYS))
        day = date(2027, 2, 4)
        adjust(session, first_line(session, corrected), "-400.00", AdjustmentKind.ADJUSTMENT, day)
        adjust(session, first_line(session, waived), "-400.00", AdjustmentKind.WAIVER, day)
        assert fee(session, world, corrected, FEBRUARY_10) == 10 * 30
        assert fee(session, world, waived, FEBRUARY_10) == 4 * 50 + 6 * 30


@pytest.mark.parametrize("state", [AdjustmentState.REQUESTED, AdjustmentState.REFUSED])
def test_a_waiver_nobody_approved_changes_nothing(world: World, state: AdjustmentState) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        adjust(
            session, first_line(session, bill_id), "-400.00", AdjustmentKind.WAIVER, DUE,
            state=state,
        )  # fmt: skip
        assert fee(session, world, bill_id, FEBRUARY_10) == 500


def test_money_released_by_a_correction_was_never_owed(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        payment = pay(session, world, ROOM, "1000.00", date(2027, 2, 4), bill_id)
        adjust(
            session, first_line(session, bill_id), "-400.00", AdjustmentKind.ADJUSTMENT,
            date(2027, 2, 8),
        )  # fmt: skip
        release(session, payment, bill_id, "400.00", date(2027, 2, 8))
        assert fee(session, world, bill_id, FEBRUARY_10) == 4 * 30


def test_a_released_payment_is_owed_again_from_the_next_day(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        payment = pay(session, world, ROOM, "1000.00", date(2027, 2, 4), bill_id)
        release(session, payment, bill_id, "1000.00", date(2027, 2, 8))
        assert fee(session, world, bill_id, FEBRUARY_10) == 4 * 50 + 2 * 50


def test_a_waiver_taken_back_after_the_due_day_is_owed_from_the_next_day(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        line = first_line(session, bill_id)
        waived = adjust(session, line, "-1000.00", AdjustmentKind.WAIVER, date(2027, 1, 10))
        adjust(
            session, line, "1000.00", AdjustmentKind.WAIVER, date(2027, 2, 4), reverses_id=waived.id
        )
        assert fee(session, world, bill_id, FEBRUARY_10) == 6 * 50
        pay(session, world, ROOM, "1000.00", date(2027, 2, 8), bill_id)
        assert fee(session, world, bill_id, FEBRUARY_10) == 4 * 50


def test_money_paid_in_time_and_released_later_is_owed_from_the_next_day(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        payment = pay(session, world, ROOM, "1000.00", date(2027, 1, 20), bill_id)
        release(session, payment, bill_id, "1000.00", date(2027, 2, 4))
        pay(session, world, ROOM, "1000.00", date(2027, 2, 8), bill_id)
        assert fee(session, world, bill_id, FEBRUARY_10) == 4 * 50


def test_discounts_lower_the_principal(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world, Line("1000.00", days=DAYS), Line("-400.00", days=DAYS))
        assert fee(session, world, bill_id, FEBRUARY_10) == 10 * 30


def test_accruing_issues_a_bill_with_its_line_entry_and_fact(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        [fee_bill] = accrue(session, world, FEBRUARY_10)
    with world.database.transaction() as session:
        [bill] = get_bills(session, world.community.id, [fee_bill])
        [line] = list_lines(session, world.community.id, [fee_bill])
        run = session.scalars(
            select(BillRun).join(Bill, Bill.run_id == BillRun.id).where(Bill.id == fee_bill)
        ).one()
        fact = session.scalars(select(Fact).order_by(Fact.id.desc()).limit(1)).one()
        stored = first_line(session, fee_bill)
        assert -balance(session, world.community.id, "income:late_fee") == Money(500)
        assert faults(session) == []
    assert (bill.amount, bill.issued_on, bill.unit_id) == (
        Money(500), FEBRUARY_10, world.unit(ROOM).id,
    )  # fmt: skip
    assert (line.item_name, line.kind, line.outstanding) == (
        "违约金",
        LineKind.LATE_FEE,
        Money(500),
    )
    assert (stored.source_id, stored.subject_id, stored.tariff_id) == (bill_id, bill.unit_id, None)
    assert run.kind is RunKind.LATE_FEE
    assert (fact.kind, fact.ref_id) == (FactKind.BILL_ISSUED, fee_bill)


def test_accruing_again_charges_nothing_new_and_later_only_the_days_since(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        accrue(session, world, FEBRUARY_10)
        assert accrue(session, world, FEBRUARY_10) == []
        assert accrue(session, world, date(2027, 2, 9)) == []
        [second] = accrue(session, world, date(2027, 2, 14))
        [bill] = get_bills(session, world.community.id, [second])
        assert bill.amount == Money(200)
        assert charged(session, bill_id) == 14 * 50


def test_a_late_fee_bears_no_late_fee(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        debt(session, world)
        [fee_bill] = accrue(session, world, FEBRUARY_10)
        assert fee(session, world, fee_bill, date(2028, 1, 1)) == 0


def test_accruing_in_a_closed_month_is_posted_in_the_open_one(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        debt(session, world)
        shut(session, world, "2027-02")
        [fee_bill] = accrue(session, world, FEBRUARY_10)
        [bill] = get_bills(session, world.community.id, [fee_bill])
        entry = session.scalars(
            select(JournalEntry).where(JournalEntry.idempotency_key == f"bill:{fee_bill}")
        ).one()
    assert (bill.issued_on, entry.effective_on) == (FEBRUARY_10, date(2027, 3, 1))
    assert bill.amount == Money(500)


@pytest.mark.parametrize(("after", "again"), [(AfterVoid.REDO, 500), (AfterVoid.EXCLUDE, 0)])
def test_a_voided_late_fee_is_charged_anew_unless_it_was_let_off(
    world: World, after: AfterVoid, again: int
) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        [fee_bill] = accrue(session, world, FEBRUARY_10)
        void(session, world.community.id, fee_bill, after)
        assert fee(session, world, bill_id, FEBRUARY_10) == again
        redone = accrue(session, world, FEBRUARY_10)
        assert len(redone) == (1 if again else 0)


def test_a_voided_late_fee_of_a_debt_paid_since_is_charged_anew(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        [first] = accrue(session, world, FEBRUARY_10)
        pay(session, world, ROOM, "1000.00", date(2027, 2, 15), bill_id)
        accrue(session, world, date(2027, 2, 20))
        void(session, world.community.id, first, AfterVoid.REDO)
        [again] = accrue(session, world, date(2027, 2, 20))
        [bill] = get_bills(session, world.community.id, [again])
        assert bill.amount.fen == 10 * 50
        assert accrue(session, world, date(2027, 2, 20)) == []


def test_a_void_bill_bears_no_late_fee(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        void(session, world.community.id, bill_id, AfterVoid.REDO)
        with pytest.raises(NotFound):
            fee(session, world, bill_id, FEBRUARY_10)
        assert bill_id not in {
            line.bill_id
            for lines in late_fee_lines(
                session, world.community.id, [world.unit(ROOM).id], FEBRUARY_10
            ).values()
            for line in lines
        }


def test_a_chunk_of_homes_is_read_in_a_fixed_number_of_statements(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world, begins=date(2026, 1, 1))
        rooms = ["1-1-302", "1-1-101", "1-2-602"]
        units = [world.unit(room).id for room in rooms]
        with statements(world) as one:
            lone = late_fee_lines(session, world.community.id, units[:1], date(2026, 11, 23))
        with statements(world) as three:
            every = late_fee_lines(session, world.community.id, units, date(2026, 11, 23))
        with statements(world) as nobody:
            none = late_fee_lines(session, world.community.id, units, date(2026, 8, 1))
    assert (len(lone), len(every), none) == (1, 3, {})
    assert len(every[units[0]]) == 3
    assert len(one) == len(three)
    assert len(nobody) <= 3


class Undo(Exception):
    """Take an example back."""


steps = st.lists(
    st.tuples(st.integers(0, 25), st.sampled_from(["accrue", "pay"]), st.integers(1, 60_000)),
    max_size=6,
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps)
def test_any_schedule_of_accruals_and_payments_sums_to_the_fee_computed_once(
    world: World, schedule: list[tuple[int, str, int]]
) -> None:
    last = date(2027, 12, 31)
    with pytest.raises(Undo), world.database.transaction() as session:
        policy(session, world, rate="0.0037")
        bill_id = debt(session, world, Line("777.77", days=DAYS), Line("222.24", "garbage", DAYS))
        day, left, payments = date(2027, 1, 20), Money(100_001), []
        for days, what, fen in schedule:
            day += timedelta(days=days)
            if what == "accrue":
                accrue(session, world, day)
            elif left:
                amount = min(Money(fen), left)
                left -= amount
                pay(session, world, ROOM, amount.yuan, day, bill_id)
                payments.append(PrincipalPayment(day, amount))
        accrue(session, world, last)
        terms = LateFeeTerms(
            0, (DailyRate(date(2027, 1, 1), Decimal("0.0037")),), Decimal("1000.01")
        )
        once = price_late_fee(Decimal("1000.01"), terms, due_on=DUE, as_of=last, payments=payments)
        assert charged(session, bill_id) == (once.amount.fen if once else 0)
        raise Undo


def test_a_policy_makes_its_charge_item_and_account_once(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        policy(session, world, begins=date(2027, 3, 1))
        item = ensure_late_fee_item(session, world.community.id, date(2027, 5, 1))
        assert (item.code, item.active_from) == ("late_fee", date(2027, 1, 1))
        assert balance(session, world.community.id, "income:late_fee") == ZERO


def test_a_second_version_of_the_same_day_is_refused_and_the_same_one_is_not(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        assert policy(session, world) == []
        with pytest.raises(Conflict, match="another day"):
            policy(session, world, rate="0.0004")
        assert len(session.scalars(select(LateFeePolicy)).all()) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"rate": "-0.0001"}, "daily_rate"),
        ({"rate": "1.0001"}, "daily_rate"),
        ({"rate": "NaN"}, "daily_rate"),
        ({"rate": "Infinity"}, "daily_rate"),
        ({"rate": "0.123456789"}, "daily_rate"),
        ({"grace_days": -1}, "grace_days"),
        ({"grace_days": 3651}, "grace_days"),
        ({"document": " "}, "document"),
    ],
)
def test_a_clause_that_cannot_be_is_refused(
    world: World, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refusal, world.database.transaction() as session:
        policy(session, world, **change)
    assert refusal.value.field == field


def test_what_a_court_would_cut_is_warned_about(world: World) -> None:
    with world.database.transaction() as session:
        assert policy(session, world) == []
        [rate] = policy(session, world, begins=date(2027, 2, 1), rate="0.003")
        [cap] = policy(session, world, begins=date(2027, 2, 2), cap=LateFeeCap.NONE)
    assert "courts" in rate
    assert "exceed the debt" in cap


def test_a_clause_for_days_already_charged_is_warned_about(world: World) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        debt(session, world)
        accrue(session, world, FEBRUARY_10)
        [warning] = policy(session, world, begins=date(2027, 2, 3), rate="0.0004")
    assert "2027-02-11" in warning


@pytest.mark.parametrize(
    ("paid_on", "waived", "surplus"),
    [
        (DUE, "0", "5.00"),  # in time: the ten days were not due at all
        (DUE, "-5.00", None),
        (date(2027, 2, 4), "0", "3.00"),
        (FEBRUARY_10, "0", None),
    ],
    ids=["in time", "in time and waived", "earlier than known", "on the last day counted"],
)
def test_a_late_fee_of_days_that_turn_out_to_be_paid_is_found_once(
    world: World, paid_on: date, waived: str, surplus: str | None
) -> None:
    known = date(2027, 2, 12)
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        [fee_bill] = accrue(session, world, FEBRUARY_10)
        payment = pay(session, world, ROOM, "1000.00", paid_on, bill_id)
        payment.confirmed_at = at(known)  # the bank's statement came as late as that
        if waived != "0":
            fee_line = first_line(session, fee_bill)
            adjust(session, fee_line, waived, AdjustmentKind.WAIVER, known)
        session.flush()
        assert charged(session, bill_id) == 5_00
        for expected in ([surplus] if surplus else [], []):
            before = set(session.scalars(undue(Alert.id)))
            look(session, world.community.id, known, at(known))
            found = session.execute(undue(Alert.id, Alert.data)).all()
            assert [data["amount"] for one, data in found if one not in before] == expected


def undue(*columns: Any) -> Any:
    return select(*columns).where(Alert.kind == AlertKind.UNDUE_LATE_FEE)


def test_a_disputed_bill_waits_for_the_answer_and_then_costs_what_it_would_have(
    world: World, vault: Vault
) -> None:
    with world.database.transaction() as session:
        policy(session, world)
        bill_id = debt(session, world)
        unit = world.unit(ROOM)
        follower = see_follower(session, "o-zhao", NOW)
        session.flush()
        [line] = list_lines(session, unit.community_id, [bill_id])
        matter = Matter(unit.community_id, follower.id, TicketKind.DISPUTE, unit.id, line)
        ticket, _ = open_ticket(session, vault, matter, "没有住", NOW)
        in_february = date(2027, 2, 20)
        assert due_now(session, world, bill_id, in_february) is None
        assert accrue(session, world, in_february) == []
        answer_ticket(
            session,
            unit.community_id,
            ticket.id,
            answer="已核实",
            by=staff(session, "liu"),
            now=NOW,
        )
        accrue(session, world, in_february)
        assert charged(session, bill_id) == 20 * 50
