"""What the browser is given: small, ours only, and nothing a strict content policy would block."""

import gzip
import re
from pathlib import Path

import pytest
from flask import render_template

from notify.wording import TEMPLATES
from tests.handlers.pages.conftest import Browser, House

OWN = sorted([*(TEMPLATES / "pages").glob("*.html"), *(TEMPLATES / "errors").glob("*.html")])
STATIC = TEMPLATES.parent / "handlers" / "static"
OWNER_FILES = ("owner.css", "choose.js", "leave.js", "pay.js", "sign-in.js", "icon.svg")


@pytest.mark.parametrize("template", OWN, ids=lambda path: path.name)
def test_no_template_needs_inline_style_or_script(template: Path) -> None:
    source = template.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", source)
    assert all(" src=" in tag for tag in re.findall(r"<script[^>]*>", source))


@pytest.mark.parametrize("template", OWN, ids=lambda path: path.name)
def test_nothing_loads_from_elsewhere(template: Path) -> None:
    assert not re.search(r"https?://|//cdn", template.read_text(encoding="utf-8"))


def test_every_template_is_used() -> None:
    sources = [path.read_text(encoding="utf-8") for path in OWN]
    sources += [
        path.read_text(encoding="utf-8")
        for folder in ("handlers", "bot")
        for path in (TEMPLATES.parent / folder).rglob("*.py")
    ]
    unused = [
        path.name
        for path in OWN
        if not any(f'"{path.relative_to(TEMPLATES)}"' in source for source in sources)
    ]
    assert unused == []


def test_a_page_with_all_it_loads_is_small(house: House, owner: Browser) -> None:
    page = owner.get(f"/o/home/{house.token}").html.encode()
    everything = [page, *((STATIC / name).read_bytes() for name in OWNER_FILES)]
    assert sum(len(gzip.compress(part)) for part in everything) < 20_000
    assert (STATIC / "owner.css").stat().st_size < 12_000


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "这里不对您开放"),
        (404, "没有这个页面"),
        (405, "这个请求我们没看懂"),
        (429, "请歇一歇"),
        (500, "是我们这边的错"),
    ],
)
def test_every_error_has_a_sentence(house: House, status: int, words: str) -> None:
    with house.app.test_request_context():
        page = render_template("errors/error.html", status=status, reference=None)
    assert words in page
    assert "编号" not in page.replace("下面的编号", "")


def test_an_error_of_ours_has_a_number_to_tell(house: House) -> None:
    with house.app.test_request_context():
        page = render_template("errors/error.html", status=500, reference="7F3A91C0")
    assert "编号 7F3A91C0" in page


def test_an_unknown_address_gets_the_kind_page(house: House, owner: Browser) -> None:
    page = owner.get("/o/nothing-here")
    assert page.status == 404
    assert page.shows("没有这个页面")
