"""Who owns a home hears of everybody who is let in, and who is turned out is told."""

from datetime import date

import pytest

from billing.binding_requests import Claim, decide_binding
from billing.bindings import Redeemed, issue_code, redeem_code, see_follower
from billing.homes import list_homes
from billing.people import Binding, Follower, ResidentRole, get_staff
from billing.privacy import Vault
from billing.unbinding import end_by_staff, end_own
from tests.asking import ask_for
from tests.billing.paper import sell
from tests.notify.conftest import Town

HOME = "3-2-501"


def bind_by_code(town: Town, vault: Vault, name: str, role: ResidentRole) -> Follower:
    """Somebody bound a moment ago by a code."""
    unit = town.world.unit(HOME)
    with town.world.database.transaction() as session:
        follower = see_follower(session, f"o{name}", town.clock.now)
        follower.last_message_at = town.clock.now
        code = issue_code(
            session,
            vault,
            community_id=unit.community_id,
            unit_id=unit.id,
            role=role,
            now=town.clock.now,
        )
        redeemed = redeem_code(session, vault, follower, code, town.clock.now)
        assert redeemed is Redeemed.BOUND
        return follower


def told(town: Town) -> list[str]:
    town.notifier.intake()
    return sorted(shown.openid for shown in town.wechat.shown)


def end(town: Town, follower: Follower, *, by_staff: bool) -> None:
    with town.world.database.transaction() as session:
        [home] = list_homes(session, follower.id)
        place = (home.community_id, home.binding_id)
        if by_staff:
            end_by_staff(session, *place, by=get_staff(session, "zhao"), now=town.clock.now)
        else:
            end_own(session, *place, town.clock.now)


@pytest.mark.parametrize("role", list(ResidentRole))
def test_every_present_owner_is_told_of_a_new_binding_but_not_who_it_is(
    town: Town, vault: Vault, role: ResidentRole
) -> None:
    for name in ("Zhang", "Husband"):
        town.bind(HOME, name)
    town.bind("1-1-302", "Li")
    bind_by_code(town, vault, "New", role)
    assert told(town) == ["oHusband", "oZhang"]
    assert all(HOME in str(shown) for shown in town.wechat.shown)
    assert not any("oNew" in str(shown) for shown in town.wechat.shown)


def test_tenants_and_family_are_not_told_who_joins(town: Town, vault: Vault) -> None:
    bind_by_code(town, vault, "Tenant", ResidentRole.TENANT)
    bind_by_code(town, vault, "Wife", ResidentRole.MEMBER)
    assert told(town) == []


def test_who_sold_the_home_is_not_told_of_its_new_owner(town: Town, vault: Vault) -> None:
    town.bind(HOME, "Old")
    with town.world.database.transaction() as session:
        sell(session, town.world, HOME, date(2026, 11, 16))
    bind_by_code(town, vault, "New", ResidentRole.OWNER)
    assert told(town) == []


def test_the_owner_learns_what_to_do_in_the_chat_too(town: Town, vault: Vault) -> None:
    town.bind(HOME, "Zhang")
    bind_by_code(town, vault, "New", ResidentRole.TENANT)
    town.notifier.intake()
    with town.world.database.transaction() as session:
        [message] = [row for row in town.rows(session) if row.kind == "binding_joined"]
    assert f"解绑 {HOME} 租户" in message.content["text"]
    assert "010-5550 0100" in message.content["text"]


def test_an_approved_request_is_told_to_both_sides(town: Town) -> None:
    town.bind(HOME, "Zhang")
    unit = town.world.unit(HOME)
    with town.world.database.transaction() as session:
        applicant = see_follower(session, "oNew", town.clock.now)
        applicant.last_message_at = town.clock.now
        binding = ask_for(session, applicant, unit, town.clock.now)
    town.clock.advance(minutes=5)
    with town.world.database.transaction() as session:
        decide_binding(session, unit.community_id, binding.id, approve=True, now=town.clock.now)
    assert told(town) == ["oNew", "oZhang"]


@pytest.mark.parametrize(("by_staff", "openids"), [(True, ["oWife"]), (False, [])])
def test_who_is_turned_out_is_told_and_who_leaves_knows(
    town: Town, vault: Vault, by_staff: bool, openids: list[str]
) -> None:
    wife = bind_by_code(town, vault, "Wife", ResidentRole.MEMBER)
    end(town, wife, by_staff=by_staff)
    assert told(town) == openids
    assert all("物业解绑" in shown.text for shown in town.wechat.shown)


def test_a_binding_that_ended_meanwhile_is_not_announced(town: Town, vault: Vault) -> None:
    town.bind(HOME, "Zhang")
    wife = bind_by_code(town, vault, "Wife", ResidentRole.MEMBER)
    end(town, wife, by_staff=False)
    assert told(town) == []


def test_staff_read_whether_name_and_number_fit(town: Town) -> None:
    claim = Claim("王小明", "13800001234")
    with town.world.database.transaction() as session:
        chen = see_follower(session, "oChen", town.clock.now)
        chen.last_message_at = town.clock.now
        get_staff(session, "chen").follower_id = chen.id
        applicant = see_follower(session, "oNew", town.clock.now)
        binding: Binding = ask_for(session, applicant, town.world.unit(HOME), town.clock.now, claim)
        assert binding.claim_fits is False
    town.notifier.intake()
    [shown] = town.wechat.shown
    assert (shown.openid, "姓名电话与登记不符" in shown.text) == ("oChen", True)
    assert "王小明" not in shown.text
