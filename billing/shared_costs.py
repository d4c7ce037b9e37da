"""Shared costs (公摊): costs of a building, an entrance or the community, shared by its homes.

Who shares a cost, and with which weight, is one question asked of the database; how the weights
become shares is `pricing.apportion`. Recording and removing costs is in `shared_cost_changes`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, TextClause, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.errors import InvalidInput, NotFound
from billing.money import Money
from billing.pricing import ApportionBy, PoolUsage, ShareBasis, apportion, uncollected
from billing.pricing.apportion import Pool, pool_amount
from billing.property import SubjectKind
from billing.tariffs import ChargeItem

NAMED_MAX = 20
"""So many rooms are named in a refusal; the others are counted."""


class SharedCost(Base):
    """A cost for a span of days, to be shared by the subjects of its item within its scope.

    Either `amount`, or `quantity` at `unit_price`. Never edited once a line was made from it.
    """

    __tablename__ = "shared_cost"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "item_id"], ["charge_item.community_id", "charge_item.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "usage_item_id"], ["charge_item.community_id", "charge_item.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "building_id"], ["building.community_id", "building.id"]
        ),
        ForeignKeyConstraint(
            ["community_id", "entrance_id"], ["entrance.community_id", "entrance.id"]
        ),
        CheckConstraint("to_on > from_on", name="dates_ascend"),
        CheckConstraint(
            "(amount IS NULL) = (quantity IS NOT NULL AND unit_price IS NOT NULL)"
            " AND (quantity IS NULL) = (unit_price IS NULL)",
            name="amount_or_usage",
        ),
        CheckConstraint("amount >= 0 AND quantity >= 0 AND unit_price >= 0", name="not_negative"),
        CheckConstraint("(apportion_by = 'usage') = (usage_item_id IS NOT NULL)", name="usage_of"),
        Index("ix_shared_cost_item", "community_id", "item_id", "from_on"),
        {"comment": "Shared costs (公摊费用)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    item_id: Mapped[int]
    building_id: Mapped[int | None] = mapped_column(comment="null: not limited to a building")
    entrance_id: Mapped[int | None] = mapped_column(comment="null: not limited to an entrance")
    from_on: Mapped[date]
    to_on: Mapped[date] = mapped_column(comment="first day the cost is not for")
    amount: Mapped[Money | None]
    quantity: Mapped[Decimal | None]
    unit_price: Mapped[Decimal | None]
    apportion_by: Mapped[ApportionBy]
    usage_item_id: Mapped[int | None] = mapped_column(comment="whose usage weighs, by usage only")
    cap: Mapped[Money | None] = mapped_column(comment="the most one share pays")
    recorded_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Weighed:
    """One subject's weight in a shared cost; `code` is its room number or that of its space."""

    subject_id: int
    code: str
    weight: Decimal


@dataclass(frozen=True, slots=True)
class SharesPreview:
    """Everybody's share, by subject id; the amounts and what caps cut off sum to the total."""

    total: Money
    uncollected: Money
    shares: list[tuple[Weighed, ShareBasis]]


def get_shared_cost(session: Session, community_id: int, cost_id: int) -> SharedCost:
    """The cost with this id.

    Raises:
        NotFound: there is none in the community.
    """
    found = session.get(SharedCost, (community_id, cost_id))
    if found is None:
        raise NotFound(f"no shared cost {cost_id} in community {community_id}")
    return found


def pool_of(cost: SharedCost) -> Pool:
    """What is shared, as `pricing.apportion` takes it."""
    if cost.amount is not None:
        return cost.amount
    if cost.quantity is None or cost.unit_price is None:  # ck_shared_cost_amount_or_usage
        raise ValueError(f"shared cost {cost.id} has neither an amount nor a usage")
    return PoolUsage(cost.quantity, cost.unit_price)


def weigh(session: Session, cost: SharedCost) -> list[tuple[int, Decimal]]:
    """Who shares a cost, and with which weight, by subject id; one statement at any size.

    Subjects of the item's kind within the scope that are billable on some of its days. By area: the
    subject's own billable area. By household: 1 each. By usage: what the meter of the usage item
    counted from the latest reading up to the first day to the latest one up to `to_on`, times its
    multiplier; replaced and rolled-over meters are counted through, as billing does.

    Raises:
        InvalidInput: nobody shares it, or readings are missing or run backwards; the rooms are
            named.
    """
    return [(subject_id, weight) for subject_id, _, weight in _weighed(session, cost)]


def refuse_empty_scope(session: Session, cost: SharedCost) -> None:
    """Whether anybody is there to share a cost, before there are readings to weigh.

    Raises:
        InvalidInput: nobody in its scope is billable on any of its days.
    """
    if session.execute(_SUBJECTS[_kind(session, cost)], _parameters(cost)).first() is None:
        raise InvalidInput("scope", _nobody(cost))


def preview_shares(session: Session, cost: SharedCost) -> SharesPreview:
    """What everybody would pay of a cost with the weights of now. Writes nothing.

    Raises:
        InvalidInput: as `weigh`; or nobody used anything, so that there is no weight above zero.
    """
    weighed = [Weighed(*row) for row in _weighed(session, cost)]
    shares = apportion(
        pool_of(cost), cost.apportion_by, [found.weight for found in weighed], cost.cap
    )
    return SharesPreview(
        total=pool_amount(pool_of(cost)),
        uncollected=uncollected(shares),
        shares=list(zip(weighed, shares, strict=True)),
    )


