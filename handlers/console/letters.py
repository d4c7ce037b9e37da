"""催缴函: the letters of a community, printed for many homes at once, opened again as they were
kept, and how they arrived.
"""

import re
from collections.abc import Sequence
from typing import Any

from flask import Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy import select
from werkzeug.wrappers import Response as Answer

from billing.db import id_array
from billing.dunning import NOTE_CHARACTERS_MAX
from billing.dunning_letters import (
    LetterNumber,
    get_letters,
    homes_with_letter,
    letter_rows,
    list_services,
    record_service,
)
from billing.dunning_tables import Dunning, ServiceWay
from billing.errors import Conflict, NotFound
from billing.labels import LabelEnum
from billing.property import Unit
from billing.reports.ageing import Bucket, homes_in_arrears
from billing.sightings import Sight, note_sightings
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list
from handlers.console.permissions import Permission
from handlers.dunning_letter import RESPOND_DAYS_USUAL, print_letters

LETTERS_AT_ONCE = 200
"""So many are printed, or opened, in one go."""

STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
BODY = re.compile(r"<body>(.*)</body>", re.DOTALL)
NUMBER = re.compile(r"[0-9]{1,18}")


class Done(LabelEnum):
    """What was done."""

    PRINTED = "printed", "催缴函已编号保存，请在下面打印"
    DELIVERED = "delivered", "送达已登记"


class Problem(LabelEnum):
    """Why nothing was printed."""

    NONE_CHOSEN = "none_chosen", "请先勾选房屋"
    TOO_MANY = "too_many", "一次最多打印 200 份，请分批打印"


class Which(LabelEnum):
    """Whose letters are printed."""

    TICKED = "ticked", "打印勾选的"
    MOST = "most", "打印欠得最多的"


class NotYet(LabelEnum):
    """What stands for a delivery nobody recorded."""

    SERVED = "served", "未登记"


class LetterColumn(LabelEnum):
    """Columns of the list."""

    NUMBER = "number", "编号"
    ROOM = "room", "房号"
    SERVED = "served", "送达"
    ON = "made_on", "日期"
    AMOUNT = "amount", "金额（元）"
    RESPOND_BY = "respond_by", "请于何时前缴纳"
    STAFF = "staff", "经办人"


def index(desk: Desk) -> ResponseReturnValue:
    """Every letter, the latest first; of one day, or those whose delivery nobody recorded."""
    return _index(desk, Form(request.args))


def _index(desk: Desk, form: Form) -> ResponseReturnValue:
    on = form.optional_day("on")
    waiting = form.ticked("waiting")
    query = letter_rows(desk.community_id)
    if on is not None:
        query = query.where(Dunning.made_on == on)
    if waiting:
        listed = query.subquery()
        query = select(listed).where(listed.c.served.is_(None))
    code = desk.community.code
    return show_list(
        desk,
        Listing(
            "letters",
            LetterColumn,
            query,
            newest_first=True,
            shown={LetterColumn.SERVED: lambda way: way or NotYet.SERVED},
            beside=lambda rows: {
                row.key: {"number": str(LetterNumber(code, row.year, row.no))} for row in rows
            },
        ),
        "letters/index.html",
        form=form,
        on=on,
        waiting=waiting,
        most=LETTERS_AT_ONCE,
    )


def print_many(desk: Desk) -> ResponseReturnValue:
    """Letters for the homes that were ticked, or for those that owe the most."""
    form = Form(request.form)
    which = form.choice("which", Which, default=Which.TICKED)
    days = form.number("days", default=RESPOND_DAYS_USUAL)
    units = _most(desk, form) if which is Which.MOST else _ticked(desk)
    if not units:
        form.refuse("", Problem.NONE_CHOSEN.label)
    elif len(units) > LETTERS_AT_ONCE:
        form.refuse("", Problem.TOO_MANY.label)

    def act() -> Answer:
        printed = print_letters(
            desk.session,
            desk.services,
            desk.community,
            units,
            by=desk.staff,
            today=desk.today,
            days=days,
        )
        if not printed:
            raise Conflict("nothing to demand of these homes, or each has a letter of today")
        return desk.done(
            Done.PRINTED,
            "letters_batch",
            first=printed[0].letter.id,
            last=printed[-1].letter.id,
            left=len(units) - len(printed),
        )

    return desk.submit(form, act, lambda: desk.page("letters/refused.html", form=form))


def _ticked(desk: Desk) -> Sequence[Unit]:
    """The homes that were ticked, in the order of their numbers; unknown ones are nobody's."""
    ids = {int(said) for said in request.form.getlist("unit") if NUMBER.fullmatch(said)}
    query = select(Unit).where(Unit.community_id == desk.community_id, Unit.id.in_(id_array(ids)))
    return desk.session.scalars(query.order_by(Unit.building_id, Unit.room)).all()


