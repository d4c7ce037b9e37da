"""Members of staff at work in one running demo, shared by the files that walk through their tasks.

Everybody signs in once; every page he opens is looked at when it has loaded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Locator, Page, expect

from tests.browser.staff import sign_in
from tests.running import Demo, Phone

DESKTOP, PHONE = (1280, 800), (390, 844)
SIZES = [DESKTOP, PHONE]

LOOK = """
window.print = () => {};
window.addEventListener("load", () => {
  const wider = document.documentElement.scrollWidth - window.innerWidth;
  if (wider > 0) console.error(`${location.pathname} is ${wider} px wider than the window`);
  for (const one of document.querySelectorAll("input:not([hidden], [type=hidden]), select")) {
    const named = one.labels.length || one.ariaLabel;
    if (!named) console.error(`${location.pathname}: ${one.name} has no label`);
  }
});
"""
"""What a page must be however it was come by; a complaint on the console fails the test."""


@dataclass(slots=True)
class Walk:
    """The demo, and its staff at their desks."""

    demo: Demo
    open_page: Callable[[int, int], Page]
    cookies: dict[str, list[dict[str, str]]]

    @property
    def here(self) -> str:
        """The address of the community's pages."""
        return f"{self.demo.service}/console/HY"

    def open(self, size: tuple[int, int]) -> Page:
        """A window of nobody yet, which says yes to every question."""
        page = self.open_page(*size)
        page.add_init_script(LOOK)
        page.on("dialog", lambda asked: asked.accept())
        return page

    def at(self, login: str, size: tuple[int, int]) -> Page:
        """His first page, on a desktop or a phone; by the door only the first time."""
        page = self.open(size)
        if login in self.cookies:
            page.context.add_cookies(self.cookies[login])  # type: ignore[arg-type]
        else:
            sign_in(page, self.demo, login)
            self.cookies[login] = page.context.cookies()  # type: ignore[assignment]
        page.goto(f"{self.here}/")
        return page

    def owner(self, number: int) -> tuple[Phone, str]:
        """An owner's phone that has bound a home of the demo's list, and the room."""
        home, phone = self.demo.home(number), self.demo.phone()
        phone.binds(home)
        return phone, home["room"]


def go(page: Page, words: str) -> None:
    """Follow a link of the menu, which a phone keeps folded."""
    menu = page.get_by_role("navigation", name="功能")
    if page.viewport_size == {"width": PHONE[0], "height": PHONE[1]}:
        menu.get_by_text("菜单", exact=True).click()
    menu.get_by_role("link", name=words, exact=True).click()


def open_home(page: Page, room: str, tab: str = "账户") -> None:
    """Find a home from the header and open a part of it."""
    page.get_by_role("searchbox", name="查找房屋").fill(room)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(room)
    page.get_by_role("navigation", name="这套房屋").get_by_role(
        "link", name=tab, exact=True
    ).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(room)


def move_in(page: Page, room: str, name: str) -> None:
    """Write a tenant down, who came nine days ago."""
    open_home(page, room, "住户与绑定")
    page.get_by_text("登记入住（租户、家人").click()
    form = card(page, "登记入住（租户")
    form.get_by_label("姓名").fill(name)
    form.get_by_label("电话").fill("10000008888")
    form.get_by_label("入住日").fill((datetime.now(UTC).date() - timedelta(days=9)).isoformat())
    form.get_by_role("button", name="登记入住").click()
    told(page, "已登记入住")


def card(page: Page, title: str) -> Locator:
    """The part of a page under a heading."""
    return page.locator("section.card, details.card").filter(has_text=title).first


def told(page: Page, words: str) -> None:
    """The page says at its head what was done."""
    expect(page.get_by_role("status").filter(has_text=words)).to_be_visible()
