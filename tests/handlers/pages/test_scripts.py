"""The small scripts, in Chromium."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect, sync_playwright
from werkzeug.serving import make_server

from billing.money import Money
from handlers.sign_in import confirm, read_scene
from notify.links import BillRef
from tests.handlers.pages.conftest import IN_WECHAT, ON_COMPUTER, ON_PHONE, Browser, House

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the system's Chromium"),
]

ANSWERING = "window.called = []; window.WeixinJSBridge = {invoke: (name, call, done) => { \
window.called.push([name, call]); done({err_msg: 'get_brand_wcpay_request:' + %s}); }};"


@pytest.fixture
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@dataclass
class Window:
    """A page of Chromium and where the service listens."""

    page: Page
    base: str

    def open(self, path: str) -> None:
        self.page.goto(self.base + path)


@pytest.fixture
def serve() -> Iterator[Callable[[Flask], str]]:
    """Serve an application on loopback; returns its address."""
    servers = []

    def start(app: Flask) -> str:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def phone(
    house: House, owner: Browser, chromium: Chromium, serve: Callable[[Flask], str]
) -> Window:
    """The owner's phone, already signed in."""
    owner.get(f"/o/home/{house.token}")
    cookie = owner.client.get_cookie("session")
    assert cookie is not None
    base = serve(house.app)
    context = chromium.new_context(user_agent=IN_WECHAT, viewport={"width": 390, "height": 844})
    context.add_cookies([{"name": "session", "value": cookie.value, "url": base}])
    return Window(context.new_page(), base)


def test_the_amount_follows_the_chosen_bills(house: House, phone: Window) -> None:
    phone.open(f"/o/home/{house.token}")
    amount = phone.page.locator("input[name=amount]")
    first = phone.page.locator("input[name=bill]").first
    first.uncheck()
    rest = house.owed() - house.unpaid()[0].outstanding
    expect(amount).to_have_value(rest.yuan)
    first.check()
    expect(amount).to_have_value(house.owed().yuan)


def test_what_is_more_than_owed_is_said_while_one_types(house: House, phone: Window) -> None:
    phone.open(f"/o/home/{house.token}")
    amount, more = phone.page.locator("input[name=amount]"), phone.page.locator("#more")
    expect(more).to_be_hidden()
    amount.fill((house.owed() + Money(1205)).yuan)
    expect(more).to_contain_text("其中 12.05 元转入预存")
    phone.page.locator("input[name=bill]").first.uncheck()
    amount.fill((house.owed() + Money(1205)).yuan)
    expect(more).to_be_hidden()


def test_the_phone_goes_on_to_the_providers_page(
    house: House, chromium: Chromium, serve: Callable[[Flask], str]
) -> None:
    house.open_every_way()
    page = chromium.new_context(user_agent=ON_PHONE).new_page()
    page.route("https://cashier.test/**", lambda route: route.fulfill(body="cashier"))
    page.goto(f"{serve(house.app)}{house.scan_path}")
    page.click("button[data-way=alipay]")
    page.wait_for_url(f"https://cashier.test/?order={house.payments()[0].out_trade_no}")
    page.go_back()
    expect(page.locator("h1")).to_contain_text("为该房屋缴费")


def test_what_is_prepaid_is_read_before_the_browser_leaves(
    house: House, chromium: Chromium, serve: Callable[[Flask], str]
) -> None:
    house.open_every_way()
    computer = house.signed_in_computer()
    cookie = computer.client.get_cookie("session")
    assert cookie is not None
    base = serve(house.app)
    context = chromium.new_context(user_agent=ON_COMPUTER)
    context.add_cookies([{"name": "session", "value": cookie.value, "url": base}])
    page = context.new_page()
    page.route("https://cashier.test/**", lambda route: route.fulfill(body="cashier"))
    page.goto(f"{base}/o/prepayment/{house.token}")
    page.fill("input[name=amount]", "300")
    page.click("button[data-way=alipay]")
    expect(page.locator(".notice")).to_contain_text("其中 300.00 元转入预存")
    page.click("a.alipay")
    page.wait_for_url("https://cashier.test/**")


def test_the_button_calls_wechat_pay_and_goes_to_the_result(house: House, phone: Window) -> None:
    phone.open(f"/o/home/{house.token}")
    phone.page.click("button.primary")
    phone.page.evaluate(ANSWERING % "'cancel'")
    phone.page.click("#pay")
    expect(phone.page.locator("#cancelled")).to_be_visible()
    [[name, call]] = phone.page.evaluate("window.called")
    assert name == "getBrandWCPayRequest"
    assert json.dumps(call, sort_keys=True) == json.dumps(house.payments()[0].call, sort_keys=True)
    phone.page.evaluate(ANSWERING % "'ok'")
    phone.page.click("#pay")
    phone.page.wait_for_url("**/o/paid/**")
    expect(phone.page.locator("h1")).to_have_text("正在确认")


def test_without_wechats_bridge_the_page_says_what_to_do(house: House, phone: Window) -> None:
    phone.open(f"/o/home/{house.token}")
    phone.page.click("button.primary")
    phone.page.click("#pay")
    expect(phone.page.locator("#outside")).to_be_visible()
    expect(phone.page.locator("#pay")).to_be_enabled()


def test_a_bridge_that_comes_late_is_waited_for(house: House, phone: Window) -> None:
    phone.open(f"/o/home/{house.token}")
    phone.page.click("button.primary")
    phone.page.click("#pay")
    phone.page.evaluate(
        ANSWERING % "'ok'" + "document.dispatchEvent(new Event('WeixinJSBridgeReady'))"
    )
    phone.page.wait_for_url("**/o/paid/**")


def test_the_computer_goes_on_by_itself_once_the_scan_is_confirmed(
    house: House, chromium: Chromium, serve: Callable[[Flask], str]
) -> None:
    page = chromium.new_context(user_agent=ON_COMPUTER).new_page()
    page.goto(f"{serve(house.app)}/o/history/{house.token}")
    nonce = read_scene(house.account.scenes[-1])
    assert nonce is not None
    confirm(house.services.redis, nonce, "o-owner")
    page.wait_for_url("**/o/history/**")
    expect(page.locator("h1")).to_contain_text("1-1-302")


DUE_BESIDE_AMOUNT = """() => {
  document.querySelector(".big .money").lastChild.textContent = "12,345.67";
  const card = document.querySelector("article.card").getBoundingClientRect();
  return card.right - document.querySelector(".head .state").getBoundingClientRect().right;
}"""


def test_a_large_amount_and_its_due_date_stay_on_the_card_of_a_narrow_phone(
    house: House, phone: Window
) -> None:
    phone.page.set_viewport_size({"width": 355, "height": 700})
    [first, *_] = house.unpaid()
    phone.open(f"/o/bill/{house.services.links.bill_token(BillRef(first.community_id, first.id))}")
    phone.page.evaluate("document.querySelector('.head .state').textContent = '2026年12月31日到期'")
    assert phone.page.evaluate(DUE_BESIDE_AMOUNT) >= 16
