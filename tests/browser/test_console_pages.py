"""Every page of the console that links lead to, on a desktop and on a phone: it opens, nothing is
wider than the window, nothing is in the way of somebody with a keyboard or a screen reader.
"""

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.staff import sign_in
from tests.running import Demo

pytestmark = pytest.mark.browser

OpenPage = Callable[[int, int], Page]

WIDTHS = (1280, 390)
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "resultTypes": ["violations"],
}
PAGES_MIN = 50
LINKS = "els => els.map(one => new URL(one.getAttribute('href'), location.href).href)"


def shape(address: str) -> str:
    """What kind of page it is: the address without numbers and questions."""
    return re.sub(r"[0-9]+", "#", address.partition("?")[0].partition("#")[0])


def complaints(page: Page, axe: Axe) -> list[str]:
    """What is wrong with a page, at each width."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 844})
        for rule in axe.run(page, options=RULES).response["violations"]:
            found += [f"{width} {rule['id']}: {node['html'][:200]}" for node in rule["nodes"]]
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wider > 0:
            found.append(f"{width}: {wider} px wider than the window")
    return found


def let_something_happen(demo: Demo) -> None:
    """An owner pays, disputes and is broadcast to, so that lists have rows that lead on."""
    phone = demo.phone()
    phone.binds(demo.home(0))
    phone.says("这个月的电费不对，我不认可")
    phone.says("1")


def test_every_page_opens_fits_and_stands_in_nobodys_way(demo: Demo, open_page: OpenPage) -> None:
    let_something_happen(demo)
    page = open_page(WIDTHS[0], 844)
    sign_in(page, demo)
    axe, console = Axe(), f"{demo.service}/console"
    waiting, seen, wrong = [page.url], set[str](), dict[str, list[str]]()
    while waiting:
        address = waiting.pop(0)
        if shape(address) in seen:
            continue
        seen.add(shape(address))
        page.set_viewport_size({"width": WIDTHS[0], "height": 844})
        answer = page.goto(address)
        assert answer is not None
        assert answer.ok, address
        if found := complaints(page, axe):
            wrong[address] = found
        links = page.eval_on_selector_all("body a[href]:not([download])", LINKS)
        waiting += [link for link in links if link.startswith(console)]
    assert wrong == {}
    assert len(seen) >= PAGES_MIN


def test_a_form_that_stood_open_too_long_loses_nothing(demo: Demo, open_page: OpenPage) -> None:
    page = open_page(WIDTHS[0], 844)
    page.clock.install()
    sign_in(page, demo)
    page.goto(f"{demo.service}/console/staff/new")
    page.get_by_label("登录名").fill("xiaosun")
    page.get_by_label("姓名").fill("孙小测")
    cookies = page.context.cookies()
    page.context.clear_cookies()  # as if half an hour had passed on the server too
    page.clock.fast_forward("25:00")
    page.get_by_role("button", name="添加", exact=True).click()
    told = page.get_by_role("alert").filter(has_text="登录已过期")
    expect(told).to_be_visible()
    expect(page.get_by_label("姓名")).to_have_value("孙小测")
    page.context.add_cookies(cookies)  # signed in again, in the window that the page offers
    page.get_by_role("button", name="添加", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("孙小测 的登录信息")
