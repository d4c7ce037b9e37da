"""Reads a page the way a person and a browser do: its form, its links, what it complains about."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urljoin

from lxml import html

AMOUNT = "amount"


@dataclass(frozen=True)
class Submission:
    """A form as the browser sends it."""

    url: str
    method: str
    fields: tuple[tuple[str, str], ...]

    @property
    def body(self) -> bytes:
        """Give the fields as a browser writes them."""
        return urlencode(self.fields).encode()


@dataclass(frozen=True)
class Call:
    """A page's call for the cashier: the bridge's parameters, and where to go afterwards."""

    params: dict[str, str]
    return_url: str | None


class Page:
    """A page loaded from `url`."""

    def __init__(self, text: str, url: str):
        parser = html.HTMLParser(encoding="utf-8")
        content = text.strip() or "<html></html>"
        self._root: Any = html.document_fromstring(content.encode(), parser=parser)
        self._url = url

    @property
    def complaint(self) -> str:
        """Give the page's title and its first text that looks like an error."""
        title = " ".join(self._root.xpath("string(//title)").split())
        shown = self._root.xpath(
            "//*[@role='alert' or contains(concat(' ', @class), ' error')]"
            " | //h1[not(//*[@role='alert'])]"
        )
        first = " ".join(shown[0].text_content().split())[:200] if shown else ""
        return " - ".join(part for part in (title, first) if part)

    def pay_link(self) -> str | None:
        """Give the address of the link to the payment page."""
        found = self._root.xpath("//a[@data-pay-link]/@href")
        return urljoin(self._url, str(found[0])) if found else None

    def payment_form(self, yuan: str | None) -> Submission | None:
        """Fill the form with an amount, leaving it alone where `yuan` is None, and press pay."""
        for form in self._root.forms:
            inputs = form.xpath(f".//input[@name='{AMOUNT}']")
            if not inputs:
                continue
            if yuan is not None:
                inputs[0].set("value", yuan)
            return self._submission(form, self._button(form))
        return None

    def way(self, way: str, yuan: str | None) -> Submission | str | None:
        """Choose a way to pay: give its form, filled as `payment_form` does, or its address."""
        found = self._root.xpath("//*[@data-way=$way]", way=way)
        if not found:
            return None
        if found[0].tag == "a":
            return urljoin(self._url, str(found[0].get("href", "")))
        form = found[0] if found[0].tag == "form" else next(found[0].iterancestors("form"), None)
        if form is None:
            return None
        inputs = form.xpath(f".//input[@name='{AMOUNT}']")
        if yuan is not None and inputs:
            inputs[0].set("value", yuan)
        return self._submission(form, self._button(form) if form is found[0] else found[0])

    def redirect(self) -> str | None:
        """Give the address of the cashier that a page sends its payer to."""
        found = self._root.xpath("//@data-redirect")
        return urljoin(self._url, str(found[0])) if found else None

    def confirmation(self) -> tuple[Submission, str] | None:
        """Give a pretend cashier's form and the number of the order it pays."""
        for form in self._root.xpath("//form[@data-order]"):
            return self._submission(form, self._button(form)), str(form.get("data-order"))
        return None

    def call(self) -> Call | None:
        """Give the page's call for the cashier; raises ValueError where it is not JSON of texts."""
        found = self._root.xpath("//*[@data-jsapi]")
        if not found:
            return None
        params = json.loads(found[0].get("data-jsapi"))
        if not isinstance(params, dict) or not all(isinstance(v, str) for v in params.values()):
            raise ValueError("data-jsapi is not an object of texts")
        back = found[0].get("data-return")
        return Call(params, urljoin(self._url, back) if back else None)

    def _button(self, form: Any) -> Any:
        buttons = form.xpath(
            ".//button[not(@type) or @type='submit'][not(@disabled)]"
            " | .//input[@type='submit'][not(@disabled)]"
        )
        return buttons[0] if buttons else None

    def _submission(self, form: Any, button: Any) -> Submission:
        fields = [(str(name), str(value)) for name, value in form.form_values()]
        action, method = form.get("action"), form.get("method", "get")
        if button is not None:
            if button.get("name"):
                fields.append((button.get("name"), button.get("value", "")))
            action = button.get("formaction", action)
        return Submission(urljoin(self._url, action or ""), method.upper(), tuple(fields))
