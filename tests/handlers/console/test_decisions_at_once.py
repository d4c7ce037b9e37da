"""Two at two browsers decide about the same thing at once: the second is told, nothing is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from billing.deposits import list_deposits, return_deposit, take_deposit
from billing.money import Money
from billing.people import StaffRole, get_staff
from bot.program import Program
from handlers.heard import Heard, HeardReason, label_heard
from notify import broadcasts
from notify.broadcast_sending import send_due
from notify.broadcast_tables import BroadcastState
from notify.broadcasts import confirm_broadcast
from tests.billing.drawer import shift_of
from tests.conftest import World
from tests.handlers.application import Clock
from tests.handlers.console.conftest import Clerk
from tests.handlers.console.test_broadcasts_pages import drafted, kept, readers
from tests.waiting import wait_until_somebody_waits

__all__ = ["readers"]

MakeClerk = Callable[..., Clerk]


def meanwhile(
    world: World, first: Callable[[Session], object], second: Callable[[], TestResponse]
) -> TestResponse:
    """What the second is answered who comes while the first is not through."""
    with ThreadPoolExecutor(1) as pool:
        with world.database.transaction() as session:
            first(session)
            session.flush()
            late = pool.submit(second)
            wait_until_somebody_waits(world)
        return late.result(timeout=30)


def test_the_second_of_two_who_approve_is_told_that_it_is_queued(
    clerk: MakeClerk,
    readers: None,
    program: Program,
    world: World,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broadcasts, "ALONE_MAX", 2)
    desk, boss = clerk(StaffRole.SERVICE), clerk(StaffRole.MANAGER)
    number = drafted(desk)
    desk.post(f"/HY/broadcasts/{number}/confirm", state="draft")

    def approve(session: Session) -> None:
        by = get_staff(session, "liu")
        confirm_broadcast(session, world.community.id, number, by=by, now=clock.now)

    late = meanwhile(
        world, approve, lambda: boss.post(f"/HY/broadcasts/{number}/confirm", state="waiting")
    )
    assert late.status_code == 422
    assert "刚刚被别人处理过" in late.text
    assert "待发送" in late.text
    with program.services.database.transaction() as session:
        first = get_staff(session, "liu").id
    assert kept(program, world, number).approved_by == first


def test_who_cancels_what_is_being_sent_is_told_and_can_stop_it(
    clerk: MakeClerk, readers: None, program: Program, world: World, clock: Clock
) -> None:
    desk = clerk(StaffRole.SERVICE)
    number = drafted(desk)
    desk.post(f"/HY/broadcasts/{number}/confirm", state="draft")
    clock.later(minutes=1)
    late = meanwhile(
        world,
        lambda session: send_due(session, clock.now),
        lambda: desk.post(f"/HY/broadcasts/{number}/cancel", state="queued"),
    )
    assert late.status_code == 422
    assert "刚刚被别人处理过" in late.text
    assert "中止，剩下的不再发" in late.text
    assert kept(program, world, number).state is BroadcastState.SENT
    assert desk.post(f"/HY/broadcasts/{number}/cancel", state="sent").status_code == 303
    assert kept(program, world, number).state is BroadcastState.STOPPED


def test_the_second_of_two_who_label_a_sentence_is_told(
    clerk: MakeClerk, program: Program, world: World, clock: Clock
) -> None:
    desk = clerk(StaffRole.SERVICE)
    with program.services.database.transaction() as session:
        one = Heard(
            masked="灯怎么不亮",
            guessed="bills.due",
            confidence=Decimal("0.31"),
            slots={},
            is_staff=False,
            reason=HeardReason.ASKED_BACK,
            answered="message.unsure",
            at=clock.now,
        )
        session.add(one)
        session.flush()
        number = one.id
    late = meanwhile(
        world,
        lambda session: label_heard(
            session, number, "human", by=get_staff(session, "liu"), now=clock.now
        ),
        lambda: desk.post(f"/HY/heard/{number}", intent="pay", seen=""),
    )
    assert late.status_code == 422
    assert "刚刚被别人标过" in late.text
    with program.services.database.transaction() as session:
        assert session.get_one(Heard, number).label == "human"


@pytest.mark.parametrize("how", ["return", "forfeit"])
def test_the_second_of_two_who_give_a_part_of_a_deposit_back_is_told(
    clerk: MakeClerk, program: Program, world: World, clock: Clock, how: str
) -> None:
    cashier, here, home = clerk(StaffRole.CASHIER), world.community.id, world.unit("1-1-302").id
    cashier.post("/HY/shifts", float="0")
    with program.services.database.transaction() as session:
        shift_of(session, world)
        zhou = get_staff(session, "zhou").id
        deposit = take_deposit(
            session, community_id=here, unit_id=home, number="YJ-1", purpose="装修押金",
            amount=Money(200_000), by=zhou, on=world.today, now=clock.now,
        )  # fmt: skip
        number = deposit.id

    def give(session: Session) -> None:
        return_deposit(
            session, here, "YJ-1", Money(80_000), reason="退一部分", by=zhou, on=world.today,
            now=clock.now,
        )  # fmt: skip

    fields = {"deposit": str(number), "seen": "200000", "how": how, "amount": "800"}
    path = f"/HY/homes/{home}/deposits/give"
    late = meanwhile(world, give, lambda: cashier.post(path, **fields, reason="退一部分"))
    assert late.status_code == 422
    assert "打开页面时在押 2000.00 元，现在在押 1200.00 元" in late.text
    with program.services.database.transaction() as session:
        [state] = list_deposits(session, here)
    assert state.held == Money(120_000)
