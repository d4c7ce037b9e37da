"""What owners object to and ask for: found on the first page, answered, rated, closed."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.walking import DESKTOP, PHONE, SIZES, Walk, go, told
from tests.running import wait_for

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("size", "number"), [(DESKTOP, 0), (PHONE, 3)])
def test_a_dispute_is_looked_into_answered_and_rated(
    walk: Walk, size: tuple[int, int], number: int
) -> None:
    owner, room = walk.owner(number)
    complaint = f"这个月的车位管理费收错了，{room}没有车"
    assert "已记下您的异议" in owner.says(complaint)

    page = walk.at("liu", size)
    page.get_by_role("link", name="待答工单").click()
    page.get_by_role("row").filter(has_text=room).get_by_role("link").click()
    expect(page.get_by_text(complaint)).to_be_visible()
    page.get_by_role("link", name=re.compile("看账单和算法")).click()
    line = page.get_by_role("row").filter(has_text="异议中")
    expect(line).to_contain_text("车位管理费")
    expect(line).to_contain_text("120.00元/月 = 120.00元")
    page.go_back()
    page.get_by_label("答复内容").fill(f"{room} 的车位合同到年底，费用没有收错。")
    page.get_by_role("button", name="答复").click()
    told(page, "已答复")

    answer = wait_for("the answer", lambda: "合同到年底" in str(owner.inbox()))
    assert answer
    assert "满意吗" in owner.says("异议")
    assert "已记下：满意" in owner.says("满意")
    manager = walk.at("zhao", size)
    go(manager, "统计")
    manager.get_by_role("link", name="满意度").click()
    rated = manager.get_by_role("row").filter(has_text=room)
    expect(rated).to_contain_text("满意")
    expect(rated).to_contain_text("刘客服")


@pytest.mark.parametrize("size", SIZES)
def test_a_call_for_a_person_is_answered_and_closed(walk: Walk, size: tuple[int, int]) -> None:
    owner = walk.demo.phone()
    owner.follows()
    assert owner.says("人工")
    page = walk.at("liu", size)
    go(page, "工单")
    page.get_by_label("类型").select_option(label="求助")
    page.get_by_role("button", name="查看", exact=True).click()
    page.get_by_role("row").get_by_role("link").last.click()
    page.get_by_role("button", name="已处理，关闭").click()
    told(page, "已关闭")
