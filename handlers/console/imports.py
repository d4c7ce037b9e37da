"""Import of homes, people, prices, meters and opening debts from a workbook: uploaded and checked
row by row, then imported as a whole, both in the background.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.errors import Conflict, InvalidInput, NotFound
from billing.imports.columns import SheetKind
from billing.imports.template import write_faults, write_template
from billing.imports.workbook import check_workbook
from billing.labels import LabelEnum
from billing.long_work import LongWork, WorkKind, WorkState, get_work
from billing.people import Staff
from handlers.console import work
from handlers.console.desk import Desk
from handlers.console.forms import Form, Problem
from handlers.console.lists import Listing, show_list
from handlers.console.sheets import XLSX

UPLOAD_BYTES_MAX = 20 * 2**20
NAME_MAX = 100
KEY = "import"


class ImportColumn(LabelEnum):
    """Columns of the list of imports."""

    NUMBER = "key", "编号"
    KIND = "kind", "步骤"
    FILE = "file", "文件"
    STATE = "state", "状态"
    BY = "by", "员工"
    AT = "asked_at", "时间"


def index(desk: Desk) -> Any:
    """The form to upload a workbook, and what was imported before."""
    return _index(desk, Form())


def _index(desk: Desk, form: Form) -> Any:  # a page, or a file
    query = (
        select(
            LongWork.id.label("key"),
            LongWork.kind,
            LongWork.request["name"].astext.label("file"),
            LongWork.state,
            Staff.name.label("by"),
            LongWork.asked_at,
        )
        .join(Staff, Staff.id == LongWork.asked_by)
        .where(
            LongWork.community_id == desk.community_id,
            LongWork.kind.in_((WorkKind.CHECK, WorkKind.IMPORT)),
        )
    )
    listing = Listing("imports", ImportColumn, query, newest_first=True)
    return show_list(
        desk, listing, "imports/index.html", form=form, sheets=SheetKind, states=WorkState
    )


def template(desk: Desk) -> ResponseReturnValue:
    """The workbook to fill in."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "template.xlsx"
        write_template(path)
        return _send(path.read_bytes(), f"template-{desk.community.code}.xlsx")


def _send(content: bytes, name: str) -> Response:
    response = Response(content, mimetype=XLSX)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def upload(desk: Desk) -> ResponseReturnValue:
    """Take a workbook in: what is hostile or no workbook is refused at once, the rows are checked
    in the background.
    """
    form = Form({"file": ""})
    sent = request.files.get("file")
    content = b"" if sent is None else sent.read()
    if not content:
        form.refuse("file", Problem.NOT_CHOSEN.label)
    name = "" if sent is None or sent.filename is None else Path(sent.filename).name

    def act() -> Response:
        check_workbook(content)
        return work.ask(
            desk,
            WorkKind.CHECK,
            key=KEY,
            request={"name": name[:NAME_MAX]},
            file_sealed=desk.services.vault.seal_file(content),
        )

    return desk.submit(form, act, lambda: _index(desk, form))


def _checked(desk: Desk, number: int) -> LongWork:
    found = get_work(desk.session, desk.community_id, number)
    if found.kind not in (WorkKind.CHECK, WorkKind.IMPORT):
        raise NotFound(f"work {number} is no import")
    return found


def commit(desk: Desk, number: int) -> ResponseReturnValue:
    """Import a workbook that was checked and found sound, in the background: all or nothing."""
    checked = _checked(desk, number)
    form = Form()

    def act() -> Response:
        if checked.kind is not WorkKind.CHECK or not (checked.outcome or {}).get("ok"):
            raise InvalidInput("file", "was not found sound: check it again")
        if checked.file_sealed is None:
            raise Conflict("the file is not kept any more: upload it again")
        asked = {"name": checked.request["name"], "check": checked.id}
        return work.ask(desk, WorkKind.IMPORT, key=KEY, request=asked)

    return desk.submit(form, act, lambda: work.page_of(desk, number, form))


def faults(desk: Desk, number: int) -> ResponseReturnValue:
    """What is wrong with a workbook, as a workbook."""
    found = _checked(desk, number)
    report = work.open_report(desk, found)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "errors.xlsx"
        write_faults(path, [*report["errors"], *report["warnings"]])
        return _send(path.read_bytes(), f"errors-{number}.xlsx")
