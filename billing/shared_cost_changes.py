"""Recording shared costs (公摊), and taking back those nobody was charged for.

Apart from `shared_costs`, because runs read that while this reads bills.
"""

from datetime import date, datetime

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from billing.bills import BillLine
from billing.errors import Conflict, InvalidInput, NotFound
from billing.meters import Meter
from billing.money import Money
from billing.period import DateRange
from billing.pricing import ApportionBy, PoolUsage
from billing.pricing.apportion import Pool, pool_amount
from billing.pricing.fields import FEN_MAX, NUMBER_MAX, Fields
from billing.property import Building, Entrance, SubjectKind
from billing.refusals import refuse_absurd_day
from billing.run_lock import refuse_during_run
from billing.shared_costs import SharedCost, get_shared_cost, refuse_empty_scope
from billing.tariffs import ChargeItem, FeeKind, Tariff, get_item

DAYS_MAX = 366
"""A cost for more than a year is a typing error, or several costs."""


def record_shared_cost(
    session: Session,
    community_id: int,
    item_code: str,
    *,
    building: str | None = None,
    entrance: str | None = None,
    from_on: date,
    to_on: date,
    amount: object = None,
    quantity: object = None,
    unit_price: object = None,
    by: ApportionBy,
    usage_item: str | None = None,
    cap: object = None,
    now: datetime,
) -> SharedCost:
    """Record what something cost for some days, to be shared by the subjects of an item.

    Args:
        building, entrance: codes that limit the scope; an entrance is one of the building. Neither:
            the whole community.
        from_on, to_on: half-open; the run of the month of its first day charges it, or the first
            one made after it was recorded.
        amount: decimal string in yuan; or `quantity` at `unit_price`, both decimal strings.
        usage_item: code of the metered item whose usage weighs, with `by` usage and only then.
        cap: decimal string in yuan, the most one share pays; what it cuts off is nobody's.

    Raises:
        InvalidInput: a field that is missing, negative or absurd; nobody in the scope to share it;
            an item that has a price of its own.
        Conflict: a cost of this item for some of the days in this scope, or part of it, is recorded
            already, or a bill run is under way.
        NotFound: no such item, building or entrance.
    """
    refuse_during_run(session, community_id)
    item = get_item(session, community_id, item_code)
    # One at a time: two clerks with the same bill in hand must not both find nothing recorded.
    session.refresh(item, with_for_update={"key_share": True})
    _refuse_unusable(session, item, by)
    _refuse_days(item, from_on, to_on, now)
    pool = _read_pool(amount, quantity, unit_price)
    building_id, entrance_id = _scope(session, community_id, building, entrance)
    cost = SharedCost(
        community_id=community_id,
        item_id=item.id,
        building_id=building_id,
        entrance_id=entrance_id,
        from_on=from_on,
        to_on=to_on,
        amount=pool if isinstance(pool, Money) else None,
        quantity=pool.quantity if isinstance(pool, PoolUsage) else None,
        unit_price=pool.unit_price if isinstance(pool, PoolUsage) else None,
        apportion_by=by,
        usage_item_id=_usage_item_id(session, item, by, usage_item),
        cap=None if cap is None else _above_zero("cap", Fields({"cap": cap}, "").yuan("cap")),
        recorded_at=now,
    )
    _refuse_overlap(session, cost)
    refuse_empty_scope(session, cost)
    session.add(cost)
    session.flush()
    return cost


def remove_shared_cost(session: Session, community_id: int, cost_id: int) -> None:
    """Take back a cost nobody was charged for yet: no line, drafted, issued or voided, names it.

    Raises:
        Conflict: a line was made from it, or a bill run is under way.
        NotFound: no such cost.
    """
    refuse_during_run(session, community_id)
    cost = get_shared_cost(session, community_id, cost_id)
    lines = session.scalar(
        select(func.count()).where(
            BillLine.community_id == community_id,
            BillLine.item_id == cost.item_id,
            BillLine.source_id == cost.id,
        )
    )
    if lines:
        raise Conflict(f"{lines} lines were made from shared cost {cost_id}; void or adjust them")
    session.delete(cost)
    session.flush()


