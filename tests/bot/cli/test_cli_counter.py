"""`counter`, `receipt`, `fapiao`, `day-close`: JSON, or a sentence for what is refused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from billing.bindings import see_follower
from billing.fapiao import list_uninvoiced, request_fapiao
from billing.fapiao_papers import FapiaoTitle
from billing.fapiao_tables import TitleKind
from tests.billing.corrections import bill_of, prepared
from tests.bot.cli.command_line import Mingzhang
from tests.conftest import World, make_vault

HERE = ("--community", "HY")
HOME = (*HERE, "--room", "3-2-501")
BY = ("--by", "zhou")


def open_shift(mingzhang: Mingzhang) -> None:
    mingzhang.json("counter", "shift-open", *HERE, *BY, "--float", "200")


def test_a_day_at_the_counter(world: World, mingzhang: Mingzhang) -> None:
    bill = bill_of(world, "3-2-501", "2026-11")
    open_shift(mingzhang)
    pay = ("counter", "pay", *HOME, *BY, "--number")
    paid = mingzhang.json(*pay, "S1", "--amount", "500", "--bill", str(bill.id))
    assert paid["balance_fen"] == 50000 - bill.outstanding.fen
    assert paid["receipt"].count("-") == 1
    assert mingzhang.json(*pay, "S2", "--amount", "7", "--prepay")["state"] == "confirmed"
    slip = mingzhang.json(*pay, "S3", "--amount", "5", "--channel", "slip", "--bank", "工商银行",
                          "--payer", "张三")  # fmt: skip
    assert slip["number"] == "SLIP/工商银行/S3"
    gone = mingzhang.json("counter", "cancel", *HERE, *BY, "--number", "S2", "--reason", "多收")
    assert gone["state"] == "reversed"
    shown = mingzhang.json("receipt", "show", *HERE, "--number", paid["receipt"])
    assert (shown["room"], shown["amount_fen"], shown["number"]) == ("3-2-501", 50000, "S1")
    [report] = mingzhang.json("counter", "report", *HERE)
    assert report["expected_fen"] == 20000 + 50000
    assert report["channels"]["cash"]["cancelled_fen"] == 700
    refused = mingzhang.refusal("counter", "shift-close", *HERE, *BY, "--counted", "699")
    assert "700.00 is expected" in refused
    closed = mingzhang.json(
        "counter", "shift-close", *HERE, *BY, "--counted", "699", "--reason", "少一元"
    )
    assert closed["difference_fen"] == -100
    day = mingzhang.json("day-close", *HERE, "--by", "chen")
    assert (day["payments"], day["amount_fen"], day["cancelled"]) == (3, 51200, 1)
    assert day["last_receipt"] > day["first_receipt"]
    assert "are closed already" in mingzhang.refusal("day-close", *HERE, "--by", "chen")
    assert mingzhang.json("receipt", "number") == {"numbered": 0}


def test_what_the_counter_refuses_is_a_sentence(world: World, mingzhang: Mingzhang) -> None:
    pay = ("counter", "pay", *HOME, *BY, "--number", "S1", "--amount", "5")
    assert "no open shift" in mingzhang.refusal(*pay)
    open_shift(mingzhang)
    assert "has an open shift" in mingzhang.refusal(
        "counter", "shift-open", *HERE, *BY, "--float", "0"
    )
    assert "S9" in mingzhang.refusal("counter", "cancel", *HERE, *BY, "--number", "S9",
                                     "--reason", "x")  # fmt: skip
    assert "no receipt" in mingzhang.refusal("receipt", "show", *HERE, "--number", "2026-9999")
    assert "open shifts of zhou" in mingzhang.refusal("day-close", *HERE, "--by", "chen")
    assert mingzhang.run(*pay, "--bill", "1", "--prepay").exit_code == 2


FAR = "9" * 20


@pytest.mark.parametrize(
    "command",
    [
        ("receipt", "show", *HERE, "--number", f"2026-{FAR}"),
        ("receipt", "show", *HERE, "--number", f"{FAR}-1"),
        ("bank-statement", "assign", FAR, *HOME, "--reason", "x", "--by", "chen"),
        ("bank-statement", "ignore", FAR, *HERE, "--reason", "x", "--by", "chen"),
        ("fapiao", "show", *HERE, FAR),
        ("counter", "pay", *HOME, *BY, "--number", "S1", "--amount", "5", "--bill", FAR),
        ("counter", "qr", *HOME, "--bill", FAR),
        ("counter", "shift-close", *HERE, "--by", "zhao", "--counted", "1", "--shift", FAR),
        ("reconcile", "--date", "9999-12-31"),
        ("reconcile", "--date", "0001-01-01"),
        ("day-close", *HERE, "--by", "chen", "--today", "0001-01-01"),
    ],
)
def test_a_number_or_a_day_beyond_all_bounds_is_refused(
    world: World, mingzhang: Mingzhang, command: tuple[str, ...]
) -> None:
    result = mingzhang.run(*command)
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code in (1, 2)


def test_a_payment_in_flight_that_cannot_be_ended_is_named(
    world: World, mingzhang: Mingzhang
) -> None:
    open_payment = prepared(world, "3-2-501")
    open_shift(mingzhang)
    refused = mingzhang.refusal("counter", "pay", *HOME, *BY, "--number", "S1", "--amount", "5")
    assert open_payment.out_trade_no in refused


def test_a_code_needs_somebody_who_collects(mingzhang: Mingzhang) -> None:
    assert "wechat_native" in mingzhang.refusal("counter", "qr", *HOME, "--prepay", "5")


def test_fapiao_are_issued_rejected_and_reversed(
    world: World, mingzhang: Mingzhang, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    unit = world.unit("3-2-501")
    with world.database.transaction() as session:
        offers = list_uninvoiced(session, unit.community_id, unit.id)
        for offer in offers[:2]:
            request_fapiao(
                session, make_vault(), community_id=unit.community_id, unit_id=unit.id,
                payment_ids=[offer.payment.id], title=FapiaoTitle(TitleKind.PERSONAL, "张秀英"),
                follower_id=see_follower(session, "o-zhang", now).id, now=now,
            )  # fmt: skip
    second, first = mingzhang.json("fapiao", "list", *HERE, "--state", "requested")
    assert first["title"] == "张**"
    shown = mingzhang.json("fapiao", "show", str(first["id"]), *HERE)
    assert (shown["title"], len(shown["payments"])) == ("张秀英", 1)
    file = tmp_path / "fapiao.pdf"
    file.write_bytes(b"%PDF-1.7")
    issue = ("fapiao", "issue", str(first["id"]), *HERE, "--by", "chen", "--number", "2" * 20)
    issued = mingzhang.json(*issue, "--file", str(file))
    assert (issued["state"], issued["number"]) == ("issued", "2" * 20)
    assert "not requested" in mingzhang.refusal(*issue)
    end = ("--by", "chen", "--reason", "抬头有误")
    rejected = mingzhang.json("fapiao", "reject", str(second["id"]), *HERE, *end)
    assert rejected["state"] == "rejected"
    reversed_ = mingzhang.json(
        "fapiao", "reverse", str(first["id"]), *HERE, *end, "--number", "3" * 20
    )
    assert (reversed_["state"], reversed_["red_number"]) == ("reversed", "3" * 20)
