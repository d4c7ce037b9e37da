"""减免 and 调账 of some days are what the journal says of them, whatever became of their bills."""

from datetime import date

from sqlalchemy import text

from billing.adjustment_tables import AdjustmentKind, AfterVoid
from billing.adjustments import approve_adjustment, request_adjustment, reverse_adjustment
from billing.bills import BillState
from billing.closing import trial_balance
from billing.ledger import FixedAccount
from billing.money import ZERO, Money
from billing.people import get_staff
from billing.period import Period
from billing.reports.income import Conceded, Total, conceded
from billing.voids import void_bill
from tests.billing.corrections import BEHIND, bill_of, lines_of
from tests.billing.eventful import let_everything_happen
from tests.billing.paper import at
from tests.conftest import World

OCTOBER, NOVEMBER = Period("2026-10"), Period("2026-11")
WAIVER, CORRECTION = AdjustmentKind.WAIVER, AdjustmentKind.ADJUSTMENT
GRANTED, LATER, TO_ON = date(2026, 11, 5), date(2026, 11, 10), date(2026, 12, 1)
NOTHING = Total(ZERO, 0)

BOOKED = text(
    """
    SELECT coalesce(sum(side.debit - side.credit), 0)
    FROM journal_entry entry
    JOIN journal_entry origin ON origin.community_id = entry.community_id
     AND origin.id = coalesce(entry.reverses_id, entry.id) AND origin.kind = :kind
    JOIN posting side ON side.community_id = entry.community_id AND side.entry_id = entry.id
    JOIN account ON account.community_id = side.community_id AND account.id = side.account_id
     AND account.code = 'assets:receivable'
    WHERE entry.effective_on >= :from_on AND entry.effective_on < :to_on
    """
)


def found(world: World, from_on: date, to_on: date) -> Conceded:
    """As the page shows it; equal to what the journal moved on these days."""
    days = {"from_on": from_on, "to_on": to_on}
    with world.database.transaction() as session:
        told = conceded(session, world.community.id, from_on, to_on)
        for kind, total in ((WAIVER, told.waived), (CORRECTION, told.corrected)):
            booked = session.execute(BOOKED, {"kind": kind.value, **days}).scalar_one()
            assert total.amount == Money(int(booked)), (kind, days)
    return told


def balanced(world: World, period: Period) -> Money:
    """What the trial balance of a month says of waivers."""
    with world.database.transaction() as session:
        rows = trial_balance(session, world.community.id, period)
    [row] = [row for row in rows if row.account == FixedAccount.WAIVERS.value]
    return row.debit - row.credit


def grant(world: World, bill: BillState, fen: int, on: date, kind: AdjustmentKind = WAIVER) -> int:
    """Adjust the first line of a bill on a day; the adjustment's number."""
    [line, *_] = lines_of(world, bill)
    here = world.community.id
    with world.database.transaction() as session:
        asker, decider = get_staff(session, "liu"), get_staff(session, "zhao")
        asked = request_adjustment(
            session,
            here,
            line.id,
            kind=kind,
            amount=Money(fen),
            reason="电梯停运",
            by=asker,
            now=at(on),
        )
        approve_adjustment(session, here, asked.id, by=decider, today=on, now=at(on))
        return asked.id


def take_back(world: World, number: int, on: date) -> None:
    """Take an adjustment back on a day."""
    here = world.community.id
    with world.database.transaction() as session:
        asker, decider = get_staff(session, "liu"), get_staff(session, "zhao")
        asked = reverse_adjustment(session, here, number, reason="录错", by=asker, now=at(on))
        approve_adjustment(session, here, asked.id, by=decider, today=on, now=at(on))


def void(world: World, bill: BillState, on: date) -> None:
    """Void a bill on a day."""
    with world.database.transaction() as session:
        void_bill(
            session,
            world.community.id,
            bill.id,
            after=AfterVoid.REDO,
            reason="面积有误",
            by=get_staff(session, "zhao"),
            today=on,
            now=at(on),
        )


def test_a_waiver_of_a_voided_bill_that_is_granted_anew_is_one(world: World) -> None:
    voided, anew = (bill_of(world, BEHIND, month) for month in ("2026-10", "2026-09"))
    grant(world, voided, -50_00, GRANTED)
    void(world, voided, LATER)
    grant(world, anew, -50_00, LATER)
    told = found(world, NOVEMBER.start, TO_ON)
    assert told.waived == Total(Money(-50_00), 1)
    assert balanced(world, NOVEMBER) == -told.waived.amount
    assert found(world, NOVEMBER.start, LATER).waived == Total(Money(-50_00), 1)
    assert found(world, LATER, TO_ON).waived == Total(ZERO, 1)


def test_a_waiver_taken_back_within_the_days_is_none(world: World) -> None:
    number = grant(world, bill_of(world, BEHIND, "2026-10"), -50_00, GRANTED)
    take_back(world, number, LATER)
    assert found(world, NOVEMBER.start, TO_ON).waived == NOTHING
    assert found(world, NOVEMBER.start, LATER).waived == Total(Money(-50_00), 1)
    assert found(world, LATER, TO_ON).waived == Total(Money(50_00), 0)


def test_a_month_that_is_over_keeps_its_figures_when_a_waiver_goes_in_the_next(
    world: World,
) -> None:
    gone, stays = (bill_of(world, BEHIND, month) for month in ("2026-09", "2026-08"))
    granted = date(2026, 10, 20)
    for bill in (gone, stays):
        grant(world, bill, -30_00, granted)
    void(world, gone, GRANTED)
    assert found(world, OCTOBER.start, OCTOBER.end).waived == Total(Money(-60_00), 2)
    assert found(world, NOVEMBER.start, TO_ON).waived == Total(Money(30_00), 0)
    for month, moved in ((OCTOBER, Money(60_00)), (NOVEMBER, Money(-30_00))):
        assert balanced(world, month) == moved


def test_a_waiver_taken_back_before_its_bill_is_voided_moves_nothing_more(world: World) -> None:
    bill = bill_of(world, BEHIND, "2026-10")
    take_back(world, grant(world, bill, -50_00, GRANTED), GRANTED)
    void(world, bill, LATER)
    assert found(world, LATER, TO_ON).waived == NOTHING
    assert found(world, NOVEMBER.start, TO_ON).waived == NOTHING


def test_corrections_of_a_voided_bill_go_with_it(world: World) -> None:
    bill = bill_of(world, BEHIND, "2026-10")
    grant(world, bill, 7_00, GRANTED, CORRECTION)
    grant(world, bill, -3_00, GRANTED, CORRECTION)
    assert found(world, NOVEMBER.start, LATER).corrected == Total(Money(4_00), 2)
    void(world, bill, LATER)
    assert found(world, NOVEMBER.start, TO_ON).corrected == NOTHING


def test_whatever_happened_the_figures_are_the_journals(world: World) -> None:
    let_everything_happen(world)
    told = found(world, date(2020, 1, 1), date(2030, 1, 1))
    assert told.waived.count > 0
    assert told.corrected.count > 0
    assert balanced(world, NOVEMBER) == -found(world, NOVEMBER.start, TO_ON).waived.amount
