"""`deposit`, `prepayment`, `late-fee`, `home`: JSON, or a sentence for what is refused."""

from datetime import date

from sqlalchemy import select

from billing.bills import list_unpaid
from billing.people import Occupancy
from tests.billing.paper import person
from tests.bot.cli.command_line import Mingzhang
from tests.conftest import World

HOME = ("--community", "HY", "--room", "3-2-501")
LATE = ("--community", "HY", "--room", "1-1-302")
ON_23 = ("--today", "2026-11-23")


def test_a_deposit_is_taken_returned_and_kept(mingzhang: Mingzhang) -> None:
    take = ("deposit", "take", *HOME, "--number", "YJ-1", "--purpose", "装修押金",
            "--amount", "2000", "--by", "chen", *ON_23)  # fmt: skip
    taken = mingzhang.json(*take)
    assert taken == {
        "number": "YJ-1",
        "room": "3-2-501",
        "purpose": "装修押金",
        "taken_on": "2026-11-23",
        "taken_fen": 200000,
        "returned_fen": 0,
        "forfeited_fen": 0,
        "held_fen": 200000,
    }
    assert mingzhang.json(*take) == taken
    move = ("--community", "HY", "--number", "YJ-1", "--by", "chen", *ON_23)
    back = mingzhang.json("deposit", "return", *move, "--amount", "500", "--reason", "done")
    assert back["held_fen"] == 150000
    kept = mingzhang.json("deposit", "forfeit", *move, "--amount", "300.50", "--reason", "wall")
    assert (kept["held_fen"], kept["forfeited_fen"]) == (119950, 30050)
    assert mingzhang.json("deposit", "list", "--community", "HY") == [kept]
    assert mingzhang.json("deposit", "list", *HOME) == [kept]
    assert mingzhang.json("deposit", "list", *LATE) == []
    refused = mingzhang.refusal("deposit", "return", *move, "--amount", "1199.51", "--reason", "x")
    assert "1199.50 is held" in refused


def test_an_amount_that_is_none_is_named(mingzhang: Mingzhang) -> None:
    result = mingzhang.run(
        "counter", "pay", *HOME, "--by", "zhou", "--amount", "1,000", "--number", "S1"
    )
    assert result.exit_code == 2
    assert "'1,000' is not an amount in yuan" in result.stderr


def test_money_is_paid_in_and_used(mingzhang: Mingzhang) -> None:
    by = ("--by", "zhou")
    mingzhang.json("counter", "shift-open", "--community", "HY", *by, "--float", "200")
    paid = mingzhang.json("counter", "pay", *HOME, *by, "--amount", "501.80", "--number", "S1")
    assert (paid["number"], paid["amount_fen"], paid["balance_fen"]) == ("S1", 50180, 10000)
    chosen = mingzhang.json("prepayment", "auto", *HOME, "--item", "property", "--item", "garbage")
    assert chosen == {"room": "3-2-501", "auto": ["property", "garbage"]}
    nothing = mingzhang.json("prepayment", "use", *HOME)
    assert nothing == {"number": None, "amount_fen": 0, "balance_fen": 10000}
    mingzhang.json("bill-run", "--community", "HY", "--period", "2026-12", "--publish",
                   "--today", "2026-12-01")  # fmt: skip
    used = mingzhang.json("prepayment", "use", *HOME)
    shown = mingzhang.json("prepayment", "balance", *HOME)
    assert used["balance_fen"] == shown["balance_fen"]
    assert shown["movements"][-1] == {
        "on": shown["movements"][-1]["on"],
        "amount_fen": 10000,
        "why": "payment",
        "number": "S1",
        "periods": [],
    }
    assert mingzhang.json("prepayment", "auto", *HOME)["auto"] == []
    assert "caviar" in mingzhang.refusal("prepayment", "auto", *HOME, "--item", "caviar")


