"""Reports read sums made beforehand, which are the sums of the raw rows after anything happened."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text

from billing.bills import Bill
from billing.checks.rollups import ROLLUP_CHECKS
from billing.money import ZERO, Money
from billing.payment_tables import PaymentChannel
from billing.period import Period
from billing.reports.ageing import Bucket, age_debts, homes_in_arrears, top_arrears
from billing.reports.arrears import list_arrears
from billing.reports.collection import Part, collected, collected_by
from billing.reports.growth import Curve, forecast, months_before, read_curves
from billing.reports.income import conceded, income_by_day
from billing.reports.rolled import Division, cleared, divide, divide_by_community, whole_of
from billing.reports.rollups import fold, is_owed, owed_bills, rebuild
from billing.reports.scope import Scope
from tests.billing.corrections import BEHIND, IN_TIME
from tests.billing.drawer import cancel, take
from tests.billing.eventful import let_everything_happen
from tests.conftest import TODAY, World

NOVEMBER = Period("2026-11")
RAW_PARTS = {
    Division.PERIOD: Part.PERIOD,
    Division.BUILDING: Part.BUILDING,
    Division.FEE: Part.FEE,
}


@pytest.fixture
def eventful(world: World) -> World:
    """Books in which everything has happened."""
    let_everything_happen(world)
    return world


def rows_of(world: World) -> tuple[int, int]:
    """How many movements there are."""
    with world.database.transaction() as session:
        counts = text(
            "SELECT (SELECT count(*) FROM collection_move), (SELECT count(*) FROM owed_move)"
        )
        return tuple(session.execute(counts).one())


def assert_checked(world: World) -> None:
    with world.database.transaction() as session:
        assert [check.run(session).violations for check in ROLLUP_CHECKS] == [[], []]


def test_the_parts_of_every_division_sum_to_the_same_and_to_the_raw_rows(eventful: World) -> None:
    scope = Scope(eventful.community.id)
    with eventful.database.transaction() as session:
        for as_of in (TODAY, TODAY - timedelta(days=1), date(2026, 9, 10)):
            raw = collected(session, scope, as_of)
            for division in Division:
                whole = whole_of(divide(session, division, scope, as_of))
                assert (whole.due, whole.paid) == (raw.due, raw.paid), (division, as_of)


def test_each_part_is_what_the_raw_rows_say_of_it(eventful: World) -> None:
    scope = Scope(eventful.community.id, NOVEMBER.previous(), NOVEMBER)
    with eventful.database.transaction() as session:
        for division, part in RAW_PARTS.items():
            rolled = {
                one.part: (one.due, one.paid) for one in divide(session, division, scope, TODAY)
            }
            raw = {
                one.part: (one.due, one.paid) for one in collected_by(session, part, scope, TODAY)
            }
            nothing = (ZERO, ZERO)
            assert rolled == {code: sums for code, sums in raw.items() if sums != nothing}
            assert len(rolled) > 1
        [whole] = divide_by_community(
            session, [eventful.community.id], NOVEMBER.previous(), NOVEMBER, TODAY
        )
        assert whole.rate == collected(session, scope, TODAY).rate


def test_folding_changes_no_sum_and_twice_nothing(eventful: World) -> None:
    before = rows_of(eventful)
    for _ in range(2):
        with eventful.database.transaction() as session:
            fold(session, eventful.community.id)
        assert_checked(eventful)
    after = rows_of(eventful)
    assert after[0] < before[0]
    assert after[1] < before[1]
    with eventful.database.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM owed_move WHERE amount = 0")) == 0


def test_roll_ups_made_anew_are_the_same(eventful: World) -> None:
    scope = Scope(eventful.community.id)
    with eventful.database.transaction() as session:
        before = divide(session, Division.ITEM, scope, TODAY)
        session.execute(text("UPDATE collection_move SET due = due + 1"))
        session.execute(text("DELETE FROM owed_move"))
        rebuild(session, eventful.community.id)
        assert divide(session, Division.ITEM, scope, TODAY) == before
    assert_checked(eventful)


def test_the_ages_of_debts_sum_to_all_that_is_owed(eventful: World) -> None:
    with eventful.database.transaction() as session:
        whole = collected(session, Scope(eventful.community.id), TODAY)
        aged = age_debts(session, eventful.community.id, TODAY)
        assert [one.bucket for one in aged] == list(Bucket)
        assert sum((one.owed for one in aged), ZERO) == whole.due - whole.paid
        for one in aged:
            homes = session.execute(
                homes_in_arrears(eventful.community.id, TODAY, one.bucket)
            ).all()
            assert sum((home.owed for home in homes), ZERO) == one.owed
            assert len(homes) == one.homes


def debts(world: World) -> dict[int, Money]:
    """What is owed on each bill, as the lists of debts read it: two ways that must agree."""
    here = world.community.id
    with world.database.transaction() as session:
        bill = owed_bills(here)
        found = {row.bill_id: row.owed for row in session.execute(select(bill))}
        owed = set(session.scalars(select(Bill.id).where(Bill.community_id == here, is_owed(here))))
    assert owed == {one for one, amount in found.items() if amount > ZERO}
    return found


def test_debts_are_read_the_same_fresh_folded_and_changed_since(eventful: World) -> None:
    raw = text(
        "SELECT bill_id, sum(amount) FROM owed_move GROUP BY bill_id HAVING sum(amount) <> 0"
    )

    def summed() -> dict[int, Money]:
        with eventful.database.transaction() as session:
            return {one: Money(int(amount)) for one, amount in session.execute(raw)}

    fresh = debts(eventful)
    assert fresh
    assert fresh == summed()
    with eventful.database.transaction() as session:
        fold(session, eventful.community.id)
    assert debts(eventful) == fresh
    with eventful.database.transaction() as session:
        session.execute(
            text(  # half of them paid, some too much, and one that was paid is owed again
                "INSERT INTO owed_move (community_id, bill_id, unit_id, due_on, amount)"
                " SELECT community_id, bill_id, unit_id, due_on, -amount - bill_id % 3"
                " FROM owed_move WHERE bill_id % 2 = 0"
                " UNION ALL SELECT community_id, max(id), max(unit_id), :day, 7 FROM bill"
                " WHERE NOT EXISTS (SELECT FROM owed_move WHERE bill_id = bill.id)"
                " GROUP BY community_id"
            ),
            {"day": TODAY},
        )
    changed = debts(eventful)
    assert changed == summed()
    assert changed != fresh
    assert any(amount < ZERO for amount in changed.values())
    with eventful.database.transaction() as session:
        fold(session, eventful.community.id)
    assert debts(eventful) == changed


def test_who_owes_the_most_is_who_the_list_of_arrears_names_first(eventful: World) -> None:
    with eventful.database.transaction() as session:
        listed = list_arrears(session, Scope(eventful.community.id), TODAY)
        top = top_arrears(session, eventful.community.id, TODAY, 3)
    assert [(one.key, one.owed) for one in top] == [(one.unit_id, one.owed) for one in listed[:3]]


def test_money_belongs_to_its_day_and_channel_and_cancelled_money_to_none(world: World) -> None:
    with world.database.transaction() as session:
        before = income_by_day(session, world.community.id, TODAY, TODAY + timedelta(days=1))
        take(session, world, IN_TIME, "12.34", "A")
        cancel(session, take(session, world, BEHIND, "5.00", "B"))
    with world.database.transaction() as session:
        found = income_by_day(session, world.community.id, TODAY, TODAY + timedelta(days=1))
        all_of_it = income_by_day(session, world.community.id, date(2020, 1, 1), date(2100, 1, 1))
        raw = session.execute(
            text(
                "SELECT sum(amount) FROM payment WHERE state = 'confirmed'"
                " AND channel NOT IN ('prepaid', 'imported')"
            )
        ).scalar_one()
    assert before == []
    assert [(one.channel, one.amount, one.payments) for one in found] == [
        (PaymentChannel.CASH, Money(1234), 1)
    ]
    assert sum((one.amount for one in all_of_it), ZERO) == Money(int(raw))


def test_waivers_corrections_and_refunds_are_told_apart(eventful: World) -> None:
    with eventful.database.transaction() as session:
        found = conceded(session, eventful.community.id, TODAY, TODAY + timedelta(days=1))
        waived = session.execute(
            text("SELECT sum(amount) FROM adjustment WHERE state='approved' AND kind='waiver'")
        ).scalar_one()
        back = session.execute(
            text("SELECT sum(amount) FROM refund WHERE state = 'done'")
        ).scalar_one()
        nothing = conceded(session, eventful.community.id, date(2020, 1, 1), TODAY)
    assert (found.waived.amount, found.refunded.amount) == (Money(int(waived)), Money(int(back)))
    assert found.corrected.count == 2
    assert nothing.waived.count == nothing.refunded.count == 0


def test_cleared_arrears_are_what_was_paid_of_what_was_overdue(world: World) -> None:
    tomorrow = TODAY + timedelta(days=1)
    with world.database.transaction() as session:
        owed = cleared(session, world.community.id, TODAY, tomorrow)
        take(session, world, BEHIND, "50.00")
    with world.database.transaction() as session:
        found = cleared(session, world.community.id, TODAY, tomorrow)
        late = list_arrears(session, Scope(world.community.id), TODAY - timedelta(days=1))
    assert (owed.paid, found.paid, found.due) == (ZERO, Money(5000), owed.due)
    assert owed.due == sum((one.owed for one in late), ZERO)


@pytest.mark.parametrize("begins", [1, 8])
def test_days_that_have_not_begun_have_cleared_nothing(world: World, begins: int) -> None:
    from_on, tomorrow = TODAY + timedelta(days=begins), TODAY + timedelta(days=1)
    with world.database.transaction() as session:
        assert cleared(session, world.community.id, TODAY, tomorrow).due > ZERO
        nothing = cleared(session, world.community.id, from_on, tomorrow)
    assert (nothing.due, nothing.paid, nothing.rate) == (ZERO, ZERO, None)


def test_a_curve_ends_at_the_rate_of_the_month(eventful: World) -> None:
    with eventful.database.transaction() as session:
        curves = read_curves(
            session, eventful.community.id, [NOVEMBER, *months_before(NOVEMBER)], TODAY
        )
        for curve in curves:
            scope = Scope(eventful.community.id, curve.period, curve.period)
            assert curve.rate_on(10_000) == collected(session, scope, TODAY).rate
    assert [curve.period for curve in curves][-1] == NOVEMBER
    assert len(curves) > 3


def curve(period: str, *paid: int, due: int = 100) -> Curve:
    """A month's curve, yuan by day."""
    month = Period(period)
    return Curve(month, Money(due), month.start, tuple(Money(fen) for fen in paid))


