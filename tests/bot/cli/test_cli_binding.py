"""`binding`: codes and requests from the command line."""

import re

from billing.binding_requests import Claim
from billing.bindings import Redeemed, redeem_code, see_follower
from billing.people import get_staff
from billing.privacy import Vault
from billing.sightings import Sight, note_sightings
from tests.asking import ask_for
from tests.bot.cli.command_line import Mingzhang
from tests.conftest import NOW, World

COMMUNITY = ("--community", "HY")


def request(world: World, room: str, openid: str = "o-neighbour") -> int:
    """A follower asks to be bound; gives the number of the request."""
    with world.database.transaction() as session:
        follower = see_follower(session, openid, NOW)
        return ask_for(session, follower, world.unit(room)).id


def test_a_code_is_printed_once_and_binds(world: World, vault: Vault, mingzhang: Mingzhang) -> None:
    made = mingzhang.json("binding", "code", *COMMUNITY, "--room", "3-2-501", "--role", "tenant")
    assert re.fullmatch("[0-9A-Z]{10}", made["code"])
    assert made | {"code": ""} == {
        "community": "HY", "room": "3-2-501", "role": "tenant", "code": "",
    }  # fmt: skip
    with world.database.transaction() as session:
        follower = see_follower(session, "o-tenant", NOW)
        assert redeem_code(session, vault, follower, made["code"], NOW) is Redeemed.BOUND


def test_a_request_is_listed_until_it_is_decided(world: World, mingzhang: Mingzhang) -> None:
    number = request(world, "3-2-501")
    listed = ("binding", "list", *COMMUNITY)
    assert mingzhang.json(*listed) == [
        {
            "id": number,
            "room": "3-2-501",
            "openid": "o-neighbour",
            "role": "owner",
            "requested_at": "2026-11-23T02:30:00+00:00",
            "claim": None,
            "claim_fits": None,
            "ended_at": None,
            "end_reason": None,
        }
    ]
    decided = mingzhang.json("binding", "approve", str(number), *COMMUNITY)
    assert decided == {"id": number, "room": "3-2-**1", "state": "active"}
    assert mingzhang.json(*listed) == []
    assert [found["id"] for found in mingzhang.json(*listed, "--state", "active")] == [number]


def test_a_request_can_be_refused(world: World, mingzhang: Mingzhang) -> None:
    number = request(world, "3-2-501")
    assert mingzhang.json("binding", "refuse", str(number), *COMMUNITY)["state"] == "refused"


def test_staff_read_a_masked_claim_and_whether_it_fits(
    world: World, vault: Vault, mingzhang: Mingzhang
) -> None:
    with world.database.transaction() as session:
        follower = see_follower(session, "o-neighbour", NOW)
        ask_for(session, follower, world.unit("3-2-501"), claim=Claim("王小明", "13800001234"))
    [listed] = mingzhang.json("binding", "list", *COMMUNITY)
    assert listed["claim"] == {"name": "王**", "phone": "138****1234"}
    assert listed["claim_fits"] is False


def test_a_binding_is_ended_by_staff_with_the_right(world: World, mingzhang: Mingzhang) -> None:
    number = str(request(world, "3-2-501"))
    end = ("binding", "end", number, *COMMUNITY, "--by")
    assert "requested, not active" in mingzhang.refusal(*end, "zhao")
    mingzhang.json("binding", "approve", number, *COMMUNITY)
    assert "zhou is cashier" in mingzhang.refusal(*end, "zhou")
    ended = mingzhang.json(*end, "zhao")
    assert (ended["state"], ended["end_reason"]) == ("ended", "staff")
    assert mingzhang.json(*end, "zhao")["ended_at"] == ended["ended_at"]


def test_tenants_who_moved_out_are_unbound_for_a_date(mingzhang: Mingzhang) -> None:
    swept = mingzhang.json("binding", "end-moved-out", "--today", "2026-11-23")
    assert swept == {"today": "2026-11-23", "ended": 0}
    assert "future" in mingzhang.refusal("binding", "end-moved-out", "--today", "2099-01-01")


def test_who_saw_a_home_is_listed_masked(world: World, mingzhang: Mingzhang) -> None:
    unit = world.unit("3-2-501")
    with world.database.transaction() as session:
        follower = see_follower(session, "oAbCdEfGhIjKlMnOpQrStUvWxYz0", NOW)
        home = (unit.community_id, unit.id)
        note_sightings(session, [home], Sight.BILLS, NOW, follower_id=follower.id)
        manager = get_staff(session, "zhao")
        note_sightings(session, [home], Sight.BILLS, NOW, staff_id=manager.id)
    seen = mingzhang.json("sightings", *COMMUNITY, "--room", "3-2-501", "--days", "3660")
    assert [(row["what"], row["follower"], row["staff"]) for row in seen] == [
        ("bills", None, "zhao"), ("bills", "oAbC…xYz0", None),
    ]  # fmt: skip
    assert mingzhang.json("sightings", *COMMUNITY, "--room", "3-2-502") == []


def test_what_was_decided_or_never_asked_is_refused(world: World, mingzhang: Mingzhang) -> None:
    number = str(request(world, "3-2-501"))
    mingzhang.json("binding", "refuse", number, *COMMUNITY)
    assert "refused, not requested" in mingzhang.refusal("binding", "approve", number, *COMMUNITY)
    assert "999" in mingzhang.refusal("binding", "approve", "999", *COMMUNITY)
    assert "9-9-999" in mingzhang.refusal("binding", "code", *COMMUNITY, "--room", "9-9-999")
    assert "XX" in mingzhang.refusal("binding", "list", "--community", "XX")
