"""A binding ends once, by whose wish it may; what a person asks staff for is counted."""

import pytest

from billing.binding_requests import count_requests, decide_binding
from billing.bindings import see_follower
from billing.errors import NotFound
from billing.homes import list_homes
from billing.people import Binding, BindingState
from billing.unbinding import end_own
from tests.asking import ask_for
from tests.conftest import NOW, World

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
