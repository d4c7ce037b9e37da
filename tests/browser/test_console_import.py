"""Two new homes by workbook: the template, a mistake told by its row, mended, imported, found."""

from io import BytesIO

import pytest
import xlsxwriter
from playwright.sync_api import Page, expect
from python_calamine import CalamineWorkbook

from tests.browser.walking import DESKTOP, PHONE, Walk, go

pytestmark = pytest.mark.browser

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def filled_in(template: bytes, rows: list[dict[str, str]]) -> bytes:
    """The template's sheet of homes with its own headings, and rows by heading."""
    sheets = CalamineWorkbook.from_filelike(BytesIO(template))
    headings = [str(one) for one in sheets.get_sheet_by_name("房屋商铺").to_python()[0]]
    file = BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet("房屋商铺")
        sheet.write_row(0, 0, headings)
        for at, row in enumerate(rows, 1):
            sheet.write_row(at, 0, [row.get(one.rstrip("*"), "") for one in headings])
    return file.getvalue()


def upload(page: Page, content: bytes) -> None:
    go(page, "导入")
    page.get_by_label("Excel 文件").set_input_files(
        files=[{"name": "新房.xlsx", "mimeType": XLSX, "buffer": content}]
    )
    page.get_by_role("button", name="上传并检查").click()


@pytest.mark.parametrize(("size", "entrance"), [(DESKTOP, "1-1"), (PHONE, "1-2")])
def test_two_homes_are_imported_after_a_mistake_is_mended(
    walk: Walk, size: tuple[int, int], entrance: str
) -> None:
    page = walk.at("chen", size)
    go(page, "导入")
    with page.expect_download() as download:
        page.get_by_role("link", name="下载模板").click()
    template = download.value.path().read_bytes()
    homes = [
        {"房号": f"{entrance}-{room}", "楼层": "31", "计费面积": area, "起计日期": "2026-01-01"}
        for room, area in (("3101", "88.80"), ("3102", "很大"))
    ]
    upload(page, filled_in(template, homes))
    fault = page.get_by_role("region", name="需要修改").locator("tbody tr")
    expect(fault).to_have_count(1, timeout=30_000)
    expect(fault.get_by_role("cell")).to_contain_text(["房屋商铺", "3", "计费面积", ""])

    homes[1]["计费面积"] = "99.90"
    page.get_by_role("link", name="重新上传").click()
    upload(page, filled_in(template, homes))
    expect(page.get_by_text("检查通过，还没有写入")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="确认导入").click()
    expect(page.get_by_text("已全部导入")).to_be_visible(timeout=30_000)
    page.get_by_role("searchbox", name="查找房屋").fill(f"{entrance}-3102")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("99.90 ㎡")
