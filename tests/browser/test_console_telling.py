"""What staff do to tell owners something, in a real browser: broadcast, look it up, learn."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.staff import sign_in
from tests.running import Demo

pytestmark = pytest.mark.browser

OpenPage = Callable[[int, int], Page]


@pytest.mark.parametrize(
    ("width", "height", "login", "home"), [(1280, 800, "liu", 0), (390, 844, "zhao", 1)]
)
def test_a_broadcast_is_seen_before_it_is_sent_followed_and_found_again(
    demo: Demo, open_page: OpenPage, width: int, height: int, login: str, home: int
) -> None:
    phone, bound = demo.phone(), demo.home(home)
    phone.binds(bound)
    page = open_page(width, height)
    sign_in(page, demo, login)
    page.goto(f"{demo.service}/console/HY/broadcasts")
    page.get_by_role("link", name="写群发").click()
    page.get_by_label("正文").fill("明天上午 9 点停水，请储水")
    page.get_by_label("或指定房号").fill(bound["room"])
    page.get_by_role("button", name="下一步").click()
    expect(page.locator(".phone").first).to_have_text(
        "【花园小区 物业通知】\n明天上午 9 点停水，请储水"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("button", name="确认发送给 1 人").click()
    expect(page.get_by_role("status")).to_contain_text("在那之前可以取消")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="取消群发").click()
    expect(page.get_by_role("status")).to_contain_text("没有人收到")
    page.get_by_role("link", name="照样再写一条").click()
    expect(page.get_by_label("或指定房号")).to_have_value(bound["room"])
    page.goto(f"{demo.service}/console/HY/broadcasts?state=cancelled")
    expect(page.get_by_role("row").filter(has_text=bound["room"]).first).to_be_visible()
    page.goto(f"{demo.service}/console/HY/notices")
    expect(page.get_by_role("heading", level=1)).to_contain_text("通知")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_page_that_renews_itself_waits_for_the_last_answer(
    demo: Demo, open_page: OpenPage
) -> None:
    phone, bound = demo.phone(), demo.home(2)
    phone.binds(bound)
    page = open_page(1280, 800)
    sign_in(page, demo, "liu", ahead=30)
    page.goto(f"{demo.service}/console/HY/broadcasts/new")
    page.get_by_label("正文").fill("明天上午 9 点停水，请储水")
    page.get_by_label("或指定房号").fill(bound["room"])
    page.get_by_role("button", name="下一步").click()
    asked: list[Route] = []
    page.route("**/live?*", lambda route: asked.append(route))  # noqa: PLW0108  # it asks for the parameters
    page.clock.install()
    page.get_by_role("button", name="确认发送给 1 人").click()
    expect(page.get_by_role("status")).to_contain_text("在那之前可以取消")
    with page.expect_request("**/live?*"):
        page.clock.run_for(60_000)
    page.clock.run_for(60_000)
    page.evaluate("fetch('/healthz')")  # whatever was asked before has been asked by now
    assert len(asked) == 1
    asked[0].fulfill(body="<p>还在发</p>", content_type="text/html")
    expect(page.get_by_text("还在发")).to_be_visible()
    with page.expect_request("**/live?*"):
        page.clock.run_for(16_000)


def test_sentences_are_labelled_by_the_keyboard_alone(demo: Demo, open_page: OpenPage) -> None:
    phone = demo.phone()
    phone.follows()
    for said in ("楼下那个灯怎么还不修", "电梯坏了三天了谁管", "能不能那个"):
        phone.says(said)
    page = open_page(1280, 800)
    sign_in(page, demo, "chen")
    page.goto(f"{demo.service}/console/HY/heard")
    sentence, left = page.locator(".sentence"), page.get_by_role("heading", level=1)
    first = sentence.inner_text()
    page.keyboard.type("人工")
    expect(page.get_by_role("radio", name="人工")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("接着看下一句")
    expect(sentence).not_to_have_text(first)
    second, count = sentence.inner_text(), left.inner_text()
    page.keyboard.press("Escape")
    expect(sentence).not_to_have_text(second)
    page.keyboard.type("17")
    expect(page.get_by_role("radio", name="人工")).to_be_checked()
    page.keyboard.press("Enter")
    expect(left).not_to_have_text(count)
    expect(page.get_by_role("row").filter(has_text=re.compile("^人工"))).to_contain_text("2")
