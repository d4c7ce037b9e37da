"""Owners say in one tap how it was, and staff read it; letters of demand from the arrears report to
the record of their delivery. On a desktop and on a phone.
"""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_console_homes import sign_in
from tests.browser.test_journeys import feed, in_app_browser, new_phone, say
from tests.running import Demo

pytestmark = pytest.mark.browser

OpenPage = Callable[[int, int], Page]
WIDTHS = (1280, 390)


def fits(page: Page) -> bool:
    """Whether nothing is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_an_answer_is_rated_by_a_tap_and_staff_see_what_to_mend(
    demo: Demo, open_page: OpenPage
) -> None:
    phone = open_page(1280, 860)
    new_phone(phone, demo)
    say(phone, f"绑定 {demo.home(0)['code']}", "绑定成功")
    say(phone, "停车费收错了", "已记下您的异议")

    staff = open_page(WIDTHS[0], 844)
    sign_in(staff, demo, "zhao")
    staff.goto(f"{demo.service}/console/HY/tickets")
    staff.locator("tbody a").first.click()
    staff.get_by_label("答复内容").fill("已核对，没有收错。")
    staff.get_by_role("button", name="答复").click()
    expect(staff.get_by_role("status")).to_contain_text("已答复")

    say(phone, "异议", "满意吗")
    feed(phone).get_by_role("link", name="不满意").last.click()
    expect(feed(phone).get_by_text("已记下：不满意")).to_be_visible()
    feed(phone).get_by_role("link", name=re.compile("o.rate.")).last.click()
    web = in_app_browser(phone)
    web.get_by_label("想补充一句").fill("没有人来看车位")
    web.get_by_role("button", name="不满意").click()
    expect(web.get_by_role("status")).to_contain_text("已记下")

    for width in WIDTHS:
        staff.set_viewport_size({"width": width, "height": 844})
        staff.goto(f"{demo.service}/console/HY/")
        staff.get_by_role("link", name="七天内不满意评价").click()
        expect(staff.get_by_role("heading", level=1)).to_contain_text("满意度")
        expect(staff.get_by_text("没有人来看车位")).to_be_visible()
        assert fits(staff)
    staff.get_by_role("link", name=re.compile("^费用异议 [0-9]+$")).click()
    expect(staff.get_by_text("停车费收错了")).to_be_visible()


def test_letters_of_demand_from_the_arrears_to_their_delivery(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(WIDTHS[0], 844)
    page.on("dialog", lambda asked: asked.accept())
    sign_in(page, demo, "chen")  # a code is good for one sign-in
    for number, width in enumerate(WIDTHS):
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(f"{demo.service}/console/HY/reports/arrears")
        page.get_by_role("checkbox", name=re.compile("^勾选 ")).nth(number).check()
        page.get_by_role("button", name="打印勾选的").click()
        expect(page.get_by_role("status")).to_contain_text("已编号保存")
        assert fits(page)
        with page.expect_popup() as opened:
            page.get_by_role("button", name="打开全部，打印").click()
        paper = opened.value
        expect(paper.get_by_role("heading", name="催缴函", exact=True)).to_be_visible()
        expect(paper.get_by_text("送达回执")).to_be_visible()
        assert paper.locator("table").first.evaluate(
            "it => getComputedStyle(it).borderCollapse"
        ) == (
            "collapse"  # its own styles came with it
        )
        paper.emulate_media(media="print")
        expect(paper.get_by_role("button", name="打印")).to_be_hidden()
        paper.close()
        page.get_by_role("link", name=re.compile("^HY-")).first.click()
        page.get_by_label("方式").select_option(label="当面签收")
        page.get_by_label("谁签收、谁见证").fill("本人签收")
        page.get_by_role("button", name="登记", exact=True).click()
        expect(page.get_by_text("已送达", exact=True)).to_be_visible()
        assert fits(page)
