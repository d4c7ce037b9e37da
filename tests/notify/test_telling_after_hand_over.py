"""Notices about a home that changed hands go to those who may see what they are about."""

from datetime import date

from billing.bills import list_bills
from billing.people import Follower
from tests.billing.paper import pay, sell
from tests.notify.conftest import Town
from tests.notify.test_telling import publish_december

LI = "1-1-302"  # three months behind
SOLD_ON = date(2026, 11, 16)


def sold(town: Town) -> tuple[Follower, Follower]:
    """The old and the new owner, both following."""
    old = town.bind(LI, "Old")
    with town.world.database.transaction() as session:
        sell(session, town.world, LI, SOLD_ON)
    new = town.bind(LI, "New", sees_from=SOLD_ON)
    return old, new


def told(town: Town) -> list[str]:
    return sorted(shown.openid for shown in town.wechat.shown)


def test_a_new_bill_is_told_to_the_new_owner(town: Town) -> None:
    sold(town)
    publish_december(town)
    town.notifier.intake()
    assert told(town) == ["oNew"]


def test_old_debts_are_pressed_for_with_the_old_owner(town: Town) -> None:
    sold(town)
    summary = town.remind(date(2026, 11, 22))
    assert summary["overdue"] == 3
    town.notifier.deliver()
    assert told(town) == ["oOld"]


def test_a_bill_of_both_is_told_to_both(town: Town) -> None:
    sold(town)
    assert town.remind(date(2026, 11, 30))["due"] == 2


def test_a_payment_is_told_to_those_who_see_what_it_paid(town: Town) -> None:
    sold(town)
    unit = town.world.unit(LI)
    with town.world.database.transaction() as session:
        bills = list_bills(session, unit.community_id, [unit.id])
        oldest = next(bill for bill in bills if bill.outstanding)
        pay(session, town.world, LI, "1.00", date(2026, 11, 23), oldest.id)
    town.notifier.intake()
    assert told(town) == ["oOld"]


def test_who_lost_his_sight_meanwhile_is_not_told_any_more(town: Town) -> None:
    town.bind(LI, "Old")
    publish_december(town)
    town.notifier._take_facts(at_once=False)
    with town.world.database.transaction() as session:
        sell(session, town.world, LI, SOLD_ON)
    town.notifier.deliver()
    assert town.notices() == [("bill_issued", "suppressed", "unbound")]
    assert told(town) == []
