"""WeChat Pay's page outside WeChat: where an H5 order's address leads. Loopback only."""

from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from sandbox.pay import H5_PATH, PayBook, PayRefused
from sandbox.phone.control import refuse_strangers

_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'"


def h5_routes(book: PayBook) -> Blueprint:
    """Give the blueprint of the page; `redirect_url` in its query is where the payer returns to."""
    blueprint = Blueprint("h5", __name__)
    blueprint.before_request(refuse_strangers)

    @blueprint.errorhandler(PayRefused)
    def refuse(refusal: PayRefused) -> Response:
        return _page(refusal=str(refusal), http=409)

    @blueprint.get(H5_PATH)
    def show() -> Response:
        """Show what is to be paid."""
        return _page(checkout=book.visit(request.url))

    @blueprint.post(H5_PATH)
    def pay() -> Response:
        """Pay, and return to the merchant's page where the address names one."""
        paid = book.confirm_visit(request.url)
        back = request.args.get("redirect_url", "")
        if back.startswith(("http://", "https://")):
            return redirect(back, 303)
        return _page(paid=paid)

    return blueprint


def _page(http: int = 200, **shown: object) -> Response:
    page = make_response(render_template("h5.html", **shown), http)
    page.headers["Content-Security-Policy"] = _POLICY
    return page
