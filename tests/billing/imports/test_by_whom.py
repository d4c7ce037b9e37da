"""Staff import what they may write down by hand, for their own community, and no more."""

from typing import Any

import pytest
from sqlalchemy import select

from billing.errors import InvalidInput
from billing.imports.columns import SheetKind
from billing.imports.run import Outcome
from billing.merchants import CommunityMerchant, MerchantAccount, Provider
from billing.people import Staff, StaffRole
from billing.privacy import Vault
from billing.property import Community, get_community
from tests.billing.imports.test_faults import AGREED, DISCOUNT, ITEM
from tests.billing.imports.workbooks import complaints, counts, take_into
from tests.conftest import World

K = SheetKind


def hired(world: World, role: StaffRole, *, everywhere: bool = False) -> Staff:
    """Somebody who works for the world's community, or for all."""
    with world.database.transaction() as session:
        staff = Staff(
            login=f"{'all' if everywhere else 'one'}.{role.value}",
            name="新员工",
            role=role,
            community_id=None if everywhere else world.community.id,
        )
        session.add(staff)
        session.flush()
        return staff


def row_of(world: World, **changed: Any) -> dict[str, Any]:
    """The row of the world's community as it is, with some cells changed."""
    with world.database.transaction() as session:
        found = get_community(session, world.community.code)
        merchant = session.get_one(MerchantAccount, world.merchant_id)
        return {
            "code": found.code, "name": found.name, "company": found.company,
            "service_phone": found.service_phone, "merchant": merchant.code,
            "billing_day": found.billing_day, "due_day": found.due_day,
            "due_month_offset": found.due_month_offset,
            "publishes_itself": "是" if found.publishes_itself else "否",
        } | changed  # fmt: skip


def neighbour(world: World) -> int:
    """Another community, collected for by the same account; its id."""
    with world.database.transaction() as session:
        other = Community(
            code="LH", name="绿湖", company="邻家物业", service_phone="010-55500200",
            billing_day=1, due_day=31, due_month_offset=0, publishes_itself=False,
        )  # fmt: skip
        session.add(other)
        session.flush()
        session.add(
            CommunityMerchant(
                community_id=other.id, provider=Provider.WECHAT_PAY, merchant_id=world.merchant_id
            )
        )
        return other.id


def collectors(world: World) -> list[tuple[int, str]]:
    """Who collects by WeChat Pay for which community."""
    with world.database.transaction() as session:
        found = session.execute(
            select(CommunityMerchant.community_id, MerchantAccount.code)
            .join(MerchantAccount, MerchantAccount.id == CommunityMerchant.merchant_id)
            .where(CommunityMerchant.provider == Provider.WECHAT_PAY)
            .order_by(CommunityMerchant.community_id)
        )
        return [(row.community_id, row.code) for row in found]


def communities(world: World, vault: Vault, row: dict[str, Any], by: Staff | None) -> Outcome:
    """Import the row of a community."""
    return take_into(world, vault, {K.COMMUNITIES: [row]}, by=by)


NEW_ACCOUNT = {"merchant": "OTHER", "mchid": "1900000098"}


@pytest.mark.parametrize("role", [StaffRole.ACCOUNTANT, StaffRole.MANAGER])
@pytest.mark.parametrize("everywhere", [False, True])
def test_nobody_changes_another_community_by_importing_into_this_one(
    world: World, vault: Vault, role: StaffRole, everywhere: bool
) -> None:
    other, before = neighbour(world), collectors(world)
    by = hired(world, role, everywhere=everywhere)
    row = row_of(world, code="LH", name="被改名", **NEW_ACCOUNT)
    [fault] = complaints(communities(world, vault, row, by))
    assert fault[2:] == ("小区编码", "“LH”不是本小区，只能导入“HY”的资料")
    with world.database.transaction() as session:
        assert session.get_one(Community, other).name == "绿湖"
    assert collectors(world) == before


def test_only_a_manager_changes_the_row_of_the_community(world: World, vault: Vault) -> None:
    accountant, manager = hired(world, StaffRole.ACCOUNTANT), hired(world, StaffRole.MANAGER)
    same = communities(world, vault, row_of(world), accountant)
    assert (complaints(same), counts(same)) == ([], {"communities": (0, 0, 1)})
    renamed = row_of(world, company="改名物业")
    [fault] = complaints(communities(world, vault, renamed, accountant))
    assert fault[2:] == ("小区编码", "只有经理可以更改，请由经理导入")
    assert counts(communities(world, vault, renamed, manager)) == {"communities": (0, 1, 0)}