_IN_SCOPE = """
    FROM charge_item item
    JOIN subject ON subject.community_id = item.community_id AND subject.kind = item.subject_kind
    LEFT JOIN unit own ON own.community_id = item.community_id AND own.id = subject.id
    JOIN unit place ON place.community_id = item.community_id AND place.id = {place}
    {usage}
    WHERE item.community_id = :community_id AND item.id = :item_id
      AND subject.billable_from < :to_on
      AND (subject.billable_to IS NULL OR subject.billable_to > :from_on)
      AND (CAST(:building_id AS bigint) IS NULL OR place.building_id = :building_id)
      AND (CAST(:entrance_id AS bigint) IS NULL OR place.entrance_id = :entrance_id)
"""

_USAGE = """
    LEFT JOIN meter ON meter.community_id = item.community_id AND meter.subject_id = subject.id
     AND meter.item_id = :usage_item_id
    LEFT JOIN LATERAL (
        SELECT read_on, value FROM meter_reading
        WHERE community_id = meter.community_id AND meter_id = meter.id AND read_on <= :from_on
        ORDER BY read_on DESC LIMIT 1
    ) opening ON true
    LEFT JOIN LATERAL (
        -- Null where there is no opening or no closing reading; below zero where it ran backwards.
        SELECT CASE WHEN min(step.counted) < 0 THEN -1 ELSE sum(step.counted) END
               * meter.multiplier AS quantity
        FROM (
            SELECT reading.value - reading.earlier + CASE
                       WHEN change.replaced IS NOT NULL THEN change.replaced
                       WHEN reading.value < reading.earlier THEN coalesce(meter.rolls_over_at, 0)
                       ELSE 0 END AS counted
            FROM (
                SELECT read_on, value,
                       lag(value, 1, opening.value) OVER (ORDER BY read_on) AS earlier,
                       lag(read_on, 1, opening.read_on) OVER (ORDER BY read_on) AS earlier_on
                FROM meter_reading
                WHERE community_id = meter.community_id AND meter_id = meter.id
                  AND read_on > :from_on AND read_on <= :to_on
            ) reading
            CROSS JOIN LATERAL (
                SELECT sum(old_final - new_initial) AS replaced FROM meter_replacement
                WHERE community_id = meter.community_id AND meter_id = meter.id
                  AND replaced_on > reading.earlier_on AND replaced_on <= reading.read_on
            ) change
        ) step
    ) used ON true
"""


_PLACES = {
    SubjectKind.HOME: "subject.id",
    SubjectKind.SHOP: "subject.id",
    # A parking space lies where the home it is billed to lies.
    SubjectKind.PARKING: "subject.unit_id",
}


def _statements(weight: str, usage: str = "") -> dict[SubjectKind, TextClause]:
    return {
        kind: text(
            f"SELECT subject.id, subject.code, {weight}"
            f" {_IN_SCOPE.format(usage=usage, place=place)} ORDER BY subject.id"
        )
        for kind, place in _PLACES.items()
    }


_SUBJECTS = _statements("NULL")
_WEIGHTS = {
    ApportionBy.AREA: _statements("own.billable_area_m2"),
    ApportionBy.HOUSEHOLD: _statements("CAST(1 AS numeric)"),
    ApportionBy.USAGE: _statements("used.quantity", _USAGE),
}


def _kind(session: Session, cost: SharedCost) -> SubjectKind:
    return session.get_one(ChargeItem, (cost.community_id, cost.item_id)).subject_kind


def _parameters(cost: SharedCost) -> dict[str, object]:
    return {
        "community_id": cost.community_id,
        "item_id": cost.item_id,
        "building_id": cost.building_id,
        "entrance_id": cost.entrance_id,
        "from_on": cost.from_on,
        "to_on": cost.to_on,
        "usage_item_id": cost.usage_item_id,
    }


def _weighed(session: Session, cost: SharedCost) -> list[tuple[int, str, Decimal]]:
    """Subject id, code and weight; plain rows, as a run asks for every home of a community."""
    result = session.execute(_WEIGHTS[cost.apportion_by][_kind(session, cost)], _parameters(cost))
    rows = [(subject_id, code, weight) for subject_id, code, weight in result]
    if not rows:
        raise InvalidInput("scope", _nobody(cost))
    _refuse_rooms("no opening or no closing reading", [code for _, code, w in rows if w is None])
    _refuse_rooms("a meter ran backwards", [code for _, code, w in rows if w < 0])
    return rows


def _refuse_rooms(reason: str, codes: Sequence[str]) -> None:
    if codes:
        more = f" and {len(codes) - NAMED_MAX} more" if len(codes) > NAMED_MAX else ""
        raise InvalidInput("readings", f"{reason}: {', '.join(codes[:NAMED_MAX])}{more}")


def _nobody(cost: SharedCost) -> str:
    return f"nobody in it is billable from {cost.from_on} to {cost.to_on}"
