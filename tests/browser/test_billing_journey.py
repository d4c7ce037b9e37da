"""An accountant's month in a real browser: read the meters, try a price, draft, look, publish."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.staff import sign_in
from tests.running import Demo

pytestmark = [pytest.mark.browser]

OpenPage = Callable[[int, int], Page]


def open_sheet(page: Page, here: str) -> None:
    page.goto(f"{here}/meters/enter")
    page.locator("[name=item]").first.select_option(index=1)
    page.locator("[name=building]").first.select_option(index=1)
    page.get_by_role("button", name="打开").click()


def test_a_month_is_read_tried_drafted_and_published(demo: Demo, open_page: OpenPage) -> None:
    page = open_page(1280, 800)
    page.on("dialog", lambda dialog: dialog.accept())
    here = sign_in(page, demo, "chen")

    open_sheet(page, here)
    row = page.locator("[data-meter]").first
    last = float(row.get_attribute("data-last") or "0")
    page.keyboard.type(f"{last + 7:.1f}")
    expect(row.locator("[data-usage]")).to_have_text("7")
    page.keyboard.press("Enter")
    expect(page.locator("[data-meter] input[inputmode]").nth(1)).to_be_focused()
    page.get_by_role("button", name="保存本页读数").click()
    expect(page.get_by_text("读数已保存")).to_be_visible()

    page.goto(f"{here}/tariffs")
    page.get_by_role("link", name="物业费").click()
    page.locator("[name='price.unit_price']").fill("3.80")
    page.get_by_role("button", name="试算全小区").click()
    expect(page.get_by_text("变动超过 30% 的")).to_be_visible(timeout=30_000)

    page.goto(f"{here}/bill-runs")
    page.get_by_role("button", name="开始起草").click()
    page.get_by_role("link", name="查看草稿").click(timeout=30_000)
    expect(page.get_by_role("heading", name="按收费项目，与上月比")).to_be_visible()
    page.get_by_role("button", name="发布这").click()
    expect(page.get_by_text("已全部发布")).to_be_visible(timeout=30_000)


def test_a_reader_in_the_stairwell_finds_everything_within_a_phones_width(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(390, 844)
    here = sign_in(page, demo, "zhao")
    open_sheet(page, here)
    row = page.locator("[data-meter]").nth(1)
    expect(row).to_be_visible()
    box = row.bounding_box()
    assert box is not None
    for part in ("input[inputmode]", "[data-label='上次读数']", "a"):
        inside = row.locator(part).first.bounding_box()
        assert inside is not None
        assert inside["x"] >= 0, part
        assert inside["x"] + inside["width"] <= 390, part
