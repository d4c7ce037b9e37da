"""Where work begins: the communities, and the state of one."""

from flask import redirect
from flask.typing import ResponseReturnValue

from handlers.console.desk import Desk


def index(desk: Desk) -> ResponseReturnValue:
    """The communities one works for; with a single one, that."""
    if len(desk.communities) == 1:
        return redirect(desk.url("overview_community", code=desk.communities[0].code))
    return desk.page("overview/index.html")


def community(desk: Desk) -> ResponseReturnValue:
    """What needs a hand in a community, and how much came in."""
    return desk.page("overview/community.html")
