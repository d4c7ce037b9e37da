"""Tags of a home (标签): the staff's own words for it, on its account; owners do not see them."""

from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from billing.home_tags import add_tag, remove_tag
from billing.labels import LabelEnum
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.homes import account, find_home


class Done(LabelEnum):
    """What was done."""

    ADDED = "added", "标签已加上"
    REMOVED = "removed", "标签已去掉"


def add(desk: Desk, number: int) -> ResponseReturnValue:
    """Tag the home; a tag it carries already changes nothing."""
    unit, form = find_home(desk, number), Form(request.form, place="tag-")
    tag = form.text("tag")

    def act() -> Response:
        add_tag(desk.session, [unit], tag, by=desk.staff, now=desk.now)
        return desk.done(Done.ADDED, "homes_show", number=unit.id)

    return desk.submit(form, act, lambda: account(desk, unit, form))


def remove(desk: Desk, number: int) -> ResponseReturnValue:
    """Take a tag off."""
    unit, form = find_home(desk, number), Form(request.form, place="tag-")
    tag = form.text("tag")

    def act() -> Response:
        remove_tag(desk.session, [unit], tag, by=desk.staff)
        return desk.done(Done.REMOVED, "homes_show", number=unit.id)

    return desk.submit(form, act, lambda: account(desk, unit, form))
