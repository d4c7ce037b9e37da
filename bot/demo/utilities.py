"""What the demo's homes use together and each: water meters with their readings, the light of the
stairs, a quarterly fee, and homes that stand empty.

Metered water is collected for the water works at its price. Everything goes through the core's own
functions but the readings, which are written set-wise, as an import of them would be.
"""

import random
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from billing.concession_changes import grant_discount
from billing.concessions import DiscountGrant
from billing.meters import Meter, MeterReading
from billing.people import Staff
from billing.period import Period
from billing.pricing import ApportionBy, DiscountReason
from billing.property import Subject, SubjectKind
from billing.shared_cost_changes import record_shared_cost
from billing.shared_costs import SharedCost
from billing.tariff_changes import add_item, add_tariff
from billing.tariffs import ChargeItem, FeeKind
from bot.demo.cast import CAST, ITEMS

WATER_PRICE: dict[str, Any] = {
    "method": "tiered",
    "mode": "graduated",
    "normal_days": 30,
    "tiers": [
        {"up_to": "15", "unit_price": "5.00", "flat": "0"},
        {"up_to": "22", "unit_price": "7.00", "flat": "0"},
        {"up_to": None, "unit_price": "9.00", "flat": "0"},
    ],
}
PUMP_PRICE = {"method": "flat", "unit_price": "24.00", "per": "quarter"}
LIGHT_UNIT_PRICE = "0.4883"
VACANT_PERCENT = "30"
HOMES_PER_VACANT = 60
DIAL = Decimal(100_000)
"""The meters show 0 again after so many cubic metres."""


