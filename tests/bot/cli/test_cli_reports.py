"""`collection`, `arrears` and `broadcast` from the command line."""

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from billing.bindings import see_follower
from billing.business_day import BEIJING
from billing.checks.rollups import ROLLUP_CHECKS
from billing.people import Binding, BindingState, ResidentRole, get_staff
from notify.audiences import Audience
from notify.broadcasts import confirm_broadcast, draft_broadcast
from notify.rung_effects import count_rungs
from tests.bot.cli.command_line import Mingzhang
from tests.conftest import NOW, World

COMMUNITY = ("--community", "HY")
TODAY = ("--today", "2026-11-23")


def queued(world: World) -> str:
    """Number of a broadcast that waits to be sent."""
    with world.database.transaction() as session:
        follower = see_follower(session, "o-zhang", NOW)
        session.flush()
        session.add(
            Binding(
                community_id=world.community.id,
                unit_id=world.unit("3-2-501").id,
                follower_id=follower.id,
                role=ResidentRole.OWNER,
                state=BindingState.ACTIVE,
                requested_at=NOW,
            )
        )
        session.flush()
        zhao = get_staff(session, "zhao")
        one = draft_broadcast(
            session,
            community_id=world.community.id,
            audience=Audience(),
            body="明天停水，请储水",
            by=zhao,
            now=NOW,
        )
        return str(confirm_broadcast(session, one.community_id, one.id, by=zhao, now=NOW).id)


def test_a_collection_is_printed_with_its_parts(world: World, mingzhang: Mingzhang) -> None:
    whole = mingzhang.json(
        "collection", *COMMUNITY, *TODAY, "--from", "2026-10", "--by", "building"
    )
    assert (whole["homes"], whole["rate"][-1]) == (24, "%")
    assert [one["part"] for one in whole["parts"]] == ["1", "2", "3"]
    assert sum(one["homes"] for one in whole["parts"]) == 24
    nothing = mingzhang.json("collection", *COMMUNITY, *TODAY, "--from", "2030-01")
    assert (nothing["due"], nothing["rate"], nothing["parts"]) == ("0.00", None, [])


def test_numbers_that_are_wrong_are_added_up_anew(world: World, mingzhang: Mingzhang) -> None:
    with world.database.transaction() as session:
        session.execute(text("UPDATE collection_move SET paid = paid + 1"))
        assert [check.name for check in ROLLUP_CHECKS if check.run(session).violations]
    assert mingzhang.json("rebuild-numbers", *COMMUNITY) == {"community": "HY", "rebuilt": True}
    with world.database.transaction() as session:
        assert [check.name for check in ROLLUP_CHECKS if check.run(session).violations] == []


def test_arrears_are_printed_whole(world: World, mingzhang: Mingzhang) -> None:
    found = mingzhang.json("arrears", *COMMUNITY, *TODAY)
    assert found["homes"] == len(found["arrears"]) > 1
    assert found["arrears"][0]["room"] == "1-1-302"
    fewer = mingzhang.json(
        "arrears", *COMMUNITY, *TODAY, "--at-least", found["arrears"][0]["owed"], "--building", "1"
    )
    assert [one["room"] for one in fewer["arrears"]] == ["1-1-302"]
    assert "YYYY" not in mingzhang.refusal("arrears", "--community", "NO")


def test_a_broadcast_is_listed_shown_and_taken_back(world: World, mingzhang: Mingzhang) -> None:
    number = queued(world)
    [listed] = mingzhang.json("broadcast", "list", *COMMUNITY)
    assert (listed["state"], listed["recipients"], "body" in listed) == ("queued", 1, False)
    assert mingzhang.json("broadcast", "show", number, *COMMUNITY)["body"] == "明天停水，请储水"
    cancel = ("broadcast", "cancel", number, *COMMUNITY, "--by")
    assert "zhou is cashier" in mingzhang.refusal(*cancel, "zhou")
    assert mingzhang.json(*cancel, "liu")["state"] == "cancelled"
    approve = ("broadcast", "approve", number, *COMMUNITY, "--by", "liu")
    assert "was cancelled" in mingzhang.refusal(*approve)


