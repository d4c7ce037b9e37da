"""A home changes hands: debts stay with whoever owned it on their days, and nobody sees more."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.adjustment_tables import AdjustmentKind, AfterVoid, ShareReason
from billing.bill_issue import issue_chunk
from billing.bills import Bill, get_bills, list_bills, list_unpaid
from billing.binding_requests import decide_binding
from billing.bindings import (
    Redeemed,
    issue_code,
    redeem_code,
    see_follower,
)
from billing.deduction import deduct_home
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import Fact, FactKind
from billing.handovers import HandedOver, hand_over
from billing.homes import list_homes
from billing.late_fee_bills import issue_late_fees
from billing.late_fee_policy import set_policy
from billing.late_fee_tables import LateFeeCap
from billing.late_fees import late_fee_lines
from billing.money import Money
from billing.payments import list_confirmed
from billing.people import Binding, Occupancy, ResidentRole
from billing.period import DayWindow, Period
from billing.privacy import Vault
from billing.shares import list_shares, split_bill
from tests.asking import ask_for
from tests.billing.drawer import take
from tests.billing.paper import (
    Line,
    adjust,
    at,
    draft_bills,
    faults,
    pay,
    person,
    prepaid,
    sell,
    staff,
    void,
    write_bill,
)
from tests.billing.test_late_fees import first_line
from tests.conftest import NOW, TODAY, World

ROOM, BEHIND = "3-2-501", "1-1-302"
NOVEMBER_16 = date(2026, 11, 16)
ANEW = Line("300.00", source=1)  # November, which the demo's homes were charged for already


def owner(session: Session, world: World, room: str = ROOM) -> int:
    return session.scalars(
        select(Occupancy.resident_id).where(
            Occupancy.unit_id == world.unit(room).id,
            Occupancy.role == ResidentRole.OWNER,
            Occupancy.to_on.is_(None),
        )
    ).one()


def give(
    session: Session, world: World, *new: int, on: date = NOVEMBER_16, **wishes: object
) -> HandedOver:
    return hand_over(
        session,
        world.community.id,
        world.unit(ROOM).id,
        new,
        on=on,
        by=staff(session).id,
        now=NOW,
        **wishes,  # type: ignore[arg-type]
    )


def shares(session: Session, world: World, bill_id: int) -> dict[int, int]:
    found = list_shares(session, world.community.id, bill_id)
    return {share.resident_id: share.amount.fen for share in found}


def bill_of(session: Session, world: World, period: str) -> int:
    bills = list_bills(session, world.community.id, [world.unit(ROOM).id])
    return next(bill.id for bill in bills if bill.period == Period(period))


def split_among(
    session: Session, world: World, bill_id: int, weights: dict[int, str]
) -> dict[int, int]:
    split_bill(
        session,
        world.community.id,
        bill_id,
        {resident: Decimal(weight) for resident, weight in weights.items()},
        by=staff(session).id,
        now=NOW,
    )
    return shares(session, world, bill_id)


def test_a_bill_is_split_by_weights_to_the_fen(world: World) -> None:
    with world.database.transaction() as session:
        people = [person(session, world) for _ in range(3)]
        bill_id = bill_of(session, world, "2026-11")
        found = split_among(session, world, bill_id, dict.fromkeys(people, "1"))
        [bill] = get_bills(session, world.community.id, [bill_id])
    assert list(found.values()) == [13394, 13393, 13393]
    assert sum(found.values()) == bill.amount.fen


def test_splitting_again_replaces_the_shares(world: World) -> None:
    with world.database.transaction() as session:
        first, second, third = (person(session, world) for _ in range(3))
        bill_id = bill_of(session, world, "2026-11")
        split_among(session, world, bill_id, {first: "1", second: "1"})
        assert split_among(session, world, bill_id, {second: "1", third: "3"}) == {
            second: 10045,
            third: 30135,
        }


def test_shares_are_of_the_amount_as_adjusted(world: World) -> None:
    with world.database.transaction() as session:
        resident = person(session, world)
        bill_id = bill_of(session, world, "2026-11")
        adjust(session, first_line(session, bill_id), "-1.80", AdjustmentKind.WAIVER, TODAY)
        assert split_among(session, world, bill_id, {resident: "0.5"}) == {resident: 40000}


def test_a_split_that_cannot_be_is_refused(world: World) -> None:
    with world.database.transaction() as session:
        resident = person(session, world)
        bill_id = bill_of(session, world, "2026-11")
        for weights in ({}, {resident: "0"}, {resident: "-1"}, {resident: "NaN"}):
            with pytest.raises(InvalidInput):
                split_among(session, world, bill_id, weights)
        with pytest.raises(NotFound, match="resident"):
            split_among(session, world, bill_id, {resident: "1", 10**9: "1"})
        with pytest.raises(NotFound):
            split_among(session, world, 10**9, {resident: "1"})
        void(session, world.community.id, bill_id, AfterVoid.REDO)
        with pytest.raises(Conflict, match="void"):
            split_among(session, world, bill_id, {resident: "1"})
        assert shares(session, world, bill_id) == {}


def test_days_before_stay_the_old_owners_and_later_days_are_the_new_ones(world: World) -> None:
    with world.database.transaction() as session:
        old, new = owner(session, world), person(session, world)
        done = give(session, world, new)
        assert done == HandedOver((old,), (new,), 5)
        assert shares(session, world, bill_of(session, world, "2026-10")) == {old: 40180}
        # 15 of 30 days of each line of November
        assert shares(session, world, bill_of(session, world, "2026-11")) == {
            old: 13790 + 6000 + 300,
            new: 13790 + 6000 + 300,
        }
        [share, _] = list_shares(session, world.community.id, bill_of(session, world, "2026-11"))
        assert share.reason is ShareReason.HANDED_OVER


def test_bills_issued_in_advance_are_the_new_owners(world: World) -> None:
    december = (date(2026, 12, 1), date(2027, 1, 1))
    with world.database.transaction() as session:
        new = person(session, world)
        bill_id = write_bill(
            session, world, ROOM, [Line("10.00", days=december)], issued_on=TODAY, due=december[0]
        )
        give(session, world, new)
        assert shares(session, world, bill_id) == {new: 1000}


def test_a_bill_issued_after_the_hand_over_is_shared_as_those_before_it(world: World) -> None:
    december = (date(2026, 12, 1), date(2027, 1, 1))
    late = (date(2026, 11, 1), NOVEMBER_16)
    with world.database.transaction() as session:
        old, new = owner(session, world), person(session, world)
        give(session, world, new)
        lines = [ANEW, Line("20.00", "garbage", days=late), Line("7.00", days=december)]
        bill_id = write_bill(session, world, ROOM, lines, issued_on=TODAY, due=december[0])
        assert shares(session, world, bill_id) == {old: 17000, new: 15700}
        [share, _] = list_shares(session, world.community.id, bill_id)
        assert (share.reason, share.decided_by) == (ShareReason.HANDED_OVER, None)
        assert "what several people owe of a bill is the whole bill" not in faults(session)


def test_a_draft_published_after_the_hand_over_is_shared_by_days(world: World) -> None:
    unit = world.unit(ROOM)
    with world.database.transaction() as session:
        old, new = owner(session, world), person(session, world)
        run_id, no = draft_bills(session, world, [unit.id], [ANEW], TODAY)
        give(session, world, new)
        issue_chunk(
            session, world.community.id, run_id, no, issued_on=TODAY, due=TODAY, now=at(TODAY)
        )
        bill_id = session.scalars(select(Bill.id).where(Bill.run_id == run_id)).one()
        assert shares(session, world, bill_id) == {old: 15000, new: 15000}


def test_a_bill_issued_after_two_hand_overs_is_shared_among_all_owners(world: World) -> None:
    december = (date(2026, 12, 1), date(2027, 1, 1))
    with world.database.transaction() as session:
        first, second, third = owner(session, world), person(session, world), person(session, world)
        give(session, world, second, on=date(2026, 11, 4))
        give(session, world, third, on=date(2026, 11, 13))
        for line, owed in (
            (ANEW, {first: 3000, second: 9000, third: 18000}),
            (Line("310.00", days=december), {}),
        ):
            bill_id = write_bill(session, world, ROOM, [line], issued_on=TODAY, due=december[0])
            assert shares(session, world, bill_id) == owed


def test_several_owners_share_equally(world: World) -> None:
    with world.database.transaction() as session:
        old, first, second = owner(session, world), person(session, world), person(session, world)
        give(session, world, first, second)
        assert shares(session, world, bill_of(session, world, "2026-11")) == {
            old: 20090,
            first: 10045,
            second: 10045,
        }


def test_who_owned_it_before_them_keeps_his_share(world: World) -> None:
    with world.database.transaction() as session:
        first, second, third = owner(session, world), person(session, world), person(session, world)
        give(session, world, second, on=date(2026, 11, 4))
        give(session, world, third, on=date(2026, 11, 13))
        november = shares(session, world, bill_of(session, world, "2026-11"))
        assert november == {first: 4018, second: 12054, third: 24108}
        assert shares(session, world, bill_of(session, world, "2026-09")) == {first: 40180}


def test_what_was_agreed_among_the_old_owners_stays_agreed(world: World) -> None:
    with world.database.transaction() as session:
        old, new = owner(session, world), person(session, world)
        bill_id = bill_of(session, world, "2026-10")
        tenant = person(session, world)
        split_among(session, world, bill_id, {old: "3", tenant: "1"})
        give(session, world, new)
        assert shares(session, world, bill_id) == {old: 30135, tenant: 10045}


days = st.tuples(st.integers(0, 60), st.integers(1, 40))
charges_of_a_bill = st.lists(st.tuples(days, st.integers(1, 99_999)), min_size=1, max_size=4)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(charges_of_a_bill, st.integers(1, 90))
def test_shares_always_sum_to_the_bill(
    world: World, charges: Sequence[tuple[tuple[int, int], int]], after: int
) -> None:
    begin = date(2026, 8, 20)
    lines = [
        Line(
            Money(fen).yuan,
            days=(begin + timedelta(days=start), begin + timedelta(days=start + length)),
            source=number,
        )
        for number, ((start, length), fen) in enumerate(charges, 1)
    ]
    with pytest.raises(Undo), world.database.transaction() as session:
        bill_id = write_bill(session, world, ROOM, lines, issued_on=TODAY, due=date(2026, 12, 1))
        give(session, world, person(session, world), on=begin + timedelta(days=after))
        for bill in list_bills(session, world.community.id, [world.unit(ROOM).id]):
            assert sum(shares(session, world, bill.id).values()) == bill.amount.fen
        assert shares(session, world, bill_id)
        raise Undo


class Undo(Exception):
    """Take an example back."""


def test_a_hand_over_is_recorded_as_a_fact_and_changes_no_amount(world: World) -> None:
    unit = world.unit(ROOM)
    with world.database.transaction() as session:
        before = list_bills(session, world.community.id, [unit.id])
        old, new = owner(session, world), person(session, world)
        give(session, world, new)
        assert list_bills(session, world.community.id, [unit.id]) == before
        [fact] = session.scalars(select(Fact).where(Fact.kind == FactKind.HANDED_OVER))
        assert (fact.unit_id, fact.data) == (
            unit.id, {"on": "2026-11-16", "from": [old], "to": [new]},
        )  # fmt: skip
        assert owner(session, world) == new


def test_the_same_hand_over_twice_changes_nothing(world: World) -> None:
    with world.database.transaction() as session:
        new = person(session, world)
        give(session, world, new)
        assert give(session, world, new) == HandedOver((), (new,), 0)
        assert (
            len(session.scalars(select(Fact).where(Fact.kind == FactKind.HANDED_OVER)).all()) == 1
        )
        with pytest.raises(Conflict, match="since 2026-11-16"):
            give(session, world, new, on=date(2026, 11, 20))


def test_a_hand_over_that_cannot_be_is_refused(world: World) -> None:
    with world.database.transaction() as session:
        new = person(session, world)
        for on in (TODAY + timedelta(days=1), date(2021, 6, 1)):
            with pytest.raises(InvalidInput, match="on:"):
                give(session, world, new, on=on)
        with pytest.raises(InvalidInput, match="residents"):
            give(session, world)
        with pytest.raises(NotFound, match="resident"):
            give(session, world, 10**9)
        with pytest.raises(NotFound, match="binding"):
            give(session, world, new, own_bindings=[10**9])
    with world.database.transaction() as session, pytest.raises(Conflict, match="record him"):
        hand_over(
            session, world.community.id, world.unit("2-1-803").id, [owner(session, world)],
            on=NOVEMBER_16, by=staff(session).id, now=NOW,
        )  # fmt: skip


def bind(
    session: Session,
    world: World,
    vault: Vault,
    openid: str,
    role: ResidentRole = ResidentRole.OWNER,
    room: str = ROOM,
) -> DayWindow:
    """Bind by a fresh code; returns the days seen."""
    code = issue_code(
        session,
        vault,
        community_id=world.community.id,
        unit_id=world.unit(room).id,
        role=role,
        now=NOW,
    )
    session.flush()
    follower = see_follower(session, openid, NOW)
    assert redeem_code(session, vault, follower, code, NOW) is Redeemed.BOUND
    return seen(session, openid)


def seen(session: Session, openid: str) -> DayWindow:
    session.flush()
    [home] = list_homes(session, see_follower(session, openid, NOW).id)
    return home.seen


def test_the_old_owner_sees_what_was_and_the_new_one_what_is(world: World, vault: Vault) -> None:
    unit = world.unit(ROOM)
    with world.database.transaction() as session:
        assert bind(session, world, vault, "o-old").is_open
        give(session, world, person(session, world))
        assert seen(session, "o-old") == DayWindow(None, NOVEMBER_16)
        assert bind(session, world, vault, "o-new") == DayWindow(NOVEMBER_16, None)

        def periods(openid: str) -> list[str]:
            bills = list_bills(session, world.community.id, [unit.id], seen(session, openid))
            return [str(bill.period) for bill in bills]

        december = (date(2026, 12, 1), date(2027, 1, 1))
        write_bill(
            session, world, ROOM, [Line("10.00", days=december)], issued_on=december[0],
            due=december[1],
        )  # fmt: skip
        assert periods("o-old") == ["2026-07", "2026-08", "2026-09", "2026-10", "2026-11"]
        assert periods("o-new") == ["2026-11", "2026-12"]


def test_tenants_leave_with_the_owner_unless_they_are_kept(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        bind(session, world, vault, "o-tenant", ResidentRole.TENANT)
        give(session, world, person(session, world), keep_tenants=True)
        assert seen(session, "o-tenant") == DayWindow(TODAY, None)
        give(session, world, person(session, world), on=date(2026, 11, 20))
        assert seen(session, "o-tenant").end == date(2026, 11, 20)


def test_a_binding_that_is_the_new_owners_already_is_kept_open(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        bind(session, world, vault, "o-buyer")
        [binding_id] = session.scalars(select(Binding.id))
        give(session, world, person(session, world), own_bindings=[binding_id])
        assert seen(session, "o-buyer") == DayWindow(NOVEMBER_16, None)


def test_codes_nobody_used_are_worthless_after_a_hand_over(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        code = issue_code(
            session, vault, community_id=world.community.id, unit_id=world.unit(ROOM).id, now=NOW
        )
        session.flush()
        give(session, world, person(session, world))
        follower = see_follower(session, "o-late", NOW)
        assert redeem_code(session, vault, follower, code, NOW) is Redeemed.EXPIRED


def test_a_fresh_code_opens_a_limited_binding_again(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        bind(session, world, vault, "o-family")
        give(session, world, person(session, world))
        assert bind(session, world, vault, "o-family").end is None


def test_a_tenant_sees_nothing_before_he_moved_in(world: World, vault: Vault) -> None:
    room = "2-1-803"
    with world.database.transaction() as session:
        stay = session.scalars(
            select(Occupancy).where(Occupancy.unit_id == world.unit(room).id)
        ).one()
        stay.from_on = date(2026, 10, 1)
        session.flush()
        tenant = ResidentRole.TENANT
        assert bind(session, world, vault, "o-tenant", tenant, room).start == date(2026, 10, 1)
        assert bind(session, world, vault, "o-guest", tenant).start == TODAY


def test_a_request_that_staff_approve_sees_as_a_code_does(world: World) -> None:
    with world.database.transaction() as session:
        give(session, world, person(session, world))
        follower = see_follower(session, "o-asking", NOW)
        binding = ask_for(session, follower, world.unit(ROOM))
        decide_binding(session, world.community.id, binding.id, approve=True, now=NOW)
        assert seen(session, "o-asking") == DayWindow(NOVEMBER_16, None)


def test_payments_are_seen_by_whoever_sees_all_they_paid(world: World) -> None:
    unit = world.unit(ROOM)
    with world.database.transaction() as session:
        give(session, world, person(session, world))
        [bill] = list_unpaid(session, world.community.id, [unit.id])
        split_payment = pay(session, world, ROOM, "1.00", TODAY, bill.id)

        def paid(days: DayWindow) -> list[int]:
            rows = list_confirmed(session, world.community.id, [unit.id], limit=100, seen=days)
            return [payment.id for payment, _ in rows]

        assert paid(DayWindow(NOVEMBER_16, None)) == [split_payment.id]
        assert len(paid(DayWindow(None, NOVEMBER_16))) == 5
        assert paid(DayWindow(date(2026, 12, 1), None)) == []


def test_money_that_paid_no_bill_is_seen_by_whoever_was_there_when_it_came(world: World) -> None:
    unit = world.unit(ROOM)
    with world.database.transaction() as session:
        [bill] = list_unpaid(session, world.community.id, [unit.id])
        pay(session, world, ROOM, bill.outstanding.yuan, TODAY)
        deposit = pay(session, world, ROOM, "50.00", TODAY)
        for days, visible in (
            (DayWindow(TODAY, None), True),
            (DayWindow(None, TODAY), False),
            (DayWindow(None, TODAY + timedelta(days=1)), True),
        ):
            rows = list_confirmed(session, world.community.id, [unit.id], limit=100, seen=days)
            assert (deposit.id in [payment.id for payment, _ in rows]) is visible


def test_money_without_a_purpose_pays_what_the_buyer_owes_and_is_his_prepayment(
    world: World,
) -> None:
    with world.database.transaction() as session:
        sell(session, world, BEHIND, date(2026, 11, 1))
        *sellers, own = list_unpaid(session, world.community.id, [world.unit(BEHIND).id])
        take(session, world, BEHIND, (own.outstanding + Money(100)).yuan)
        left = list_unpaid(session, world.community.id, [world.unit(BEHIND).id])
        assert left == sellers != []
        assert prepaid(session, world, BEHIND) == Money(100)
        assert deduct_home(session, own.community_id, own.unit_id, now=NOW) is None
        old = sellers[0]
        take(session, world, BEHIND, "5.00", "S2", designated={old.id: Money(500)})
        [paid] = get_bills(session, world.community.id, [old.id])
        assert paid.outstanding == old.outstanding - Money(500)  # who says so pays for him
        assert faults(session) == []


def test_a_bill_that_both_owe_by_days_is_paid_only_by_who_says_so(world: World) -> None:
    with world.database.transaction() as session:
        sell(session, world, ROOM, NOVEMBER_16)
        [split] = list_unpaid(session, world.community.id, [world.unit(ROOM).id])
        take(session, world, ROOM, split.outstanding.yuan)
        assert list_unpaid(session, world.community.id, [world.unit(ROOM).id]) == [split]


def test_late_fees_of_an_old_debt_are_the_old_owners(world: World) -> None:
    unit = world.unit(ROOM)
    november = (date(2026, 11, 1), NOVEMBER_16)
    december = date(2026, 12, 20)
    with world.database.transaction() as session:
        set_policy(
            session, world.community.id, effective_from=date(2026, 11, 1),
            daily_rate=Decimal("0.0005"), grace_days=0, cap=LateFeeCap.PRINCIPAL, document="9",
        )  # fmt: skip
        old, new = owner(session, world), person(session, world)
        write_bill(
            session, world, ROOM, [Line("1000.00", days=november)],
            issued_on=date(2026, 11, 1), due=date(2026, 11, 10),
        )  # fmt: skip
        give(session, world, new)
        # Neither his debt nor November, which both owe, goes on the new owner's next bill.
        assert late_fee_lines(session, world.community.id, [unit.id], december) == {}
        bills = issue_late_fees(session, world.community, unit.id, today=december, now=at(december))
        his, both = (shares(session, world, bill_id) for bill_id in bills)
        assert his == {old: 2000}
        assert both == {old: 201, new: 201}

        def sees(days: DayWindow) -> bool:
            found = list_bills(session, world.community.id, [unit.id], days)
            return bills[0] in [bill.id for bill in found]

        assert sees(DayWindow(None, NOVEMBER_16))
        assert not sees(DayWindow(NOVEMBER_16, None))
