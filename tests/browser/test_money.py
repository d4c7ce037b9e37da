"""A cashier's and an accountant's day, in a real browser, by keyboard where that is quicker."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.staff import sign_in
from tests.running import Demo

pytestmark = pytest.mark.browser

OpenPage = Callable[[int, int], Page]
PHONE, DESKTOP = (390, 844), (1280, 800)


def test_a_cashier_takes_money_without_a_mouse_and_hands_over(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(*DESKTOP)
    page.add_init_script("window.print = () => {}")
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, demo, "zhou")
    page.goto(f"{demo.service}/console/HY/counter")
    page.keyboard.type("200")
    page.keyboard.press("Enter")
    expect(page.get_by_text("已开班")).to_be_visible()
    page.keyboard.type("3-2-5")
    page.keyboard.press("Enter")
    page.locator(".rows a, [data-till]").first.wait_for()
    if page.locator(".rows a").count():
        page.locator(".rows a").first.click()
    page.get_by_label("应收（元）").fill("80")
    page.get_by_label("实收现金（元）").fill("100")
    expect(page.locator("[data-change] b")).to_have_text("20.00")
    page.keyboard.press("Enter")
    expect(page.get_by_text("找零 20.00 元")).to_be_visible()
    expect(page.get_by_role("heading", name="收据")).to_be_visible()
    page.get_by_role("link", name="下一位").press("Enter")
    expect(page.get_by_text("280.00")).to_be_visible()
    page.get_by_role("link", name="本班记录与交班").click()
    page.get_by_label("实点现金（元）").fill("279")
    page.get_by_label("长短款原因").fill("找错零")
    page.keyboard.press("Enter")
    expect(page.get_by_text("短款 -1.00 元")).to_be_visible()


def test_an_accountant_imports_a_statement_on_a_phone_and_sets_a_row_aside(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(*PHONE)
    page.add_init_script("window.print = () => {}")
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, demo, "chen")
    page.goto(f"{demo.service}/console/HY/bank/statements")
    content = "交易日期,贷方发生额,对方户名,附言,交易流水号\n2026-01-05,12.34,外人,利息,X9\n"
    file = {"name": "a.csv", "mimeType": "text/csv", "buffer": content.encode()}
    page.get_by_label("文件", exact=True).set_input_files(files=[file])  # type: ignore[list-item]
    page.get_by_role("button", name="导入并匹配").click()
    expect(page.get_by_text("其中新的 1 笔")).to_be_visible()
    expect(page.get_by_role("table").get_by_text("无法识别")).to_be_visible(timeout=30_000)
    page.locator("tbody a").first.click()
    page.get_by_text("不是物业费").click()
    page.get_by_label("是什么钱").fill("存款利息")
    page.get_by_role("button", name="标记为非物业费").click()
    expect(page.get_by_text("没有更多待认领的来款了")).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0
    assert re.search(r"/bank$", page.url)