def test_a_broadcast_is_drafted_scheduled_and_followed(
    world: World, mingzhang: Mingzhang, tmp_path: Path
) -> None:
    queued(world)
    words = tmp_path / "words.txt"
    words.write_text("周三检修电梯", encoding="utf-8")
    draft = ("broadcast", "draft", *COMMUNITY, "--body", str(words), "--by", "zhao")
    at = (datetime.now(BEIJING) + timedelta(days=1)).replace(hour=10, minute=0)
    drafted = mingzhang.json(
        *draft, "--audience", "room:3-2-501", "--at", f"{at:%Y-%m-%dT%H:%M}", "--per-minute", "50"
    )
    assert (drafted["state"], drafted["recipients"], drafted["homes"]) == ("draft", 1, 1)
    assert drafted["per_minute"] == 50
    assert "there is no 9-9-909" in mingzhang.refusal(*draft, "--audience", "room:9-9-909")
    assert "send_at" in mingzhang.refusal(*draft, "--audience", "all", "--at", "2020-01-01T09:00")
    number = str(drafted["id"])
    approve = ("broadcast", "approve", number, *COMMUNITY, "--by", "zhao")
    assert mingzhang.json(*approve)["state"] == "queued"
    became = mingzhang.json("broadcast", "results", number, *COMMUNITY)
    assert (became["left"], became["waiting"], became["failed"]) == (0, 0, {})
    assert mingzhang.json("broadcast", "speed", *COMMUNITY)["per_minute"] is None
    speed = ("broadcast", "speed", *COMMUNITY)
    assert mingzhang.json(*speed, "--per-minute", "100")["per_minute"] == 100
    assert mingzhang.json(*speed, "--unlimited")["per_minute"] is None


def test_homes_are_tagged_all_or_none(world: World, mingzhang: Mingzhang) -> None:
    add = ("tag", "add", "装修中", *COMMUNITY, "--by", "liu", "--room", "3-2-501")
    assert "9-9-909" in mingzhang.refusal(*add, "--room", "9-9-909")
    assert mingzhang.json("tag", "list", *COMMUNITY) == []
    assert mingzhang.json(*add, "--room", "1-1-302")["added"] == 2
    [tag] = mingzhang.json("tag", "list", *COMMUNITY)
    assert tag == {"tag": "装修中", "rooms": ["1-1-302", "3-2-501"]}
    remove = ("tag", "remove", "装修中", *COMMUNITY, "--by", "liu", "--room", "3-2-501")
    assert mingzhang.json(*remove)["removed"] == 1


def test_what_came_of_notices_is_counted_and_sms_is_switched(mingzhang: Mingzhang) -> None:
    report = mingzhang.json("notices", "report", *COMMUNITY, "--days", "7")
    assert report == {"days": 7, "unreachable": 0, "kinds": []}
    assert mingzhang.json("notices", "sms", *COMMUNITY)["unfollowed"] is False
    assert mingzhang.json("notices", "sms", *COMMUNITY, "--unfollowed")["unfollowed"] is True
    assert mingzhang.json("notices", "sms", *COMMUNITY)["unfollowed"] is True
    assert mingzhang.json("notices", "sms", *COMMUNITY, "--no-unfollowed")["unfollowed"] is False


def test_timing_is_shown_switched_off_and_forgotten(world: World, mingzhang: Mingzhang) -> None:
    queued(world)
    with world.database.transaction() as session:
        assert count_rungs(session, world.community.id, world.today) > 0
    shown = mingzhang.json("timing", "show", *COMMUNITY)
    assert (shown["on"], shown["newcomers"]) == (True, None)
    assert {rung["effect"] for rung in shown["rungs"]} == {"unclear"}
    assert mingzhang.json("timing", "off", *COMMUNITY)["on"] is False
    assert mingzhang.json("timing", "reset", *COMMUNITY)["reset"] is True
    assert mingzhang.json("timing", "show", *COMMUNITY)["on"] is False
    assert mingzhang.json("timing", "on", *COMMUNITY)["on"] is True
    home = (*COMMUNITY, "--room", "3-2-501")
    mingzhang.json("timing", "off", *home)
    (zhang,) = mingzhang.json("timing", "show", *home)["followers"]
    assert (zhang["on"], zhang["weekday"]) == (False, None)
    mingzhang.json("timing", "on", *home)
    mingzhang.json("timing", "reset", *home)
    assert mingzhang.json("timing", "show", *home)["followers"][0]["on"] is True