def _most(desk: Desk, form: Form) -> Sequence[Unit]:
    """So many of those in arrears, of an age if one is named, who owe the most; without those that
    have a letter of today.
    """
    count = form.number("count", default=0)
    age = form.typed("age")
    bucket = Bucket(age) if age in {one.value for one in Bucket} else None
    owing = homes_in_arrears(desk.community_id, desk.today, bucket)
    owed = owing.selected_columns.owed
    done = homes_with_letter(desk.session, desk.community_id, desk.today)
    rows = desk.session.execute(
        owing.where(Unit.id.not_in(id_array(done)))
        .order_by(owed.desc(), Unit.room)
        .limit(min(count, LETTERS_AT_ONCE + 1))
    )
    ids = [row.key for row in rows]
    query = select(Unit).where(Unit.community_id == desk.community_id, Unit.id.in_(id_array(ids)))
    return desk.session.scalars(query.order_by(Unit.building_id, Unit.room)).all()


def batch(desk: Desk) -> ResponseReturnValue:
    """What was printed in one go, to be sent to the printer together."""
    form = Form(request.args)
    first, last, left = form.number("first"), form.number("last"), form.number("left")
    rows = letter_rows(desk.community_id).where(Dunning.id.between(first, last))
    letters = desk.session.execute(rows.order_by(Dunning.id).limit(LETTERS_AT_ONCE)).all()
    if not letters:
        raise NotFound("no such letters")
    return desk.page("letters/batch.html", letters=letters, left=left, code=desk.community.code)


def papers(desk: Desk) -> ResponseReturnValue:
    """The papers of some letters, a page or more each, exactly as they were kept."""
    ids = {int(said) for said in request.form.getlist("letter") if NUMBER.fullmatch(said)}
    letters = get_letters(desk.session, desk.community_id, ids)[:LETTERS_AT_ONCE]
    if not letters:
        raise NotFound("no letter was chosen")
    homes = sorted({(letter.community_id, letter.unit_id) for letter in letters})
    for what in (Sight.BILLS, Sight.PERSONAL):
        note_sightings(desk.session, homes, what, desk.now, staff_id=desk.staff.id)
    kept = [desk.services.vault.open(str(letter.paper_sealed)) for letter in letters]
    return render_template(
        "console/letters/papers.html",
        desk=desk,
        style=desk.url("letters_style", number=letters[0].id),
        bodies=[Markup(_part(BODY, paper)) for paper in kept],  # noqa: S704  # our own template's
        numbers=[str(_number(desk, letter)) for letter in letters],
    )


def style(desk: Desk, number: int) -> Response:
    """How a letter looked when it was printed; pages may not carry styles of their own."""
    paper = desk.services.vault.open(str(_find(desk, number).paper_sealed))
    response = make_response(_part(STYLE, paper))
    response.mimetype = "text/css"
    return response


def _part(part: re.Pattern[str], paper: str) -> str:
    found = part.search(paper)
    return found[1] if found else ""


def _number(desk: Desk, letter: Dunning) -> LetterNumber:
    return LetterNumber(desk.community.code, letter.year or 0, letter.no or 0)


def _find(desk: Desk, number: int) -> Dunning:
    found = get_letters(desk.session, desk.community_id, [number])
    if not found:
        raise NotFound(f"no letter {number} in community {desk.community_id}")
    return found[0]


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """One letter: what it asked for, and how it was delivered."""
    return _show(desk, _find(desk, number), Form({"on": desk.today.isoformat()}))


def _show(desk: Desk, letter: Dunning, form: Form) -> tuple[str, int]:
    vault, may_know = desk.services.vault, desk.may(Permission.PERSONAL)
    served = list_services(desk.session, letter.community_id, [letter.id]).get(letter.id, [])
    return desk.page(
        "letters/show.html",
        letter=letter,
        letter_no=_number(desk, letter),
        unit=desk.session.get_one(Unit, (letter.community_id, letter.unit_id)),
        served=[
            (one, vault.open(one.note_sealed) if one.note_sealed and may_know else "")
            for one in served
        ],
        form=form,
        ways=[(way.value, way.label) for way in ServiceWay],
    )


def delivered(desk: Desk, number: int) -> ResponseReturnValue:
    """Keep how and when it arrived."""
    letter = _find(desk, number)
    form = Form(request.form)
    way = form.choice("how", ServiceWay, default=ServiceWay.SIGNED)
    on = form.day("on", default=desk.today)
    values: dict[str, Any] = {
        "tracking_number": form.optional("tracking") or None,
        "note": form.optional("person_note", most=NOTE_CHARACTERS_MAX) or None,
    }

    def act() -> Answer:
        record_service(
            desk.session,
            desk.services.vault,
            letter,
            way=way,
            on=on,
            by=desk.staff,
            today=desk.today,
            now=desk.now,
            **values,
        )
        return desk.done(Done.DELIVERED, "letters_show", number=letter.id)

    called = {"way": "how", "note": "person_note"}
    return desk.submit(form, act, lambda: _show(desk, letter, form), called)
