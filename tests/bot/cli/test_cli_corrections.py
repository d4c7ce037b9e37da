"""`bill`, `close`, `trial-balance`: corrections from the command line, in JSON."""

from typing import Any

from tests.bot.cli.command_line import Mingzhang

COMMUNITY = ("--community", "HY")
TODAY = ("--today", "2026-11-23")
BEHIND = "1-1-302"


def bills(mingzhang: Mingzhang, room: str = BEHIND) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = mingzhang.json("bill", "list", *COMMUNITY, "--room", room)
    return found


def reason(text: str, by: str) -> tuple[str, ...]:
    return (*COMMUNITY, "--reason", text, "--by", by)


def waive(mingzhang: Mingzhang, line: int, amount: str = "30.00") -> dict[str, Any]:
    asked: dict[str, Any] = mingzhang.json(
        "bill", "waive", "--line", str(line), "--amount", amount, *reason("电梯停运", "liu")
    )
    return asked


def test_the_bills_of_a_home_are_listed_line_by_line(mingzhang: Mingzhang) -> None:
    [*_, november] = bills(mingzhang)
    assert november["period"] == "2026-11"
    assert november["outstanding_fen"] == november["amount_fen"]
    assert sum(line["amount_fen"] for line in november["lines"]) == november["amount_fen"]
    assert {line["item"] for line in november["lines"]} >= {"property", "garbage"}


def test_a_waiver_is_asked_for_listed_and_approved(mingzhang: Mingzhang) -> None:
    line = bills(mingzhang)[-1]["lines"][0]
    asked = waive(mingzhang, line["id"])
    assert (asked["state"], asked["kind"], asked["amount_fen"]) == ("requested", "waiver", -3000)
    assert mingzhang.json("bill", "adjustments", *COMMUNITY) == [asked]
    number = str(asked["id"])
    approved = mingzhang.json("bill", "approve", number, *COMMUNITY, "--by", "zhao", *TODAY)
    assert approved == asked | {"state": "approved", "effective_on": "2026-11-23"}
    after = bills(mingzhang)[-1]["lines"][0]
    assert after["outstanding_fen"] == line["outstanding_fen"] - 3000
    assert mingzhang.json("bill", "adjustments", *COMMUNITY) == []
    back = mingzhang.json("bill", "reverse", number, *reason("录错", "liu"))
    assert (back["reverses"], back["amount_fen"]) == (asked["id"], 3000)
    mingzhang.json("bill", "approve", str(back["id"]), *COMMUNITY, "--by", "chen", *TODAY)
    assert bills(mingzhang)[-1]["lines"][0] == line
    assert mingzhang.json("check")["ok"] is True


def test_a_correction_can_be_refused(mingzhang: Mingzhang) -> None:
    line = bills(mingzhang)[-1]["lines"][0]["id"]
    asked = mingzhang.json(
        "bill", "adjust", "--line", str(line), "--amount", "-12.50", *reason("面积", "chen")
    )
    assert (asked["kind"], asked["amount_fen"]) == ("adjustment", -1250)
    refused = mingzhang.json("bill", "refuse", str(asked["id"]), *COMMUNITY, "--by", "zhao")
    assert refused["state"] == "refused"


def test_what_cannot_be_done_is_one_sentence(mingzhang: Mingzhang) -> None:
    line = bills(mingzhang)[-1]["lines"][0]["id"]
    asked = waive(mingzhang, line)
    number = str(asked["id"])
    approve = ("bill", "approve", number, *COMMUNITY, *TODAY, "--by")
    assert "liu is service" in mingzhang.refusal(*approve, "liu")
    assert "no staff with login 'nobody'" in mingzhang.refusal(*approve, "nobody")
    ask = ("bill", "waive", "--line", str(line), *reason("减免", "chen"), "--amount")
    assert "not an amount in yuan" in mingzhang.refusal(*ask, "3O")
    assert "not an amount in yuan" in mingzhang.refusal(*ask, "NaN")
    assert "does not" in mingzhang.refusal(*ask, "-30")
    assert f"request {number} waiting" in mingzhang.refusal(*ask, "30")
    assert "9-9-999" in mingzhang.refusal("bill", "list", *COMMUNITY, "--room", "9-9-999")


def test_a_bill_is_voided_and_a_whole_run(mingzhang: Mingzhang) -> None:
    voided = bills(mingzhang)[-1]["id"]
    void = ("bill", "void", str(voided), *reason("面积有误", "zhao"), *TODAY)
    assert mingzhang.json(*void, "--after", "exclude") == {
        "bill": voided, "voided": True, "after": "exclude",
    }  # fmt: skip
    assert "void already" in mingzhang.refusal(*void)
    made = mingzhang.json(
        "bill-run", "--community", "HY", "--period", "2026-12", "--today", "2026-12-01", "--publish"
    )
    void_run = ("bill", "void-run", str(made["run"]), *reason("单价有误", "chen"), *TODAY)
    assert mingzhang.json(*void_run) == {"run": made["run"], "voided": 24, "after": "redo"}
    assert "no bill that is not void" in mingzhang.refusal(*void_run)
    assert mingzhang.json("check")["ok"] is True


def test_a_month_is_closed_in_order(mingzhang: Mingzhang) -> None:
    close = ("close", *COMMUNITY, "--by", "chen", "--period")
    assert "close 2026-07 before 2026-08" in mingzhang.refusal(*close, "2026-08")
    closed = mingzhang.json(*close, "2026-07")
    assert (closed["community"], closed["period"]) == ("HY", "2026-07")
    assert closed["entries"] > 24
    assert closed["total_fen"] > 0
    assert "closed through 2026-07" in mingzhang.refusal(*close, "2026-07")
    assert "is not over" in mingzhang.refusal(*close, "2999-01")


def test_the_trial_balance_balances(mingzhang: Mingzhang) -> None:
    for asked in ((), ("--period", "2026-10")):
        sheet = mingzhang.json("trial-balance", *COMMUNITY, *asked)
        assert sheet["period"] == (asked[1] if asked else None)
        assert sheet["debit_fen"] == sheet["credit_fen"] > 0
        accounts = {account["account"]: account for account in sheet["accounts"]}
        assert sum(account["balance_fen"] for account in accounts.values()) == 0
        assert accounts["income:property"]["balance_fen"] < 0
