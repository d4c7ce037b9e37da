"""Money a provider has and the books do not: found by comparing a day, handed on, closed."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from billing.business_day import business_date
from bot.demo.keys import kept_account
from tests.browser.walking import DESKTOP, PHONE, Walk, go, told

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("size", "days_ago"), [(DESKTOP, 1), (PHONE, 2)])
def test_a_discrepancy_is_found_handed_on_and_closed(
    walk: Walk, size: tuple[int, int], days_ago: int
) -> None:
    day = business_date(datetime.now(UTC)) - timedelta(days=days_ago)
    number = f"STRAY{day:%Y%m%d}"
    seeded = {"mchid": kept_account(walk.demo.var)["mchid"], "day": day.isoformat(), "count": 1}
    walk.demo.post("/pay/seed", {**seeded, "first_no": number})
    walk.demo.post("/pay/calendar", {"days": 1})  # yesterday's bill is made, whatever the hour
    page = walk.at("chen", size)
    go(page, "对账差错")
    page.get_by_role("link", name="按天对账").click()
    page.get_by_label("日期").fill(day.isoformat())
    page.get_by_role("button", name="查看").click()
    page.get_by_role("button", name="现在对这一天的账").click()
    told(page, "已开始对账")
    wechat_pay = page.get_by_role("region", name="支付机构").get_by_role("row", name="微信支付")
    expect(wechat_pay.get_by_text("不一致")).to_be_visible(timeout=30_000)
    expect(wechat_pay).to_contain_text("10.00")
    page.get_by_role("link", name="对账差错", exact=True).last.click()
    page.get_by_role("row", name=number).get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("渠道有、账上无")
    expect(page.get_by_text("10.00")).to_be_visible()

    alerts = walk.at("chen", size)
    go(alerts, "异常提醒")
    alerts.get_by_role("row", name="支付差错").get_by_role("link").first.click()
    expect(alerts.get_by_text(f"{day} 与 ")).to_contain_text("对账发现 1 处差错")
    reminded = alerts.url
    alerts.get_by_role("link", name="这一天的对账").click()
    expect(alerts.get_by_label("日期")).to_have_value(day.isoformat())

    page.get_by_label("负责人").select_option(label="赵经理（经理）")
    page.get_by_role("button", name="指派").click()
    told(page, "已指派")

    theirs = walk.at("zhao", size)
    theirs.goto(page.url)
    theirs.get_by_label("这笔钱怎么了").fill("测试订单，已在商户平台原路退回")
    theirs.get_by_role("button", name="关闭差错").click()
    told(theirs, "已关闭")
    expect(theirs.get_by_role("row", name=number)).to_have_count(0)
    theirs.get_by_label("范围").select_option("closed")
    theirs.get_by_role("button", name="筛选").click()
    expect(theirs.get_by_role("row", name=number)).to_contain_text("原路退回")
    alerts.goto(reminded)
    expect(alerts.get_by_text("这一天的差错都已处理，自动办结")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_contain_text("已关闭")
    expect(page.get_by_role("button", name="关闭差错")).to_have_count(0)
