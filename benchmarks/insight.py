"""How many planted oddities the detectors find, and how much of what they find was planted.

A seeded community of ordinary homes, with a season, noise, forgetful payers and volatile meters;
into it a known number of oddities of every kind, and what merely looks like one.
"""

import math
import random
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks.reports import PERIOD, TODAY
from benchmarks.town import build_town, clone_history
from billing.bill_run import run_bills
from billing.business_day import BEIJING
from billing.db import Database, connect
from billing.insight.nightly import DETECTORS
from billing.period import add_months
from billing.property import Community
from billing.reports.rollups import rebuild
from bot.embedded import scratch
from bot.schema import migrate

BUILDINGS = 6
USAGE_MONTHS = 14
SEASON = (1.1, 1.0, 0.9, 0.9, 1.0, 1.3, 1.7, 1.8, 1.3, 1.0, 0.9, 1.1)
"""How much is used in each month of a year, against the usual."""

SHARES = {"stopped": 0.02, "jump": 0.015, "zero": 0.015, "twice": 0.01, "parts": 0.005}
"""Of homes; at least three each."""

WAIVING, STEADY = 3, 4
"""Number of the member of staff who suddenly waives, and of him who always does much."""

NOW = datetime(TODAY.year, TODAY.month, TODAY.day, 10, tzinfo=BEIJING)
MONTHS_OF_BILLS = 14


@dataclass
class Planted:
    """What is in the books: kind of alert → what it should be about."""

    truth: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, kind: str, what: object) -> None:
        """Note that one is there."""
        self.truth[kind].add(str(what))


def measure(households: int = 600, seed: int = 1) -> dict[str, Any]:
    """Plant, look, compare: precision and recall by kind and over all."""
    with scratch() as engines:
        migrate(engines.database_url)
        database = Database(connect(engines.database_url), after_facts=lambda: None)
        result = compare(database, households, seed)
        database.engine.dispose()
    return result


def compare(database: Database, households: int, seed: int) -> dict[str, Any]:
    """The same on an empty database."""
    chance = random.Random(seed)
    community = build_town(database, households, items=4)
    planted = _plant(database, community, households, chance)
    begun = time.perf_counter()
    found: dict[str, set[str]] = defaultdict(set)
    with database.transaction() as session:
        for detector in DETECTORS:
            for finding in detector(session, community.id, TODAY):
                found[finding.kind.value].add(_about(finding.unit_id, finding.data))
    seconds = time.perf_counter() - begun
    kinds = {
        kind: _score(planted.truth[kind], found[kind]) for kind in sorted({*planted.truth, *found})
    }
    hits = sum(len(planted.truth[kind] & found[kind]) for kind in kinds)
    return {
        "households": households,
        "seconds": round(seconds, 2),
        "precision": round(hits / sum(one["found"] for one in kinds.values()), 3),
        "recall": round(hits / sum(one["planted"] for one in kinds.values()), 3),
        "kinds": kinds,
    }


def _about(unit_id: int | None, data: Mapping[str, Any]) -> str:
    if unit_id is not None:
        return str(unit_id)
    named = (data.get(name) for name in ("name", "building", "item"))
    return next((str(one) for one in named if one), "all")


def _score(planted: set[str], found: set[str]) -> dict[str, Any]:
    hits = len(planted & found)
    return {
        "planted": len(planted),
        "found": len(found),
        "precision": round(hits / len(found), 3) if found else None,
        "recall": round(hits / len(planted), 3) if planted else None,
    }


def _plant(
    database: Database, community: Community, households: int, chance: random.Random
) -> Planted:
    planted = Planted()
    homes = list(range(1, households + 1))
    chance.shuffle(homes)
    chosen = {}
    for name, share in SHARES.items():
        count = max(round(households * share), 3)
        chosen[name], homes = set(homes[:count]), homes[count:]
    with database.transaction() as session:
        _prepare(session, community, planted, chance)
        _read_meters(session, community, households, chosen, chance)
    for name, kind in (
        ("jump", "usage_jump"),
        ("zero", "usage_zero"),
        ("stopped", "payer_stopped"),
        ("twice", "paid_twice"),
        ("parts", "paid_in_parts"),
    ):
        for home in chosen[name]:
            planted.add(kind, home)
    run_bills(database, community, PERIOD, today=PERIOD.start, now=NOW, publish=True)
    clone_history(database, community, PERIOD, MONTHS_OF_BILLS - 1)
    with database.transaction() as session:
        session.execute(text("RESET ROLE"))
        session.execute(text("SET LOCAL session_replication_role = replica"))  # no triggers
        _reprice(session, community)
        _pay(session, community, chosen, chance)
        _waive(session, community, planted, chance)
        _wait(session, community, planted)
        rebuild(session, community.id)
        session.execute(text("ANALYZE"))
    return planted


