"""Any bank's file is read, or refused with what to mend; never half, never guessed."""

from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from billing.business_day import BEIJING
from billing.errors import InvalidInput
from billing.statements.columns import Columns, find_table
from billing.statements.grid import Grid, parse_grids, read_grids
from billing.statements.reading import Read, ReadRow, read_rows
from tests.billing.statements.banks import HEADINGS, Transfer, table

ONE = table([Transfer("1,234.50", "张秀英", "3-2-501 物业费", "S1", balance="9,000.00")])


def read(content: bytes | str, told: dict[str, Any] | None = None) -> Read:
    """What a file says."""
    raw = content.encode() if isinstance(content, str) else content
    return read_rows(*find_table(parse_grids(raw), told or {}, None))


def only(content: bytes | str, told: dict[str, Any] | None = None) -> ReadRow:
    """The one movement of a file."""
    [row] = read(content, told).rows
    return row


def refused(content: bytes | str, told: dict[str, Any] | None = None) -> str:
    """Why a file is refused."""
    with pytest.raises(InvalidInput) as error:
        read(content, told)
    return str(error.value)


def workbook(rows: list[list[Any]]) -> bytes:
    """An .xlsx of these cells."""
    content = BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate(rows):
            sheet.write_row(at, 0, row)
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        ONE.encode(),
        ONE.encode("utf-8-sig"),
        ONE.encode("gb18030"),
        ONE.encode("utf-16"),
        ONE.encode("utf-16-le"),
        ONE.replace('"1,234.50"', "1234.50")
        .replace('"9,000.00"', "9000")
        .replace(",", ";")
        .encode(),
        ONE.replace('"1,234.50"', "1234.5")
        .replace('"9,000.00"', "9000")
        .replace(",", "\t")
        .encode(),
        ONE.replace("S1", "`S1").replace("张秀英", "`张秀英").encode(),
        ONE.replace("S1", "'S1").replace("2026-11-20", "\t2026-11-20").encode(),
        ONE.replace("S1", '"=""S1"""').encode(),
        (
            "花园物业服务有限公司 账户明细\n账号：,6222000011112222333,币种：,人民币\n\n" + ONE
        ).encode(),
        (ONE + "\n合计,,1234.50,0.00\n打印日期：2026-11-23,,,\n").encode(),
        ONE.replace("1,234.50", "￥１，２３４．５０").encode(),
        ONE.replace("1,234.50", "+1,234.50元").encode(),
        ONE.replace("2026-11-20", "2026年11月20日").encode(),
        ONE.replace("2026-11-20", "20261120").replace("09:30:00", "093000").encode(),
        ONE.replace("2026-11-20", "2026/11/20 09:30:00").encode(),
    ],
    ids=str,
)
def test_the_same_movement_is_read_from_every_spelling(content: bytes) -> None:
    row = only(content)
    assert row.amount.fen == 1_234_50
    assert row.value_at == datetime(2026, 11, 20, 9, 30, tzinfo=BEIJING)
    assert (row.payer_name, row.remark, row.serial) == ("张秀英", "3-2-501 物业费", "S1")
    assert row.balance == "9000.00"


def test_a_workbook_is_read_with_dates_of_excel_and_numbers() -> None:
    cells = [46346.395833333336, 0.0, 1234.5, "", 9000, "张秀英", "6217", "3-2-501 物业费", "S1"]
    row = only(workbook([["对账单"], list(HEADINGS), cells]))
    assert row.value_at == datetime(2026, 11, 20, 9, 30, tzinfo=BEIJING)
    assert (row.amount.fen, row.balance) == (1_234_50, "9000.00")


def test_headings_under_a_merged_cell_are_read_as_one_row() -> None:
    grid = [
        ["交易日期", "发生额", "", "对方信息", "", "附言"],
        ["", "借方", "贷方", "户名", "账号", ""],
        ["2026-11-20", "", "100.00", "张秀英", "6217", "房费"],
    ]
    row = only(workbook(grid))
    assert (row.amount.fen, row.payer_name, row.remark) == (100_00, "张秀英", "房费")
    assert row.value_at.hour == 12  # the bank says the day alone


def test_what_goes_out_is_negative_in_each_spelling() -> None:
    debit = "交易日期,收入,支出\n2026-11-20,,5.00\n"
    signed = "交易日期,交易金额\n2026-11-20,-5.00\n"
    bracketed = "交易日期,交易金额,余额\n2026-11-20,(5.00),0\n"
    worded = "交易日期,借贷标志,交易金额\n2026-11-20,借,5.00\n"
    assert [only(one).amount.fen for one in (debit, signed, bracketed, worded)] == [-500] * 4
    assert only(worded.replace(",借,", ",贷,")).amount.fen == 500
    assert "neither in nor out" in refused(worded.replace(",借,", ",冲,"))


