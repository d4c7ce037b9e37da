"""What is waived or corrected is asked for by one person, approved by another, and booked once."""

import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from billing.adjustment_tables import Adjustment, AdjustmentKind, AdjustmentState, AfterVoid
from billing.adjustments import (
    approve_adjustment,
    list_adjustments,
    refuse_adjustment,
    request_adjustment,
    reverse_adjustment,
)
from billing.bill_lines import LineState
from billing.closing import close_period
from billing.db import Database
from billing.errors import Conflict, InvalidInput, NotFound
from billing.ledger import FixedAccount, balance
from billing.money import ZERO, Money
from billing.people import Staff, StaffRole
from billing.period import Period
from billing.voids import void_bill
from tests.billing.corrections import (
    BEHIND,
    IN_TIME,
    bill_of,
    lines_of,
    owed,
    pay,
    rows,
    staff,
    violations,
)
from tests.conftest import NOW, TODAY, World, many_rounds

WAIVER, ADJUSTMENT = AdjustmentKind.WAIVER, AdjustmentKind.ADJUSTMENT
NOVEMBER = "2026-11"


def line_of(world: World, room: str = BEHIND, item: str = "property") -> LineState:
    bill = bill_of(world, room, NOVEMBER)
    [line] = [line for line in lines_of(world, bill) if line.item_code == item]
    return line


def ask(
    world: World,
    amount: int = -3000,
    *,
    kind: AdjustmentKind = WAIVER,
    line_id: int | None = None,
    by: str = "liu",
    reason: str = "电梯停运两日",
) -> Adjustment:
    """Ask for an adjustment of the property fee of whoever is behind."""
    requester = staff(world, by)
    with world.database.transaction() as session:
        return request_adjustment(
            session,
            world.community.id,
            line_of(world).id if line_id is None else line_id,
            kind=kind,
            amount=Money(amount),
            reason=reason,
            by=requester,
            now=NOW,
        )


def approve(
    world: World,
    adjustment: Adjustment,
    *,
    by: str = "zhao",
    today: date = TODAY,
    database: Database | None = None,
) -> Adjustment:
    decider = staff(world, by)
    with (database or world.database).transaction() as session:
        return approve_adjustment(
            session, world.community.id, adjustment.id, by=decider, today=today, now=NOW
        )


def take_back(world: World, adjustment: Adjustment) -> Adjustment:
    requester = staff(world, "liu")
    with world.database.transaction() as session:
        return reverse_adjustment(
            session, world.community.id, adjustment.id, reason="录错房号", by=requester, now=NOW
        )


def account(world: World, code: str) -> Money:
    with world.database.transaction() as session:
        return balance(session, world.community.id, code)


def facts(world: World) -> list[tuple[object, ...]]:
    return rows(
        world,
        "SELECT ref_id, amount, data ->> 'kind' FROM fact WHERE kind = 'adjusted' ORDER BY id",
    )


def test_a_request_changes_nothing_until_it_is_approved(world: World) -> None:
    before = owed(world, BEHIND)
    request = ask(world)
    assert owed(world, BEHIND) == before
    assert line_of(world).adjusted == ZERO
    assert facts(world) == []
    with world.database.transaction() as session:
        [waiting] = list_adjustments(session, world.community.id, AdjustmentState.REQUESTED)
        assert (waiting.id, waiting.effective_on) == (request.id, None)
    assert violations(world) == []


def test_an_approved_waiver_lowers_what_is_owed_and_is_an_expense(world: World) -> None:
    before = owed(world, BEHIND)
    approved = approve(world, ask(world))
    assert (approved.state, approved.effective_on) == (AdjustmentState.APPROVED, TODAY)
    assert owed(world, BEHIND) == before - Money(3000)
    assert bill_of(world, BEHIND, NOVEMBER).adjusted == Money(-3000)
    assert line_of(world).adjusted == Money(-3000)
    assert account(world, FixedAccount.WAIVERS) == Money(3000)
    assert facts(world) == [(approved.id, -3000, "waiver")]
    assert violations(world) == []


@pytest.mark.parametrize("amount", [-1234, 1234])
def test_a_correction_changes_what_was_earned(world: World, amount: int) -> None:
    owed_before, earned_before = owed(world, BEHIND), account(world, "income:property")
    approve(world, ask(world, amount, kind=ADJUSTMENT))
    assert owed(world, BEHIND) == owed_before + Money(amount)
    assert account(world, "income:property") == earned_before - Money(amount)
    assert account(world, FixedAccount.WAIVERS) == ZERO
    assert violations(world) == []


def test_nobody_approves_or_refuses_what_he_asked_for(world: World) -> None:
    request = ask(world, by="zhao")
    with pytest.raises(InvalidInput, match="by: zhao asked for it"):
        approve(world, request)
    manager = staff(world, "zhao")
    with pytest.raises(InvalidInput), world.database.transaction() as session:
        refuse_adjustment(session, world.community.id, request.id, by=manager, now=NOW)
    by_hand = (
        "UPDATE adjustment SET state = 'approved', decided_at = requested_at,"
        " decided_by = requested_by"
    )
    with (
        pytest.raises(IntegrityError, match="two_people"),
        world.database.transaction() as session,
    ):
        session.execute(text(by_hand))
    assert approve(world, request, by="chen").state is AdjustmentState.APPROVED


