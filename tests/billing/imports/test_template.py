"""The template is a workbook that can be filled in and imported as it is."""

import zipfile
from pathlib import Path

import pytest

from billing.errors import InvalidInput
from billing.imports.columns import SheetKind
from billing.imports.parsing import COMMENT, Faults, read_book
from billing.imports.reasons import Fault
from billing.imports.sheets import ROWS, columns_of
from billing.imports.template import write_faults, write_template
from billing.imports.wording import headings, note, words
from billing.imports.workbook import Sheet, read_workbook


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A fresh template."""
    path = tmp_path / "template.xlsx"
    write_template(path)
    return path


def test_it_has_a_sheet_for_every_kind_after_the_notes(template: Path) -> None:
    names = [sheet.name for sheet in read_workbook(template)]
    assert names == [words()["notes"]["title"], *(kind.label for kind in SheetKind)]


def test_as_it_is_it_holds_no_row(template: Path) -> None:
    faults = Faults()
    assert read_book(read_workbook(template), faults).total == 0
    assert [fault.reason for fault in faults.found] == ["没有任何数据行"]


def test_every_example_is_a_row_the_import_takes(template: Path) -> None:
    """Without the mark in front, an example reads without a fault."""
    sheets = []
    for sheet in read_workbook(template)[1:]:
        titles, example = sheet.rows
        first = str(example[0]).removeprefix(f"{COMMENT} ")
        sheets.append(Sheet(sheet.name, [titles, [first, *example[1:]]], {}))
    faults = Faults()
    book = read_book(sheets, faults)
    assert faults.found == []
    assert book.total == len(SheetKind)


def test_enums_are_offered_as_lists_and_rooms_are_text(template: Path) -> None:
    with zipfile.ZipFile(template) as archive:
        units = archive.read("xl/worksheets/sheet5.xml").decode()
        comments = [name for name in archive.namelist() if "comments" in name]
        styles = archive.read("xl/styles.xml").decode()
    assert '"房屋,商铺"' in units
    helped = [kind for kind in SheetKind if any(word.help for word in headings(kind).values())]
    assert len(comments) == len(helped) > 10
    assert 'numFmtId="49"' in styles, "the format of text"


def test_every_column_has_its_words_and_no_word_is_left_over() -> None:
    described = words()["sheets"]
    assert list(described) == [kind.value for kind in SheetKind] == [kind.value for kind in ROWS]
    for kind in SheetKind:
        assert list(described[kind.value]["columns"]) == list(columns_of(kind))
        titles = [word.heading for word in headings(kind).values()]
        assert len(set(titles)) == len(titles)
        assert note(kind)


def test_a_filled_template_is_not_overwritten(template: Path) -> None:
    before = template.read_bytes()
    with pytest.raises(InvalidInput, match=r"template.xlsx exists already"):
        write_template(template)
    assert template.read_bytes() == before


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be written"):
        write_template(tmp_path / "none" / "template.xlsx")


def test_the_report_of_faults_holds_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "faults.xlsx"
    write_faults(path, [Fault("房屋商铺", 2, "房号", "=HYPERLINK(1)"), Fault("抄表", 0, "", "-")])
    [sheet] = read_workbook(path)
    assert [list(row) for row in sheet.rows] == [
        ["工作表", "行", "列", "原因"],
        ["房屋商铺", 2, "房号", "=HYPERLINK(1)"],
        ["抄表", "", "", "-"],
    ]
    with zipfile.ZipFile(path) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