def test_late_fees_follow_the_clause(world: World, mingzhang: Mingzhang) -> None:
    clause = ("--from", "2026-08-01", "--daily-rate", "0.0005", "--document", "合同第九条")
    policy = mingzhang.json("late-fee", "policy", "--community", "HY", *clause)
    assert policy == {
        "policies": [
            {
                "from": "2026-08-01",
                "daily_rate": "0.0005",
                "grace_days": 0,
                "cap": "principal",
                "document": "合同第九条",
            }
        ],
        "warnings": [],
    }
    with world.database.transaction() as session:
        unit = world.unit("1-1-302")
        oldest = list_unpaid(session, world.community.id, [unit.id])[0].id
    ask = ("late-fee", "preview", str(oldest), "--community", "HY", *ON_23)
    due = mingzhang.json(*ask)
    assert due["from"] == "2026-09-01"
    assert due["to"] == "2026-11-24"
    assert "0.0005 × 84天" in due["explanation"]
    frozen = mingzhang.json(
        "late-fee", "freeze", *LATE, "--from", "2026-11-01", "--reason", "disputed", "--by", "zhao"
    )
    assert "× 61天" in mingzhang.json(*ask)["explanation"]
    mingzhang.json("late-fee", "unfreeze", str(frozen["id"]), "--community", "HY", "--on",
                   "2026-11-11", "--reason", "settled", "--by", "zhao")  # fmt: skip
    last = mingzhang.json(*ask)
    [bill] = mingzhang.json("late-fee", "accrue", *LATE, *ON_23)["bills"]
    assert bill["amount_fen"] > last["amount_fen"] > 0
    assert mingzhang.json("late-fee", "accrue", *LATE, *ON_23)["bills"] == []
    assert mingzhang.json(*ask) == {
        "bill": oldest, "amount_fen": 0, "from": None, "to": None, "explanation": None,
    }  # fmt: skip


def test_a_clause_needs_its_parts_and_warns(mingzhang: Mingzhang) -> None:
    ask = ("late-fee", "policy", "--community", "HY")
    assert mingzhang.json(*ask) == {"policies": [], "warnings": []}
    incomplete = mingzhang.run(*ask, "--from", "2026-08-01")
    assert incomplete.exit_code == 2
    assert "go together" in incomplete.stderr
    [warning] = mingzhang.json(*ask, "--from", "2026-08-01", "--daily-rate", "0.003",
                               "--document", "9")["warnings"]  # fmt: skip
    assert "courts" in warning
    wrong = mingzhang.run(*ask, "--from", "2026-08-02", "--daily-rate", "NaN", "--document", "9")
    assert "is not a number" in wrong.stderr


def test_a_home_is_handed_over(world: World, mingzhang: Mingzhang) -> None:
    with world.database.transaction() as session:
        new = person(session, world)
        old = session.scalars(
            select(Occupancy.resident_id).where(Occupancy.unit_id == world.unit("3-2-501").id)
        ).one()
    [before] = mingzhang.json("home", "people", *HOME)
    assert (before["resident"], before["name"], before["to"]) == (old, "张**", None)
    on = min(date(2026, 11, 16), date.today()).isoformat()  # noqa: DTZ011  # the command's clock
    done = mingzhang.json(
        "home", "hand-over", *HOME, "--owner", str(new), "--on", on, "--by", "zhao"
    )
    assert done == {"room": "3-2-501", "on": on, "from": [old], "to": [new], "bills": 5}
    refused = mingzhang.refusal(
        "home", "hand-over", *HOME, "--owner", "999999", "--on", on, "--by", "zhao"
    )
    assert "no resident 999999" in refused


def test_a_bill_is_split(world: World, mingzhang: Mingzhang) -> None:
    with world.database.transaction() as session:
        first, second = person(session, world), person(session, world)
        [bill] = list_unpaid(session, world.community.id, [world.unit("3-2-501").id])
    ask = ("home", "split", str(bill.id), "--community", "HY", "--by", "zhao")
    done = mingzhang.json(*ask, "--share", f"{first}=3", "--share", f"{second}=1")
    assert done == {
        "bill": bill.id,
        "shares": [
            {"resident": first, "amount_fen": 30135},
            {"resident": second, "amount_fen": 10045},
        ],
    }
    for share in ("17", "x=1", "17=x"):
        assert "is not RESIDENT=WEIGHT" in mingzhang.refusal(*ask, "--share", share)
    twice = mingzhang.refusal(*ask, "--share", f"{first}=1", "--share", f"{first}=2")
    assert "named twice" in twice
