"""`bill-run`, `remind`, `check`, `alerts`: their JSON, exactly."""

import json

from sqlalchemy import create_engine, func, select, text

from billing.alerts import Alert, AlertKind, raise_alert
from billing.bill_run_tables import BillRunChunk, ChunkState
from billing.bills import list_unpaid
from billing.bindings import issue_code, redeem_code, see_follower
from billing.checks import ALL_CHECKS
from billing.privacy import Vault
from tests.bot.cli.command_line import Mingzhang
from tests.conftest import NOW, WORLD_PLAN, World

DECEMBER = ("bill-run", "--community", "HY", "--period", "2026-12", "--today", "2026-12-01")
ADDING_UP = ("created", "existing", "skipped", "parked")


def test_a_bill_run_says_what_it_made(mingzhang: Mingzhang) -> None:
    summary = mingzhang.json(*DECEMBER)
    assert list(summary) == [
        "run", "expected", "created", "existing", "skipped", "parked", "amount_fen",
    ]  # fmt: skip
    assert isinstance(summary["run"], int)
    assert summary["created"] > WORLD_PLAN.households
    assert summary["existing"] == 0
    assert summary["amount_fen"] > 0
    counts = [summary[name] for name in ADDING_UP]
    total = sum(sum(count.values()) if isinstance(count, dict) else count for count in counts)
    assert summary["expected"] == total


def test_the_same_run_again_makes_nothing(mingzhang: Mingzhang) -> None:
    first, again = mingzhang.json(*DECEMBER), mingzhang.json(*DECEMBER)
    assert (again["created"], again["existing"]) == (0, first["created"])
    assert again["amount_fen"] == 0


def december(world: World) -> int:
    """How many homes have been sent a December bill."""
    with world.database.transaction() as session:
        rows = session.execute(text("SELECT DISTINCT unit_id FROM bill WHERE period = '2026-12'"))
        unpaid = list_unpaid(session, world.community.id, [row.unit_id for row in rows])
    return sum(str(bill.period) == "2026-12" for bill in unpaid)


def test_bills_are_drafts_until_they_are_published(world: World, mingzhang: Mingzhang) -> None:
    mingzhang.json(*DECEMBER)
    assert december(world) == 0
    published = mingzhang.json(*DECEMBER, "--publish")
    assert published["created"] == 0
    assert december(world) == WORLD_PLAN.households
    with world.database.transaction() as session:
        drafts = select(func.count()).where(BillRunChunk.state == ChunkState.DRAFT)
        assert session.scalar(drafts) == 0


def test_a_run_for_a_community_nobody_knows_is_refused(mingzhang: Mingzhang) -> None:
    refusal = mingzhang.refusal("bill-run", "--community", "XX", "--period", "2026-12")
    assert "XX" in refusal


def test_a_period_or_a_date_that_is_none_is_named(mingzhang: Mingzhang) -> None:
    for arguments in (
        ("bill-run", "--community", "HY", "--period", "2026-13"),
        ("bill-run", "--community", "HY", "--period", "2026-12", "--today", "2026-02-30"),
        ("remind", "--today", "tomorrow"),
    ):
        result = mingzhang.run(*arguments)
        assert result.exit_code == 2
        assert f"{arguments[-1]!r} is not a" in result.stderr
        assert result.stdout == ""


def bind(world: World, vault: Vault, room: str, openid: str) -> None:
    with world.database.transaction() as session:
        code = issue_code(
            session, vault, community_id=world.community.id, unit_id=world.unit(room).id, now=NOW
        )
        redeem_code(session, vault, see_follower(session, openid, NOW), code, NOW)


def test_reminding_says_who_is_told_and_who_is_not(
    world: World, vault: Vault, mingzhang: Mingzhang
) -> None:
    bind(world, vault, "1-1-302", "o-three-months-behind")
    told = mingzhang.json("remind", "--today", "2026-11-23")
    assert list(told) == ["due", "overdue", "merged_into", "suppressed"]
    assert (told["due"], told["overdue"], told["merged_into"]) == (1, 3, 2)
    assert all(isinstance(count, int) and count for count in told["suppressed"].values())


def test_reminding_again_tells_nobody_twice(
    world: World, vault: Vault, mingzhang: Mingzhang
) -> None:
    bind(world, vault, "1-1-302", "o-three-months-behind")
    mingzhang.json("remind", "--today", "2026-11-23")
    again = mingzhang.json("remind", "--today", "2026-11-23")
    assert (again["due"], again["overdue"], again["merged_into"]) == (0, 0, 0)


def test_books_that_are_whole_check_well(mingzhang: Mingzhang) -> None:
    found = mingzhang.json("check")
    assert list(found) == ["ok", "checks"]
    assert found["ok"] is True
    assert len(found["checks"]) == len(ALL_CHECKS)
    for check in found["checks"]:
        assert list(check) == ["name", "rows", "violations"]
        assert check["violations"] == []


def test_a_fault_in_the_books_is_shown_and_the_exit_code_says_so(
    world: World, mingzhang: Mingzhang
) -> None:
    owner = create_engine(world.url)
    with owner.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE bill SET amount = amount + 1 WHERE id = 1"))
    owner.dispose()
    result = mingzhang.run("check")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["ok"] is False
    wrong = {check["name"]: check["violations"] for check in found["checks"] if check["violations"]}
    assert wrong["a bill is the sum of its lines"][0]["id"] == 1


def test_open_alerts_are_listed_latest_first_and_closed_ones_on_request(
    world: World, mingzhang: Mingzhang
) -> None:
    assert mingzhang.json("alerts") == []
    with world.database.transaction() as session:
        for key in ("first", "second"):
            raise_alert(
                session,
                AlertKind.DISCREPANCY,
                key=key,
                community_id=world.community.id,
                data={"kind": "wrong_amount"},
                now=NOW,
            )
    with world.database.transaction() as session:
        session.scalars(select(Alert).where(Alert.key == "second")).one().closed_at = NOW
    [alert] = mingzhang.json("alerts")
    assert alert | {"id": 0} == {
        "id": 0,
        "kind": "discrepancy",
        "label": AlertKind.DISCREPANCY.label,
        "community_id": world.community.id,
        "raised_at": "2026-11-23T02:30:00+00:00",
        "closed_at": None,
        "data": {"kind": "wrong_amount"},
    }
    closed, still_open = mingzhang.json("alerts", "--all")
    assert (closed["closed_at"], still_open) == ("2026-11-23T02:30:00+00:00", alert)
