"""Money that is held, given back and put on paper: deposits, refunds, receipts, fapiao, bills,
letters of demand, what the bank brought without a name, costs and bills that are shared.
"""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.walking import DESKTOP, PHONE, SIZES, Walk, card, go, move_in, open_home, told

pytestmark = pytest.mark.browser

PAGE = re.compile(rb"/Type\s*/Page\b")
MARGINS = {"left": "10mm", "right": "10mm", "top": "10mm", "bottom": "10mm"}
A4_PIXELS = 718
"""Width of A4 less margins of 10 mm, at 96 pixels to the inch."""


def pages_printed(page: Page) -> int:
    """How many pages of A4 it makes; nothing reaches over the edge."""
    paper = page.pdf(format="A4", prefer_css_page_size=True, margin=MARGINS)
    size = page.viewport_size
    assert size is not None
    page.emulate_media(media="print")
    page.set_viewport_size({"width": A4_PIXELS, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    page.emulate_media(media="screen")
    page.set_viewport_size(size)
    return len(PAGE.findall(paper))


def take_cash(page: Page, room: str) -> None:
    """At the counter, all that is owed; the receipt is open afterwards."""
    go(page, "收款台")
    opening = page.get_by_label("备用金")
    if opening.count():
        opening.fill("200")
        page.keyboard.press("Enter")
        told(page, "已开班")
    page.get_by_label("房屋", exact=True).fill(room)
    page.keyboard.press("Enter")
    page.get_by_label("实收现金（元）").fill("9000")
    page.get_by_role("button", name="收款并打印收据").click()
    expect(page.get_by_role("heading", name="收据")).to_be_visible()


def test_a_letter_of_demand_about_a_month_is_at_most_two_pages_of_paper(walk: Walk) -> None:
    page = walk.at("chen", PHONE)
    open_home(page, "1-2-602", "催缴")
    page.get_by_role("button", name="生成催缴函").click()
    with page.expect_popup() as opened:
        page.get_by_role("button", name="打开，打印").click()
    expect(opened.value.get_by_role("heading", name="催缴函", exact=True)).to_be_visible()
    assert pages_printed(opened.value) <= 2


@pytest.mark.parametrize("size", SIZES)
def test_a_deposit_is_taken_and_given_back(walk: Walk, size: tuple[int, int]) -> None:
    paper = f"YJ-{size[0]}"
    page = walk.at("zhou", size)
    open_home(page, "3-1-1201", "押金")
    form = card(page, "收取押金")
    form.get_by_label("单据号").fill(paper)
    form.get_by_label("用途").fill("装修押金")
    form.get_by_label("金额（元，现金）").fill("2000")
    form.get_by_role("button", name="收取").click()
    told(page, "押金已收取")
    form = card(page, f"退还或抵扣 {paper}")
    form.get_by_label("金额（元）").fill("2000")
    form.get_by_label("原因").fill("装修验收合格")
    form.get_by_role("button", name="确定").click()
    told(page, "押金已退还")
    row = page.get_by_role("row").filter(has_text=paper)
    expect(row.get_by_role("cell").last).to_contain_text("0.00")


@pytest.mark.parametrize(("size", "number"), [(DESKTOP, 1), (PHONE, 4)])
def test_money_is_taken_put_on_paper_and_given_back_by_three_people(
    walk: Walk, size: tuple[int, int], number: int
) -> None:
    owner, room = walk.owner(number)
    cashier = walk.at("zhou", size)
    take_cash(cashier, room)
    assert pages_printed(cashier) == 1

    asker = walk.at("chen", size)
    go(asker, "缴费记录")
    asker.get_by_role("row").filter(has_text=room).filter(has_text="现金").first.get_by_role(
        "link"
    ).first.click()
    asker.get_by_role("link", name="申请退款").click()
    asker.get_by_label("退款金额（元）").fill("10.00")
    asker.get_by_label("原因").fill(f"多收一个月 {size[0]}")
    asker.get_by_label("允许已缴的账单恢复为欠费").check()
    asker.get_by_role("button", name="提交申请").click()
    told(asker, "等待审批")

    manager = walk.at("zhao", size)
    manager.get_by_role("link", name="待批退款").click()
    manager.get_by_role("row").filter(has_text=f"多收一个月 {size[0]}").get_by_role("link").click()
    manager.get_by_role("button", name="批准").click()
    told(manager, "已批准")

    cashier.goto(f"{walk.here}/")
    go(cashier, "退款")
    cashier.get_by_role("row").filter(has_text=f"多收一个月 {size[0]}").get_by_role("link").click()
    cashier.get_by_label("凭证号").fill(f"TK-{size[0]}")
    cashier.get_by_role("button", name="登记已付款").click()
    told(cashier, "退款完成")

    assert "开票金额" in owner.says("开发票")
    owner.says("个人")
    owner.says("测试抬头")
    assert "申请开票" in owner.says("确认开票")
    go(asker, "发票")
    asker.get_by_role("row").filter(has_text=room).get_by_role("link").click()
    asker.get_by_label("发票号码").fill(f"{size[0]:020d}")
    asker.get_by_role("button", name="登记开具").click()
    told(asker, "已登记开具")
    assert f"{size[0]:020d}" in owner.says("发票开了吗")


@pytest.mark.parametrize("size", SIZES)
def test_a_row_of_the_bank_without_a_name_is_given_to_a_home(
    walk: Walk, size: tuple[int, int]
) -> None:
    page = walk.at("chen", size)
    go(page, "银行流水")
    page.get_by_role("link", name="导入流水").click()
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    content = (
        "交易日期,贷方发生额,对方户名,附言,交易流水号\n"
        f"{yesterday},{size[0]}.00,某某公司,往来款{size[0]},W{size[0]}\n"
    )
    page.get_by_label("文件", exact=True).set_input_files(
        files=[{"name": "a.csv", "mimeType": "text/csv", "buffer": content.encode()}]
    )
    page.get_by_role("button", name="导入并匹配").click()
    row = page.get_by_role("row").filter(has_text=f"往来款{size[0]}")
    expect(row.get_by_text("无法识别")).to_be_visible(timeout=30_000)
    row.get_by_role("link").click()
    page.get_by_label("房号").fill("2-1-803")
    page.get_by_label("依据").fill("业主来电确认")
    page.get_by_role("button", name="入账到这户").click()
    told(page, "已")
    open_home(page, "2-1-803")
    expect(page.get_by_text("银行转账").first).to_be_visible()


@pytest.mark.parametrize("size", SIZES)
def test_a_shared_cost_is_recorded_and_every_share_is_shown(
    walk: Walk, size: tuple[int, int]
) -> None:
    page = walk.at("chen", size)
    go(page, "公摊")
    page.get_by_role("link", name="登记公摊费用").click()
    page.get_by_label("收费项目").select_option(label="公共照明电费分摊")
    first = datetime.now(UTC).date().replace(day=1) + timedelta(days=32 if size == DESKTOP else 64)
    page.get_by_label("费用从哪天").fill(first.replace(day=1).isoformat())
    page.get_by_label("到哪天（含）").fill(first.replace(day=28).isoformat())
    page.get_by_label("总金额（元）").fill("240.00")
    page.get_by_label("按什么分摊").select_option(label="按户")
    page.get_by_role("button", name="登记并看分摊").click()
    told(page, "已登记")
    shares = page.get_by_role("region", name="每户分摊").locator("tbody tr")
    expect(shares).not_to_have_count(0)
    amounts = [row.locator("td").last.inner_text() for row in shares.all()]
    assert sum(int(one.replace(".", "").replace(",", "")) for one in amounts) == 24000


@pytest.mark.parametrize(("size", "fen"), [(DESKTOP, "1.00"), (PHONE, "2.00")])
def test_a_bill_is_corrected_and_shared_by_owner_and_tenant(
    walk: Walk, size: tuple[int, int], fen: str
) -> None:
    room = "2-2-1504"
    move_in(walk.at("liu", size), room, "郭租客")
    page = walk.at("chen", size)
    open_home(page, room, "账单")
    page.locator("tbody").get_by_role("link").first.click()
    form = card(page, "申请减免或调账")
    form.get_by_label("收费项目").select_option(index=1)
    form.get_by_label("类型").select_option(label="调账")
    form.get_by_label("金额（元）").fill(f"-{fen}")
    form.get_by_label("原因", exact=True).fill(f"读数抄错 {fen}")
    form.get_by_role("button", name="提交申请").click()
    told(page, "等待另一位同事审批")
    manager = walk.at("zhao", size)
    manager.get_by_role("link", name="待批减免调账").click()
    request = manager.get_by_role("listitem").filter(has_text=f"读数抄错 {fen}")
    request.get_by_role("button", name="通过").click()
    told(manager, "已批准")

    page.reload()
    page.get_by_text("按份额分摊").click()
    form = card(page, "分户承担")
    form.get_by_label(re.compile("业主")).fill("1")
    form.get_by_label(re.compile("租户")).first.fill("3")
    form.get_by_role("button", name="分摊").click()
    told(page, "已按比例分摊")
    expect(card(page, "分户承担").get_by_role("listitem")).to_have_count(2)
    page.get_by_role("link", name="打印通知单").click()
    assert pages_printed(page) == 1
