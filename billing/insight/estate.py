"""What changed for a building or the whole community: collection, shared costs, prices."""

from collections import defaultdict
from datetime import date, timedelta
from statistics import median

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.alerts import AlertKind, Severity
from billing.insight.finding import Finding, spread
from billing.money import Money
from billing.reports.collection import BILLED_MONTHS

MONTHS = 7
"""The latest month, and those before it."""

DAYS_MIN = 7
"""A month is compared from the seventh day after its bills came."""

DROP_MIN = 0.15
"""So much of what is due, against the building's own past and beyond the community's drop."""

DEVIATIONS = 3.0
POOL_UP, POOL_DOWN = 1.5, 0.5
MOVED_MIN = 0.3
NEW_PRICE_DAYS = 45

RATES = text(
    f"""
    WITH RECURSIVE {BILLED_MONTHS},
    latest AS (
        SELECT :as_of - begins_on AS day FROM billed ORDER BY period DESC LIMIT 1
    )
    SELECT move.period, building.id, building.name, latest.day,
           CAST(coalesce(sum(move.paid) FILTER (
                    WHERE move.moved_on <= month.begins_on + latest.day), 0)
                / sum(move.due) AS float8) AS rate
    FROM billed AS month CROSS JOIN latest
    JOIN collection_move move ON move.community_id = :community_id AND move.period = month.period
    JOIN building ON building.community_id = :community_id AND building.id = move.building_id
    WHERE move.moved_on <= :as_of
    GROUP BY 1, 2, 3, 4 HAVING sum(move.due) > 0
    ORDER BY 1, 2
    """  # noqa: S608  # constant text
)

POOLS = text(
    """
    SELECT cost.id, item.name AS item, building.name AS building, cost.from_on,
           CAST(cost.per_day / before.per_day AS float8) AS times
    FROM (SELECT *, coalesce(amount, quantity * unit_price * 100) / (to_on - from_on) AS per_day
          FROM shared_cost WHERE community_id = :community_id AND from_on > :since) cost
    JOIN LATERAL (
        SELECT coalesce(amount, quantity * unit_price * 100) / (to_on - from_on) AS per_day
        FROM shared_cost earlier
        WHERE earlier.community_id = :community_id AND earlier.item_id = cost.item_id
          AND earlier.building_id IS NOT DISTINCT FROM cost.building_id
          AND earlier.entrance_id IS NOT DISTINCT FROM cost.entrance_id
          AND earlier.from_on BETWEEN cost.from_on - 396 AND cost.from_on - 334
        ORDER BY abs(earlier.from_on - (cost.from_on - 365)) LIMIT 1
    ) before ON true
    JOIN charge_item item ON item.community_id = :community_id AND item.id = cost.item_id
    LEFT JOIN building ON building.community_id = :community_id AND building.id = cost.building_id
    WHERE before.per_day > 0
    ORDER BY cost.id
    """
)

REPRICED = text(
    """
    WITH fresh AS (
        SELECT tariff.id, tariff.item_id, tariff.effective_from, item.name
        FROM tariff JOIN charge_item item ON item.community_id = tariff.community_id
         AND item.id = tariff.item_id
        WHERE tariff.community_id = :community_id AND tariff.effective_from > :since
          AND tariff.effective_from <= :today
    ),
    compared AS (
        SELECT fresh.id, fresh.name, fresh.effective_from,
               now_.amount * 1.0 / (now_.period_to - now_.period_from) AS per_day,
               before.amount * 1.0 / (before.period_to - before.period_from) AS before_per_day
        FROM fresh
        JOIN bill_line now_ ON now_.community_id = :community_id AND now_.item_id = fresh.item_id
         AND now_.tariff_id = fresh.id AND now_.kind = 'charge' AND now_.source_id = 0
        JOIN LATERAL (
            SELECT amount, period_from, period_to FROM bill_line earlier
            WHERE earlier.community_id = :community_id AND earlier.subject_id = now_.subject_id
              AND earlier.item_id = now_.item_id AND earlier.kind = 'charge'
              AND earlier.tariff_id <> fresh.id AND earlier.period_to <= now_.period_from
            ORDER BY earlier.period_to DESC LIMIT 1
        ) before ON before.amount > 0
    )
    SELECT id, name, effective_from, count(*) AS bills,
           CAST(max(per_day / before_per_day) AS float8) AS most
    FROM compared WHERE abs(per_day / before_per_day - 1) > :moved_min
    GROUP BY 1, 2, 3 ORDER BY 1
    """
)

