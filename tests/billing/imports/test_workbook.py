"""A file from anybody is read, or refused with a sentence; it never brings the program down."""

import io
import random
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from billing.errors import InvalidInput
from billing.imports import workbook
from billing.imports.reasons import Reason
from billing.imports.workbook import parse_workbook, read_workbook
from tests.billing.imports.workbooks import xlsx

PLAIN = xlsx({"房屋商铺": [["房号*", "计费面积"], ["3-2-501", 98.5]]})
SHEET = "xl/worksheets/sheet1.xml"


def with_parts(
    change: Callable[[str, bytes], bytes], extra: dict[str, bytes] | None = None
) -> bytes:
    """The plain file with its parts changed and others added."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(PLAIN)) as source,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, change(name, source.read(name)))
        for name, content in (extra or {}).items():
            target.writestr(name, content)
    return file.getvalue()


def with_sheet(change: Callable[[bytes], bytes]) -> bytes:
    """The plain file with its sheet changed."""
    return with_parts(lambda name, content: change(content) if name == SHEET else content)


def refusal(content: bytes) -> str:
    """Why the file is refused."""
    with pytest.raises(InvalidInput) as refused:
        parse_workbook(content)
    assert refused.value.field == "file"
    return refused.value.reason


def test_a_sheet_is_read_as_it_stands() -> None:
    [sheet] = parse_workbook(PLAIN)
    assert sheet.name == "房屋商铺"
    assert [list(row) for row in sheet.rows] == [["房号*", "计费面积"], ["3-2-501", 98.5]]
    assert sheet.broken == {}


def test_rows_keep_their_numbers_when_the_first_are_empty() -> None:
    [sheet] = parse_workbook(xlsx({"抄表": [[], [None, "表号"]]}))
    assert [list(row) for row in sheet.rows] == [["", ""], ["", "表号"]]


@pytest.mark.parametrize("content", [b"", b"PK", b"room,area\n3-2-501,98.5\n", b"\x00" * 1000])
def test_what_is_no_workbook_is_refused(content: bytes) -> None:
    assert refusal(content) == "not an .xlsx workbook, or a damaged one"


def test_another_archive_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert refusal(file.getvalue()) == "not an .xlsx workbook"


def test_an_old_or_locked_file_says_what_to_do() -> None:
    assert "save it as .xlsx" in refusal(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600)


def test_macros_are_refused() -> None:
    macros = with_parts(lambda _, content: content, {"xl/vbaProject.bin": b"\x00"})
    assert "contains macros" in refusal(macros)


def test_a_file_too_large_is_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / "large.xlsx"
    with path.open("wb") as file:
        file.truncate(workbook.FILE_BYTES_MAX + 1)
    with pytest.raises(InvalidInput, match="larger than 50 MB"):
        read_workbook(path)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        read_workbook(tmp_path / "none.xlsx")
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        read_workbook(tmp_path)


@pytest.mark.parametrize("sheet", [b"<f" + b" " * 4_000_000, b"<f" * 2_000_000])
def test_a_sheet_that_makes_a_search_turn_back_is_looked_through_once(sheet: bytes) -> None:
    """Looked through again from every byte, it would take the whole day."""
    refusal(with_sheet(lambda _: sheet))


def test_cells_written_over_and_over_are_refused_before_they_are_kept() -> None:
    repeated = with_sheet(lambda _: b"<sheetData>" + b'<c r="A1"/>' * 1_000_000)
    assert refusal(repeated).endswith("has cells twice")


def test_so_many_formulas_without_a_result_are_one_refusal() -> None:
    cells = b"".join(
        b'<row><c r="A%d"><f>1</f></c></row>' % row for row in range(1, workbook.BROKEN_MAX + 2)
    )
    hostile = with_sheet(lambda _: b"<worksheet><sheetData>" + cells + b"</sheetData></worksheet>")
    assert "formulas without a result" in refusal(hostile)


def test_a_zip_bomb_is_refused_by_its_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "UNPACKED_BYTES_MAX", 1 << 20)
    bomb = with_parts(lambda _, content: content, {"xl/media/image1.png": b"\x00" * (2 << 20)})
    assert len(bomb) < 1 << 16
    assert "unpacks to more than 1 MB" in refusal(bomb)


def test_a_directory_that_lies_is_refused() -> None:
    bomb = with_parts(lambda _, content: content, {"xl/media/image1.png": b"\x00" * (1 << 20)})
    lying = bomb.replace((1 << 20).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lying != bomb
    assert "damaged" in refusal(lying)


def test_a_part_given_twice_is_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = with_parts(lambda _, content: content, {SHEET: b"<worksheet/>"})
    assert "repeated parts" in refusal(twice)


@pytest.mark.parametrize(
    "far", [b'r="XFD1048576"', b"r='XFD1048576'", b'r = "ZZ2"', b'r="A999999"']
)
def test_a_cell_at_the_far_corner_is_not_a_giant_rectangle(far: bytes) -> None:
    assert "rows and 256 columns are read" in refusal(
        with_sheet(lambda xml: xml.replace(b'r="B2"', far))
    )


def test_dates_counted_from_1904_are_refused() -> None:
    shifted = with_parts(
        lambda name, content: (
            content.replace(b"<workbookPr", b'<workbookPr date1904="1"')
            if name == "xl/workbook.xml"
            else content
        )
    )
    assert "counts dates from 1904" in refusal(shifted)


def test_a_formula_counts_as_what_it_gave() -> None:
    counted = with_sheet(
        lambda xml: re.sub(rb'<c r="B2"[^>]*><v>98.5</v></c>',
                           b'<c r="B2"><f>90+8.5</f><v>98.5</v></c>', xml)
    )  # fmt: skip
    [sheet] = parse_workbook(counted)
    assert (sheet.rows[1][1], sheet.broken) == (98.5, {})


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (b'<c r="B2" t="e"><f>1/0</f><v>#DIV/0!</v></c>', Reason.FORMULA_FAILED),
        (b'<c r="B2"><f>A1*2</f></c>', Reason.FORMULA_UNCOUNTED),
        (b'<c r="B2"><f t="shared" si="0"/></c>', Reason.FORMULA_UNCOUNTED),
    ],
)
def test_a_formula_without_a_result_is_not_an_empty_cell(cell: bytes, reason: Reason) -> None:
    [sheet] = parse_workbook(
        with_sheet(lambda xml: re.sub(rb'<c r="B2"[^>]*><v>98.5</v></c>', cell, xml))
    )
    assert sheet.broken == {(2, 2): reason}


def test_a_damaged_file_is_a_sentence_wherever_the_damage_is() -> None:
    chance = random.Random(7)
    outcomes = set()
    for _ in range(300):
        content = bytearray(PLAIN)
        for _ in range(chance.randint(1, 6)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        try:
            parse_workbook(bytes(content[: chance.choice((len(content), 3000, 500))]))
            outcomes.add("read")
        except InvalidInput:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_a_damaged_sheet_inside_a_whole_archive_is_a_sentence() -> None:
    chance = random.Random(8)
    for _ in range(200):
        cut = chance.randrange(200, 600)

        def damage(xml: bytes, cut: int = cut) -> bytes:
            return xml[:cut] + bytes(chance.randrange(256) for _ in range(8)) + xml[cut + 8 :]

        with suppress(InvalidInput):
            parse_workbook(with_sheet(damage))
