"""`mingzhang import`: JSON on stdout, all or nothing, exit 1 with every fault."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from billing.imports.columns import SheetKind
from billing.imports.workbook import read_workbook
from billing.property import Unit
from tests.billing.imports.test_parallel_run import november
from tests.billing.imports.workbooks import Content, filled
from tests.bot.cli.command_line import Mingzhang
from tests.conftest import World

UNIT = {"room": "1-1-901", "floor": 9, "area": 80, "billable_from": "2026-01-01"}
HERE = ("--community", "HY")


@pytest.fixture
def book(tmp_path: Path) -> Any:
    """Write a workbook of these rows; returns its path."""

    def write(content: Content) -> str:
        path = tmp_path / "book.xlsx"
        path.write_bytes(filled(content))
        return str(path)

    return write


def homes(world: World) -> int:
    """How many homes there are."""
    with world.database.transaction() as session:
        return session.execute(select(func.count()).select_from(Unit)).scalar_one()


def test_the_template_is_written(mingzhang: Mingzhang, tmp_path: Path) -> None:
    path = str(tmp_path / "template.xlsx")
    written = mingzhang.json("import", "template", path)
    assert written == {"file": path, "sheets": [kind.label for kind in SheetKind]}
    assert "exists already" in mingzhang.refusal("import", "template", path)


def test_a_sound_workbook_is_checked_and_then_taken(
    world: World, mingzhang: Mingzhang, book: Any
) -> None:
    path, before = book({SheetKind.UNITS: [UNIT]}), homes(world)
    counted = {"units": {"rows": 1, "created": 1, "updated": 0, "unchanged": 0}}
    expected = {"ok": True, "sheets": counted, "errors": [], "warnings": []}
    assert mingzhang.json("import", "check", path, *HERE) == expected
    assert homes(world) == before
    assert mingzhang.json("import", "run", path, *HERE) == expected
    assert homes(world) == before + 1
    again = mingzhang.json("import", "run", path, *HERE)
    assert again["sheets"]["units"] == {"rows": 1, "created": 0, "updated": 0, "unchanged": 1}
    assert homes(world) == before + 1


def test_a_faulty_workbook_is_not_taken_and_its_faults_are_a_workbook_too(
    world: World, mingzhang: Mingzhang, book: Any, tmp_path: Path
) -> None:
    path, before = book({SheetKind.UNITS: [UNIT, UNIT | {"room": "x"}]}), homes(world)
    errors = tmp_path / "errors.xlsx"
    for command in ("check", "run"):
        result = mingzhang.run("import", command, path, *HERE)
        assert (result.exit_code, result.stderr) == (1, "")
        told = json.loads(result.stdout)
        assert told["ok"] is False
        assert told["errors"] == [
            {
                "sheet": "房屋商铺", "row": 3, "column": "房号",
                "reason": "“x”不是房号，请写成 3-2-501",
            }
        ]  # fmt: skip
    result = mingzhang.run("import", "run", path, *HERE, "--errors", str(errors))
    assert result.exit_code == 1
    [sheet] = read_workbook(errors)
    assert list(sheet.rows[1]) == ["房屋商铺", 3, "房号", "“x”不是房号，请写成 3-2-501"]
    assert homes(world) == before


def test_what_is_no_workbook_or_no_community_is_refused(
    mingzhang: Mingzhang, book: Any, tmp_path: Path
) -> None:
    text = tmp_path / "list.csv"
    text.write_text("room,area\n", encoding="utf-8")
    assert "not an .xlsx workbook" in mingzhang.refusal("import", "run", str(text), *HERE)
    missing = str(tmp_path / "none.xlsx")
    assert "No such file" in mingzhang.refusal("import", "check", missing, *HERE)
    path = book({SheetKind.UNITS: [UNIT]})
    assert "'XX'" in mingzhang.refusal("import", "run", path, "--community", "XX")


def test_the_parallel_run_prints_every_difference(
    world: World, mingzhang: Mingzhang, book: Any, tmp_path: Path
) -> None:
    rows = november(world)
    rows[0] |= {"amount": "0.50"}
    report = tmp_path / "report.xlsx"
    arguments = ("import", "compare", book({SheetKind.OLD_BILLS: rows}), *HERE, "--period")
    told = mingzhang.json(*arguments, "2026-11", "--report", str(report))
    assert list(told) == ["ok", "differences", "totals", "errors"]
    [difference] = told["differences"]
    assert difference["theirs"] == {"amount_fen": 50}
    assert difference["reasons"] == ["amount"]
    assert len(read_workbook(report)[0].rows) == 2
    rows[0] |= {"room": "9-9-999"}
    faulty = mingzhang.run(*arguments[:2], book({SheetKind.OLD_BILLS: rows}), *arguments[3:],
                           "2026-11")  # fmt: skip
    assert faulty.exit_code == 1
    assert json.loads(faulty.stdout)["errors"][0]["column"] == "房号"
