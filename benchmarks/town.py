"""A made-up community of any size, written set-wise: what the benchmarks bill and read."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.db import Database
from billing.ledger import ensure_accounts
from billing.merchants import CommunityMerchant, MerchantAccount, Provider
from billing.period import Period
from billing.property import Community, SubjectKind
from billing.tariffs import ChargeItem, FeeKind, Tariff

FIRST_DAY = date(2020, 1, 1)
HOMES_PER_BUILDING = 200
TIERS = [
    {"up_to": "180", "unit_price": "0.50", "flat": "0"},
    {"up_to": "350", "unit_price": "0.55", "flat": "0"},
    {"up_to": None, "unit_price": "0.80", "flat": "0"},
]
PRICES: list[tuple[FeeKind, dict[str, Any] | None]] = [
    (FeeKind.PROPERTY, {"method": "area", "unit_price": "2.80", "per": "month"}),
    (FeeKind.GARBAGE, {"method": "flat", "unit_price": "6.00", "per": "month"}),
    (FeeKind.ELECTRICITY, {"method": "tiered", "mode": "graduated", "tiers": TIERS}),
    (FeeKind.SHARED, None),
]
"""Area, flat, tiered meter, shared cost; further items are flat."""

HOMES = [
    text(statement)
    for statement in (
        """
        INSERT INTO building (community_id, id, code, name)
        SELECT :c, n, n, n FROM generate_series(1, :households / :per + 1) n
        """,
        """
        INSERT INTO subject (community_id, id, kind, code, unit_id, billable_from)
        SELECT :c, n, 'home', n / :per + 1 || '-' || (100 + n), n, '2020-01-01'
        FROM generate_series(1, :households) n
        """,
        """
        INSERT INTO unit (community_id, id, building_id, room, floor, billable_area_m2)
        SELECT :c, n, n / :per + 1, n / :per + 1 || '-' || (100 + n), n / 4,
               70 + (n * 37 % 7000) / 100.0
        FROM generate_series(1, :households) n
        """,
        """
        INSERT INTO meter (community_id, subject_id, item_id, code, multiplier)
        SELECT :c, n, item.id, 'E' || n, 1
        FROM generate_series(1, :households) n
        JOIN charge_item item ON item.community_id = :c AND item.fee = 'electricity'
        """,
        "ANALYZE",
    )
]

MONTH = [
    text(statement)
    for statement in (
        """
        INSERT INTO meter_reading (community_id, meter_id, read_on, value, recorded_at)
        SELECT meter.community_id, meter.id, days.read_on,
               days.months * 210 + meter.id * 7919 % 1999 / 10.0 + meter.id % 1000, :now
        FROM meter CROSS JOIN (
            VALUES (CAST(:start AS date), CAST(:months AS int)),
                   (CAST(:end AS date), CAST(:months AS int) + 1)
        ) days (read_on, months)
        WHERE meter.community_id = :c
        ON CONFLICT DO NOTHING
        """,
        """
        INSERT INTO shared_cost (community_id, item_id, building_id, from_on, to_on, amount,
                                 apportion_by, recorded_at)
        SELECT building.community_id, item.id, building.id, :start, :end,
               100000 + building.id * 7 % 1000, 'area', :now
        FROM building JOIN charge_item item ON item.community_id = building.community_id
         AND item.fee = 'shared'
        WHERE building.community_id = :c AND EXISTS (
            SELECT FROM unit WHERE unit.community_id = :c AND unit.building_id = building.id)
          AND NOT EXISTS (SELECT FROM shared_cost cost WHERE cost.community_id = :c
                          AND cost.building_id = building.id AND cost.from_on = :start)
        """,
        "ANALYZE meter_reading",
    )
]

BIND = [
    text(statement)
    for statement in (
        """
        INSERT INTO follower (openid, first_seen_at, followed_at)
        SELECT 'o-bench-' || number, :now, :now FROM generate_series(1, :followers) number
        """,
        """
        INSERT INTO binding (community_id, unit_id, follower_id, role, state, requested_at,
                             decided_at)
        SELECT :c, unit.id, follower.id, 'owner', 'active', :now, :now
        FROM (SELECT id, row_number() OVER (ORDER BY id) AS no FROM unit
              WHERE community_id = :c) unit
        JOIN (SELECT id, row_number() OVER (ORDER BY id) AS no FROM follower) follower USING (no)
        """,
        "ANALYZE",
    )
]

CLONES = [
    text(statement)
    for statement in (
        "SET LOCAL session_replication_role = replica",  # no triggers, no foreign keys
        """
        INSERT INTO bill_run (community_id, id, period, kind, state, started_at, summary)
        SELECT community_id, id + :shift, :to, kind, state, started_at, summary
        FROM bill_run WHERE community_id = :c AND period = :from
        """,
        """
        INSERT INTO bill_run_chunk (community_id, run_id, no, last_unit_id, counts, state,
                                    issued_on, due_on)
        SELECT chunk.community_id, chunk.run_id + :shift, chunk.no, chunk.last_unit_id,
               chunk.counts, chunk.state,
               CAST(chunk.issued_on - make_interval(months => :months) AS date),
               CAST(chunk.due_on - make_interval(months => :months) AS date)
        FROM bill_run_chunk chunk JOIN bill_run run ON run.community_id = chunk.community_id
         AND run.id = chunk.run_id AND run.period = :from
        WHERE chunk.community_id = :c
        """,
        """
        INSERT INTO bill (community_id, id, run_id, chunk_no, unit_id, period, amount)
        SELECT community_id, id + :shift, run_id + :shift, chunk_no, unit_id, :to, amount
        FROM bill WHERE community_id = :c AND period = :from
        """,
        """
        INSERT INTO bill_line (community_id, bill_id, subject_id, item_id, tariff_id, kind,
                               period_from, period_to, source_id, redo, amount, basis)
        SELECT line.community_id, line.bill_id + :shift, line.subject_id, line.item_id,
               line.tariff_id, line.kind, line.period_from - make_interval(months => :months),
               line.period_to - make_interval(months => :months), 0, line.redo, line.amount,
               line.basis
        FROM bill_line line JOIN bill ON bill.community_id = line.community_id
         AND bill.id = line.bill_id AND bill.period = :from
        WHERE line.community_id = :c
        """,
        """
        INSERT INTO journal_entry (community_id, id, kind, idempotency_key, source_id,
                                   effective_on, posted_at, postings, total)
        SELECT community_id, id + :shift, kind, idempotency_key || '-' || :months,
               source_id + :shift, effective_on - make_interval(months => :months), posted_at,
               postings, total
        FROM journal_entry WHERE community_id = :c AND effective_on = :start
        """,
        """
        INSERT INTO posting (community_id, entry_id, no, account_id, unit_id, bill_id, debit,
                             credit)
        SELECT posting.community_id, posting.entry_id + :shift, posting.no, posting.account_id,
               posting.unit_id, posting.bill_id + :shift, posting.debit, posting.credit
        FROM posting JOIN journal_entry entry ON entry.community_id = posting.community_id
         AND entry.id = posting.entry_id AND entry.effective_on = :start
        WHERE posting.community_id = :c
        """,
    )
]


def build_town(database: Database, households: int, items: int) -> Community:
    """One community with homes, charge items and an electricity meter per home."""
    with database.transaction() as session:
        community = _community(session)
        names = {}
        for number in range(items):
            fee, price = PRICES[number] if number < len(PRICES) else PRICES[1]
            names[f"item{number}"] = f"item{number}"
            _item(session, community, f"item{number}", fee, price)
        ensure_accounts(session, community.id, names)
        session.execute(text("RESET ROLE"))  # ANALYZE is the owner's right
        for statement in HOMES:
            session.execute(
                statement,
                {"c": community.id, "households": households, "per": HOMES_PER_BUILDING},
            )
    return community


def record_month(database: Database, community: Community, period: Period) -> None:
    """Read every meter on the first and the last morning of a month, and note its shared costs."""
    with database.transaction() as session:
        session.execute(text("RESET ROLE"))
        months = (period.start.year - 2020) * 12 + period.start.month
        for statement in MONTH:
            session.execute(
                statement,
                {
                    "c": community.id,
                    "start": period.start,
                    "end": period.end,
                    "months": months,
                    "now": datetime.now(UTC),
                },
            )


def bind_owners(database: Database, community: Community, followers: int, now: datetime) -> None:
    """The first homes get a follower each, `o-bench-1` and so on, bound as its owner."""
    with database.transaction() as session:
        session.execute(text("RESET ROLE"))
        for statement in BIND:
            parameters = {"c": community.id, "now": now, "followers": followers}
            session.execute(statement, parameters)


def clone_history(database: Database, community: Community, period: Period, months: int) -> None:
    """Copy a month's run, bills and journal into the months before it."""
    with database.transaction() as session:
        session.execute(text("RESET ROLE"))
        earlier = period
        for number in range(1, months + 1):
            earlier = earlier.previous()
            for statement in CLONES:
                session.execute(
                    statement,
                    {
                        "c": community.id,
                        "from": str(period),
                        "to": str(earlier),
                        "start": period.start,
                        "months": number,
                        "shift": number * 100_000_000,
                    },
                )
        session.execute(text("ANALYZE"))