def test_a_forecast_adds_what_earlier_months_still_gained() -> None:
    past = [curve(month, *range(31)) for month in ("2026-09", "2026-10")]
    found = forecast(curve("2026-11", *range(5, 15)), past)
    assert found is not None
    assert found.rate == Fraction(14 + 29 - 9, 100)
    assert found.amount == Money(34)
    assert forecast(curve("2026-11", 5), []) is None
    assert forecast(curve("2026-11", 5), [curve("2026-10", 1, 2)]) is None


def test_a_month_without_a_payment_is_foretold_only_if_earlier_ones_began_so_too() -> None:
    late = [curve(month, *[0] * 10, *range(21)) for month in ("2026-09", "2026-10")]
    early = [curve(month, *range(31)) for month in ("2026-09", "2026-10")]
    nothing = curve("2026-11", *[0] * 10)
    found = forecast(nothing, late)
    assert found is not None
    assert found.rate == Fraction(19, 100)
    assert forecast(nothing, early) is None  # by this day there was money in every month
    never = [curve(month, *[0] * 31) for month in ("2026-09", "2026-10")]
    assert forecast(nothing, never) is None


@given(
    st.lists(st.integers(0, 10), min_size=1, max_size=30),
    st.lists(st.lists(st.integers(0, 10), min_size=31, max_size=40), max_size=4),
)
def test_a_forecast_lies_between_what_is_paid_and_what_is_due(
    now: list[int], before: list[list[int]]
) -> None:
    def grown(steps: list[int]) -> list[int]:
        return [sum(steps[: day + 1]) for day in range(len(steps))]

    past = [curve("2026-10", *grown(steps), due=400) for steps in before]
    current = curve("2026-11", *grown(now), due=400)
    found = forecast(current, past)
    if found is None:
        assert not past or not current.paid[-1]
    else:
        assert current.paid[-1] <= found.amount <= current.due
