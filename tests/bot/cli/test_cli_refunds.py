"""`refund`, `reconcile`, `discrepancy`: from the command line, in JSON."""

from datetime import UTC, datetime
from typing import Any

from billing.discrepancies import DiscrepancyKind, record_discrepancy
from tests.bot.cli.command_line import Mingzhang
from tests.conftest import World

COMMUNITY = ("--community", "HY")
ROOM = ("--room", "3-2-501")


def paid_in(mingzhang: Mingzhang, number: str = "SJ-1") -> str:
    """A prepayment of 2,000 yuan in cash, for a home that owes less."""
    by = ("--by", "zhou")
    mingzhang.run("counter", "shift-open", *COMMUNITY, *by, "--float", "0")  # or it is open
    pay = ("counter", "pay", *COMMUNITY, *ROOM, *by, "--amount", "2000", "--number", number)
    mingzhang.json(*pay)
    return number


def asked(mingzhang: Mingzhang, payment: str, yuan: str, *more: str) -> dict[str, Any]:
    wanted: dict[str, Any] = mingzhang.json(
        "refund", "request", "--payment", payment, "--amount", yuan, "--reason", "多缴",
        "--by", "liu", *COMMUNITY, *more,
    )  # fmt: skip
    return wanted


def approve(number: str, by: str) -> tuple[str, ...]:
    return ("refund", "approve", number, *COMMUNITY, "--by", by)


def test_a_refund_in_cash_from_request_to_paid_out(mingzhang: Mingzhang) -> None:
    refund = asked(mingzhang, paid_in(mingzhang), "100")
    assert (refund["state"], refund["amount_fen"]) == ("requested", 10000)
    number = str(refund["id"])
    assert "liu is service" in mingzhang.refusal(*approve(number, "liu"))
    assert mingzhang.json(*approve(number, "zhao"))["state"] == "approved"
    assert "paid out by hand" in mingzhang.refusal("refund", "send", number, *COMMUNITY)
    pay_out = ("refund", "pay-out", number, *COMMUNITY, "--reference", "TK-1", "--by", "chen")
    assert mingzhang.json(*pay_out)["state"] == "done"
    assert "only an approved one" in mingzhang.refusal(*pay_out)
    [listed] = mingzhang.json("refund", "list", *COMMUNITY, "--state", "done")
    assert listed["id"] == refund["id"]
    assert mingzhang.json("refund", "list", *COMMUNITY, "--payment", "SJ-1") == [listed]
    assert mingzhang.json("check")["ok"] is True


def test_above_the_limit_the_second_person_is_asked_for(mingzhang: Mingzhang) -> None:
    limit = ("refund", "limit", *COMMUNITY, "--set", "50", "--by", "zhao")
    assert mingzhang.json(*limit)["refund_limit_fen"] == 5000
    number = str(asked(mingzhang, paid_in(mingzhang), "50.01")["id"])
    first = mingzhang.json(*approve(number, "zhao"))
    assert (first["state"], first["needs_second_approval"]) == ("requested", True)
    assert "a second one must too" in mingzhang.refusal(*approve(number, "zhao"))
    assert mingzhang.json(*approve(number, "chen"))["state"] == "approved"


def test_a_refund_can_be_refused_and_what_makes_no_sense_is_one_sentence(
    mingzhang: Mingzhang,
) -> None:
    payment = paid_in(mingzhang)
    number = str(asked(mingzhang, payment, "10")["id"])
    refuse = ("refund", "reject", number, *COMMUNITY, "--reason", "已协商", "--by", "zhao")
    assert mingzhang.json(*refuse)["state"] == "rejected"
    wish = ("refund", "request", *COMMUNITY, "--reason", "多缴", "--by", "liu")
    assert "no payment 'X'" in mingzhang.refusal(*wish, "--payment", "X", "--amount", "1")
    assert "of which 2000.00 is left" in mingzhang.refusal(
        *wish, "--payment", payment, "--amount", "2000.01"
    )


def test_a_day_without_providers_is_compared_and_empty(mingzhang: Mingzhang) -> None:
    mingzhang.env["WECHAT_PAY_MERCHANTS"] = "{}"
    assert mingzhang.json("reconcile", "--date", "2026-11-22") == {
        "date": "2026-11-22",
        "provider_fen": 0,
        "booked_fen": 0,
        "refunded_fen": 0,
        "booked_refunded_fen": 0,
        "matched": 0,
        "healed": 0,
        "discrepancies": [],
        "merchants": [],
        "banks": [],
    }


def test_a_discrepancy_is_listed_assigned_and_closed_with_a_reason(
    mingzhang: Mingzhang, world: World
) -> None:
    with world.database.transaction() as session:
        record_discrepancy(
            session,
            DiscrepancyKind.UNKNOWN_ORDER,
            merchant_id=world.merchant_id,
            community_id=None,
            out_trade_no="MZnobodys",
            transaction_id="42",
            data={},
            now=datetime.now(UTC),
        )
    [found] = mingzhang.json("discrepancy", "list")
    assert (found["kind"], found["merchant"], found["age_days"]) == ("unknown_order", "HYPM", 0)
    number = str(found["id"])
    assert mingzhang.json("discrepancy", "assign", number, "--to", "liu")["owner"] == "liu"
    close = ("discrepancy", "close", number, "--reason", "已退回", "--by")
    assert "liu is service" in mingzhang.refusal(*close, "liu")
    assert mingzhang.json(*close, "zhao")["close_reason"] == "已退回"
    assert mingzhang.json("discrepancy", "list") == []
    assert [each["id"] for each in mingzhang.json("discrepancy", "list", "--all")] == [found["id"]]