def _prepare(
    session: Session, community: Community, planted: Planted, chance: random.Random
) -> None:
    """Six buildings, dearer tariffs, and shared costs of this October and the last."""
    session.execute(text("RESET ROLE"))
    given = {"c": community.id}
    for statement in (
        f"INSERT INTO building (community_id, id, code, name) SELECT :c, n, n, n"
        f" FROM generate_series(1, {BUILDINGS}) n ON CONFLICT DO NOTHING",
        f"UPDATE unit SET building_id = id % {BUILDINGS} + 1 WHERE community_id = :c",
        """
        INSERT INTO tariff (community_id, item_id, effective_from, price, basis_document,
                            created_at)
        SELECT :c, item_id, '2026-11-01',
               jsonb_set(price, '{unit_price}', to_jsonb(CAST(CASE price->>'unit_price'
                         WHEN '6.00' THEN '9.00' ELSE '2.90' END AS text))),
               basis_document, created_at
        FROM tariff WHERE community_id = :c AND price->>'unit_price' IN ('6.00', '2.80')
        """,
    ):
        session.execute(text(statement), given)
    planted.add("tariff_jump", "item1")
    for building in range(1, BUILDINGS + 1):
        base = chance.randint(80_000, 120_000)
        odd = building == 2
        for start, times in ((date(2025, 10, 1), 1.0), (date(2026, 10, 1), 2.2 if odd else 1.1)):
            session.execute(
                text(
                    "INSERT INTO shared_cost (community_id, item_id, building_id, from_on, to_on,"
                    " amount, apportion_by, recorded_at) SELECT :c, id, :b, :start, :end, :amount,"
                    " 'area', :now FROM charge_item WHERE community_id = :c AND fee = 'shared'"
                ),
                given
                | {
                    "b": building,
                    "start": start,
                    "end": add_months(start, 1),
                    "amount": round(base * times * chance.uniform(0.9, 1.1)),
                    "now": NOW,
                },
            )
        if odd:
            planted.add("pool_jump", building)


def _read_meters(
    session: Session,
    community: Community,
    households: int,
    chosen: Mapping[str, set[int]],
    chance: random.Random,
) -> None:
    """Read on the first of every month; the last interval is odd where that was chosen."""
    days = [add_months(PERIOD.start, -back) for back in range(USAGE_MONTHS, -1, -1)]
    rows: list[tuple[int, date, float]] = []
    for home in range(1, households + 1):
        usual, shown = math.exp(chance.gauss(5, 0.4)), 1000.0
        is_odd = home in chosen["jump"] | chosen["zero"]
        restless = 0.7 if not is_odd and chance.random() < 0.05 else 0.15
        empty = not is_odd and chance.random() < 0.03
        rows.append((home, days[0], shown))
        for begin, day in pairwise(days):
            used = usual * SEASON[begin.month - 1] * math.exp(chance.gauss(0, restless))
            if empty and chance.random() < 0.8:
                used = 0
            if day == days[-1] and home in chosen["jump"]:
                used *= chance.uniform(4, 8)
            if day == days[-1] and home in chosen["zero"]:
                used = 0
            shown = round(shown + used, 1)
            rows.append((home, day, shown))
    session.execute(
        text(
            "INSERT INTO meter_reading (community_id, meter_id, read_on, value, recorded_at)"
            " SELECT :c, meter.id, given.day, given.value, :now FROM unnest("
            " CAST(:homes AS bigint[]), CAST(:days AS date[]), CAST(:values AS numeric[]))"
            " AS given (home, day, value) JOIN meter ON meter.community_id = :c"
            " AND meter.subject_id = given.home"
        ),
        {
            "c": community.id,
            "now": NOW,
            "homes": [row[0] for row in rows],
            "days": [row[1] for row in rows],
            "values": [row[2] for row in rows],
        },
    )


def _reprice(session: Session, community: Community) -> None:
    """Earlier months were billed by the earlier tariffs."""
    for statement in (
        """
        UPDATE bill_line line SET tariff_id = older.id,
               amount = CASE older.price->>'unit_price' WHEN '6.00' THEN 600
                        ELSE line.amount * 280 / 290 END
        FROM tariff newer JOIN tariff older ON older.community_id = newer.community_id
         AND older.item_id = newer.item_id AND older.effective_from < newer.effective_from
        WHERE line.community_id = :c AND line.tariff_id = newer.id
          AND line.period_from < newer.effective_from
        """,
        """
        UPDATE bill SET amount = lines.amount
        FROM (SELECT bill_id, sum(amount) AS amount FROM bill_line WHERE community_id = :c
              GROUP BY 1) lines
        WHERE bill.community_id = :c AND bill.id = lines.bill_id
        """,
    ):
        session.execute(text(statement), {"c": community.id})


