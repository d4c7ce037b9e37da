"""Who lives in a home and who sees it: asked to be let in, moved in, unbound, handed over."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.walking import DESKTOP, PHONE, SIZES, Walk, card, go, move_in, open_home, told
from tests.running import Phone

pytestmark = pytest.mark.browser


def bound_by_code(page: Page, walk: Walk, room: str, role: str) -> Phone:
    """A phone that binds a home with the code staff make for it."""
    open_home(page, room, "住户与绑定")
    form = card(page, "生成一次性绑定码")
    form.get_by_label("身份").select_option(label=role)
    form.get_by_role("button", name="生成一次性绑定码").click()
    code = page.get_by_role("status").filter(has_text="只显示这一次").locator("code").inner_text()
    phone = walk.demo.phone()
    phone.follows()
    assert "绑定成功" in phone.says(f"绑定 {code}")
    return phone


@pytest.mark.parametrize(
    ("size", "asked"), [(DESKTOP, "周子涵 10000000020"), (PHONE, "李明明 10000009999")]
)
def test_who_asks_to_be_bound_is_let_in_or_refused_by_what_he_says_of_himself(
    walk: Walk, size: tuple[int, int], asked: str
) -> None:
    stranger, room = walk.demo.phone(), "2-2-1504"
    stranger.follows()
    assert "已收到" in stranger.says(f"绑定 {room} {asked}")
    page = walk.at("liu", size)
    page.get_by_role("link", name="待审绑定").click()
    request = page.get_by_role("listitem").filter(has_text=f"自称：{asked[0]}")
    if size == DESKTOP:
        expect(request.get_by_text("姓名电话与登记一致")).to_be_visible()
        request.get_by_role("button", name="通过").click()
        told(page, "已通过")
        assert room in stranger.says("账单")
    else:
        expect(request.get_by_text("与登记不一致")).to_be_visible()
        request.get_by_label("拒绝原因").fill("请带证件到服务中心")
        request.get_by_role("button", name="拒绝").click()
        told(page, "已拒绝")
        assert "还没有绑定" in stranger.says("账单")


@pytest.mark.parametrize("size", SIZES)
def test_a_tenant_moves_in_and_out_and_somebody_is_unbound(
    walk: Walk, size: tuple[int, int]
) -> None:
    room, tenant = "3-2-502", f"郭租客{size[0]}"
    page = walk.at("liu", size)
    move_in(page, room, tenant)
    row = page.get_by_role("row").filter(has_text="租户").filter(has_text="郭")
    row.get_by_role("button", name="登记迁出").last.click()
    told(page, "已登记迁出")

    bound = bound_by_code(page, walk, room, "家庭成员")
    assert room in bound.says("账单")
    open_home(page, room, "住户与绑定")
    page.get_by_role("region", name="绑定").get_by_role("button", name="解绑").last.click()
    told(page, "已解绑")
    assert "还没有绑定" in bound.says("账单")


def test_a_new_owner_sees_nothing_of_the_former_owners_bills(walk: Walk) -> None:
    former, room = walk.owner(7)
    assert "807.70" in former.says("账单")
    page = walk.at("liu", DESKTOP)
    open_home(page, room, "住户与绑定")
    page.get_by_text("过户给新业主").click()
    form = card(page, "过户给新业主")
    form.get_by_label("姓名").fill("韩新主")
    form.get_by_label("电话").fill("10000007777")
    form.get_by_role("button", name="过户").click()
    told(page, "已过户")
    page = walk.at("liu", PHONE)
    owner = bound_by_code(page, walk, room, "业主")
    assert "807.70" not in owner.says("账单")
    assert room in owner.says("账单")  # the month in which he came, which both bear by days
    assert "807.70" in former.says("账单")
    go(page, "工作台")