def test_only_a_manager_of_all_communities_changes_who_collects(world: World, vault: Vault) -> None:
    before, row = collectors(world), row_of(world, **NEW_ACCOUNT)
    [fault] = complaints(communities(world, vault, row, hired(world, StaffRole.MANAGER)))
    assert fault[2:] == ("商户编码", "收款商户只能由管理全部小区的经理更改")
    assert collectors(world) == before
    head = hired(world, StaffRole.MANAGER, everywhere=True)
    assert complaints(communities(world, vault, row, head)) == []
    assert collectors(world) == [(world.community.id, "OTHER")]


def test_staff_of_another_community_import_nothing_here(world: World, vault: Vault) -> None:
    other = neighbour(world)
    with world.database.transaction() as session:
        stranger = Staff(login="sun", name="孙", role=StaffRole.MANAGER, community_id=other)
        session.add(stranger)
    content = {K.BUILDINGS: [{"code": "9", "name": "9号楼"}]}
    with pytest.raises(InvalidInput, match="does not work for"):
        take_into(world, vault, content, by=stranger)
    cashier = hired(world, StaffRole.CASHIER)
    with pytest.raises(InvalidInput, match="this takes manager or accountant"):
        take_into(world, vault, content, by=cashier)


FREE = DISCOUNT | {"from_on": "2026-12-01", "percent": 100}
CHEAP = AGREED | {"unit_price": "0.01"}
GIFTS = [(K.DISCOUNTS, FREE), (K.AGREED_PRICES, CHEAP)]


@pytest.mark.parametrize(("kind", "row"), GIFTS)
def test_an_accountant_gives_nothing_away_not_in_the_managers_name_either(
    world: World, vault: Vault, kind: SheetKind, row: dict[str, Any]
) -> None:
    accountant = hired(world, StaffRole.ACCOUNTANT)
    for named in ("zhao", accountant.login):
        given = {kind: [row | {"approved_by": named}]}
        [fault] = complaints(take_into(world, vault, given, by=accountant))
        assert fault[2:] == ("批准人", "只有经理可以更改，请由经理导入")


@pytest.mark.parametrize(("kind", "row"), GIFTS)
def test_a_manager_gives_in_his_own_name_and_anybody_may_import_it_again_unchanged(
    world: World, vault: Vault, kind: SheetKind, row: dict[str, Any]
) -> None:
    manager = hired(world, StaffRole.MANAGER)
    own = row | {"approved_by": manager.login}
    [fault] = complaints(take_into(world, vault, {kind: [row]}, by=manager))
    assert fault[2:] == ("批准人", f"只能由批准人本人导入，您是“{manager.login}”")
    assert counts(take_into(world, vault, {kind: [own]}, by=manager)) == {kind.value: (1, 0, 0)}
    accountant = hired(world, StaffRole.ACCOUNTANT)
    assert counts(take_into(world, vault, {kind: [own]}, by=accountant)) == {kind.value: (0, 0, 1)}


@pytest.mark.parametrize(("kind", "row"), GIFTS)
def test_nothing_is_given_for_days_that_are_billed(
    world: World, vault: Vault, kind: SheetKind, row: dict[str, Any]
) -> None:
    manager = hired(world, StaffRole.MANAGER)
    own = row | {"approved_by": manager.login}
    past = own | {"from_on": "2026-10-01"}
    [fault] = complaints(take_into(world, vault, {kind: [past]}, by=manager))
    assert fault[2:] == ("开始日期", "已出账至2026-11-30，请从之后开始")
    ended = past | {"to_on": "2026-10-15"}
    assert complaints(take_into(world, vault, {kind: [ended | {"approved_by": "zhao"}]})) == []
    [fault] = complaints(take_into(world, vault, {kind: [past]}, by=manager))
    assert fault[2:] == ("结束日期", "已出账至2026-11-30，请从之后开始")


def test_no_price_is_agreed_for_what_is_a_suppliers(world: World, vault: Vault) -> None:
    water = ITEM | {"code": "tap", "name": "自来水", "fee": "水费"}
    take_into(world, vault, {K.ITEMS: [water]})
    [fault] = complaints(take_into(world, vault, {K.AGREED_PRICES: [AGREED | {"item": "tap"}]}))
    assert fault[2:] == ("项目编码", "代收项目按供应方的价格收，不能约定单价")


def test_who_left_or_works_elsewhere_answers_for_nothing(world: World, vault: Vault) -> None:
    other = neighbour(world)
    with world.database.transaction() as session:
        session.add(Staff(login="sun", name="孙", role=StaffRole.MANAGER, community_id=other))
        session.add(Staff(login="gone", name="高", role=StaffRole.MANAGER, left_at=world.now))
    for login in ("sun", "gone"):
        given = {K.DISCOUNTS: [FREE | {"approved_by": login}]}
        [fault] = complaints(take_into(world, vault, given))
        assert fault[2] == "批准人"
        assert f"“{login}”不存在" in fault[3]
