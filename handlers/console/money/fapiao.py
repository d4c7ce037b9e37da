"""Fapiao (发票): asked for by owners; issued, rejected and red-reversed by staff."""

from io import BytesIO

from flask import request, send_file
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.errors import NotFound
from billing.fapiao import (
    find_file,
    get_fapiao,
    issue_fapiao,
    list_parts,
    open_title,
    reject_fapiao,
    reverse_fapiao,
)
from billing.fapiao_papers import FILE_BYTES_MAX
from billing.fapiao_tables import Fapiao, FapiaoState, FileKind, TitleKind
from billing.labels import LabelEnum
from billing.people import BOOKKEEPERS, Staff
from billing.privacy import mask_name
from billing.property import Unit
from billing.sightings import Sight, note_sightings
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list

FORM_BYTES_MAX = FILE_BYTES_MAX + 64 * 1024
ALL = "all"
MIME = {
    FileKind.PDF: "application/pdf",
    FileKind.OFD: "application/ofd",
    FileKind.PNG: "image/png",
}


class Done(LabelEnum):
    """What was done."""

    ISSUED = "issued", "已登记开具，业主会收到通知"
    REJECTED = "rejected", "已退回，业主会看到原因"
    REVERSED = "reversed", "已登记红冲，业主可以重新申请"


class FapiaoColumn(LabelEnum):
    """Columns of the list of fapiao."""

    NUMBER = "key", "编号"
    AT = "requested_at", "申请时间"
    ROOM = "room", "房号"
    KIND = "title_kind", "抬头"
    AMOUNT = "amount", "金额（元）"
    STATE = "state", "状态"
    PRINTED = "number", "发票号码"


def index(desk: Desk) -> ResponseReturnValue:
    """Those that wait, or those in a state."""
    form = Form(request.args)
    query = (
        select(
            Fapiao.id.label("key"),
            Fapiao.requested_at,
            Unit.room,
            Fapiao.title_kind,
            Fapiao.amount,
            Fapiao.state,
            Fapiao.number,
        )
        .join(Unit, (Unit.community_id == Fapiao.community_id) & (Unit.id == Fapiao.unit_id))
        .where(Fapiao.community_id == desk.community_id)
    )
    if form.typed("state") != ALL:
        state = form.choice("state", FapiaoState, default=FapiaoState.REQUESTED)
        query = query.where(Fapiao.state == state)
    listing = Listing("fapiao", FapiaoColumn, query, newest_first=True)
    return show_list(desk, listing, "money/fapiao.html", form=form, states=FapiaoState)


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """One of them; a person's name is masked."""
    return _show(desk, number, Form())


def reveal(desk: Desk, number: int) -> ResponseReturnValue:
    """The same with the name in full, to issue it by; the log says who looked."""
    return _show(desk, number, Form(), in_full=True)


def _show(desk: Desk, number: int, form: Form, *, in_full: bool = False) -> tuple[str, int]:
    session = desk.session
    found = get_fapiao(session, desk.community_id, number)
    _note(desk, found, is_in_full=in_full)
    title = open_title(desk.services.vault, found)
    hidden = title.kind is TitleKind.PERSONAL and not in_full
    return desk.page(
        "money/fapiao_one.html",
        form=form,
        fapiao=found,
        unit=session.get_one(Unit, (desk.community_id, found.unit_id)),
        title=title,
        name=mask_name(title.name) if hidden else title.name,
        email=title.email if in_full else None,
        is_hidden=hidden or (title.email is not None and not in_full),
        parts_of=list_parts(session, found),
        file=find_file(session, found),
        issuer=session.get(Staff, found.issued_by) if found.issued_by else None,
        ender=session.get(Staff, found.ended_by) if found.ended_by else None,
        FapiaoState=FapiaoState,
        may_write=desk.staff.role in BOOKKEEPERS,
    )


def _note(desk: Desk, fapiao: Fapiao, *, is_in_full: bool) -> None:
    """Write down who saw it, and who saw the whole name."""
    home = (desk.community_id, fapiao.unit_id)
    for what in (Sight.FAPIAO, Sight.PERSONAL) if is_in_full else (Sight.FAPIAO,):
        note_sightings(desk.session, [home], what, desk.now, staff_id=desk.staff.id)


def file(desk: Desk, number: int) -> ResponseReturnValue:
    """Its file, which has a person's name in full."""
    fapiao = get_fapiao(desk.session, desk.community_id, number)
    found = find_file(desk.session, fapiao)
    if found is None:
        raise NotFound(f"fapiao {number} has no file")
    _note(desk, fapiao, is_in_full=fapiao.title_kind is TitleKind.PERSONAL)
    return send_file(
        BytesIO(found.content),
        mimetype=MIME[found.kind],
        as_attachment=True,
        download_name=f"fapiao-{number}.{found.kind.value}",
    )


def issue(desk: Desk, number: int) -> ResponseReturnValue:
    """Write down its number and keep its file."""
    form = Form(request.form)
    printed = form.text("printed", most=40)
    sent = request.files.get("file")
    content = sent.read(FILE_BYTES_MAX + 1) if sent is not None else b""
    form.values["file"] = ""

    def act() -> Response:
        issue_fapiao(
            desk.session,
            desk.community_id,
            number,
            number=printed,
            content=content or None,
            by=desk.staff,
            now=desk.now,
        )
        return desk.done(Done.ISSUED, "fapiao_index")

    return desk.submit(form, act, lambda: _show(desk, number, form), called={"number": "printed"})


def reject(desk: Desk, number: int) -> ResponseReturnValue:
    """Refuse a request; the owner is told why."""
    form = Form(request.form)
    reason = form.text("reason")

    def act() -> Response:
        reject_fapiao(
            desk.session, desk.community_id, number, reason=reason, by=desk.staff, now=desk.now
        )
        return desk.done(Done.REJECTED, "fapiao_index")

    return desk.submit(form, act, lambda: _show(desk, number, form))


def reverse(desk: Desk, number: int) -> ResponseReturnValue:
    """Write down the red fapiao that took it back."""
    form = Form(request.form)
    reason, red = form.text("reason"), form.text("red", most=40)

    def act() -> Response:
        reverse_fapiao(
            desk.session,
            desk.community_id,
            number,
            reason=reason,
            red_number=red,
            by=desk.staff,
            now=desk.now,
        )
        return desk.done(Done.REVERSED, "fapiao_show", number=number)

    return desk.submit(form, act, lambda: _show(desk, number, form), called={"number": "red"})