def tidy(database: Database) -> None:
    """Free what making the roll-ups anew left empty, which the nightly folding never does; look at
    every table anew.
    """
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("RESET ROLE"))
        for order in ("VACUUM FULL collection_move", "VACUUM FULL owed_move", "VACUUM ANALYZE"):
            connection.execute(text(order))


def _community(session: Session) -> Community:
    merchant = MerchantAccount(code="BENCH", provider=Provider.WECHAT_PAY, mchid="1", name="bench")
    session.add(merchant)
    community = Community(
        code="BENCH",
        name="bench",
        company="bench",
        service_phone="-",
        billing_day=1,
        due_day=31,
        due_month_offset=0,
    )
    session.add(community)
    session.flush()
    session.add(
        CommunityMerchant(
            community_id=community.id, provider=merchant.provider, merchant_id=merchant.id
        )
    )
    session.flush()
    return session.scalars(select(Community)).one()


def _item(
    session: Session, community: Community, code: str, fee: FeeKind, price: dict[str, Any] | None
) -> None:
    item = ChargeItem(
        community_id=community.id,
        code=code,
        name=code,
        fee=fee,
        subject_kind=SubjectKind.HOME,
        cycle_months=1,
        active_from=FIRST_DAY,
    )
    session.add(item)
    session.flush()
    if price is not None:
        session.add(
            Tariff(
                community_id=community.id,
                item_id=item.id,
                effective_from=FIRST_DAY,
                price=price,
                basis_document="-",
                created_at=datetime(2020, 1, 1, tzinfo=UTC),
            )
        )
