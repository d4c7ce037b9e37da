"""A visitor paying a link in a browser outside WeChat."""

from collections.abc import Sequence

from sandbox.config import SandboxConfig
from sandbox.phone.control import Book
from sandbox.phone.forms import Page
from sandbox.phone.payer import NOTIFIED_WITHIN_S, PayFailedError, Receipt, submitting
from sandbox.phone.webview import Loaded, Visit, WebError
from sandbox.visitor.browser import Browsers


class Visitors:
    """Everybody who comes without WeChat; `books` are the providers whose cashiers they meet."""

    def __init__(self, config: SandboxConfig, books: Sequence[Book]):
        self._browsers = Browsers(config)
        self._books = books

    def show(self, name: str, browser: str, url: str) -> Loaded:
        """Open a page; raises PayFailedError where there is no answer."""
        return self._load(name, browser, Visit(url), "open")

    def pay(self, name: str, browser: str, url: str, way: str, amount_fen: int | None) -> Receipt:
        """Pay a link in the way chosen on its page, in part where an amount is given.

        The page marks each way's form, link or button with `data-way`; submitting it redirects to
        the provider's cashier, or answers a page that names it in `data-redirect`.
        Raises PayFailedError, naming the step.
        """
        yuan = None if amount_fen is None else f"{amount_fen // 100}.{amount_fen % 100:02d}"
        page = self._page(name, browser, Visit(url), "open")
        chosen = page.way(way, yuan)
        if chosen is None:
            raise PayFailedError(f"open: the page offers no way {way}: {page.complaint}")
        visit = Visit(chosen) if isinstance(chosen, str) else submitting(chosen)
        page = self._page(name, browser, visit, "submit")
        target = page.redirect()
        if target is not None:
            page = self._page(name, browser, Visit(target), "cashier")
        confirmation = page.confirmation()
        if confirmation is None:
            raise PayFailedError(f"cashier: nothing to confirm: {page.complaint}")
        form, out_trade_no = confirmation
        self._page(name, browser, submitting(form), "return")
        return self._receipt(out_trade_no)

    def _receipt(self, out_trade_no: str) -> Receipt:
        for book in self._books:
            for order in book.ledger():
                if order["out_trade_no"] == out_trade_no and order["paid_fen"]:
                    status = book.wait_first_notify(out_trade_no, NOTIFIED_WITHIN_S)
                    return Receipt(out_trade_no, int(str(order["paid_fen"])), status)
        raise PayFailedError(f"cashier: {out_trade_no} is not paid")

    def _page(self, name: str, browser: str, visit: Visit, step: str) -> Page:
        loaded = self._load(name, browser, visit, step)
        page = Page(loaded.text, loaded.url)
        if loaded.status != 200:
            raise PayFailedError(f"{step}: HTTP {loaded.status}: {page.complaint}")
        return page

    def _load(self, name: str, browser: str, visit: Visit, step: str) -> Loaded:
        try:
            return self._browsers.open(name, browser, visit)
        except WebError as error:
            raise PayFailedError(f"{step}: {error}") from None
