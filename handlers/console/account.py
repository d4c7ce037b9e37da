"""One's own account: the password, and where one is signed in."""

from flask import redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from billing.labels import LabelEnum
from billing.staff_access import change_password, end_sessions, find_session, list_sessions
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.sign_in import TOKEN

FIELDS = ("old", "new", "again")


class Done(LabelEnum):
    """What was done."""

    CHANGED = "changed", "密码已更改，其他设备已退出登录"
    ENDED = "ended", "该设备已退出登录"


class Objection(LabelEnum):
    """Why a form is not accepted."""

    DIFFERENT = "different", "两次输入的新密码不一样"


def show(desk: Desk) -> ResponseReturnValue:
    """The account."""
    return _page(desk, Form())


def _page(desk: Desk, form: Form) -> tuple[str, int]:
    signed_in = find_session(desk.session, session[TOKEN], desk.now)
    return desk.page(
        "account.html",
        form=form,
        sessions=list_sessions(desk.session, desk.staff.id, desk.now),
        must_change=signed_in is not None and signed_in.must_change,
    )


def change(desk: Desk) -> ResponseReturnValue:
    """Choose another password. What was typed is not shown again: it is secret."""
    typed = request.form
    form = Form(dict.fromkeys(FIELDS, ""))
    if typed.get("new") != typed.get("again"):
        form.refuse("again", Objection.DIFFERENT.label)

    def act() -> Response:
        old, new = typed.get("old", ""), typed.get("new", "")
        change_password(desk.session, desk.staff, old, new, desk.now, keep=desk.session_id)
        return desk.done(Done.CHANGED, "account_show")

    return desk.submit(form, act, lambda: _page(desk, form))


def end(desk: Desk, number: int) -> ResponseReturnValue:
    """Sign a browser of one's own out."""
    end_sessions(desk.session, desk.staff.id, desk.now, only=number)
    return desk.done(Done.ENDED, "account_show")


def sign_out(desk: Desk) -> ResponseReturnValue:
    """Sign out here."""
    end_sessions(desk.session, desk.staff.id, desk.now, only=desk.session_id)
    session.clear()
    return redirect(url_for("console.sign_in_show"), 303)