def add_utilities(
    session: Session,
    community_id: int,
    first: Period,
    manager: Staff,
    chance: random.Random,
    now: datetime,
) -> None:
    """Items, tariffs, a meter with its base reading per home, and discounts of empty homes."""
    items = (
        ("water", FeeKind.WATER, 1, WATER_PRICE),
        ("pump", FeeKind.PUMP, 3, PUMP_PRICE),
        ("light", FeeKind.SHARED, 1, None),
    )
    for code, fee, months, price in items:
        name, document = ITEMS[code]
        item = add_item(
            session,
            community_id,
            code=code,
            name=name,
            fee=fee,
            subject_kind=SubjectKind.HOME,
            cycle_months=months,
            active_from=first.start,
            by=manager,
            now=now,
        )
        if price is not None:
            add_tariff(
                session,
                community_id,
                code,
                effective_from=first.start,
                price=price,
                basis_document=document,
                by=manager,
                now=now,
                expected_last=None,
                supplier_price=price if item.pass_through else None,
            )
    homes = _homes(session, community_id)
    _add_meters(session, community_id, homes, first, chance, now)
    cast = {character.room for character in CAST}
    others = [code for _, code in homes if code not in cast]
    for room in chance.sample(others, min(len(others), len(homes) // HOMES_PER_VACANT + 1)):
        grant_discount(
            session,
            community_id,
            "property",
            room,
            reason=DiscountReason.VACANT,
            percent=VACANT_PERCENT,
            from_on=first.start,
            approved_by=manager,
            now=now,
        )


def read_and_record(
    session: Session, community_id: int, period: Period, seed: int, now: datetime
) -> None:
    """Read the meters on the first of the month, and record what light costs in each building.

    Safe to repeat; nothing where there are no such items.
    """
    items = {
        item.code: item.id
        for item in session.scalars(
            select(ChargeItem).where(ChargeItem.community_id == community_id)
        )
    }
    if "water" in items:
        _read_meters(session, community_id, items["water"], period, seed, now)
    if "light" in items:
        _record_light(session, community_id, items["light"], period, seed, now)


def _homes(session: Session, community_id: int) -> list[tuple[int, str]]:
    rows = session.execute(
        select(Subject.id, Subject.code)
        .where(Subject.community_id == community_id, Subject.kind == SubjectKind.HOME)
        .order_by(Subject.id)
    )
    return [(subject_id, code) for subject_id, code in rows]


def _add_meters(
    session: Session,
    community_id: int,
    homes: list[tuple[int, str]],
    first: Period,
    chance: random.Random,
    now: datetime,
) -> None:
    item_id = session.scalars(
        select(ChargeItem.id).where(
            ChargeItem.community_id == community_id, ChargeItem.code == "water"
        )
    ).one()
    session.execute(
        insert(Meter),
        [
            {
                "community_id": community_id,
                "subject_id": subject_id,
                "item_id": item_id,
                "code": f"W{number:06d}",
                "multiplier": Decimal(1),
                "rolls_over_at": DIAL,
            }
            for number, (subject_id, _) in enumerate(homes, start=1)
        ],
    )
    meters = session.scalars(
        select(Meter.id).where(Meter.community_id == community_id).order_by(Meter.id)
    ).all()
    base = [(meter_id, Decimal(chance.randrange(200, 1500))) for meter_id in meters]
    _write_readings(session, community_id, base, first, now)


LAST_READINGS = text(
    """
    SELECT meter.id, meter.subject_id, last.value
    FROM meter
    CROSS JOIN LATERAL (
        SELECT read_on, value FROM meter_reading
        WHERE community_id = meter.community_id AND meter_id = meter.id
        ORDER BY read_on DESC LIMIT 1
    ) last
    WHERE meter.community_id = :community_id AND meter.item_id = :item_id
      AND last.read_on < :read_on
    ORDER BY meter.id
    """
)


def _read_meters(
    session: Session, community_id: int, item_id: int, period: Period, seed: int, now: datetime
) -> None:
    """Cubic metres as families use them, some of them too many; nothing in an empty home."""
    chance = random.Random(f"{seed} water {period}")  # noqa: S311  # demo data, not secrets
    vacant = set(
        session.scalars(
            select(DiscountGrant.subject_id).where(
                DiscountGrant.community_id == community_id,
                DiscountGrant.reason == DiscountReason.VACANT,
            )
        )
    )
    shown = []
    for meter_id, subject_id, value in session.execute(
        LAST_READINGS,
        {"community_id": community_id, "item_id": item_id, "read_on": period.start},
    ):
        tenths = Decimal(round(chance.gammavariate(5, 24))).scaleb(-1)
        used = Decimal(0) if subject_id in vacant else tenths
        shown.append((meter_id, (value + used) % DIAL))
    _write_readings(session, community_id, shown, period, now)


def _write_readings(
    session: Session,
    community_id: int,
    shown: list[tuple[int, Decimal]],
    period: Period,
    now: datetime,
) -> None:
    if not shown:
        return
    session.execute(
        insert(MeterReading),
        [
            {
                "community_id": community_id,
                "meter_id": meter_id,
                "read_on": period.start,
                "value": value,
                "recorded_at": now,
            }
            for meter_id, value in shown
        ],
    )


HOMES_BY_BUILDING = text(
    """
    SELECT building.code, count(*) FROM building
    JOIN unit ON unit.community_id = building.community_id AND unit.building_id = building.id
    WHERE building.community_id = :community_id GROUP BY building.code ORDER BY building.code
    """
)


def _record_light(
    session: Session, community_id: int, item_id: int, period: Period, seed: int, now: datetime
) -> None:
    recorded = select(SharedCost.id).where(
        SharedCost.community_id == community_id,
        SharedCost.item_id == item_id,
        SharedCost.from_on == period.start,
    )
    if session.scalars(recorded.limit(1)).first() is not None:
        return
    chance = random.Random(f"{seed} light {period}")  # noqa: S311  # demo data, not secrets
    for building, homes in session.execute(HOMES_BY_BUILDING, {"community_id": community_id}):
        record_shared_cost(
            session,
            community_id,
            "light",
            building=building,
            from_on=period.start,
            to_on=period.end,
            quantity=str(homes * chance.randrange(6, 14)),
            unit_price=LIGHT_UNIT_PRICE,
            by=ApportionBy.AREA,
            now=now,
        )
