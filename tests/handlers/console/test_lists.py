"""Lists: sorted, paged by key, exported whole, and harmless when opened in Excel."""

from collections.abc import Callable
from io import BytesIO
from zipfile import ZipFile

import pytest
from lxml import html
from python_calamine import CalamineWorkbook
from sqlalchemy import select

from billing.people import StaffRole
from billing.property import Unit
from bot.program import Program
from handlers.console import lists
from tests.billing.drawer import take
from tests.conftest import World
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]


def rooms(clerk: Clerk, path: str) -> list[str]:
    """The first column of every page of a list, in order."""
    found: list[str] = []
    query: str | None = path
    while query is not None:
        tree = html.fromstring(clerk.get(query).text)
        found += [cell.text_content().strip() for cell in tree.xpath("//tbody/tr/td[1]")]
        following = tree.xpath("//a[@rel='next']/@href")
        query = f"/HY/homes{following[0]}" if following else None
    return found


def exported(clerk: Clerk, path: str) -> BytesIO:
    """A list as a file."""
    with clerk.get(path) as answer:
        assert answer.status_code == 200
        return BytesIO(answer.data)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_follow_each_other_without_gap_or_repetition(
    clerk: MakeClerk, world: World, program: Program, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(lists, "ROWS_PER_PAGE", 5)
    with program.services.database.transaction() as session:
        expected = list(session.scalars(select(Unit.room).order_by(Unit.room)))
    if order == "desc":
        expected.reverse()
    one = clerk(StaffRole.READER)
    assert rooms(one, f"/HY/homes?sort=room&order={order}") == expected


def test_a_list_is_exported_whole_whatever_page_it_was_on(clerk: MakeClerk, world: World) -> None:
    one = clerk(StaffRole.READER)
    book = CalamineWorkbook.from_filelike(exported(one, "/HY/homes?format=xlsx&q=3-&after=1"))
    sheet = book.get_sheet_by_index(0).to_python()
    assert sheet[0][:2] == ["房号", "楼栋"]
    assert len(sheet) > 1
    assert all(str(row[0]).startswith("3-") for row in sheet[1:])


@pytest.mark.parametrize(("sort", "says"), [("", ""), ("sort=room", "从头列出")])
def test_the_next_page_comes_though_the_last_row_has_left_the_list(
    clerk: MakeClerk, world: World, monkeypatch: pytest.MonkeyPatch, sort: str, says: str
) -> None:
    monkeypatch.setattr(lists, "ROWS_PER_PAGE", 2)
    one = clerk(StaffRole.ACCOUNTANT)
    first = html.fromstring(one.get(f"/HY/reports/arrears?{sort}").text)
    [following] = first.xpath("//a[@rel='next']/@href")
    rows = "//div[@aria-label='列表']//tbody/tr/td[1]"
    gone = first.xpath(rows)[-1].text_content().strip()
    with world.database.transaction() as session:
        take(session, world, gone, "99999.00")
    page = html.fromstring(one.get(f"/HY/reports/arrears{following}").text)
    listed = [cell.text_content().strip() for cell in page.xpath(rows)]
    assert len(listed) == 2
    assert gone not in listed
    assert says in page.text_content()
    assert page.xpath("//a[text()='回到第一页']") or says


def test_a_page_behind_the_last_row_leads_back(clerk: MakeClerk, world: World) -> None:
    page = html.fromstring(clerk(StaffRole.READER).get("/HY/homes?after=999999999").text)
    assert page.xpath("//tbody/tr") == []
    assert page.xpath("//a[text()='回到第一页']/@href")


def test_a_file_has_the_order_of_the_list(clerk: MakeClerk, world: World) -> None:
    one = clerk(StaffRole.READER)
    for asked in ("sort=room&order=desc", "sort=room", ""):
        book = CalamineWorkbook.from_filelike(exported(one, f"/HY/homes?format=xlsx&{asked}"))
        rows = book.get_sheet_by_index(0).to_python()[1:]
        assert [row[0] for row in rows] == rooms(one, f"/HY/homes?{asked}"), asked


def test_what_looks_like_a_formula_stays_a_text(clerk: MakeClerk) -> None:
    one = clerk(StaffRole.MANAGER)
    fields = {"login": "ding", "role": "service", "community": "HY"}
    assert one.post("/staff/new", name='=HYPERLINK("http://x")', **fields).status_code == 200
    sheet = ZipFile(exported(one, "/staff?format=xlsx")).read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "HYPERLINK" in sheet


def test_nonsense_in_the_address_is_no_error(clerk: MakeClerk) -> None:
    one = clerk(StaffRole.READER)
    for query in ("sort=nothing&order=up", "after=-1", "after=x", "after=999999999", "q=%25_%00"):
        assert one.get(f"/HY/homes?{query}").status_code in {200, 400}, query