def test_only_who_keeps_the_books_decides_and_only_of_this_community(world: World) -> None:
    request = ask(world, by="zhao")
    with pytest.raises(InvalidInput, match="liu is service; this takes manager or accountant"):
        approve(world, request, by="liu")
    stranger = Staff(id=0, login="wang", role=StaffRole.MANAGER, community_id=99)
    reader = Staff(id=0, login="he", role=StaffRole.READER, community_id=None)
    for nobody in (stranger, reader):
        with pytest.raises(InvalidInput, match=r"^by: "), world.database.transaction() as session:
            request_adjustment(
                session,
                world.community.id,
                request.bill_line_id,
                kind=WAIVER,
                amount=Money(-1),
                reason="x",
                by=nobody,
                now=NOW,
            )


def test_a_second_approval_is_refused(world: World) -> None:
    request = ask(world)
    approve(world, request)
    with pytest.raises(Conflict, match="approved already"):
        approve(world, request, by="chen")
    assert len(facts(world)) == 1


@many_rounds
def test_two_approvals_at_once_book_once(world: World, engine_for: Callable[[str], Engine]) -> None:
    before = owed(world, BEHIND)
    request = ask(world)
    database = Database(engine_for(world.url), after_facts=lambda: None)
    start = threading.Barrier(2)
    told: list[str] = []

    def press(by: str) -> None:
        start.wait()
        try:
            told.append(approve(world, request, by=by, database=database).state.value)
        except Conflict as conflict:
            told.append(str(conflict))

    threads = [threading.Thread(target=press, args=(by,)) for by in ("zhao", "chen")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [f"adjustment {request.id} is approved already", "approved"]
    assert owed(world, BEHIND) == before - Money(3000)
    assert violations(world) == []


def test_a_refused_request_is_never_booked(world: World) -> None:
    before, request, manager = owed(world, BEHIND), ask(world), staff(world, "zhao")
    with world.database.transaction() as session:
        refused = refuse_adjustment(session, world.community.id, request.id, by=manager, now=NOW)
        assert refused.state is AdjustmentState.REFUSED
    with pytest.raises(Conflict, match="refused already"):
        approve(world, request)
    assert owed(world, BEHIND) == before
    assert violations(world) == []


def test_a_line_has_one_open_request_at_a_time(world: World) -> None:
    request = ask(world)
    with pytest.raises(Conflict, match=f"request {request.id} waiting"):
        ask(world)
    approve(world, request)
    approve(world, ask(world))
    assert line_of(world).adjusted == Money(-6000)


def test_no_more_is_waived_than_is_owed(world: World) -> None:
    line = line_of(world)
    with pytest.raises(InvalidInput, match=f"which owes {line.outstanding.yuan}"):
        ask(world, line.outstanding.fen * -1 - 1)
    approve(world, ask(world, -line.outstanding.fen))
    assert line_of(world).outstanding == ZERO
    with pytest.raises(InvalidInput, match=r"which owes 0\.00"):
        ask(world, -1)
    assert violations(world) == []


def test_what_was_paid_meanwhile_is_not_waived(world: World) -> None:
    request = ask(world)
    pay(world, BEHIND)
    with pytest.raises(Conflict, match=r"owes only 0\.00 by now, less than 30\.00"):
        approve(world, request)
    assert account(world, FixedAccount.WAIVERS) == ZERO
    assert violations(world) == []


def test_a_waived_bill_is_paid_with_what_is_left(world: World) -> None:
    november = bill_of(world, IN_TIME, NOVEMBER)
    approve(world, ask(world, -3000, line_id=line_of(world, IN_TIME).id))
    assert pay(world, IN_TIME).amount == november.outstanding - Money(3000)
    assert bill_of(world, IN_TIME, NOVEMBER).outstanding == ZERO
    assert violations(world) == []


@pytest.mark.parametrize(
    ("amount", "kind", "reason", "field"),
    [
        (0, ADJUSTMENT, "记错", "amount"),
        (100, WAIVER, "减免", "amount"),
        (10**13, ADJUSTMENT, "记错", "amount"),
        (-1, WAIVER, "  ", "reason"),
    ],
    ids=["nothing", "a waiver that raises", "absurd", "no reason"],
)
def test_an_unsound_request_is_refused(
    world: World, amount: int, kind: AdjustmentKind, reason: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        ask(world, amount, kind=kind, reason=reason)
    assert refused.value.field == field
    assert rows(world, "SELECT count(*) FROM adjustment") == [(0,)]


def test_what_does_not_exist_is_not_adjusted(world: World) -> None:
    with pytest.raises(NotFound, match="no bill line 999999"):
        ask(world, line_id=999_999)
    manager = staff(world, "zhao")
    with (
        pytest.raises(NotFound, match="no adjustment 999999"),
        world.database.transaction() as session,
    ):
        refuse_adjustment(session, world.community.id, 999_999, by=manager, now=NOW)


def void(world: World, bill_id: int) -> None:
    manager = staff(world, "zhao")
    with world.database.transaction() as session:
        void_bill(
            session,
            world.community.id,
            bill_id,
            after=AfterVoid.REDO,
            reason="面积有误",
            by=manager,
            today=TODAY,
            now=NOW,
        )


def test_a_void_bill_is_not_adjusted_and_its_requests_can_only_be_refused(world: World) -> None:
    request = ask(world)
    void(world, request.bill_id)
    with pytest.raises(Conflict, match="draft or void"):
        approve(world, request)
    with pytest.raises(Conflict, match="draft or void"):
        ask(world, line_id=request.bill_line_id)
    manager = staff(world, "zhao")
    with world.database.transaction() as session:
        refuse_adjustment(session, world.community.id, request.id, by=manager, now=NOW)
    assert violations(world) == []


def test_an_adjustment_is_taken_back_by_another_that_needs_approval_too(world: World) -> None:
    before = owed(world, BEHIND)
    waiver = approve(world, ask(world))
    back = take_back(world, waiver)
    assert (back.amount, back.reverses_id) == (Money(3000), waiver.id)
    assert owed(world, BEHIND) == before - Money(3000)
    approve(world, back)
    assert owed(world, BEHIND) == before
    assert account(world, FixedAccount.WAIVERS) == ZERO
    for taken, why in ((waiver, "taken back already"), (back, "itself a reversal")):
        with pytest.raises(Conflict, match=why):
            take_back(world, taken)
    assert violations(world) == []


def test_only_what_is_in_force_is_taken_back(world: World) -> None:
    request = ask(world)
    with pytest.raises(Conflict, match=f"request {request.id} waiting"):
        take_back(world, request)
    manager = staff(world, "zhao")
    with world.database.transaction() as session:
        refuse_adjustment(session, world.community.id, request.id, by=manager, now=NOW)
    with pytest.raises(Conflict, match="refused, not in force"):
        take_back(world, request)


def test_what_was_added_and_paid_is_not_taken_back(world: World) -> None:
    raised = approve(world, ask(world, 500, kind=ADJUSTMENT))
    pay(world, BEHIND)
    with pytest.raises(Conflict, match="owes only"):
        approve(world, take_back(world, raised))
    assert violations(world) == []


def test_it_counts_from_the_first_open_day(world: World) -> None:
    manager, request = staff(world, "zhao"), ask(world)
    with world.database.transaction() as session:
        for month in ("2026-07", "2026-08", "2026-09", "2026-10"):
            close_period(session, world.community.id, Period(month), by=manager, now=NOW)
    approved = approve(world, request, by="chen", today=date(2026, 10, 30))
    assert approved.effective_on == date(2026, 11, 1)
    dated = rows(
        world,
        "SELECT effective_on FROM journal_entry WHERE idempotency_key = :key",
        key=f"adjustment:{approved.id}",
    )
    assert dated == [(date(2026, 11, 1),)]
    assert violations(world) == []


def share(world: World, bill_id: int, parts: dict[int, int]) -> None:
    """Let two people owe a bill."""
    with world.database.transaction() as session:
        for resident, fen in parts.items():
            session.execute(
                text(
                    "INSERT INTO bill_share (community_id, bill_id, resident_id, amount, reason,"
                    " decided_by, decided_at) SELECT :community, :bill, resident.id, :fen,"
                    " 'agreed', (SELECT min(id) FROM staff), now() FROM resident"
                    " ORDER BY id OFFSET :resident LIMIT 1"
                ),
                {
                    "community": world.community.id,
                    "bill": bill_id,
                    "fen": fen,
                    "resident": resident,
                },
            )


def shares(world: World, bill_id: int) -> list[object]:
    found = rows(
        world,
        "SELECT amount FROM bill_share WHERE bill_id = :bill ORDER BY resident_id",
        bill=bill_id,
    )
    return [amount for (amount,) in found]


def test_the_shares_of_several_people_follow_in_proportion(world: World) -> None:
    bill = bill_of(world, BEHIND, NOVEMBER)
    first = bill.amount.fen // 3
    share(world, bill.id, {0: first, 1: bill.amount.fen - first})
    approve(world, ask(world, -3000))
    left = bill.amount.fen - 3000
    assert sum(int(str(part)) for part in shares(world, bill.id)) == left
    exact = Decimal(left) * first / bill.amount.fen
    assert abs(int(str(shares(world, bill.id)[0])) - exact) < 1
    assert violations(world) == []


def test_shares_of_nothing_go_with_what_was_waived(world: World) -> None:
    bill = bill_of(world, IN_TIME, NOVEMBER)
    share(world, bill.id, {0: bill.amount.fen, 1: 0})
    waivers = [
        approve(world, ask(world, -line.amount.fen, line_id=line.id))
        for line in lines_of(world, bill)
    ]
    assert shares(world, bill.id) == [0, 0]
    approve(world, take_back(world, waivers[0]))
    assert shares(world, bill.id) == []
    assert violations(world) == []
