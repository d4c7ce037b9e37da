"""Staff look at the numbers in Chromium: from the first page to the bill behind a bar, on a desktop
and on a phone.
"""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.staff import sign_in
from tests.running import Demo

pytestmark = pytest.mark.browser

OpenPage = Callable[[int, int], Page]


def fits(page: Page) -> bool:
    """Whether nothing is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


WIDTHS = (1280, 390)


def test_from_the_rate_of_a_month_to_the_bills_behind_a_bar(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(WIDTHS[0], 844)
    sign_in(page, demo)
    for width in WIDTHS:  # a code is good for one sign-in
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(f"{demo.service}/console/HY/")
        assert fits(page)
        page.get_by_role("link", name=re.compile("收缴率")).first.click()
        expect(page.get_by_role("heading", name="逐日收缴率")).to_be_visible()
        assert fits(page)
        page.locator("svg a").first.click()
        expect(page.get_by_role("heading", name=re.compile("账单明细"))).to_be_visible()
        expect(page.locator("tbody tr").first).to_be_visible()
        assert fits(page)
        with page.expect_download() as download:
            page.get_by_role("link", name="导出 Excel").click()
        assert download.value.suggested_filename.endswith(".xlsx")
        page.get_by_role("link", name="欠费与账龄").click()
        expect(page.get_by_role("group", name="欠费按账龄")).to_be_visible()
        assert fits(page)
