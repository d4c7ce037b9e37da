"""Shared costs as a bill run charges them: everybody's share is worked out when the first of them
is missing, and only then.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from billing.errors import InvalidInput
from billing.period import DateRange, Period, add_months
from billing.pricing import ShareBasis, apportion
from billing.shared_costs import SharedCost, pool_of, weigh
from billing.tariffs import ChargeItem


@dataclass(slots=True)
class SharedPlan:
    """A shared cost of a run.

    Args:
        shares: subject id → share; None until `share_out` was asked. With `refusal` nobody can be
            charged: it says why.
    """

    cost: SharedCost
    cost_id: int
    entrance_id: int | None
    span: DateRange
    shares: dict[int, ShareBasis] | None = None
    refusal: str | None = None


class SharedPlans:
    """The shared costs of one item, found by where a subject lies; the first begins on `start`."""

    def __init__(self, costs: Sequence[SharedCost]) -> None:
        self.start = min((cost.from_on for cost in costs), default=date.max)
        self._by_building: dict[int | None, list[SharedPlan]] = defaultdict(list)
        for cost in costs:
            days = DateRange(cost.from_on, cost.to_on)
            plan = SharedPlan(cost, cost.id, cost.entrance_id, days)
            self._by_building[cost.building_id].append(plan)

    def reaching(self, building_id: int, entrance_id: int | None) -> Iterator[SharedPlan]:
        """Costs that a subject in this entrance of this building may have a share of."""
        for building in (None, building_id):
            for plan in self._by_building.get(building, ()):
                if plan.entrance_id in (None, entrance_id):
                    yield plan


class Reach(Enum):
    """Which runs read a cost: those of its month and cycle, the first one made after it was written
    down, or none.
    """

    IN_TIME = "in_time"
    LATE = "late"
    HISTORY = "history"


RUNS = text(
    """
    SELECT min(period) AS first,
           coalesce(bool_or(period = :last AND started_at < :recorded_at), false) AS missed
    FROM bill_run WHERE community_id = :community_id AND kind = 'regular' AND state = 'drafted'
    """
)


def reach_of(session: Session, cost: SharedCost, item: ChargeItem) -> Reach:
    """By which runs a cost of the item is charged, as `list_shared_costs` has it."""
    last = str(Period.of(add_months(cost.from_on.replace(day=1), item.cycle_months)))
    runs = session.execute(
        RUNS,
        {"community_id": cost.community_id, "last": last, "recorded_at": cost.recorded_at},
    ).one()
    if runs.first is None or not (runs.missed or last < runs.first):
        return Reach.IN_TIME
    is_history = last < runs.first or cost.from_on < item.active_from
    return Reach.HISTORY if is_history else Reach.LATE


LATE = text(
    """
    -- The last run that reads the cost in time was made before the cost was written down; it is
    -- charged by the first run made since. What no run could have read is history.
    SELECT cost.id, since.period FROM shared_cost cost
    LEFT JOIN LATERAL (
        SELECT period FROM bill_run run
        WHERE run.community_id = cost.community_id AND run.kind = 'regular'
          AND run.state = 'drafted' AND run.started_at > cost.recorded_at
          AND run.period >= to_char(cost.from_on, 'YYYY-MM')
        ORDER BY run.started_at, run.id LIMIT 1
    ) since ON true
    WHERE cost.community_id = :community_id AND cost.item_id = :item_id
      AND cost.from_on >= :active_from AND cost.from_on < :before
      AND EXISTS (
          SELECT FROM bill_run run
          WHERE run.community_id = cost.community_id AND run.kind = 'regular'
            AND run.state = 'drafted' AND run.started_at < cost.recorded_at
            AND run.period = to_char(cost.from_on + make_interval(months => :cycle), 'YYYY-MM'))
    """
)


def list_shared_costs(session: Session, item: ChargeItem, period: Period) -> list[SharedCost]:
    """Costs of an item that a run of the period charges, by id: those that begin in it, those of
    the cycle before, which is often known only by now, and older ones that were written down too
    late for the runs that should have charged them, if no run of another month was made since.
    """
    in_time = add_months(period.start, -item.cycle_months)
    late = session.execute(
        LATE,
        {
            "community_id": item.community_id,
            "item_id": item.id,
            "active_from": item.active_from,
            "before": in_time,
            "cycle": item.cycle_months,
        },
    )
    ids = [row.id for row in late if row.period in (None, str(period))]
    return list(
        session.scalars(
            select(SharedCost)
            .where(
                SharedCost.community_id == item.community_id,
                SharedCost.item_id == item.id,
                or_(SharedCost.from_on >= in_time, SharedCost.id.in_(ids)),
                SharedCost.from_on < period.end,
            )
            .order_by(SharedCost.id)
        )
    )


WEIGHTS_CHARGED = text(
    """
    SELECT DISTINCT line.basis ->> 'weights_total'
    FROM bill_line line
    WHERE line.community_id = :community_id AND line.item_id = :item_id
      AND line.source_id = :cost_id AND line.subject_id = ANY(:subjects)
      AND line.period_from = :from_on AND line.kind = 'charge'
      AND NOT EXISTS (SELECT FROM bill_void void
                      WHERE void.community_id = line.community_id AND void.bill_id = line.bill_id)
    """
)


def share_out(session: Session, plan: SharedPlan) -> None:
    """Work out everybody's share with the weights of today, once.

    Refused where the weights cannot be had, and where lines of other weights exist already: what
    is missing could not be charged without breaking the sum.
    """
    if plan.shares is None:
        plan.shares = _work_out(session, plan)


def _work_out(session: Session, plan: SharedPlan) -> dict[int, ShareBasis]:
    cost = plan.cost
    try:
        weights = weigh(session, cost)
        subjects = [subject_id for subject_id, _ in weights]
        shares = apportion(pool_of(cost), cost.apportion_by, [w for _, w in weights], cost.cap)
    except InvalidInput as error:
        plan.refusal = str(error)
        return {}
    charged = session.scalars(
        WEIGHTS_CHARGED,
        {
            "community_id": cost.community_id,
            "item_id": cost.item_id,
            "cost_id": cost.id,
            "from_on": cost.from_on,
            "subjects": subjects,
        },
    )
    if any(Decimal(total) != shares[0].weights_total for total in charged):
        plan.refusal = "shared_cost_changed"
        return {}
    return dict(zip(subjects, shares, strict=True))