def test_several_remarks_are_joined() -> None:
    text = "交易日期,贷方发生额,摘要,附言\n2026-11-20,5.00,转账,3-2-501\n"
    assert only(text).remark == "转账 3-2-501"


def test_a_missing_column_is_refused_with_what_was_found_and_what_is_needed() -> None:
    sentence = refused("记账序号,贷方发生额,附言\n1,5.00,房费\n")
    assert "needed but not found: date" in sentence
    assert "记账序号, 贷方发生额, 附言" in sentence
    assert "amount or credit" in refused("交易日期,附言,流水号\n2026-11-20,房费,1\n")


def test_staff_name_columns_the_guess_does_not_know() -> None:
    text = "Buchung,Haben,Wer\n2026-11-20,5.00,张秀英\n"
    assert "Buchung".lower() in refused(text)
    row = only(text, {"date": "Buchung", "credit": "Haben", "payer_name": "Wer"})
    assert (row.amount.fen, row.payer_name) == (500, "张秀英")
    assert "is none of date, time" in refused(text, {"day": "Buchung"})
    assert "headings that were named" in refused(text, {"date": "Tag", "credit": "Haben"})


def test_what_is_told_overrules_the_guess_and_an_empty_heading_means_none() -> None:
    grids = parse_grids(ONE.encode())
    _, guessed = find_table(grids, {}, None)
    assert guessed.columns.serial == "交易流水号"
    _, without = find_table(grids, {"serial": ""}, None)
    assert without.columns.serial is None
    _, remembered = find_table(grids, {}, without.columns)
    assert remembered.columns == without.columns
    _, forgotten = find_table(grids, {}, Columns(date="日", credit="收"))
    assert forgotten.columns == guessed.columns


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "columns"),
        (b"<html><table></table></html>", "web page"),
        (b"\xff\xff\xff\x00\x81", "neither a workbook nor text"),
        (b"PK\x03\x04 nonsense", "not an .xlsx"),
        (b"\xd0\xcf\x11\xe0 nonsense", "damaged .xls"),
        (ONE.replace("S1", '"S1').encode(), "line"),
        (ONE.splitlines()[0].encode(), "no movements"),
        (ONE.replace("1,234.50", "1,23.4.50").encode(), "is not an amount"),
        (ONE.replace("1,234.50", "1.005").encode(), "not an amount in yuan and fen"),
        (ONE.replace("2026-11-20", "2026-02-30").encode(), "row 2: '2026-02-30' is not a day"),
        (ONE.replace("2026-11-20", "").encode(), "an amount without a day"),
        (ONE.replace("09:30:00", "25:99").encode(), "is not a time"),
        (ONE.replace(",,", ",7.00,", 1).encode(), "both directions"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_refused_with_its_place(content: bytes, why: str) -> None:
    assert why in refused(content)


def test_totals_and_rows_without_money_are_left_out_and_counted() -> None:
    zero = table([Transfer("5.00", serial="S1"), Transfer("0.00", serial="S2")])
    found = read(zero + "本页合计,,5.00\n,,,\n")
    assert (len(found.rows), found.skipped) == (1, 2)


def test_a_payer_whose_name_begins_like_a_total_is_no_total() -> None:
    text = "对方户名,交易日期,贷方发生额\n第三建筑公司,2026-11-20,5.00\n累计科技,2026-11-20,6.00\n"
    assert [row.payer_name for row in read(text).rows] == ["第三建筑公司", "累计科技"]


def test_many_faults_are_named_by_the_first_few() -> None:
    bad = table([Transfer("x", serial=str(number)) for number in range(40)])
    assert "and 35 more" in refused(bad)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_grids(tmp_path / "none.csv")


def test_a_formula_without_a_result_is_refused() -> None:
    content = BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["交易日期", "收入"])
        sheet.write_row(1, 0, ["2026-11-20", "x"])
        sheet.write_formula(1, 1, "=1/0", None, "#DIV/0!")
    assert "formula" in refused(content.getvalue())


def test_tens_of_thousands_of_rows_are_read() -> None:
    grid: Grid = [list(HEADINGS)]
    grid += [Transfer("5.00", serial=str(number)).cells() for number in range(20_000)]
    rows = read_rows(*find_table([grid], {}, None)).rows
    assert len({row.serial for row in rows}) == 20_000
