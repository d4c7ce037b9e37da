"""Saying who one is helps staff to decide, and tells nobody else anything."""

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from billing.alerts import Alert
from billing.binding_requests import Asked, Claim, decide_binding, request_binding
from billing.bindings import Redeemed, find_living, issue_code, new_code, redeem_code, see_follower
from billing.handovers import hand_over
from billing.people import (
    Binding,
    BindingAttempt,
    BindingState,
    Occupancy,
    Resident,
    ResidentRole,
)
from billing.privacy import Vault
from tests.billing.paper import person, staff
from tests.conftest import NOW, TODAY, World

ROOM, RENTED = "3-2-501", "2-1-803"
WRONG = Claim("王小明", "13800001234")


def known(world: World, vault: Vault, room: str = ROOM) -> Claim:
    """The name and number in the books."""
    unit = world.unit(room)
    with world.database.transaction() as session:
        resident = session.scalars(
            select(Resident)
            .join(Occupancy, Occupancy.resident_id == Resident.id)
            .where(Occupancy.unit_id == unit.id)
        ).one()
        assert resident.phone_sealed is not None
        return Claim(vault.open(resident.name_sealed), vault.open(resident.phone_sealed))


def ask(
    world: World,
    vault: Vault,
    claim: Claim | None,
    *,
    room: str = ROOM,
    openid: str = "o-zhang",
) -> Asked:
    with world.database.transaction() as session:
        follower = see_follower(session, openid, NOW)
        return request_binding(session, vault, follower, world.unit(room), NOW, claim=claim)


def give_away(world: World, room: str, *, keep_tenants: bool = False) -> None:
    with world.database.transaction() as session:
        hand_over(
            session, world.community.id, world.unit(room).id, [person(session, world)],
            on=TODAY, by=staff(session).id, now=NOW, keep_tenants=keep_tenants,
        )  # fmt: skip


def living(world: World, room: str = ROOM, openid: str = "o-zhang") -> Binding:
    unit = world.unit(room)
    with world.database.transaction() as session:
        follower = see_follower(session, openid, NOW)
        found = find_living(session, unit.community_id, unit.id, follower.id)
        assert found is not None
        return found


def test_a_fitting_claim_says_what_its_writer_is_to_the_home(world: World, vault: Vault) -> None:
    assert ask(world, vault, known(world, vault, RENTED), room=RENTED) is Asked.REQUESTED
    binding = living(world, RENTED)
    assert (binding.claim_fits, binding.role) == (True, ResidentRole.TENANT)
    assert binding.state is BindingState.REQUESTED


def test_a_wrong_name_or_a_wrong_number_is_answered_like_the_right_ones(
    world: World, vault: Vault
) -> None:
    right = known(world, vault)
    claims = (right, Claim(right.name, "13800001234"), Claim("王小明", right.phone), WRONG)
    answers = [ask(world, vault, one, openid=f"o-{no}") for no, one in enumerate(claims)]
    assert set(answers) == {Asked.REQUESTED}
    fits = [living(world, openid=f"o-{no}").claim_fits for no in range(len(claims))]
    assert fits == [True, False, False, False]


def test_who_moved_out_is_not_known_any_more(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        session.execute(
            update(Occupancy)
            .where(Occupancy.unit_id == world.unit(ROOM).id)
            .values(to_on=date(2026, 11, 1))
        )
    ask(world, vault, known(world, vault))
    assert living(world).claim_fits is False


def test_a_claim_of_the_former_owner_fits_no_longer_when_the_home_changes_hands(
    world: World, vault: Vault
) -> None:
    ask(world, vault, known(world, vault))
    ask(world, vault, None, openid="o-nameless")
    give_away(world, ROOM)
    assert living(world).claim_fits is False
    assert living(world, openid="o-nameless").claim_fits is None


@pytest.mark.parametrize("stays", [True, False])
def test_a_claim_of_a_tenant_fits_as_long_as_he_stays(
    world: World, vault: Vault, stays: bool
) -> None:
    ask(world, vault, known(world, vault, RENTED), room=RENTED)
    with world.database.transaction() as session:
        tenant = session.scalars(
            select(Occupancy).where(Occupancy.unit_id == world.unit(RENTED).id)
        ).one()
        session.add(
            Occupancy(
                community_id=tenant.community_id, unit_id=tenant.unit_id, role=ResidentRole.OWNER,
                resident_id=person(session, world), from_on=date(2026, 1, 1),
            )
        )  # fmt: skip
    give_away(world, RENTED, keep_tenants=stays)
    assert living(world, RENTED).claim_fits is stays


def test_the_claim_is_sealed_until_staff_decide_and_then_forgotten(
    world: World, vault: Vault
) -> None:
    ask(world, vault, WRONG)
    binding = living(world)
    assert binding.claim_sealed is not None
    assert WRONG.phone not in binding.claim_sealed
    assert Claim.open(vault, binding.claim_sealed) == WRONG
    with world.database.transaction() as session:
        decide_binding(session, binding.community_id, binding.id, approve=True, now=NOW)
    assert living(world).claim_sealed is None
    with pytest.raises(IntegrityError), world.database.transaction() as session:
        session.execute(update(Binding).values(claim_sealed="kept"))


def test_the_first_claim_stands_so_that_guessing_is_useless(world: World, vault: Vault) -> None:
    assert ask(world, vault, None) is Asked.REQUESTED
    assert ask(world, vault, WRONG) is Asked.WAITING
    assert ask(world, vault, known(world, vault)) is Asked.WAITING
    assert living(world).claim_fits is False


def test_five_claims_an_hour_lock_whether_they_fit_or_not(world: World, vault: Vault) -> None:
    right = known(world, vault)
    for _ in range(5):
        assert ask(world, vault, right) is not Asked.LOCKED
    assert ask(world, vault, right) is Asked.LOCKED
    assert ask(world, vault, None) is Asked.WAITING
    with world.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(BindingAttempt)) == 5
        follower = see_follower(session, "o-zhang", NOW)
        unit = world.unit(ROOM)
        code = issue_code(session, vault, community_id=unit.community_id, unit_id=unit.id, now=NOW)
        assert redeem_code(session, vault, follower, code, NOW) is Redeemed.LOCKED
        later = NOW + timedelta(hours=1, seconds=1)
        assert redeem_code(session, vault, follower, code, later) is Redeemed.BOUND


def test_claims_and_codes_of_all_followers_raise_one_alert(world: World, vault: Vault) -> None:
    for number in range(49):
        with world.database.transaction() as session:
            follower = see_follower(session, f"o-guesser-{number // 5}", NOW)
            redeem_code(session, vault, follower, new_code(), NOW)
    for openid in ("o-one", "o-two"):
        ask(world, vault, WRONG, openid=openid)
    with world.database.transaction() as session:
        [alert] = session.scalars(select(Alert))
    assert alert.data["wrong_codes_last_hour"] == 50


def test_at_most_three_homes_are_asked_for_at_a_time(world: World, vault: Vault) -> None:
    for room in (ROOM, RENTED, "1-1-302"):
        assert ask(world, vault, None, room=room) is Asked.REQUESTED
    assert ask(world, vault, None, room="1-1-101") is Asked.TOO_MANY
    assert ask(world, vault, None, room=ROOM) is Asked.WAITING
