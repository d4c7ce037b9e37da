"""Binding codes of a whole building on sheets that staff cut and hand out."""

from dataclasses import dataclass
from datetime import datetime

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from billing.bindings import CODE_LIFE, issue_code
from billing.labels import LabelEnum
from billing.property import Building, Unit
from billing.residents import count_bound
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.qr import qr_image

SHEET_MAX = 500
"""Codes made at a time; a building has fewer homes."""


class Objection(LabelEnum):
    """Why no sheet is made."""

    NOBODY = "nobody", "这栋楼没有需要发码的房屋：每套都已有人绑定"
    TOO_MANY = "too_many", "一次最多生成 500 张，请联系管理员分批处理"
    UNKNOWN = "unknown", "请选择楼栋"


class Saying(LabelEnum):
    """What is sent to the account to be bound; the code follows."""

    BIND = "bind", "绑定"


@dataclass(frozen=True, slots=True)
class Slip:
    """What one home is handed."""

    room: str
    code: str
    image: str

    @property
    def spaced(self) -> str:
        """The code in two halves, easier to type."""
        half = len(self.code) // 2
        return f"{self.code[:half]} {self.code[half:]}"


def new(desk: Desk) -> ResponseReturnValue:
    """For which building."""
    return _page(desk, Form({"only_unbound": "1"}))


def _page(desk: Desk, form: Form) -> tuple[str, int]:
    buildings = desk.session.execute(
        select(Building.id, Building.name)
        .where(Building.community_id == desk.community_id)
        .order_by(func.length(Building.code), Building.code)
    ).all()
    return desk.page("codes/new.html", form=form, buildings=buildings)


def make(desk: Desk) -> ResponseReturnValue:
    """Make a code for each home of a building; they are shown once, to be printed."""
    form = Form(request.form)
    building = desk.session.get(Building, (desk.community_id, form.number("building")))
    if building is None:
        form.errors.clear()
        form.refuse("building", Objection.UNKNOWN.label)
    units = _units(desk, building.id, form) if building is not None else []
    if building is not None and not units:
        form.refuse("building", Objection.NOBODY.label)
    if len(units) > SHEET_MAX:
        form.refuse("building", Objection.TOO_MANY.label)
    slips: list[Slip] = []

    def act() -> Response:
        slips.extend(_slip(desk, unit) for unit in units)
        return Response()

    answer = desk.submit(form, act, lambda: _page(desk, form))
    if not slips:
        return answer
    until: datetime = desk.now + CODE_LIFE
    return desk.page("codes/sheet.html", slips=slips, building=building, until=until)


def _units(desk: Desk, building_id: int, form: Form) -> list[Unit]:
    units = list(
        desk.session.scalars(
            select(Unit)
            .where(Unit.community_id == desk.community_id, Unit.building_id == building_id)
            .order_by(Unit.entrance_id, Unit.floor, func.length(Unit.room), Unit.room)
        )
    )
    if not form.ticked("only_unbound"):
        return units
    bound = count_bound(desk.session, desk.community_id, [unit.id for unit in units])
    return [unit for unit in units if unit.id not in bound]


def _slip(desk: Desk, unit: Unit) -> Slip:
    code = issue_code(
        desk.session,
        desk.services.vault,
        community_id=desk.community_id,
        unit_id=unit.id,
        now=desk.now,
    )
    return Slip(unit.room, code, qr_image(f"{Saying.BIND.label} {code}"))
