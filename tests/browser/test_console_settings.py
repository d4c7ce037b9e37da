"""How a manager sets things up, in a real browser: settings, a template, a token, a mandate."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.staff import enter, sign_in
from tests.running import Demo

pytestmark = pytest.mark.browser

OpenPage = Callable[[int, int], Page]


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


WIDTHS = ((1280, 800), (390, 844))


def test_a_manager_sets_a_community_up(demo: Demo, open_page: OpenPage) -> None:
    page = open_page(*WIDTHS[0])
    sign_in(page, demo, "zhao", ahead=30)
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        save_a_setting(page, demo, width)
        look_at_a_ladder(page)
        hand_a_token_out(page, demo, width)


def test_a_manager_of_all_communities_maps_a_template(demo: Demo, open_page: OpenPage) -> None:
    page = open_page(*WIDTHS[0])
    enter_as_head_office(page, demo)
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        map_a_template(page, demo)


def enter_as_head_office(page: Page, demo: Demo) -> None:
    """The demo's staff work for its one community; templates are of all."""
    who = ("--login", "qian", "--name", "钱经理", "--role", "manager")
    account = demo.mingzhang("staff", "add", *who)
    enter(page, demo, "qian", account["password"], account["totp_secret"])
    for label in ("新密码", "再输一次新密码"):
        page.get_by_label(label, exact=True).fill("a long new password")
    page.get_by_label("当前密码").fill(account["password"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_be_visible()


def save_a_setting(page: Page, demo: Demo, width: int) -> None:
    page.goto(f"{demo.service}/console/HY/settings")
    page.get_by_label("群发每分钟最多几条").fill(str(width))
    page.get_by_role("button", name="保存通知发送").click()
    expect(page.get_by_role("status")).to_contain_text("已保存")
    expect(page.get_by_label("群发每分钟最多几条")).to_have_value(str(width))
    assert fits(page)


def look_at_a_ladder(page: Page) -> None:
    page.get_by_role("link", name="催缴提醒").click()
    page.get_by_label("逾期几天后提醒").fill("3,100")
    page.get_by_role("button", name="看哪天会提醒").click()
    expect(page.get_by_role("cell", name="逾期 100 天")).to_be_visible()
    expect(page.get_by_role("button", name="从今天起按这个阶梯提醒")).to_be_visible()
    assert fits(page)


def hand_a_token_out(page: Page, demo: Demo, width: int) -> None:
    page.goto(f"{demo.service}/console/outside")
    page.get_by_text("新增令牌").first.click()
    form = page.locator("form", has=page.get_by_label("读取账单"))
    form.get_by_label("系统名称").fill(f"大屏 {width}")
    form.get_by_label("读取账单").check()
    form.get_by_role("button", name="新增令牌").click()
    expect(page.locator("main code").first).to_have_text(re.compile("mzk_"))
    assert fits(page)
    page.get_by_role("link", name="我已复制").click()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name=f"吊销 大屏 {width}").click()
    expect(page.get_by_role("status")).to_contain_text("已吊销")
    assert fits(page)


def map_a_template(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.service}/console/templates")
    page.get_by_role("link", name="预存不足").click()
    page.get_by_role("link", name="更换模板或字段").click()
    page.get_by_label("thing1").select_option("community")
    assert fits(page)
    page.get_by_role("button", name="启用这个模板").click()
    expect(page.get_by_role("status")).to_contain_text("模板已启用")
    assert fits(page)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="恢复为服务器设置").click()
    expect(page.get_by_role("status")).to_contain_text("已恢复")


def test_a_mandate_is_written_down_and_ended(demo: Demo, open_page: OpenPage) -> None:
    page = open_page(*WIDTHS[0])
    sign_in(page, demo, "chen", ahead=30)
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{demo.service}/console/HY/mandates")
        form = page.locator("#sign")
        form.get_by_label("房号").fill("1-1-101")
        form.get_by_label("协议号").fill(f"TS-{width}")
        form.get_by_label("户名").fill("郑丽华")
        form.get_by_label("银行账号").fill("6222 0000 9876 5432")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("授权已登记")
        row = page.get_by_role("row").filter(has_text=f"TS-{width}")
        expect(row).to_contain_text("**** 5432")
        assert fits(page)
        row.get_by_text("终止…").click()
        page.once("dialog", lambda dialog: dialog.accept())
        row.get_by_role("button", name="终止").click()
        expect(page.get_by_role("status")).to_contain_text("授权已终止")
