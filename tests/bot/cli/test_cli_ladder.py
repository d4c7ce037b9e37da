"""`ladder` and `holidays`: when a community reminds, from the command line."""

from pathlib import Path

import pytest

from tests.bot.cli.command_line import Mingzhang
from tests.conftest import World

COMMUNITY = ("--community", "HY")
USUAL = {
    "community": "HY",
    "due_soon": [7, 3, 0],
    "overdue": [1, 7, 15, 30],
    "monthly": True,
    "since": None,
}


def test_a_ladder_is_shown_and_changed_in_parts(mingzhang: Mingzhang, world: World) -> None:
    assert mingzhang.json("ladder", "show", *COMMUNITY) == USUAL
    changed = mingzhang.json(
        "ladder", "set", *COMMUNITY, "--due-soon", "0,5", "--today", "2026-11-23"
    )
    assert changed == USUAL | {"due_soon": [5, 0], "since": "2026-11-23"}
    again = mingzhang.json(
        "ladder", "set", *COMMUNITY, "--due-soon", "5,0", "--today", "2026-12-01"
    )
    assert again == changed, "the same again changes nothing"
    quiet = mingzhang.json("ladder", "set", *COMMUNITY, "--overdue", "", "--no-monthly")
    assert (quiet["due_soon"], quiet["overdue"], quiet["monthly"]) == ([5, 0], [], False)
    assert mingzhang.json("ladder", "show", *COMMUNITY) == quiet


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--overdue", "0"), "overdue: 0 is not within 1 to 365 days"),
        (("--overdue", ""), "monthly: goes on from the last overdue day"),
        (("--due-soon", "3,3"), "due_soon: 3 is named twice"),
    ],
)
def test_a_ladder_that_cannot_be_climbed_is_refused(
    mingzhang: Mingzhang, world: World, options: tuple[str, str], says: str
) -> None:
    assert mingzhang.refusal("ladder", "set", *COMMUNITY, *options).startswith(says)
    assert mingzhang.json("ladder", "show", *COMMUNITY) == USUAL


def test_days_that_are_none_and_no_days_at_all_are_bad_usage(
    mingzhang: Mingzhang, world: World
) -> None:
    wrong = mingzhang.run("ladder", "set", *COMMUNITY, "--overdue", "1;7")
    assert (wrong.exit_code, "not days like 7,3,0" in wrong.stderr) == (2, True)
    nothing = mingzhang.run("ladder", "set", *COMMUNITY)
    assert (nothing.exit_code, "give --due-soon" in nothing.stderr) == (2, True)


def test_holidays_of_a_year_are_loaded_from_a_list(
    mingzhang: Mingzhang, world: World, tmp_path: Path
) -> None:
    assert mingzhang.json("holidays", "show", "--year", "2026")["known"]
    assert not mingzhang.json("holidays", "show", "--year", "2099")["known"]
    days = tmp_path / "2099.csv"
    days.write_text("\ufeff# 国务院办公厅\n2099-01-01，元旦\n\n2099-01-02,元旦\n", encoding="utf-8")
    for _ in range(2):
        assert mingzhang.json("holidays", "import", str(days)) == {"years": {"2099": 2}}
    assert mingzhang.json("holidays", "show", "--year", "2099") == {
        "year": 2099,
        "known": True,
        "days": [{"day": "2099-01-01", "name": "元旦"}, {"day": "2099-01-02", "name": "元旦"}],
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"2099-02-30,x\n", "days: line 1: '2099-02-30,x' begins with no date"),
        (b"2099-01-01,a\n2099-01-01,b\n", "days: line 2: 2099-01-01 is named twice"),
        (b"2099-01-01\n", "days: 2099-01-01: the name must have"),
        (b"# nothing\n", "days: there are none"),
        ("元旦".encode("gb18030"), "file: days.csv is not UTF-8"),
    ],
)
def test_a_list_that_is_none_is_refused_with_its_line(
    mingzhang: Mingzhang, world: World, tmp_path: Path, content: bytes, says: str
) -> None:
    days = tmp_path / "days.csv"
    days.write_bytes(content)
    assert mingzhang.refusal("holidays", "import", str(days)).startswith(says)
    assert not mingzhang.json("holidays", "show", "--year", "2099")["known"]
