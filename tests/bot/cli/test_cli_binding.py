"""`binding`: codes and requests from the command line."""

import re

from billing.bindings import Redeemed, redeem_code, see_follower
from billing.privacy import Vault
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


def test_what_was_decided_or_never_asked_is_refused(world: World, mingzhang: Mingzhang) -> None:
    number = str(request(world, "3-2-501"))
    mingzhang.json("binding", "refuse", number, *COMMUNITY)
    assert "refused, not requested" in mingzhang.refusal("binding", "approve", number, *COMMUNITY)
    assert "999" in mingzhang.refusal("binding", "approve", "999", *COMMUNITY)
    assert "9-9-999" in mingzhang.refusal("binding", "code", *COMMUNITY, "--room", "9-9-999")
    assert "XX" in mingzhang.refusal("binding", "list", "--community", "XX")
