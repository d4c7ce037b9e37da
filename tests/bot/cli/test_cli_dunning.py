"""`dunning-letter`: the paper says what is owed and why, and is kept with its delivery."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from billing.bills import list_unpaid
from billing.dunning_tables import Dunning, DunningWay
from billing.last_dunned import last_dunned
from tests.bot.cli.command_line import Mingzhang
from tests.conftest import TODAY, World
from tests.notify.test_words import UNLAWFUL

COMMUNITY = ("--community", "HY")
DAY = ("--today", str(TODAY))


@pytest.fixture
def room(world: World) -> str:
    """A home with overdue bills."""
    with world.database.transaction() as session:
        return str(
            session.scalars(
                text(
                    """
                    SELECT room FROM unit
                    JOIN bill ON bill.community_id = unit.community_id AND bill.unit_id = unit.id
                    LEFT JOIN payment_allocation part ON part.community_id = bill.community_id
                     AND part.bill_id = bill.id
                    WHERE part.bill_id IS NULL AND bill.period < '2026-11' AND bill.amount > 0
                    ORDER BY room LIMIT 1
                    """
                )
            ).one()
        )


def overdue(world: World, room: str) -> tuple[list[int], int]:
    unit = world.unit(room)
    with world.database.transaction() as session:
        owed = list_unpaid(session, unit.community_id, [unit.id])
    bills = [bill for bill in owed if bill.due_on < TODAY]
    return [bill.id for bill in bills], sum(bill.outstanding.fen for bill in bills)


def printed(mingzhang: Mingzhang, room: str, path: Path) -> Any:
    letter = ("dunning-letter", *COMMUNITY, "--room", room, "--by", "liu", *DAY)
    return mingzhang.json(*letter, "--out", str(path))


def test_a_letter_says_what_is_owed_why_and_how_to_pay_without_threats(
    mingzhang: Mingzhang, world: World, room: str, tmp_path: Path
) -> None:
    mingzhang.json(
        "bank-account", "add", *COMMUNITY, "--by", "zhao", "--account", "icbc", "--holder",
        "花园物业", "--bank", "工商银行花园支行", "--number", "6222000011112222333",
    )  # fmt: skip
    path = tmp_path / "letter.html"
    answer = printed(mingzhang, room, path)
    paper = path.read_text(encoding="utf-8")
    _, fen = overdue(world, room)
    assert answer["amount_fen"] == fen > 0
    assert (answer["number"], answer["respond_by"]) == ("HY-2026-0001", "2026-12-08")
    for said in ("催缴函", answer["number"], room, "元/㎡", "附言", "第九百四十四条", "签名"):
        assert said in paper
    assert not UNLAWFUL.search(paper)
    again = tmp_path / "again.html"
    mingzhang.json("dunning-letter", "show", "--number", answer["number"], "--out", str(again))
    assert again.read_text(encoding="utf-8") == paper


def test_letters_are_numbered_in_a_row_and_one_that_cannot_be_printed_takes_no_number(
    mingzhang: Mingzhang, room: str, tmp_path: Path
) -> None:
    letter = ("dunning-letter", *COMMUNITY, "--room", room, "--by", "liu", *DAY)
    refusal = mingzhang.refusal(*letter, "--out", str(tmp_path / "missing" / "letter.html"))
    assert "cannot be written" in refusal
    numbers = [printed(mingzhang, room, tmp_path / "letter.html")["number"] for _ in range(2)]
    assert numbers == ["HY-2026-0001", "HY-2026-0002"]
    paper = (tmp_path / "letter.html").read_text(encoding="utf-8")
    assert "HY-2026-0001" in paper
    assert "未登记送达" in paper


def test_a_letter_counts_from_its_delivery(
    mingzhang: Mingzhang, world: World, room: str, tmp_path: Path
) -> None:
    bills, _ = overdue(world, room)
    number = printed(mingzhang, room, tmp_path / "letter.html")["number"]
    with world.database.transaction() as session:
        before = last_dunned(session, world.community.id, bills)
    assert {one.reached for one in before.values()} == {None}
    assert {one.other.on for one in before.values() if one.other} == {TODAY}
    served = (
        "dunning-letter", "delivered", "--number", number, "--how", "posted",
        "--on", "2026-11-25", "--by", "liu", "--today", "2026-11-30",
    )  # fmt: skip
    assert "tracking number" in mingzhang.refusal(*served)
    for _ in range(2):
        assert mingzhang.json(*served, "--tracking", "EM123456789CN")["how"] == "posted"
    with world.database.transaction() as session:
        after = last_dunned(session, world.community.id, bills)
    assert set(after) == set(bills)
    for one in after.values():
        assert one.reached is not None
        assert (one.reached.way, one.reached.on) == (DunningWay.LETTER, date(2026, 11, 25))
    [listed] = mingzhang.json("dunning-letter", "list", *COMMUNITY, "--room", room)
    assert len(listed["delivered"]) == 1


def test_a_call_is_kept_and_printed_on_the_next_letter(
    mingzhang: Mingzhang, world: World, room: str, tmp_path: Path
) -> None:
    call = (
        "dunning-letter", "call", *COMMUNITY, "--room", room, "--how", "phone",
        "--on", str(TODAY), "--note", "答应周五缴", "--by", "liu", *DAY,
    )  # fmt: skip
    assert mingzhang.json(*call)["how"] == "phone"
    printed(mingzhang, room, tmp_path / "letter.html")
    assert "电话催缴" in (tmp_path / "letter.html").read_text(encoding="utf-8")
    with world.database.transaction() as session:
        kept = session.scalars(select(Dunning).where(Dunning.way == DunningWay.PHONE)).one()
        assert kept.note_sealed is not None
        assert "周五" not in kept.note_sealed


def test_who_owes_nothing_gets_no_letter(mingzhang: Mingzhang, room: str) -> None:
    letter = ("dunning-letter", *COMMUNITY, "--room", room, "--by", "liu")
    assert "nothing to demand" in mingzhang.refusal(*letter, "--today", "2026-01-01")
    assert "--community" in mingzhang.run("dunning-letter").stderr


@pytest.mark.parametrize("change", ["UPDATE dunning SET amount = 1", "DELETE FROM dunning_bill"])
def test_a_demand_is_never_changed(
    mingzhang: Mingzhang, world: World, room: str, tmp_path: Path, change: str
) -> None:
    printed(mingzhang, room, tmp_path / "letter.html")
    with pytest.raises(DBAPIError, match="permission denied"), world.database.transaction() as s:
        s.execute(text(change))
