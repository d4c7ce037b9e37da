"""A binding ends once, by whose wish it may; what a person asks staff for is counted."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update

from billing.binding_requests import count_requests, decide_binding
from billing.bindings import Redeemed, issue_code, redeem_code, see_follower
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import Fact, FactKind
from billing.guest_codes import issue_guest_code
from billing.homes import Home, list_homes
from billing.people import (
    Binding,
    BindingState,
    EndReason,
    Occupancy,
    ResidentRole,
    get_staff,
)
from billing.privacy import Vault
from billing.unbinding import (
    count_others,
    end_by_staff,
    end_guest,
    end_moved_out,
    end_own,
    list_guests,
)
from tests.asking import ask_for
from tests.billing.paper import person, sell
from tests.conftest import NOW, TODAY, World

ROOM = "3-2-501"


def ask(world: World, room: str = ROOM) -> Binding:
    with world.database.transaction() as session:
        follower = see_follower(session, "o-zhang", NOW)
        return ask_for(session, follower, world.unit(room))


def decide(world: World, binding: Binding) -> None:
    with world.database.transaction() as session:
        decide_binding(session, binding.community_id, binding.id, approve=True, now=NOW)


def end(world: World, binding: Binding) -> bool:
    with world.database.transaction() as session:
        return end_own(session, binding.community_id, binding.id, NOW)


def test_an_ended_binding_opens_no_home_and_ends_once(world: World) -> None:
    binding = ask(world)
    decide(world, binding)
    assert (end(world, binding), end(world, binding)) == (True, False)
    with world.database.transaction() as session:
        stored = session.get_one(Binding, (binding.community_id, binding.id))
        assert (stored.state, stored.ended_at) == (BindingState.ENDED, NOW)
        assert list_homes(session, binding.follower_id) == []


def test_a_request_is_not_ended_before_it_was_granted(world: World) -> None:
    assert end(world, ask(world)) is False


def test_ending_a_binding_of_another_community_finds_none(world: World) -> None:
    binding = ask(world)
    with world.database.transaction() as session, pytest.raises(NotFound):
        end_own(session, binding.community_id + 1, binding.id, NOW)


def test_only_undecided_requests_are_counted(world: World) -> None:
    binding = ask(world)
    ask(world, "3-2-502")
    decide(world, binding)
    with world.database.transaction() as session:
        assert count_requests(session, binding.follower_id) == 1


TENANCY = (date(2026, 9, 1), date(2026, 11, 23))


def bind(world: World, vault: Vault, openid: str, role: ResidentRole, *, minutes: int = 0) -> Home:
    """A follower bound to the home by a code, some minutes after the others."""
    at = NOW + timedelta(minutes=minutes)
    unit = world.unit(ROOM)
    with world.database.transaction() as session:
        code = issue_code(
            session, vault, community_id=unit.community_id, unit_id=unit.id, role=role, now=at
        )
        follower = see_follower(session, openid, at)
        assert redeem_code(session, vault, follower, code, at) is Redeemed.BOUND
        return list_homes(session, follower.id)[0]


def guests(world: World, home: Home) -> list[tuple[ResidentRole, int]]:
    with world.database.transaction() as session:
        return [(guest.role, guest.no) for guest in list_guests(session, home)]


def evict(world: World, owner: Home, guest: Home) -> bool:
    with world.database.transaction() as session:
        return end_guest(session, owner, guest.binding_id, NOW)


def stored(world: World, home: Home) -> Binding:
    with world.database.transaction() as session:
        return session.get_one(Binding, (home.community_id, home.binding_id))


def facts(world: World) -> list[dict[str, Any]]:
    with world.database.transaction() as session:
        ended = select(Fact.data).where(Fact.kind == FactKind.BINDING_ENDED)
        return list(session.scalars(ended))


def test_an_owner_ends_what_came_after_him_and_never_what_was_before(
    world: World, vault: Vault
) -> None:
    first = bind(world, vault, "o-first", ResidentRole.OWNER)
    tenant = bind(world, vault, "o-tenant", ResidentRole.TENANT, minutes=1)
    second = bind(world, vault, "o-second", ResidentRole.OWNER, minutes=2)
    assert guests(world, first) == [(ResidentRole.TENANT, 1), (ResidentRole.OWNER, 1)]
    assert guests(world, second) == [(ResidentRole.TENANT, 1)]
    assert guests(world, tenant) == []
    with pytest.raises(Conflict):
        evict(world, second, first)
    with pytest.raises(Conflict):
        evict(world, tenant, second)
    assert (evict(world, second, tenant), evict(world, second, tenant)) == (True, False)
    assert evict(world, first, second) is True
    assert stored(world, second).end_reason is EndReason.OWNER
    assert [data["by_binding"] for data in facts(world)] == [second.binding_id, first.binding_id]


def test_a_binding_of_another_home_is_not_a_guest(world: World, vault: Vault) -> None:
    owner = bind(world, vault, "o-first", ResidentRole.OWNER)
    elsewhere = ask(world, "3-2-502")
    decide(world, elsewhere)
    with world.database.transaction() as session, pytest.raises(NotFound):
        end_guest(session, owner, elsewhere.id, NOW)


def test_others_are_counted_for_present_owners_only(world: World, vault: Vault) -> None:
    owner = bind(world, vault, "o-first", ResidentRole.OWNER)
    member = bind(world, vault, "o-wife", ResidentRole.MEMBER, minutes=1)
    bind(world, vault, "o-son", ResidentRole.MEMBER, minutes=2)
    with world.database.transaction() as session:
        counted = count_others(session, [owner, member])
        assert counted == {owner.binding_id: {ResidentRole.MEMBER: 2}}
        sell(session, world, ROOM, date(2026, 11, 16))
        [sold] = list_homes(session, see_follower(session, "o-first", NOW).id)
        assert count_others(session, [sold]) == {}
        assert list_guests(session, sold) == []


def test_staff_end_a_binding_once_and_only_with_the_right(world: World, vault: Vault) -> None:
    home = bind(world, vault, "o-first", ResidentRole.OWNER)
    with world.database.transaction() as session:
        cashier, manager = get_staff(session, "zhou"), get_staff(session, "zhao")
        with pytest.raises(InvalidInput):
            end_by_staff(session, home.community_id, home.binding_id, by=cashier, now=NOW)
        for at in (NOW, NOW + timedelta(hours=1)):
            end_by_staff(session, home.community_id, home.binding_id, by=manager, now=at)
    ended = stored(world, home)
    assert (ended.end_reason, ended.ended_at) == (EndReason.STAFF, NOW)
    assert len(facts(world)) == 1


def test_codes_an_owner_asked_for_end_with_his_binding(world: World, vault: Vault) -> None:
    thief = bind(world, vault, "o-thief", ResidentRole.OWNER)
    with world.database.transaction() as session:
        follower = see_follower(session, "o-thief", NOW)
        code = issue_guest_code(
            session, vault, thief, ResidentRole.MEMBER, follower_id=follower.id, now=NOW
        )
        assert code is not None
        manager = get_staff(session, "zhao")
        end_by_staff(session, thief.community_id, thief.binding_id, by=manager, now=NOW)
        other = see_follower(session, "o-thief-2", NOW)
        assert redeem_code(session, vault, other, code, NOW) is Redeemed.EXPIRED


def test_an_owner_gives_codes_to_tenants_and_family_alone_and_five_at_most(
    world: World, vault: Vault
) -> None:
    owner = bind(world, vault, "o-first", ResidentRole.OWNER)
    tenant = bind(world, vault, "o-tenant", ResidentRole.TENANT)
    with world.database.transaction() as session:
        give = partial(issue_guest_code, session, vault, follower_id=1, now=NOW)
        with pytest.raises(InvalidInput):
            give(owner, ResidentRole.OWNER)
        with pytest.raises(Conflict):
            give(tenant, ResidentRole.MEMBER)
        assert all(give(owner, ResidentRole.TENANT) for _ in range(5))
        assert give(owner, ResidentRole.MEMBER) is None
        later = NOW + timedelta(days=7)
        assert issue_guest_code(
            session, vault, owner, ResidentRole.MEMBER, follower_id=1, now=later
        )


def rent(world: World, stays: Sequence[tuple[date, date | None]], *, same: bool = True) -> None:
    """Tenancies of the home, of one tenant or each of another."""
    unit = world.unit(ROOM)
    with world.database.transaction() as session:
        tenant = person(session, world)
        for from_on, to_on in stays:
            session.add(
                Occupancy(
                    community_id=unit.community_id,
                    unit_id=unit.id,
                    resident_id=tenant if same else person(session, world),
                    role=ResidentRole.TENANT,
                    from_on=from_on,
                    to_on=to_on,
                )
            )


def sweep(world: World, today: date = TODAY) -> int:
    with world.database.transaction() as session:
        return end_moved_out(session, today, NOW + timedelta(minutes=1))


def bind_tenant(world: World, vault: Vault, since: date) -> Home:
    """A tenant bound while he lived there."""
    home = bind(world, vault, "o-tenant", ResidentRole.TENANT)
    with world.database.transaction() as session:
        session.execute(
            update(Binding).where(Binding.id == home.binding_id).values(sees_from=since)
        )
    return home


def test_a_tenant_who_moved_out_is_unbound_on_the_first_day_he_is_gone(
    world: World, vault: Vault
) -> None:
    rent(world, [TENANCY])
    home = bind_tenant(world, vault, TENANCY[0])
    assert sweep(world, TODAY - timedelta(days=1)) == 0
    assert (sweep(world), sweep(world)) == (1, 0)
    assert stored(world, home).end_reason is EndReason.MOVED_OUT
    assert len(facts(world)) == 1


@pytest.mark.parametrize(
    ("stays", "same"),
    [
        ([(TENANCY[0], None)], True),
        ([TENANCY, (TENANCY[1], None)], True),  # renewed
        ([TENANCY, (date(2026, 8, 1), None)], False),  # another tenant, from before he was bound
        ([], True),  # nobody wrote the tenancy down
    ],
)
def test_who_may_still_live_there_stays_bound(
    world: World, vault: Vault, stays: list[tuple[date, date | None]], same: bool
) -> None:
    rent(world, stays, same=same)
    bind_tenant(world, vault, TENANCY[0])
    assert sweep(world) == 0


def test_the_next_tenant_does_not_keep_the_last_one_bound(world: World, vault: Vault) -> None:
    rent(world, [TENANCY, (TENANCY[1], None)], same=False)
    bind_tenant(world, vault, TENANCY[0])
    assert sweep(world) == 1


def test_owners_and_family_are_not_swept(world: World, vault: Vault) -> None:
    rent(world, [TENANCY])
    bind(world, vault, "o-first", ResidentRole.OWNER)
    bind(world, vault, "o-wife", ResidentRole.MEMBER)
    assert sweep(world) == 0


def test_nobody_is_swept_ahead_of_time(world: World) -> None:
    with pytest.raises(InvalidInput):
        sweep(world, TODAY + timedelta(days=1))
