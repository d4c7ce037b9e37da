"""Codes open a home to one person once; guessing is slow and noticed."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from billing.alerts import Alert
from billing.binding_requests import Asked, decide_binding, request_binding
from billing.bindings import (
    ALPHABET,
    Redeemed,
    issue_code,
    new_code,
    normalize_code,
    redeem_code,
    see_follower,
)
from billing.errors import Conflict
from billing.facts import Fact, FactKind
from billing.homes import list_homes, meet
from billing.people import Binding, BindingCode, ResidentRole, Staff
from billing.privacy import Vault
from billing.staff_access import let_go
from tests.asking import ask_for
from tests.conftest import NOW, World

LATER = NOW + timedelta(minutes=61)


def code_for(world: World, vault: Vault, room: str = "3-2-501") -> str:
    with world.database.transaction() as session:
        return issue_code(
            session,
            vault,
            community_id=world.community.id,
            unit_id=world.unit(room).id,
            now=NOW,
        )


def redeem(
    world: World, vault: Vault, code: str, openid: str = "o-zhang", now: object = NOW
) -> Redeemed:
    with world.database.transaction() as session:
        return redeem_code(session, vault, see_follower(session, openid, NOW), code, now)  # type: ignore[arg-type]


def rooms(world: World, openid: str = "o-zhang") -> list[str]:
    with world.database.transaction() as session:
        return [home.room for home in list_homes(session, see_follower(session, openid, NOW).id)]


def facts(world: World) -> list[FactKind]:
    with world.database.transaction() as session:
        return list(session.scalars(select(Fact.kind).where(Fact.taken_at.is_(None))))


def test_a_code_binds_its_home_once(world: World, vault: Vault) -> None:
    code = code_for(world, vault)
    assert redeem(world, vault, code) is Redeemed.BOUND
    assert rooms(world) == ["3-2-501"]
    assert facts(world) == [FactKind.BINDING_ADDED]
    assert redeem(world, vault, code) is Redeemed.ALREADY_BOUND
    assert redeem(world, vault, code, "o-stranger") is Redeemed.USED
    assert rooms(world, "o-stranger") == []


def test_a_code_may_be_typed_as_people_type(world: World, vault: Vault) -> None:
    code = code_for(world, vault)
    typed = f" {code[:5].lower()}-{code[5:]} ".replace("0", "o").replace("1", "l")
    assert redeem(world, vault, typed) is Redeemed.BOUND


def test_an_expired_code_binds_nothing(world: World, vault: Vault) -> None:
    code = code_for(world, vault)
    assert redeem(world, vault, code, now=NOW + timedelta(days=30)) is Redeemed.EXPIRED
    assert rooms(world) == []


def test_five_wrong_codes_lock_for_an_hour_even_against_the_right_one(
    world: World, vault: Vault
) -> None:
    code = code_for(world, vault)
    for _ in range(5):
        assert redeem(world, vault, new_code()) is Redeemed.WRONG
    assert redeem(world, vault, code) is Redeemed.LOCKED
    assert redeem(world, vault, code_for(world, vault), "o-other") is Redeemed.BOUND
    assert redeem(world, vault, code, now=LATER) is Redeemed.BOUND


def test_a_typing_error_is_not_a_guess(world: World, vault: Vault) -> None:
    code = code_for(world, vault)
    wrong = code[:-1] + ALPHABET[(ALPHABET.index(code[-1]) + 1) % 32]
    for _ in range(9):
        assert redeem(world, vault, wrong) is Redeemed.MISTYPED
    assert redeem(world, vault, code) is Redeemed.BOUND


def test_fifty_wrong_codes_raise_one_alert(world: World, vault: Vault) -> None:
    for number in range(52):
        redeem(world, vault, new_code(), f"o-guesser-{number // 5}")
    with world.database.transaction() as session:
        [alert] = session.scalars(select(Alert))
    assert alert.data["wrong_codes_last_hour"] == 50


def test_a_staff_code_binds_the_member_of_staff(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        member = session.scalars(select(Staff).where(Staff.login == "zhao")).one()
        code = issue_code(
            session, vault, community_id=world.community.id, staff_id=member.id, now=NOW
        )
    assert redeem(world, vault, code, "o-zhao") is Redeemed.STAFF_BOUND
    with world.database.transaction() as session:
        member = session.scalars(select(Staff).where(Staff.login == "zhao")).one()
        assert member.follower_id == see_follower(session, "o-zhao", NOW).id


def test_a_code_of_staff_who_left_binds_nobody(world: World, vault: Vault) -> None:
    """Neither the code he kept, nor one made for him while he was let go."""

    def issue() -> str:
        return issue_code(
            session, vault, community_id=world.community.id, staff_id=member.id, now=NOW
        )

    with world.database.transaction() as session:
        member = session.scalars(select(Staff).where(Staff.login == "zhao")).one()
        kept = issue()
        let_go(session, member, NOW + timedelta(minutes=1))
        session.flush()
        expiry = session.scalars(select(BindingCode.expires_at)).one()
        assert expiry == NOW + timedelta(minutes=1)
        late = issue()
    for code in (kept, late):
        assert redeem(world, vault, code, "o-zhao", LATER) is Redeemed.EXPIRED
    with world.database.transaction() as session:
        assert meet(session, "o-zhao", LATER).staff is None
        assert (
            session.scalar(select(BindingCode.id).where(BindingCode.used_at.is_not(None))) is None
        )


def test_who_was_let_go_gives_no_orders_though_his_wechat_is_still_written_down(
    world: World,
) -> None:
    with world.database.transaction() as session:
        member = session.scalars(select(Staff).where(Staff.login == "zhao")).one()
        member.follower_id = see_follower(session, "o-zhao", NOW).id
        session.flush()
        assert meet(session, "o-zhao", NOW).staff is member
        member.left_at = NOW
        session.flush()
        assert meet(session, "o-zhao", NOW).staff is None


def test_a_request_opens_the_home_only_when_staff_approve(world: World, vault: Vault) -> None:
    unit = world.unit("3-2-501")
    with world.database.transaction() as session:
        follower = see_follower(session, "o-zhang", NOW)
        binding = ask_for(session, follower, unit)
        assert request_binding(session, vault, follower, unit, NOW) is Asked.WAITING
    assert rooms(world) == []
    with world.database.transaction() as session:
        decide_binding(session, world.community.id, binding.id, approve=True, now=NOW)
    assert rooms(world) == ["3-2-501"]
    assert facts(world) == [FactKind.BINDING_REQUESTED, FactKind.BINDING_ADDED]
    with pytest.raises(Conflict), world.database.transaction() as session:
        decide_binding(session, world.community.id, binding.id, approve=False, now=NOW)


def test_a_refused_request_may_be_made_again(world: World) -> None:
    unit = world.unit("3-2-501")
    with world.database.transaction() as session:
        binding = ask_for(session, see_follower(session, "o-zhang", NOW), unit)
        decide_binding(session, world.community.id, binding.id, approve=False, now=NOW)
        ask_for(session, see_follower(session, "o-zhang", NOW), unit)
    assert rooms(world) == []


@given(st.text(ALPHABET, min_size=9, max_size=9), st.integers(0, 9), st.sampled_from(ALPHABET))
def test_the_check_character_catches_every_single_error(body: str, at: int, other: str) -> None:
    from billing.bindings import check_character

    code = body + check_character(body)
    changed = code[:at] + other + code[at + 1 :]
    assert normalize_code(code) == code
    assert (normalize_code(changed) is None) == (changed != code)


def test_a_code_says_what_its_holder_is_to_the_home_even_after_a_request(
    world: World, vault: Vault
) -> None:
    unit = world.unit("3-2-501")
    with world.database.transaction() as session:
        ask_for(session, see_follower(session, "o-zhang", NOW), unit)
        code = issue_code(
            session,
            vault,
            community_id=world.community.id,
            unit_id=unit.id,
            role=ResidentRole.TENANT,
            now=NOW,
        )
    assert redeem(world, vault, code) is Redeemed.BOUND
    with world.database.transaction() as session:
        assert session.scalars(select(Binding.role)).all() == [ResidentRole.TENANT]


def test_a_phone_moves_to_the_member_of_staff_of_its_newest_code(
    world: World, vault: Vault
) -> None:
    with world.database.transaction() as session:
        first, second = session.scalars(select(Staff).order_by(Staff.id).limit(2))
        codes = [
            issue_code(
                session,
                vault,
                community_id=world.community.id,
                staff_id=member.id,
                now=NOW,
            )
            for member in (first, second)
        ]
    assert [redeem(world, vault, code) for code in codes] == [Redeemed.STAFF_BOUND] * 2
    with world.database.transaction() as session:
        bound = session.scalars(select(Staff.login).where(Staff.follower_id.is_not(None))).all()
    assert bound == [second.login]
