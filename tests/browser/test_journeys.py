"""What people do, in a real browser: follow, bind, read, pay; sign in on a computer; help a
neighbour.
"""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.running import Demo, wait_for

pytestmark = [
    pytest.mark.browser,
    pytest.mark.journey,
]

OpenPage = Callable[[int, int], Page]


def new_phone(page: Page, demo: Demo) -> None:
    """A phone of one's own that follows the account, with the keyboard out."""
    page.goto(f"{demo.sandbox}/phone/")
    page.get_by_role("button", name="＋ 新手机").click()
    page.get_by_role("button", name="关注公众号").click()
    expect(feed(page)).to_contain_text("欢迎关注")
    page.get_by_role("button", name="打开键盘").click()


def feed(page: Page):  # type: ignore[no-untyped-def]
    """The chat."""
    return page.get_by_role("log", name="聊天记录")


def say(page: Page, text: str, answer: str) -> None:
    """Type a sentence and wait for an answer that contains something."""
    before = feed(page).get_by_text(answer).count()
    page.get_by_label("输入消息").fill(text)
    page.get_by_label("输入消息").press("Enter")
    expect(feed(page).get_by_text(answer)).to_have_count(before + 1)


def in_app_browser(page: Page) -> FrameLocator:
    """What WeChat's own browser shows."""
    return page.frame_locator("iframe").last


def test_an_owner_follows_binds_reads_pays_and_gets_the_receipt(
    demo: Demo, open_page: OpenPage
) -> None:
    home = demo.home(0)
    page = open_page(1280, 860)
    new_phone(page, demo)
    say(page, f"绑定 {home['code']}", "绑定成功")
    say(page, "账单", "待缴 ")
    owed = re.findall(r"待缴 (\d+\.\d\d) 元", feed(page).inner_text())[-1]
    feed(page).get_by_role("link").last.click()
    web = in_app_browser(page)
    web.get_by_role("link", name="怎么算的").click()
    expect(web.get_by_text("98.50㎡ × 2.80元/㎡·月 = 275.80元")).to_be_visible()
    web.get_by_role("button", name="去缴费").click()
    web.get_by_role("button", name="立即支付").click()
    cashier = page.get_by_role("dialog").last
    cashier.get_by_role("button", name="立即支付").click()
    finish_in_cashier(page)
    expect(web.get_by_text("已到账")).to_be_visible()
    page.get_by_role("button", name="关闭").last.click()
    expect(feed(page).get_by_text("缴费成功通知")).to_be_visible()
    expect(feed(page).get_by_text(f"{owed}元")).to_be_visible()
    say(page, "账单", "没有待缴账单")


def finish_in_cashier(page: Page) -> None:
    """Enter any six digits where the cashier asks for them, and go back to the merchant."""
    for digit in "246810":
        key = page.get_by_role("button", name=digit, exact=True)
        if key.count() and key.last.is_visible():
            key.last.click()
    page.get_by_role("button", name=re.compile("返回商家|完成")).last.click()


def test_an_owner_signs_in_on_a_computer_by_scanning(demo: Demo, open_page: OpenPage) -> None:
    phone = demo.phone()
    phone.binds(demo.home(1))
    computer = open_page(1280, 800)
    computer.goto(phone.bill_link())
    expect(computer.get_by_role("heading", name="微信扫码登录")).to_be_visible()
    [scene, *_] = wait_for("the scene", lambda: scenes(demo, "signin_"))
    assert "确认登录" in phone.does("scan", {"scene": scene})["reply"]["text"]
    phone.says("确认登录")
    expect(computer.get_by_role("heading", name=re.compile("1-1-302"))).to_be_visible()
    expect(computer.get_by_text("2026", exact=False).first).to_be_visible()


def scenes(demo: Demo, prefix: str) -> list[str]:
    """Scenes of codes the account has made, as WeChat knows them."""
    shown = demo.get("/codes")["codes"]
    return [code["scene"] for code in shown if code["scene"].startswith(prefix)]


def test_a_stranger_with_the_link_sees_only_what_is_needed_to_help(
    demo: Demo, open_page: OpenPage
) -> None:
    owner = demo.phone()
    owner.binds(demo.home(2))
    link = owner.bill_link()
    stranger = demo.phone()
    stranger.follows()
    page = open_page(390, 844)
    page.goto(f"{demo.sandbox}/phone/{stranger.openid}/web{link.removeprefix(demo.service)}")
    expect(page.get_by_role("heading", name="为该房屋缴费")).to_be_visible()
    shown = page.locator("main").inner_text()
    assert "2-1-**3" in shown
    assert demo.home(2)["room"] not in shown
    assert "物业费" not in shown
    assert "王" not in shown
