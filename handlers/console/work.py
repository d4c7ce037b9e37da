"""Long work in the console: asked for here, done by a worker, followed on a page that renews
itself. Closing the page ends nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.imports.columns import SheetKind
from billing.imports.reasons import Fault
from billing.labels import LabelEnum
from billing.long_work import (
    LongWork,
    WorkKind,
    WorkState,
    ask_again,
    ask_work,
    get_work,
    is_left,
    list_under_way,
)
from billing.people import Staff
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.words import explain_words
from handlers.long_work import wake_workers

HUNDRED = 100
FAULTS_SHOWN = 100


class Done(LabelEnum):
    """What was done."""

    ASKED = "asked", "已开始，可以离开本页，完成后再回来看"
    AGAIN = "again", "已重新开始"


@dataclass(frozen=True, slots=True)
class Shown:
    """A piece of work as its page shows it.

    Attributes:
        is_left: its worker died; another takes it up within half a minute.
        percent: of the steps that are done; None before it is known of how many it consists.
        refused: why it failed.
    """

    work: LongWork
    by: str
    is_left: bool
    percent: int | None
    refused: str | None


def ask(
    desk: Desk,
    kind: WorkKind,
    *,
    key: str,
    request: Mapping[str, Any],
    file_sealed: bytes | None = None,
) -> Response:
    """Write the work down, wake a worker after the commit, and go on to the work's page.

    Raises:
        Conflict: the same work is under way.
    """
    work = ask_work(
        desk.session,
        desk.community_id,
        kind,
        key=key,
        request=request,
        staff_id=desk.staff.id,
        now=desk.now,
        file_sealed=file_sealed,
    )
    desk.afterwards.append(partial(wake_workers, desk.services))
    return desk.done(Done.ASKED, "work_show", number=work.id)


def under_way(desk: Desk) -> list[Shown]:
    """What waits or is under way here."""
    return [_shown(desk, work) for work in list_under_way(desk.session, desk.community_id)]


def _shown(desk: Desk, work: LongWork) -> Shown:
    by = desk.session.scalar(select(Staff.name).where(Staff.id == work.asked_by)) or ""
    refused = (work.outcome or {}).get("refused")
    return Shown(
        work=work,
        by=by,
        is_left=is_left(desk.session, work),
        percent=HUNDRED * work.done // work.total if work.total else None,
        refused=None if refused is None else explain_words(str(refused)),
    )


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """How far it is, and what came of it."""
    return page_of(desk, number, Form())


def page_of(desk: Desk, number: int, form: Form) -> tuple[str, int]:
    """The page of a piece of work, with what was wrong with a form on it."""
    work = get_work(desk.session, desk.community_id, number)
    return desk.page(
        "work/show.html",
        shown=_shown(desk, work),
        form=form,
        kinds=WorkKind,
        states=WorkState,
        report=open_report(desk, work),
        most=FAULTS_SHOWN,
        sheets=SheetKind,
    )


def open_report(desk: Desk, work: LongWork) -> dict[str, list[Fault]]:
    """Faults and warnings of a workbook that was checked; none of other work, nor once they are
    forgotten.
    """
    if work.report_sealed is None:
        return {"errors": [], "warnings": []}
    report = orjson.loads(desk.services.vault.open_file(work.report_sealed))
    return {kind: [Fault(**one) for one in report[kind]] for kind in ("errors", "warnings")}


def live(desk: Desk, number: int) -> ResponseReturnValue:
    """The part of the page that renews itself."""
    work = get_work(desk.session, desk.community_id, number)
    return desk.page("work/live.html", shown=_shown(desk, work), states=WorkState)


def again(desk: Desk, number: int) -> ResponseReturnValue:
    """Have what failed done again; what was done is not done twice."""
    work = get_work(desk.session, desk.community_id, number)
    form = Form()

    def act() -> Response:
        ask_again(desk.session, work)
        desk.afterwards.append(partial(wake_workers, desk.services))
        return desk.done(Done.AGAIN, "work_show", number=number)

    return desk.submit(form, act, lambda: page_of(desk, number, form))
