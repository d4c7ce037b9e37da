"""`ticket` and `heard`: staff answer owners and teach the understanding from the command line."""

import json
from decimal import Decimal

import pytest

from billing.bindings import see_follower
from billing.privacy import Vault
from billing.ticket_tables import TicketKind
from billing.tickets import Matter, open_ticket
from handlers.heard import Heard, HeardReason
from tests.bot.cli.command_line import Mingzhang
from tests.conftest import NOW, World

COMMUNITY = ("--community", "HY")
SAID = "电梯坏了，找13800001234"


@pytest.fixture
def ticket(world: World, vault: Vault) -> str:
    """Number of an open ticket."""
    with world.database.transaction() as session:
        follower = see_follower(session, "o-zhang", NOW)
        session.flush()
        unit = world.unit("3-2-501")
        matter = Matter(world.community.id, follower.id, TicketKind.HUMAN, unit.id)
        return str(open_ticket(session, vault, matter, SAID, NOW)[0].id)


@pytest.fixture
def sentence(world: World) -> str:
    """Number of a sentence that was not understood."""
    with world.database.transaction() as session:
        heard = Heard(
            masked="钱的事",
            guessed="bills.due",
            confidence=Decimal("0.312"),
            slots={"fee": "water"},
            is_staff=False,
            reason=HeardReason.ASKED_BACK,
            answered="message.unsure",
            at=NOW,
        )
        session.add(heard)
        session.flush()
        return str(heard.id)


def test_a_ticket_is_listed_masked_and_shown_whole(mingzhang: Mingzhang, ticket: str) -> None:
    [listed] = mingzhang.json("ticket", "list", *COMMUNITY)
    assert listed["masked"] == "电梯坏了，找【电话】"
    assert (listed["room"], listed["kind"], listed["state"]) == ("3-2-501", "human", "open")
    shown = mingzhang.json("ticket", "show", *COMMUNITY, ticket)
    assert [each["said"] for each in shown["sentences"]] == [SAID]


def test_it_is_answered_once_and_closed(mingzhang: Mingzhang, ticket: str) -> None:
    answer = ("ticket", "answer", *COMMUNITY, ticket, "--answer", "师傅已出发", "--by", "liu")
    assert mingzhang.json(*answer) == {"id": int(ticket), "state": "answered"}
    assert "answered already" in mingzhang.refusal(*answer)
    assert mingzhang.json("ticket", "list", *COMMUNITY) == []
    closed = mingzhang.json("ticket", "close", *COMMUNITY, ticket, "--by", "liu")
    assert closed["state"] == "closed"
    [listed] = mingzhang.json("ticket", "list", *COMMUNITY, "--all")
    assert listed["answer"] == "师傅已出发"


def test_there_is_no_ticket_of_another_number(mingzhang: Mingzhang) -> None:
    assert mingzhang.refusal("ticket", "show", *COMMUNITY, "7").startswith("no ticket 7")


def test_service_hours_are_the_managers(mingzhang: Mingzhang) -> None:
    desk = ("ticket", "desk", *COMMUNITY)
    assert mingzhang.json(*desk, "--by", "zhao") == {
        "community": "HY", "from": "08:30", "to": "17:30", "weekends": True, "agents": False,
    }  # fmt: skip
    changed = mingzhang.json(*desk, "--from", "09:00", "--no-weekends", "--agents", "--by", "zhao")
    assert changed == {
        "community": "HY", "from": "09:00", "to": "17:30", "weekends": False, "agents": True,
    }  # fmt: skip
    assert "this takes manager" in mingzhang.refusal(*desk, "--agents", "--by", "liu")
    assert "is not after" in mingzhang.refusal(*desk, "--to", "08:00", "--by", "zhao")


def test_a_sentence_is_listed_until_it_is_labelled_and_then_exported(
    mingzhang: Mingzhang, sentence: str
) -> None:
    [listed] = mingzhang.json("heard", "list", "--unlabelled")
    assert (listed["text"], listed["guessed"], listed["confidence"]) == (
        "钱的事", "bills.due", 0.312,
    )  # fmt: skip
    labelled = mingzhang.json("heard", "label", sentence, "bills.due", "--by", "liu")
    assert labelled["label"] == "bills.due"
    assert mingzhang.json("heard", "list", "--unlabelled") == []
    exported = mingzhang.run("heard", "export")
    assert [json.loads(line) for line in exported.stdout.splitlines()] == [
        {
            "text": "钱的事",
            "intent": "bills.due",
            "slots": {"fee": "water"},
            "staff": False,
            "note": "heard,asked_back,today=2026-11-23",
        }
    ]
    mingzhang.json("heard", "label", sentence, "pay", "--by", "liu")
    assert json.loads(mingzhang.run("heard", "export").stdout)["slots"] == {}


def test_an_intent_that_does_not_exist_is_refused(mingzhang: Mingzhang, sentence: str) -> None:
    result = mingzhang.run("heard", "label", sentence, "bills", "--by", "liu")
    assert result.exit_code == 2
    assert "'bills' is not one of" in result.stderr


def test_the_report_is_one_document(mingzhang: Mingzhang, sentence: str) -> None:
    mingzhang.json("heard", "label", sentence, "pay", "--by", "liu")
    assert mingzhang.json("understand", "--report") == {
        "heard": 1,
        "reasons": {"asked_back": 1},
        "labelled": 1,
        "confusion": {"pay": {"bills.due": 1}},
        "accuracy": {"pay": {"right": 0, "of": 1, "share": 0.0}},
    }
