"""Homes: found by whatever is known of them, and the account of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import redirect, request
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, Row, select

from billing.bill_lines import LineState, list_lines
from billing.bills import BillState, list_unpaid
from billing.deposits import list_deposits
from billing.disputes import disputed_lines
from billing.errors import NotFound
from billing.home_search import homes_meant
from billing.home_tags import known_tags, tags_of
from billing.labels import LabelEnum
from billing.ledger import FixedAccount, balances
from billing.money import ZERO
from billing.payment_tables import BOOKED_STATES
from billing.payments import list_confirmed
from billing.prepayments import balance, list_auto_deduction, list_movements
from billing.property import Building, ParkingSpace, Subject, Unit
from billing.residents import count_bound, list_stays
from billing.sightings import Sight, note_sightings
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Cells, Listing, show_list
from handlers.console.permissions import Permission

PAYMENTS_SHOWN = 6


class HomeColumn(LabelEnum):
    """Columns of the list of homes."""

    ROOM = "room", "房号"
    BUILDING = "building", "楼栋"
    AREA = "billable_area_m2", "计费面积（㎡）"
    PEOPLE = "people", "住户"
    OWED = "owed", "待缴（元）"
    BOUND = "bound", "微信绑定"


@dataclass(frozen=True, slots=True)
class Spot:
    """A parking space that is billed to a home."""

    code: str
    plate: str | None


def meant(desk: Desk, said: str) -> ColumnElement[bool]:
    """Condition on `Unit`: whatever was typed may mean it."""
    vault, read_room = desk.services.vault, desk.services.read_room
    return homes_meant(desk.session, vault, desk.community_id, said, read_room, today=desk.today)


def index(desk: Desk) -> ResponseReturnValue:
    """Every home; `q` is whatever is known of one. The only one found is opened at once."""
    said = request.args.get("q", "").strip()
    query = (
        select(
            Unit.id.label("key"), Unit.room, Building.name.label("building"), Unit.billable_area_m2
        )
        .join(
            Building,
            (Building.community_id == Unit.community_id) & (Building.id == Unit.building_id),
        )
        .where(Unit.community_id == desk.community_id)
    )
    if said:
        query = query.where(meant(desk, said))
        # Somebody who only looked for a home is led to it; a list that was narrowed stays one.
        is_look_up = not request.args.keys() - {"q"}
        only = desk.session.execute(query.limit(2)).all() if is_look_up else []
        if len(only) == 1:
            return redirect(desk.url("homes_show", number=only[0].key))

    def beside(rows: Sequence[Row[Any]]) -> Cells:
        return _beside(desk, [row.key for row in rows])

    sortable = (HomeColumn.ROOM, HomeColumn.AREA)
    listing = Listing("homes", HomeColumn, query, sortable=sortable, beside=beside)
    return show_list(desk, listing, "homes/index.html", said=said)


def _beside(desk: Desk, unit_ids: Sequence[int]) -> Cells:
    here = desk.community_id
    owed = balances(desk.session, here, FixedAccount.RECEIVABLE, unit_ids)
    bound = count_bound(desk.session, here, unit_ids)
    people: dict[int, list[str]] = {}
    vault = desk.services.vault
    for stay in list_stays(desk.session, vault, here, unit_ids, on=desk.today, with_phones=False):
        people.setdefault(stay.unit_id, []).append(f"{stay.name}（{stay.role.label}）")
    return {
        unit_id: {
            HomeColumn.PEOPLE.value: "、".join(people.get(unit_id, ())),
            HomeColumn.OWED.value: owed.get(unit_id, ZERO),
            HomeColumn.BOUND.value: bound.get(unit_id, 0),
        }
        for unit_id in unit_ids
    }


def find_home(desk: Desk, number: int) -> Unit:
    """The home in the address.

    Raises:
        NotFound: the community has none with this number.
    """
    unit = desk.session.get(Unit, (desk.community_id, number))
    if unit is None:
        raise NotFound(f"no home {number} in community {desk.community_id}")
    return unit


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """A home's account: what it owes and why, what it has with us, who paid last."""
    return account(desk, find_home(desk, number))


def account(desk: Desk, unit: Unit, tagging: Form | None = None) -> tuple[str, int]:
    """The page of a home's account, with the form to tag it as it was sent."""
    here, session = desk.community_id, desk.session
    note_sightings(session, [(here, unit.id)], Sight.BILLS, desk.now, staff_id=desk.staff.id)
    bills = list_unpaid(session, here, [unit.id])
    ids = [bill.id for bill in bills]
    return desk.page(
        "homes/show.html",
        unit=unit,
        building=session.get_one(Building, (here, unit.building_id)),
        spots=_spots(desk, unit),
        people=list_stays(session, desk.services.vault, here, [unit.id], on=desk.today),
        bound=count_bound(session, here, [unit.id]).get(unit.id, 0),
        bills=_with_lines(bills, list_lines(session, here, ids)),
        owed=sum((bill.outstanding for bill in bills), ZERO),
        disputed=disputed_lines(session, here, ids),
        prepaid=balance(session, here, unit.id),
        movements=list_movements(session, here, unit.id, limit=PAYMENTS_SHOWN),
        deducted=list_auto_deduction(session, here, unit.id),
        tags=tags_of(session, here, unit.id),
        known_tags=known_tags(session, here) if desk.may(Permission.PEOPLE) else [],
        tagging=tagging or Form(place="tag-"),
        deposits=list_deposits(session, here, unit_ids=[unit.id]),
        payments=list_confirmed(
            session, here, [unit.id], limit=PAYMENTS_SHOWN, states=BOOKED_STATES
        ),
    )


def _with_lines(
    bills: Sequence[BillState], lines: Sequence[LineState]
) -> list[tuple[BillState, list[LineState]]]:
    return [(bill, [line for line in lines if line.bill_id == bill.id]) for bill in bills]


def _spots(desk: Desk, unit: Unit) -> list[Spot]:
    rows = desk.session.execute(
        select(Subject.code, ParkingSpace.plate)
        .join(
            ParkingSpace,
            (ParkingSpace.community_id == Subject.community_id) & (ParkingSpace.id == Subject.id),
        )
        .where(Subject.community_id == unit.community_id, Subject.unit_id == unit.id)
        .order_by(Subject.code)
    )
    return [Spot(*row) for row in rows]