def _refuse_unusable(session: Session, item: ChargeItem, by: ApportionBy) -> None:
    if item.fee is FeeKind.LATE_FEE:
        raise InvalidInput("item", "a late fee is owed by whoever is late, not shared")
    priced = exists().where(Tariff.community_id == item.community_id, Tariff.item_id == item.id)
    if session.scalar(select(priced)):
        raise InvalidInput("item", f"{item.code} has a price of its own; share with another item")
    if by is ApportionBy.AREA and item.subject_kind is SubjectKind.PARKING:
        raise InvalidInput("by", "a parking space has no area; share by household")


def _refuse_days(item: ChargeItem, from_on: date, to_on: date, now: datetime) -> None:
    refuse_absurd_day("from", from_on, now)
    refuse_absurd_day("to", to_on, now)
    days = DateRange(from_on, to_on).days
    if days > DAYS_MAX:
        raise InvalidInput("to", f"{days} days are more than a year; record a cost per year")
    if from_on < item.active_from or (item.active_to is not None and to_on > item.active_to):
        until = "" if item.active_to is None else f" until {item.active_to}"
        raise InvalidInput("from", f"{item.code} is charged from {item.active_from}{until} only")


def _read_pool(amount: object, quantity: object, unit_price: object) -> Pool:
    pool: Pool
    if amount is not None:
        if quantity is not None or unit_price is not None:
            raise InvalidInput("amount", "cannot be given together with quantity or unit_price")
        pool = Fields({"amount": amount}, "").yuan("amount")
    elif quantity is None and unit_price is None:
        raise InvalidInput("amount", "missing; or give quantity and unit_price")
    else:
        fields = Fields({"quantity": quantity, "unit_price": unit_price}, "")
        pool = PoolUsage(fields.number("quantity"), fields.number("unit_price"))
        if pool_amount(pool).fen > FEN_MAX:
            raise InvalidInput("quantity", f"the cost must not be above {NUMBER_MAX} yuan")
    _above_zero("amount" if isinstance(pool, Money) else "quantity", pool_amount(pool))
    return pool


def _above_zero(field: str, amount: Money) -> Money:
    if not amount:
        raise InvalidInput(field, "must come to more than 0.00 yuan")
    return amount


def _scope(
    session: Session, community_id: int, building: str | None, entrance: str | None
) -> tuple[int | None, int | None]:
    if building is None:
        if entrance is not None:
            raise InvalidInput("building", "missing: an entrance is one of a building")
        return None, None
    building_id = session.scalar(
        select(Building.id).where(Building.community_id == community_id, Building.code == building)
    )
    if building_id is None:
        raise NotFound(f"no building {building!r} in community {community_id}")
    if entrance is None:
        return building_id, None
    entrance_id = session.scalar(
        select(Entrance.id).where(
            Entrance.community_id == community_id,
            Entrance.building_id == building_id,
            Entrance.code == entrance,
        )
    )
    if entrance_id is None:
        raise NotFound(f"no entrance {entrance!r} in building {building!r}")
    return building_id, entrance_id


def _usage_item_id(
    session: Session, item: ChargeItem, by: ApportionBy, code: str | None
) -> int | None:
    if by is not ApportionBy.USAGE:
        if code is not None:
            raise InvalidInput("usage_item", "goes only with by usage")
        return None
    if code is None:
        raise InvalidInput("usage_item", "missing: whose meters weigh?")
    usage = get_item(session, item.community_id, code)
    metered = exists().where(Meter.community_id == item.community_id, Meter.item_id == usage.id)
    if usage.subject_kind is not item.subject_kind or not session.scalar(select(metered)):
        raise InvalidInput("usage_item", f"{code} has no meters of {item.subject_kind.value}s")
    return usage.id


def _refuse_overlap(session: Session, cost: SharedCost) -> None:
    """Scopes overlap when one holds the other; the columns of the wider one are null."""
    wider = [
        or_(column.is_(None), column == own) if own is not None else None
        for column, own in (
            (SharedCost.building_id, cost.building_id),
            (SharedCost.entrance_id, cost.entrance_id),
        )
    ]
    found = session.scalar(
        select(SharedCost)
        .where(
            SharedCost.community_id == cost.community_id,
            SharedCost.item_id == cost.item_id,
            SharedCost.from_on < cost.to_on,
            SharedCost.to_on > cost.from_on,
            *(condition for condition in wider if condition is not None),
        )
        .order_by(SharedCost.id)
        .limit(1)
    )
    if found is not None:
        raise Conflict(
            f"shared cost {found.id}, from {found.from_on} to {found.to_on}, is shared by some of"
            " the same homes; put both into one cost, or use another item"
        )
