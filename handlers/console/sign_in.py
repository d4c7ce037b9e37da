"""Signing in to the console. The session's token is in the signed cookie, its hash in the books."""

from flask import redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from billing.staff_access import Login, SignInRefusal, sign_in
from handlers.services import Services

TOKEN, BACK = "staff_session", "staff_back"  # names in the cookie


def show(services: Services) -> ResponseReturnValue:
    """The form."""
    return render_template("console/sign_in.html", refusal=None, login="")


def enter(services: Services) -> ResponseReturnValue:
    """Sign in; whoever used this browser before is forgotten, with everything of his."""
    login = Login(
        login=request.form.get("login", ""),
        password=request.form.get("password", ""),
        code=request.form.get("totp", ""),
        address=request.remote_addr or "",
        browser=request.user_agent.string,
    )
    with services.database.transaction() as books:
        outcome = sign_in(books, services.vault, login, services.clock())
    if isinstance(outcome, SignInRefusal):
        page = render_template("console/sign_in.html", refusal=outcome.value, login=login.login)
        return page, 429 if outcome is SignInRefusal.LOCKED else 401
    back = session.get(BACK)
    session.clear()
    session[TOKEN] = outcome[1]
    return redirect(back if isinstance(back, str) else url_for("console.overview_index"), 303)
