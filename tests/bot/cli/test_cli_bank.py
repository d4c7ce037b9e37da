"""`bank-account`, `bank-statement`, `direct-debit`: JSON, or a sentence for what is refused."""

import csv
from pathlib import Path
from typing import Any

from billing.bank_reference import reference_of
from tests.billing.corrections import BEHIND, owed, violations
from tests.billing.statements.banks import Transfer, table
from tests.bot.cli.command_line import Mingzhang
from tests.conftest import World

HERE = ("--community", "HY")
BY = ("--by", "chen")


def test_a_statement_from_the_file_to_the_books(
    world: World, mingzhang: Mingzhang, tmp_path: Path
) -> None:
    home = world.unit(BEHIND)
    account = ("bank-account", "add", *HERE, *BY, "--account", "icbc", "--holder", "花园物业",
               "--bank", "工商银行花园支行", "--number", "6222000011112222333")  # fmt: skip
    assert mingzhang.json(*account) == mingzhang.json(*account)
    [shown] = mingzhang.json("bank-account", "list", *HERE)
    assert "6222000011112222333" not in str(shown)
    statement = tmp_path / "十一月.csv"
    statement.write_text(
        table(
            [
                Transfer(owed(world, BEHIND).yuan, "李建国", reference_of(home.id), "S1"),
                Transfer("321.00", "路人", "代交", "S2"),
                Transfer("0.15", "工商银行", "结息", "S3"),
            ]
        ),
        encoding="gb18030",
    )
    take = ("bank-statement", "import", str(statement), *HERE, *BY, "--account", "icbc")
    assert mingzhang.json(*take)["states"] == {"matched": 1, "unknown": 2}
    assert mingzhang.json(*take)["states"] == {}, "imported twice changes nothing"
    assert owed(world, BEHIND).fen == 0
    unknown = mingzhang.json("bank-statement", "rows", *HERE, "--state", "unknown")
    stranger, interest = sorted(unknown, key=lambda row: row["serial"])
    assert "路人" not in str(stranger)
    assigned = mingzhang.json(
        "bank-statement", "assign", str(stranger["row"]), *HERE, *BY, "--room", BEHIND,
        "--reason", "儿子代交",
    )  # fmt: skip
    assert assigned["room"] == BEHIND
    ignored = mingzhang.json(
        "bank-statement", "ignore", str(interest["row"]), *HERE, *BY, "--reason", "利息"
    )
    assert ignored["state"] == "ignored"
    again = mingzhang.refusal(
        "bank-statement", "ignore", str(stranger["row"]), *HERE, *BY, "--reason", "再想想"
    )
    assert "row" in again
    assert mingzhang.json("bank-account", "end", *HERE, *BY, "--account", "icbc")
    assert violations(world) == []


def test_what_a_statement_lacks_is_named(mingzhang: Mingzhang, tmp_path: Path) -> None:
    mingzhang.json(
        "bank-account", "add", *HERE, *BY, "--account", "icbc", "--holder", "花园物业",
        "--bank", "工商银行", "--number", "6222000011112222333",
    )  # fmt: skip
    statement = tmp_path / "bad.csv"
    statement.write_text("对方户名,附言\n张三,物业费\n")
    take = ("bank-statement", "import", str(statement), *HERE, *BY, "--account", "icbc")
    assert "columns" in mingzhang.refusal(*take)
    assert "KEY=HEADING" in mingzhang.run(*take, "--column", "amount").stderr
    nowhere = (*take[:2], str(tmp_path / "none.csv"), *take[3:])
    assert "No such file" in mingzhang.refusal(*nowhere)


def answer(path: Path, batch: str, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(
            [["批次号", "序号", "金额", "结果", "原因"]]
            + [[batch, row["no"], row["amount"], row["result"], row["reason"]] for row in rows]
        )


def test_a_batch_goes_out_and_its_answer_comes_in(
    world: World, mingzhang: Mingzhang, tmp_path: Path
) -> None:
    debt = owed(world, BEHIND)
    paper = ("--paper", "XY-1")
    sign = ("direct-debit", "mandate", "add", *HERE, "--room", BEHIND, *BY, *paper, "--holder",
            "李建国", "--account", "6217000099998888777", "--signed-on", "2026-11-01")  # fmt: skip
    assert mingzhang.json(*sign) == mingzhang.json(*sign)
    batch = ("direct-debit", "batch")
    made = mingzhang.json(*batch, "make", *HERE, *BY, "--due-by", "2026-12-31")
    assert (made["orders"], made["amount_fen"]) == (1, debt.fen)
    number = ("--batch", made["batch"])
    out, back = tmp_path / "out.csv", tmp_path / "back.csv"
    assert mingzhang.json(*batch, "file", *HERE, *number, str(out))["orders"] == 1
    assert "6217000099998888777" in out.read_text("utf-8-sig")
    assert mingzhang.json(*batch, "sent", *HERE, *BY, *number)["state"] == "sent"
    answer(back, made["batch"], [{"no": 1, "amount": debt.yuan, "result": "成功", "reason": ""}])
    taken = ("direct-debit", "result", "import", str(back), *HERE, *BY, *number)
    first = mingzhang.json(*taken)
    assert (first["paid"], first["failed"], first["already"]) == (1, 0, 0)
    assert owed(world, BEHIND).fen == 0
    second = mingzhang.json(*taken)
    assert (second["paid"], second["already"]) == (0, 1)
    answer(back, made["batch"], [{"no": 7, "amount": "1.00", "result": "成功", "reason": ""}])
    assert mingzhang.run(*taken).exit_code == 1
    ended = mingzhang.json("direct-debit", "mandate", "end", *HERE, *BY, *paper)
    assert ended["paper"] == "XY-1"
    assert "answer decides" in mingzhang.refusal(*batch, "cancel", *HERE, *BY, *number)
    assert violations(world) == []
