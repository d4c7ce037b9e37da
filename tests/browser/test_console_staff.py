"""A cashier's first day and his last: his own password, his own menu, and out at once."""

import time

import pyotp
import pytest
from playwright.sync_api import expect

from tests.browser.walking import DESKTOP, PHONE, Walk, go, told

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_cashier_comes_sees_his_own_menu_and_is_out_at_once_when_he_leaves(
    walk: Walk, size: tuple[int, int]
) -> None:
    login, own = f"sun{size[0]}", "a password of my own"
    manager = walk.at("zhao", size)
    go(manager, "员工与权限")
    manager.get_by_role("link", name="添加员工").click()
    manager.get_by_label("登录名").fill(login)
    manager.get_by_label("姓名").fill(f"孙收银{size[0]}")
    manager.get_by_label("角色").select_option(label="收银")
    manager.get_by_label("小区", exact=True).select_option(label="花园小区")
    manager.get_by_role("button", name="添加", exact=True).click()
    expect(manager.get_by_role("heading", level=1)).to_contain_text("的登录信息")
    password, secret = manager.locator("main code").all_inner_texts()

    cashier = walk.open(size)
    cashier.goto(f"{walk.demo.service}/console/sign-in")
    cashier.get_by_label("登录名").fill(login)
    cashier.get_by_label("密码").fill(password)
    cashier.get_by_label("动态码").fill(pyotp.TOTP(secret).at(time.time()))
    cashier.get_by_role("button", name="登录").click()
    told(cashier, "这是初始密码")
    cashier.goto(f"{walk.here}/homes")
    told(cashier, "这是初始密码")  # nothing else opens before
    cashier.get_by_label("当前密码").fill(password)
    cashier.get_by_label("新密码", exact=True).fill(own)
    cashier.get_by_label("再输一次新密码").fill(own)
    cashier.get_by_role("button", name="更改密码").click()
    told(cashier, "密码已更改")
    cashier.goto(f"{walk.here}/")
    menu = cashier.get_by_role("navigation", name="功能")
    if size == PHONE:
        menu.get_by_text("菜单", exact=True).click()
    expect(menu.get_by_role("link")).to_have_text(
        ["工作台", "房屋", "审批", "收款台", "班次", "缴费记录", "退款", "发票"]
    )

    go(manager, "员工与权限")
    manager.get_by_role("row").filter(has_text=login).get_by_role("link").click()
    manager.get_by_role("button", name="停用（离职）").click()
    told(manager, "已停用")
    menu.get_by_role("link", name="房屋").click()
    expect(cashier.get_by_label("登录名")).to_be_visible()