MONEY_WAITING = text(
    """
    SELECT count(*) AS pieces, sum(amount) AS amount, min(value_on) AS since, min(id) AS first_id
    FROM bank_row
    WHERE community_id = :community_id AND state IN ('waiting', 'ambiguous', 'unknown')
      AND value_on <= :until
    """
)
WAITING_DAYS = 3


def find_rate_drops(session: Session, community_id: int, today: date) -> list[Finding]:
    """Buildings whose latest month stands much lower than their earlier ones on the same day, more
    than the community's other buildings do.
    """
    rates: dict[int, dict[str, float]] = defaultdict(dict)
    names, latest, day = {}, "", 0
    for row in session.execute(
        RATES, {"community_id": community_id, "as_of": today, "months": MONTHS}
    ):
        rates[row.id][row.period] = row.rate
        names[row.id], latest, day = row.name, row.period, row.day
    drops = {}
    for building, months in rates.items():
        past = [rate for period, rate in months.items() if period != latest]
        if latest in months and len(past) >= MONTHS // 2:
            enough = max(DROP_MIN, DEVIATIONS * spread(past))
            drops[building] = (median(past), median(past) - months[latest], enough)
    if day < DAYS_MIN or not drops:
        return []
    common = median(drop for _, drop, _ in drops.values()) if len(drops) > 1 else 0.0
    return [
        Finding(
            AlertKind.RATE_DROP,
            Severity.HIGH,
            f"collection of building {building} dropped in {latest}",
            {
                "building": names[building],
                "period": latest,
                "now": f"{(usual - drop) * 100:.1f}",
                "usual": f"{usual * 100:.1f}",
            },
        )
        for building, (usual, drop, enough) in drops.items()
        if drop - max(common, 0.0) > enough
    ]


def find_pools(session: Session, community_id: int, today: date) -> list[Finding]:
    """Shared costs of the last two months that are far from those of a year ago, a day."""
    rows = session.execute(
        POOLS, {"community_id": community_id, "since": today - timedelta(days=62)}
    )
    return [
        Finding(
            AlertKind.POOL_JUMP,
            Severity.MEDIUM,
            f"shared cost {row.id} differs from last year",
            {
                "item": row.item,
                "building": row.building or "",
                "period": row.from_on.strftime("%Y-%m"),
                "times": f"{row.times:.1f}",
            },
        )
        for row in rows
        if not POOL_DOWN <= row.times <= POOL_UP
    ]


def find_repriced(session: Session, community_id: int, today: date) -> list[Finding]:
    """New prices that move charges by more than 30 % a day, drafts among them; one per price.
    Charges by meter are left out: they also move by what is used.
    """
    rows = session.execute(
        REPRICED,
        {
            "community_id": community_id,
            "since": today - timedelta(days=NEW_PRICE_DAYS),
            "today": today,
            "moved_min": MOVED_MIN,
        },
    )
    return [
        Finding(
            AlertKind.TARIFF_JUMP,
            Severity.HIGH,
            f"tariff {row.id} moves bills",
            {
                "item": row.name,
                "from": row.effective_from.isoformat(),
                "bills": row.bills,
                "times": f"{row.most:.2f}",
            },
        )
        for row in rows
    ]


def find_waiting_money(session: Session, community_id: int, today: date) -> list[Finding]:
    """Money in the bank for three days that is in no home's account; one alert for all of it."""
    row = session.execute(
        MONEY_WAITING,
        {"community_id": community_id, "until": today - timedelta(days=WAITING_DAYS)},
    ).one()
    if not row.pieces:
        return []
    return [
        Finding(
            AlertKind.MONEY_WAITING,
            Severity.MEDIUM,
            f"money waits since row {row.first_id}",
            {
                "pieces": row.pieces,
                "amount": Money(int(row.amount)).yuan,
                "since": row.since.isoformat(),
            },
        )
    ]
