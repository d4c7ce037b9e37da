"""What staff do with a home, in a real browser: find it, waive, approve, hand out codes, print."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.staff import sign_in
from tests.running import Demo

pytestmark = pytest.mark.browser

OpenPage = Callable[[int, int], Page]


def find(page: Page, said: str) -> None:
    """From the header, by the keyboard."""
    page.keyboard.press("/")
    page.keyboard.type(said)
    page.keyboard.press("Enter")


@pytest.mark.parametrize(
    ("width", "height", "asker", "owner", "room"),
    [(1280, 800, "zhou", "李建国", "1-1-302"), (390, 844, "chen", "郑丽华", "1-1-101")],
)
def test_a_home_is_found_by_name_and_a_waiver_is_asked_for_and_approved(
    demo: Demo, open_page: OpenPage, width: int, height: int, asker: str, owner: str, room: str
) -> None:
    page = open_page(width, height)
    sign_in(page, demo, asker)
    find(page, owner)
    expect(page.get_by_role("heading", level=1)).to_contain_text(room)
    page.locator("details.fold summary").first.click()
    page.get_by_role("link", name="减免").first.click()
    page.get_by_label("金额（元）").fill("1.00")
    page.get_by_label("原因", exact=True).fill(f"电梯停运 {width}")
    page.get_by_role("button", name="提交申请").click()
    expect(page.get_by_role("status")).to_contain_text("等待另一位同事审批")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    if asker == "chen":  # the manager decides on a telephone too
        other = open_page(width, height)
        sign_in(other, demo, "zhao")
        other.goto(f"{demo.service}/console/HY/approvals")
        request = other.get_by_role("listitem").filter(has_text=f"电梯停运 {width}")
        request.get_by_role("button", name="通过").click()
        expect(other.get_by_role("status")).to_contain_text("已批准")
        expect(other.get_by_text(f"电梯停运 {width}")).to_have_count(0)


def test_names_are_shown_on_request_and_codes_are_printed(demo: Demo, open_page: OpenPage) -> None:
    page = open_page(1280, 800)
    sign_in(page, demo, "liu")
    find(page, "三号楼二单元501")
    page.get_by_role("link", name="住户与绑定").click()
    expect(page.get_by_text("张**").first).to_be_visible()
    page.get_by_role("button", name="显示完整信息").click()
    expect(page.get_by_text("张秀英").first).to_be_visible()
    page.get_by_role("link", name="绑定码").click()
    page.get_by_label("楼栋").select_option(label="3号楼")
    page.get_by_role("button", name="生成").click()
    slips = page.locator(".slips li")
    expect(slips.first.locator("code")).to_have_text(re.compile("[0-9A-Z]{5} [0-9A-Z]{5}"))
    page.emulate_media(media="print")
    expect(slips.first).to_be_visible()
    expect(page.get_by_role("navigation", name="功能")).to_be_hidden()
