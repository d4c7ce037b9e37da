"""A home that changed hands, in conversation: each owner hears of his own days, a tenant of his."""

from datetime import date

from billing.bindings import issue_code
from billing.money import Money
from billing.people import ResidentRole
from tests.billing.paper import sell
from tests.phone import Phone
from tests.town import Town

ROOM = "1-1-302"


def sold(town: Town) -> tuple[Phone, Phone]:
    """The phones of the old and of the new owner; sold in the middle of November."""
    old = town.owner(ROOM, "o-old")
    with town.world.database.transaction() as session:
        sell(session, town.world, ROOM, date(2026, 11, 16))
    return old, town.owner(ROOM, "o-new")


def test_the_new_owner_hears_nothing_of_the_old_ones_debts(town: Town) -> None:
    _, new = sold(town)
    heard = new.says("账单")
    heard.shows("2026年11月").hides("2026年8月", "2026年9月", "2026年10月", "逾期")
    new.says("历史账单").shows("2026年11月").hides("2026年10月")
    new.says("明细 2026-08").shows("没有查到")
    new.says("缴费").hides("逾期")


def test_the_old_owner_keeps_his_debts_and_hears_of_nothing_new(town: Town) -> None:
    old, new = sold(town)
    old.says("账单").shows("2026年8月", "2026年9月", "2026年10月", "逾期")
    town.next_month()
    town.issue_bills()
    old.says("账单 2026-12").hides("2026年12月 ")
    old.says("历史账单").hides("2026年12月")
    new.says("账单").shows("2026年12月")


def test_payments_are_heard_of_by_whoever_sees_what_they_paid(town: Town) -> None:
    old, new = sold(town)
    town.pay(ROOM, Money.from_yuan("12.34"))  # on the oldest bill
    old.says("缴费记录").shows("12.34")
    new.says("缴费记录").hides("12.34").shows("没有到账的缴费")


def test_a_tenant_hears_nothing_of_the_months_before_he_moved_in(town: Town) -> None:
    with town.world.database.transaction() as session:
        code = issue_code(
            session,
            town.vault,
            community_id=town.world.community.id,
            unit_id=town.world.unit(ROOM).id,
            role=ResidentRole.TENANT,
            now=town.now,
        )
    tenant = town.phone("o-tenant")
    tenant.says(f"绑定 {code}").shows("绑定成功", "租户")
    tenant.says("账单").shows("2026年11月").hides("2026年10月", "逾期")
    tenant.says("缴费记录").shows("没有到账的缴费")
