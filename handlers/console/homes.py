"""Homes: found by room, and the account of one."""

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from billing.labels import LabelEnum
from billing.property import Building, Unit
from handlers.console.desk import Desk
from handlers.console.lists import Listing, show_list


class HomeColumn(LabelEnum):
    """Columns of the list of homes."""

    ROOM = "room", "房号"
    BUILDING = "building", "楼栋"
    FLOOR = "floor", "楼层"
    AREA = "billable_area_m2", "计费面积（㎡）"


def index(desk: Desk) -> ResponseReturnValue:
    """Every home; `q` is the beginning of its room."""
    wanted = request.args.get("q", "").strip()
    query = (
        select(
            Unit.id.label("key"),
            Unit.room,
            Building.name.label("building"),
            Unit.floor,
            Unit.billable_area_m2,
        )
        .join(
            Building,
            (Building.community_id == Unit.community_id) & (Building.id == Unit.building_id),
        )
        .where(Unit.community_id == desk.community_id)
    )
    if wanted:
        query = query.where(Unit.room.startswith(wanted, autoescape=True))
    listing = Listing("homes", HomeColumn, query, sortable=(HomeColumn.ROOM, HomeColumn.AREA))
    return show_list(desk, listing, "homes/index.html", q=wanted)
