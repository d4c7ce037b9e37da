"""公摊: costs that homes share, recorded, looked at share by share, corrected and taken back."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import aliased
from werkzeug.wrappers import Response

from billing.errors import InvalidInput
from billing.labels import LabelEnum
from billing.pricing import ApportionBy
from billing.property import Building, Entrance
from billing.shared_cost_changes import record_shared_cost, remove_shared_cost
from billing.shared_costs import SharedCost, SharesPreview, get_shared_cost, preview_shares
from billing.shared_plans import reach_of
from billing.tariffs import ChargeItem, FeeKind, Tariff
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list
from handlers.console.words import explain
from notify.wording import yuan

SHARES_SHOWN = 500
ONE_DAY = timedelta(days=1)


class Done(LabelEnum):
    """What was done."""

    RECORDED = "recorded", "公摊费用已登记，请核对分摊结果"
    CORRECTED = "corrected", "公摊费用已更正，请核对分摊结果"
    REMOVED = "removed", "公摊费用已删除"


class CostColumn(LabelEnum):
    """Columns of the list of costs."""

    NUMBER = "key", "编号"
    ITEM = "item", "项目"
    BUILDING = "building", "楼栋"
    ENTRANCE = "entrance", "单元"
    FROM = "from_on", "从"
    TO = "until", "到"
    AMOUNT = "amount", "金额（元）"
    QUANTITY = "quantity", "用量"
    PRICE = "unit_price", "单价（元）"
    BY = "apportion_by", "分摊方式"


def index(desk: Desk) -> ResponseReturnValue:
    """Every cost, the latest first."""
    building, entrance = aliased(Building), aliased(Entrance)
    query = (
        select(
            SharedCost.id.label("key"),
            ChargeItem.name.label("item"),
            building.name.label("building"),
            entrance.code.label("entrance"),
            SharedCost.from_on,
            (SharedCost.to_on - 1).label("until"),
            SharedCost.amount,
            SharedCost.quantity,
            SharedCost.unit_price,
            SharedCost.apportion_by,
        )
        .join(
            ChargeItem,
            (ChargeItem.community_id == SharedCost.community_id)
            & (ChargeItem.id == SharedCost.item_id),
        )
        .outerjoin(
            building,
            (building.community_id == SharedCost.community_id)
            & (building.id == SharedCost.building_id),
        )
        .outerjoin(
            entrance,
            (entrance.community_id == SharedCost.community_id)
            & (entrance.id == SharedCost.entrance_id),
        )
        .where(SharedCost.community_id == desk.community_id)
    )
    listing = Listing(
        "shared-costs", CostColumn, query, sortable=(CostColumn.FROM,), newest_first=True
    )
    return show_list(desk, listing, "shared/index.html")


def new(desk: Desk) -> ResponseReturnValue:
    """The form for a cost; it begins with last month."""
    first = desk.today.replace(day=1)
    last = first - ONE_DAY
    begins = {
        "from": last.replace(day=1).isoformat(),
        "until": last.isoformat(),
        "by": ApportionBy.AREA.value,
    }
    return _form(desk, Form(begins), None)


def _form(desk: Desk, form: Form, cost: SharedCost | None) -> tuple[str, int]:
    here = ChargeItem.community_id == desk.community_id
    priced = (
        select(Tariff.id)
        .where(Tariff.community_id == ChargeItem.community_id, Tariff.item_id == ChargeItem.id)
        .exists()
    )
    items = select(ChargeItem).where(here).order_by(ChargeItem.id)
    return desk.page(
        "shared/form.html",
        form=form,
        cost=cost,
        items=desk.session.scalars(items.where(~priced, ChargeItem.fee != FeeKind.LATE_FEE)).all(),
        metered=desk.session.scalars(items.where(priced)).all(),
        scopes=_scopes(desk),
        ways=ApportionBy,
    )


def _scopes(desk: Desk) -> Sequence[tuple[str, str]]:
    """Buildings and their entrances, as code and name: `3`, `3/1`."""
    rows = desk.session.execute(
        select(Building.code, Building.name, Entrance.code)
        .outerjoin(
            Entrance,
            (Entrance.community_id == Building.community_id)
            & (Entrance.building_id == Building.id),
        )
        .where(Building.community_id == desk.community_id)
        .order_by(Building.id, Entrance.id)
    )
    scopes: dict[str, str] = {}
    for code, name, entrance in rows:
        scopes[code] = name
        if entrance is not None:
            scopes[f"{code}/{entrance}"] = f"{name} {entrance}"
    return list(scopes.items())


def _read(desk: Desk, form: Form) -> dict[str, Any]:
    """What `record_shared_cost` takes. The last day is included, as people write it."""
    building, _, entrance = form.typed("scope").partition("/")
    until = form.day("until", default=desk.today)
    by = form.choice("by", ApportionBy, default=ApportionBy.AREA)
    return {
        "item_code": form.text("item"),
        "building": building or None,
        "entrance": entrance or None,
        "from_on": form.day("from", default=desk.today),
        "to_on": until + ONE_DAY,
        "amount": form.typed("amount").replace(",", "") or None,
        "quantity": form.typed("quantity") or None,
        "unit_price": form.typed("unit_price") or None,
        "by": by,
        "usage_item": form.typed("usage_item") or None if by is ApportionBy.USAGE else None,
        "cap": form.typed("cap") or None,
    }


def record(desk: Desk) -> ResponseReturnValue:
    """Record a cost, and show what everybody's share of it is."""
    form = Form(request.form)
    given = _read(desk, form)

    def act() -> Response:
        cost = record_shared_cost(desk.session, desk.community_id, now=desk.now, **given)
        return desk.done(Done.RECORDED, "shared_show", number=cost.id)

    return desk.submit(form, act, lambda: _form(desk, form, None))


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """A cost with everybody's share, with the weights of now."""
    return _show(desk, number, Form())


