"""The phone page, used by a person with a mouse and a keyboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, sync_playwright
from sandbox_world import Keys, Push, World, new_keys, reply_text
from tiny_shop import Shop, shop_world

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
ANN = "oAnn"


def test_the_page_is_ours_alone_and_has_nothing_inline(shared: World) -> None:
    answer = shared.api.get("/phone/")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert "明账物业" in answer.text
    assert "请勿输入真实信息" in answer.text
    assert "style=" not in answer.text
    assert "//" not in answer.text.replace("//www.w3.org", "")
    assert requests.get(f"{shared.api.url}/static/bridge.js", timeout=30).status_code == 200


@pytest.fixture
def open_shop(tmp_path: Path, platform: Keys) -> Iterator[tuple[World, Shop]]:
    with shop_world(tmp_path, platform, new_keys()) as opened:
        yield opened


@pytest.fixture
def page() -> Iterator[Page]:
    if not CHROMIUM.exists():
        pytest.skip("there is no system Chromium; .ci/run installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport={"width": 1200, "height": 880})
        page.set_default_timeout(8000)
        yield page
        browser.close()


@pytest.mark.browser
def test_a_person_follows_asks_pays_and_leaves(open_shop: tuple[World, Shop], page: Page) -> None:
    here, shop = open_shop
    api, service = here.api, here.service

    def answer(push: Push) -> str:
        if push.get("Event") == "unsubscribe":
            return ""
        return reply_text(push, f"您好，点 {service.url}/bill 看账单")

    service.answer = answer
    link = {"type": "view", "name": "缴费", "url": f"{service.url}/pay"}
    click = {"type": "click", "name": "我的账单", "key": "BILL"}
    api.call("menu/create", {"button": [click, {"name": "更多", "sub_button": [link]}]})
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))

    page.goto(f"{api.url}/phone/#as={ANN}")
    page.get_by_role("button", name="关注公众号").click()
    page.get_by_text("看账单").wait_for()
    page.get_by_role("button", name="打开键盘").click()
    page.get_by_label("输入消息").fill("账单<b>")
    page.keyboard.press("Enter")
    page.get_by_text("账单<b>").wait_for()
    api.send_bill(ANN, url=f"{service.url}/bill")
    page.get_by_role("button", name="物业费账单通知").click()
    web = page.frame_locator("iframe")
    web.get_by_role("link", name="去缴费").click()
    web.get_by_role("button", name="微信支付").click()
    page.get_by_role("button", name="取消支付").click()
    web.get_by_text("get_brand_wcpay_request:cancel").wait_for()
    assert shop.callbacks == []
    page.get_by_role("button", name="关闭网页").click()

    page.get_by_role("button", name="打开菜单").click()
    page.locator(".dock").get_by_role("button", name="更多").click()
    page.get_by_role("button", name="缴费", exact=True).click()
    web.get_by_role("button", name="微信支付").click()
    page.get_by_role("button", name="立即支付").click()
    page.keyboard.type("12345")
    page.get_by_role("button", name="6", exact=True).click()
    page.get_by_role("button", name="返回商家").click()
    web.get_by_role("heading", name="已缴费").wait_for()
    assert shop.callbacks[-1]["payer"]["openid"] == ANN
    page.get_by_role("button", name="关闭网页").click()

    page.locator(".bar").get_by_role("button", name="更多").click()
    page.get_by_role("button", name="不再关注").click()
    page.get_by_role("button", name="不再关注").click()
    page.get_by_role("button", name="关注公众号").wait_for()
    assert [push.get("Event") for push in service.pushes][-1] == "unsubscribe"
    assert troubles == []


@pytest.mark.browser
def test_a_person_pays_a_scanned_code_and_an_address_outside(
    open_shop: tuple[World, Shop], page: Page
) -> None:
    here, shop = open_shop
    here.service.answer = lambda push: reply_text(push, "您好")
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    code_url = shop.order_by_code()
    page.goto(f"{here.api.url}/phone/#as={ANN}")
    for answer in ("支付成功", "订单已支付，请勿重复支付"):
        page.get_by_role("button", name="扫一扫").click()
        page.get_by_label("二维码内容").fill(code_url)
        page.get_by_role("button", name="扫码").click()
        if answer == "支付成功":
            page.get_by_text("花园物业服务有限公司").wait_for()
            page.get_by_role("button", name="立即支付 ¥275.80").click()
        page.get_by_role("alert").get_by_text(answer).wait_for()

    page.set_viewport_size({"width": 375, "height": 667})
    page.goto(f"{shop.order_outside()}&redirect_url={here.service.url}/paid")
    page.get_by_text("¥275.80").wait_for()
    page.get_by_role("button", name="立即支付").click()
    page.get_by_role("heading", name="已缴费").wait_for()
    assert troubles == []
