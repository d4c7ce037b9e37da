"""A person paying a link: open, fill, press, confirm at the cashier, return."""

from dataclasses import dataclass
from urllib.parse import urljoin

from sandbox.pay import PayBook, PayRefused
from sandbox.phone.forms import Call, Page, Submission
from sandbox.phone.webview import Loaded, Visit, WebError, WebView

NOTIFIED_WITHIN_S = 6.0


class PayFailedError(Exception):
    """The payment did not come about; the message names the step and what the page said."""


@dataclass(frozen=True)
class Receipt:
    """What the provider booked, and how the service took the first callback."""

    out_trade_no: str
    paid_fen: int
    notify_status: str


def submitting(form: Submission) -> Visit:
    """Give the request a browser makes when a form is submitted."""
    if form.method == "GET":
        return Visit(f"{form.url.partition('?')[0]}?{form.body.decode()}")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Visit(form.url, form.method, form.body, headers)


class Payer:
    """Pays as one would by hand, through the same browser and the same cashier."""

    def __init__(self, webview: WebView, book: PayBook, service_url: str):
        self._webview = webview
        self._book = book
        self._service_url = service_url

    def pay(self, openid: str, url: str, amount_fen: int | None) -> Receipt:
        """Pay a link, in part where an amount is given; raises PayFailedError."""
        form = self._payment_form(openid, urljoin(self._service_url + "/", url), amount_fen)
        call = self._submit(openid, form)
        try:
            checkout = self._book.checkout(call.params, openid)
            paid = self._book.confirm(checkout.prepay_id, openid)
        except PayRefused as refusal:
            raise PayFailedError(f"cashier: {refusal}") from None
        if call.return_url:
            self._open(openid, Visit(call.return_url), "return")
        status = self._book.wait_first_notify(paid.out_trade_no, NOTIFIED_WITHIN_S)
        return Receipt(paid.out_trade_no, paid.paid_fen, status)

    def _payment_form(self, openid: str, url: str, amount_fen: int | None) -> Submission:
        yuan = None if amount_fen is None else f"{amount_fen // 100}.{amount_fen % 100:02d}"
        page = self._open(openid, Visit(url), "open")
        form, link = page.payment_form(yuan), page.pay_link()
        if form is None and link is not None:
            page = self._open(openid, Visit(link), "pay link")
            form = page.payment_form(yuan)
        if form is None:
            raise PayFailedError(f"open: no payment form on the page: {page.complaint}")
        return form

    def _submit(self, openid: str, form: Submission) -> Call:
        page = self._open(openid, submitting(form), "submit")
        try:
            call = page.call()
        except ValueError as error:
            raise PayFailedError(f"submit: {error}") from None
        if call is None:
            raise PayFailedError(f"submit: the page does not call the cashier: {page.complaint}")
        return call

    def _open(self, openid: str, visit: Visit, step: str) -> Page:
        try:
            loaded: Loaded = self._webview.browse(openid, visit)
        except WebError as error:
            raise PayFailedError(f"{step}: {error}") from None
        page = Page(loaded.text, loaded.url)
        if loaded.status != 200:
            raise PayFailedError(f"{step}: HTTP {loaded.status}: {page.complaint}")
        return page