def _show(desk: Desk, number: int, form: Form) -> tuple[str, int]:
    cost = get_shared_cost(desk.session, desk.community_id, number)
    preview: SharesPreview | None = None
    refused = None
    try:
        preview = preview_shares(desk.session, cost)
    except InvalidInput as error:
        refused = explain(error)
    item = desk.session.get_one(ChargeItem, (desk.community_id, cost.item_id))
    return desk.page(
        "shared/show.html",
        cost=cost,
        item=item,
        scope=dict(_scopes(desk)).get(_scope_of(desk, cost)),
        until=cost.to_on - ONE_DAY,
        reach=reach_of(desk.session, cost, item),
        preview=preview,
        refused=refused,
        most=SHARES_SHOWN,
        form=form,
    )


def _scope_of(desk: Desk, cost: SharedCost) -> str:
    if cost.building_id is None:
        return ""
    building = desk.session.get_one(Building, (desk.community_id, cost.building_id))
    if cost.entrance_id is None:
        return building.code
    entrance = desk.session.get_one(Entrance, (desk.community_id, cost.entrance_id))
    return f"{building.code}/{entrance.code}"


def edit(desk: Desk, number: int) -> ResponseReturnValue:
    """The form to correct a cost nobody was charged for."""
    cost = get_shared_cost(desk.session, desk.community_id, number)
    item = desk.session.get_one(ChargeItem, (desk.community_id, cost.item_id))
    usage = None
    if cost.usage_item_id is not None:
        usage = desk.session.get_one(ChargeItem, (desk.community_id, cost.usage_item_id))
    values = {
        "item": item.code,
        "scope": _scope_of(desk, cost),
        "from": cost.from_on.isoformat(),
        "until": (cost.to_on - ONE_DAY).isoformat(),
        "amount": "" if cost.amount is None else yuan(cost.amount),
        "quantity": "" if cost.quantity is None else f"{cost.quantity:f}",
        "unit_price": "" if cost.unit_price is None else f"{cost.unit_price:f}",
        "by": cost.apportion_by.value,
        "usage_item": "" if usage is None else usage.code,
        "cap": "" if cost.cap is None else cost.cap.yuan,
    }
    return _form(desk, Form(values), cost)


def correct(desk: Desk, number: int) -> ResponseReturnValue:
    """Take a cost back and record it as it should be, in one step; refused once it was charged."""
    cost = get_shared_cost(desk.session, desk.community_id, number)
    form = Form(request.form)
    given = _read(desk, form)

    def act() -> Response:
        remove_shared_cost(desk.session, desk.community_id, number)
        made = record_shared_cost(desk.session, desk.community_id, now=desk.now, **given)
        return desk.done(Done.CORRECTED, "shared_show", number=made.id)

    return desk.submit(form, act, lambda: _form(desk, form, cost))


def remove(desk: Desk, number: int) -> ResponseReturnValue:
    """Take a cost back that nobody was charged for."""
    form = Form()

    def act() -> Response:
        remove_shared_cost(desk.session, desk.community_id, number)
        return desk.done(Done.REMOVED, "shared_index")

    return desk.submit(form, act, lambda: _show(desk, number, form))