def _pay(
    session: Session,
    community: Community,
    chosen: Mapping[str, set[int]],
    chance: random.Random,
) -> None:
    bills = session.execute(
        text(
            "SELECT bill.id, bill.unit_id, bill.period, bill.amount, chunk.issued_on,"
            " unit.building_id FROM bill JOIN bill_run_chunk chunk"
            " ON chunk.community_id = bill.community_id AND chunk.run_id = bill.run_id"
            " AND chunk.no = bill.chunk_no JOIN unit ON unit.community_id = bill.community_id"
            " AND unit.id = bill.unit_id WHERE bill.community_id = :c ORDER BY bill.id"
        ),
        {"c": community.id},
    ).all()
    habit = {home: chance.random() for home in sorted({bill.unit_id for bill in bills})}
    odd = set().union(*chosen.values())
    payments: list[tuple[int, int | None, int, date]] = []  # home, bill, fen, day
    for bill in bills:
        manner = 1.0 if bill.unit_id in odd else habit[bill.unit_id]
        paid_on = _day(bill, manner, bill.unit_id in chosen["stopped"], chance)
        if paid_on is None or paid_on > TODAY:
            continue
        parts = 1
        if bill.period == str(PERIOD):
            paid_on = min(paid_on, TODAY - timedelta(days=3))
            parts = 5 if bill.unit_id in chosen["parts"] else 1
            if bill.unit_id in chosen["twice"]:
                payments.append((bill.unit_id, None, bill.amount, paid_on + timedelta(days=1)))
        payments += [(bill.unit_id, bill.id, bill.amount, paid_on)] + [
            (bill.unit_id, None, 1000 + part, paid_on) for part in range(parts - 1)
        ]
    _write_payments(session, community, payments)


def _day(bill: Any, manner: float, has_stopped: bool, chance: random.Random) -> date | None:
    """When a bill is paid: most in time, some late, a few never."""
    if has_stopped and bill.period >= str(PERIOD.previous()):
        return None
    if manner < 0.04:
        return None
    if bill.period == str(PERIOD) and bill.building_id == 3 and manner < chance.random() + 0.4:
        return None  # this building waits and sees this month
    is_late = manner < 0.14 and chance.random() < 0.5
    days = chance.randint(33, 70) if is_late else chance.randint(1, 25)
    return bill.issued_on + timedelta(days=days)  # type: ignore[no-any-return]


def _write_payments(
    session: Session, community: Community, payments: list[tuple[int, int | None, int, date]]
) -> None:
    given = {
        "c": community.id,
        "ids": list(range(1, len(payments) + 1)),
        "homes": [home for home, _, _, _ in payments],
        "bills": [bill for _, bill, _, _ in payments],
        "fen": [fen for _, _, fen, _ in payments],
        "days": [day for _, _, _, day in payments],
    }
    for statement in (
        """
        CREATE TEMPORARY TABLE paid ON COMMIT DROP AS
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:homes AS bigint[]),
                             CAST(:bills AS bigint[]), CAST(:fen AS bigint[]),
                             CAST(:days AS date[])) AS paid (id, unit_id, bill_id, amount, day)
        """,
        """
        INSERT INTO payment (community_id, id, out_trade_no, unit_id, channel, state, amount,
                             is_designated, prepared_at, confirmed_at, paid_at)
        SELECT :c, id, 'P' || id, unit_id, 'wechat_jsapi', 'confirmed', amount, true, day, day,
               day + time '04:00'
        FROM paid
        """,
        """
        INSERT INTO payment_allocation (community_id, payment_id, bill_line_id, bill_id, amount,
                                        effective_on)
        SELECT :c, paid.id, line.id, paid.bill_id, line.amount, paid.day
        FROM paid JOIN bill_line line ON line.community_id = :c AND line.bill_id = paid.bill_id
        WHERE line.amount > 0
        """,
    ):
        session.execute(text(statement), given)


def _waive(session: Session, community: Community, planted: Planted, chance: random.Random) -> None:
    """Five members of staff ask for waivers: one much more than before, one always much."""
    for number in range(1, 6):
        name = f"staff{number}"
        staff_id = session.execute(
            text(
                "INSERT INTO staff (community_id, login, name, role)"
                " VALUES (:c, :name, :name, 'service') RETURNING id"
            ),
            {"c": community.id, "name": name},
        ).scalar_one()
        for span in range(7):
            times = chance.randint(0, 3)
            if number == STEADY:
                times = chance.randint(7, 10)
            if number == WAIVING and span == 0:
                times = 14
            session.execute(
                text(
                    "INSERT INTO adjustment (community_id, bill_id, bill_line_id, kind, amount,"
                    " reason, state, requested_by, requested_at) SELECT :c, bill_id, id, 'waiver',"
                    " -1, 'x', 'requested', :staff, :at FROM bill_line WHERE community_id = :c"
                    " ORDER BY id LIMIT :times"
                ),
                {
                    "c": community.id,
                    "staff": staff_id,
                    "at": NOW - timedelta(days=30 * span + 5),
                    "times": times,
                },
            )
    planted.add("staff_pattern", f"staff{WAIVING}")
    planted.add("rate_drop", 3)


def _wait(session: Session, community: Community, planted: Planted) -> None:
    """Money in the bank: some for a week, some since yesterday."""
    session.execute(
        text(
            "INSERT INTO bank_row (community_id, account_id, statement_id, key, value_at, value_on,"
            " amount, details_sealed, state, evidence) SELECT :c, 1, 1, n, :now, CAST(:today AS"
            " date) - n, 1000 * n, '', 'waiting', '{}' FROM generate_series(1, 8) n"
        ),
        {"c": community.id, "now": NOW, "today": TODAY},
    )
    planted.add("money_waiting", "all")
