"""Staff of the demo at the console's door."""

import time

import pyotp
from playwright.sync_api import Page, expect

from tests.running import Demo


def sign_in(page: Page, demo: Demo, login: str = "zhao", *, ahead: int = 0) -> str:
    """Sign somebody in with password and code, by keyboard; zhao is the manager. A code is good for
    one sign-in. Returns the address of the community's pages.

    Args:
        ahead: seconds his clock is; 30 where he may have signed in a moment ago.
    """
    [one] = [staff for staff in demo.get("/demo.json")["staff"] if staff["login"] == login]
    enter(page, demo, login, one["password"], one["totp_secret"], ahead=ahead)
    return f"{demo.service}/console/HY"


def enter(
    page: Page, demo: Demo, login: str, password: str, totp_secret: str, *, ahead: int = 0
) -> None:
    """Fill the form in and wait until the door is open."""
    page.goto(f"{demo.service}/console/sign-in")
    page.get_by_label("登录名").fill(login)
    page.get_by_label("密码").fill(password)
    page.get_by_label("动态码").fill(pyotp.TOTP(totp_secret).at(time.time() + ahead))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="退出")).to_be_visible()
