"""What is charged and at which price: charge items and the dated versions of their tariffs."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    UniqueConstraint,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, Session, mapped_column

from billing.db import Base, CommunityId, LocalId
from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.pricing.prices import Price, parse_price
from billing.property import SubjectKind


class FeeKind(LabelEnum):
    """The kinds of fee an owner knows by name; the understanding speaks the same codes."""

    PROPERTY = "property", "物业费"
    PARKING = "parking", "停车费"
    WATER = "water", "水费"
    ELECTRICITY = "electricity", "电费"
    GAS = "gas", "燃气费"
    HEATING = "heating", "取暖费"
    SHARED = "shared", "公摊费"
    GARBAGE = "garbage", "垃圾处理费"
    ELEVATOR = "elevator", "电梯费"
    DEPOSIT = "deposit", "押金"
    RENOVATION = "renovation", "装修管理费"
    LATE_FEE = "late_fee", "违约金"
    PUMP = "pump", "二次加压费"


SUPPLIERS_FEES = frozenset({FeeKind.WATER, FeeKind.ELECTRICITY, FeeKind.GAS, FeeKind.HEATING})
"""Collected for a supplier unless an item says otherwise."""


def _is_suppliers_fee(context: DefaultExecutionContext) -> bool:
    given = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return given["fee"] in SUPPLIERS_FEES


class ChargeItem(Base):
    """Something the community charges for, e.g. 物业费 of homes every month."""

    __tablename__ = "charge_item"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["community.id"]),
        UniqueConstraint("community_id", "code"),
        CheckConstraint("cycle_months IN (1, 3, 12)", name="cycle_months"),
        {"comment": "Charge items (收费项目)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    code: Mapped[str]
    name: Mapped[str] = mapped_column(comment="as printed on the bill")
    fee: Mapped[FeeKind]
    subject_kind: Mapped[SubjectKind]
    cycle_months: Mapped[int] = mapped_column(comment="1 monthly, 3 quarterly, 12 yearly")
    active_from: Mapped[date]
    active_to: Mapped[date | None]
    pass_through: Mapped[bool] = mapped_column(
        default=_is_suppliers_fee,
        server_default="false",
        comment="collected for a supplier (代收): no margin",
    )


class Tariff(Base):
    """One version of an item's price, in force from a date until the next version begins.

    `price` is the JSON of `billing.pricing`; it was parsed before it was stored. A version is never
    edited once a line was priced with it: a change is a new version.
    """

    __tablename__ = "tariff"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "item_id"], ["charge_item.community_id", "charge_item.id"]
        ),
        UniqueConstraint("community_id", "item_id", "effective_from"),
        {"comment": "Versions of a charge item's price (收费标准)"},
    )

    community_id: Mapped[CommunityId]
    id: Mapped[LocalId]
    item_id: Mapped[int]
    effective_from: Mapped[date]
    price: Mapped[dict[str, Any]]
    basis_document: Mapped[str] = mapped_column(comment="contract clause or filing shown to owners")
    supplier_price: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True),
        comment="what the supplier charges, in the shape of price; of items collected for him",
    )
    created_at: Mapped[datetime]
    created_by: Mapped[int | None] = mapped_column(
        ForeignKey("staff.id"), comment="null: taken over from an older system"
    )


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a price, read."""

    id: int
    effective_from: date
    method: str
    price: Price
    basis_document: str
    supplier_price: Price | None


@dataclass(frozen=True, slots=True)
class ItemTariffs:
    """A charge item with the versions of its price, the newest first.

    `shared`: it has no price, its costs are shared as they arise.
    """

    item: ChargeItem
    versions: list[Version]
    shared: bool

    def current(self, today: date) -> Version | None:
        """The version in force today; None before the item or its first version begins."""
        if self.item.active_from > today:
            return None
        return next((one for one in self.versions if one.effective_from <= today), None)

    @property
    def last(self) -> int | None:
        """Id of the version written down last: what `add_tariff` must be told one has seen."""
        return max((one.id for one in self.versions), default=None)


def get_item(session: Session, community_id: int, code: str) -> ChargeItem:
    """The charge item with this code.

    Raises:
        NotFound: there is none; the message lists the codes that exist.
    """
    items = select(ChargeItem).where(ChargeItem.community_id == community_id)
    found = session.scalar(items.where(ChargeItem.code == code))
    if found is None:
        known = ", ".join(item.code for item in session.scalars(items.order_by(ChargeItem.id)))
        raise NotFound(f"no charge item {code!r}; known: {known or 'none'}")
    return found


def list_tariffs(session: Session, community_id: int, today: date) -> list[ItemTariffs]:
    """Items charged today or from a later day on, by id, each with every version of its price."""
    items = session.scalars(
        select(ChargeItem)
        .where(
            ChargeItem.community_id == community_id,
            or_(ChargeItem.active_to.is_(None), ChargeItem.active_to > today),
        )
        .order_by(ChargeItem.id)
    ).all()
    tariffs = session.scalars(
        select(Tariff)
        .where(Tariff.community_id == community_id)
        .order_by(Tariff.effective_from.desc())
    ).all()
    shared = set(
        session.scalars(
            text("SELECT DISTINCT item_id FROM shared_cost WHERE community_id = :community_id"),
            {"community_id": community_id},
        )
    )
    return [
        ItemTariffs(
            item,
            [_read(tariff) for tariff in tariffs if tariff.item_id == item.id],
            item.id in shared,
        )
        for item in items
    ]


def _read(tariff: Tariff) -> Version:
    return Version(
        id=tariff.id,
        effective_from=tariff.effective_from,
        method=tariff.price["method"],
        price=parse_price(tariff.price),
        basis_document=tariff.basis_document,
        supplier_price=None
        if tariff.supplier_price is None
        else parse_price(tariff.supplier_price, "supplier_price"),
    )
