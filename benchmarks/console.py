"""How soon the console's lists and accounts open in a large estate, and how long an export takes.

The console is served by a process of its own, to a browser that signed in; the time of a page runs
from asking until all of it is there.
"""

import random
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

import pyotp
import requests
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from benchmarks.paid_years import build_paid_years
from benchmarks.served import Served, environment_of, free_port, served
from benchmarks.town import bind_owners, tidy
from billing.bulk import copy_rows
from billing.db import Database, connect
from billing.merchants import MerchantAccount
from billing.people import Staff, StaffRole
from billing.period import Period
from billing.privacy import Vault
from billing.property import Community, Unit
from billing.reports.rollups import rebuild
from billing.resident_keys import key_rows
from billing.staff_access import keep_credential
from bot.demo.keys import make_account
from bot.embedded import scratch
from bot.schema import migrate
from notify.rung_effects import count_rungs

PERIOD = Period("2026-11")
MERCHANT_ID = 1
MONTHS = 6
"""Billed and paid beside the current one."""

ITEMS = 3
"""Area, flat, and an electricity meter at every home."""

ROUNDS = 60
FAMILY = "王李张刘陈杨黄赵周吴徐孙马朱胡林郭何高罗"
GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂建国文辉志玉红梅"
LOGIN, PASSWORD, SECRET = "bench", "correct horse battery", pyotp.random_base32()  # invented
CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')

CARS = [
    text(statement)
    for statement in (
        """
        INSERT INTO subject (community_id, id, kind, code, unit_id, billable_from)
        SELECT community_id, 10_000_000 + id, 'parking', 'B1-' || id, id, '2021-01-01'
        FROM unit WHERE community_id = :c
        """,
        """
        INSERT INTO parking_space (community_id, id, area, plate)
        SELECT community_id, 10_000_000 + id, 'B1', '测A·' || lpad(CAST(id AS text), 6, '0')
        FROM unit WHERE community_id = :c
        """,
        """
        INSERT INTO audit_entry (at, staff_id, community_id, action, subject, detail, address)
        SELECT :now, :staff, :c, 'homes_people_reveal', '/console/BENCH/homes/' || id, '{}', '::1'
        FROM unit WHERE community_id = :c
        """,
    )
]
"""A car at every home, and a log as long as there are homes."""


TOLD = [
    text(statement)
    for statement in (
        r"""
        CREATE TEMPORARY TABLE told ON COMMIT DROP AS
        SELECT row_number() OVER (ORDER BY at, kind, bill_id) AS id, told.*
        FROM (
            SELECT bill.id AS bill_id, bill.unit_id, binding.follower_id, 'bill_issued' AS kind,
                   'bill\:' || bill.id AS fact_key, chunk.issued_on + time '02:00' AS at
            FROM bill JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
             AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no
            JOIN binding ON binding.community_id = bill.community_id
             AND binding.unit_id = bill.unit_id
            WHERE bill.community_id = :c
            UNION ALL
            SELECT bill.id, bill.unit_id, binding.follower_id, 'due_soon',
                   'bill\:' || bill.id || '\:T-3', chunk.due_on - 3 + time '02:00'
            FROM bill JOIN bill_run_chunk chunk ON chunk.community_id = bill.community_id
             AND chunk.run_id = bill.run_id AND chunk.no = bill.chunk_no
            JOIN binding ON binding.community_id = bill.community_id
             AND binding.unit_id = bill.unit_id
            WHERE bill.community_id = :c AND bill.unit_id % 3 = 0
             AND chunk.due_on - 3 < CAST(:now AS date)
        ) told
        """,
        """
        INSERT INTO message (community_id, id, follower_id, kind, urgency, transport, content,
                             client_msg_id, state, reason, created_at, expires_at, next_attempt_at,
                             attempts, first_sent_at, settled_at)
        SELECT :c, id, follower_id, kind, 'today', 'template', '{"text": "bench"}', 'bench-' || id,
               CASE WHEN id % 200 = 0 THEN 'failed' ELSE 'delivered' END,
               CASE WHEN id % 200 = 0 THEN 'refused' END, at, at, at, 1,
               CASE WHEN id % 200 <> 0 THEN at END, at
        FROM told
        """,
        """
        INSERT INTO notice (community_id, id, follower_id, kind, urgency, fact_key, unit_id, ref_id,
                            data, state, created_at, not_before, expires_at, message_id)
        SELECT :c, id, follower_id, kind, 'today', fact_key, unit_id, bill_id, '{}', 'merged', at,
               at, at, id
        FROM told
        """,
        """
        INSERT INTO message_open (community_id, message_id, opened_at)
        SELECT :c, id, at + interval '1 hour' FROM told WHERE id % 3 = 0
        """,
    )
]
"""Every home was told of each bill, and a third of them reminded."""


@dataclass(frozen=True, slots=True)
class Dweller:
    """Somebody who owns a home."""

    unit_id: int
    room: str
    name: str
    phone: str


def measure(homes: int = 2_000) -> dict[str, Any]:
    """Open each list sixty times, each time elsewhere in it; export the homes and the bills."""
    now = datetime.now(UTC)
    account = make_account()
    chance = random.Random(1)
    with scratch() as engines, tempfile.TemporaryDirectory() as var:
        migrate(engines.database_url)
        database = Database(connect(engines.database_url), after_facts=lambda: None)
        community = build_paid_years(database, homes, PERIOD, MERCHANT_ID, now, MONTHS, ITEMS)
        bind_owners(database, community, homes, now)
        vault = Vault([account["data_key"]], account["hash_key"])
        people = _settle(database, vault, community, chance, now)
        with database.transaction() as session:
            merchant = session.get_one(MerchantAccount, MERCHANT_ID).code
            run = session.scalar(text("SELECT min(id) FROM bill_run"))
            told = session.scalar(text("SELECT count(*) FROM message"))
        port = free_port()
        environment = environment_of(account, merchant, port, Path(var))
        environment |= {"DATABASE_URL": engines.database_url, "REDIS_URL": engines.redis_url}
        pages = _pages(chance, people, run)
        with served(["bot", "serve"], environment, port) as server:
            browser = _sign_in(f"http://127.0.0.1:{port}/console")
            base = f"http://127.0.0.1:{port}/console/{community.code}"
            _begin_shift(browser, base)
            p95 = {name: _p95_ms(browser, base, page) for name, page in pages.items()}
            exports = {
                "homes": _export(browser, server, f"{base}/homes?format=xlsx"),
                "bills": _export(browser, server, f"{base}/reports/bills?format=xlsx"),
            }
        database.engine.dispose()
    return {
        "homes": homes,
        "payments": homes * MONTHS,
        "messages": told,
        "p95_ms": p95,
        "exports": exports,
    }


def _settle(
    database: Database, vault: Vault, community: Community, chance: random.Random, now: datetime
) -> list[Dweller]:
    """An owner for every home, cars, a log, and somebody who works here."""
    with database.transaction() as session:
        session.execute(text("RESET ROLE"))
        session.execute(text("SET LOCAL statement_timeout = 0"))
        homes = session.execute(
            select(Unit.id, Unit.room).where(Unit.community_id == community.id).order_by(Unit.id)
        )
        people = [
            Dweller(
                row.id,
                row.room,
                chance.choice(FAMILY) + "".join(chance.sample(GIVEN, 2)),
                f"100{row.id:08d}",
            )
            for row in homes
        ]
        _write_people(session, vault, community.id, people)
        staff = Staff(login=LOGIN, name="bench", role=StaffRole.MANAGER, community_id=None)
        session.add(staff)
        session.flush()
        keep_credential(session, vault, staff, PASSWORD, SECRET, now, is_temporary=False)
        for statement in CARS:
            session.execute(statement, {"c": community.id, "now": now, "staff": staff.id})
        for statement in TOLD:
            session.execute(statement, {"c": community.id, "now": now})
        rebuild(session, community.id)
    tidy(database)
    with database.transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        while count_rungs(session, community.id, now.date()):
            pass
    return people


def _write_people(session: Session, vault: Vault, community_id: int, people: list[Dweller]) -> None:
    since = date(2021, 1, 1)
    copy_rows(
        session,
        "resident",
        ("community_id", "id", "name_sealed", "phone_sealed"),
        ((community_id, p.unit_id, vault.seal(p.name), vault.seal(p.phone)) for p in people),
    )
    copy_rows(
        session,
        "occupancy",
        ("community_id", "unit_id", "resident_id", "role", "from_on"),
        ((community_id, p.unit_id, p.unit_id, "owner", since) for p in people),
    )
    copy_rows(
        session,
        "resident_key",
        ("community_id", "kind", "fingerprint", "resident_id"),
        (
            (community_id, key["kind"].value, key["fingerprint"], key["resident_id"])
            for p in people
            for key in key_rows(vault, community_id, p.unit_id, p.name, p.phone)
        ),
    )


def _pages(
    chance: random.Random, people: list[Dweller], run: int
) -> Mapping[str, Callable[[], str]]:
    """Name → the address of one of its pages, another each time."""

    def one() -> Dweller:
        return chance.choice(people)

    homes = "/homes?q="
    return {
        "dashboard": lambda: "/",
        "homes": lambda: f"/homes?after={one().unit_id}",
        "homes by room": lambda: f"/homes?sort=room&after={one().unit_id}",
        "homes, a room": lambda: homes + one().room,
        "homes, a room's beginning": lambda: homes + one().room[:3],
        "homes, a door": lambda: homes + one().room.split("-")[-1],
        "homes, a name": lambda: homes + one().name,
        "homes, a surname": lambda: homes + one().name[0],
        "homes, a surname by room": lambda: f"/homes?sort=room&q={one().name[0]}",
        "homes, a telephone's end": lambda: homes + one().phone[-4:],
        "homes, a plate": lambda: f"{homes}A{one().unit_id:06d}",
        "a home's account": lambda: f"/homes/{one().unit_id}",
        "a home's bills": lambda: f"/homes/{one().unit_id}/bills",
        "a home's statement": lambda: f"/homes/{one().unit_id}/statement",
        "a home at the counter": lambda: f"/counter/homes/{one().unit_id}",
        "payments": lambda: "/payments",
        "all payments": lambda: f"/payments?state=confirmed&after={one().unit_id * MONTHS}",
        "payments of a room": lambda: f"/payments?q={one().room}",
        "a payment by its number": lambda: f"/payments?q=OLD{100_000_000 + one().unit_id}",
        "payments of a stair": lambda: "/payments?q=" + one().room[:-2],
        "payments of a room's beginning": lambda: f"/payments?q={one().room[:1]}",
        "bills of a run": lambda: f"/bill-runs/{run}",
        "bills of a run by amount": lambda: f"/bill-runs/{run}?sort=amount&order=desc",
        "bills of a month": lambda: "/reports/bills",
        "unpaid bills of a month": lambda: "/reports/bills?unpaid=1",
        "arrears": lambda: "/reports/arrears",
        "arrears, the most first": lambda: "/reports/arrears?sort=owed&order=desc",
        "income": lambda: "/reports/income",
        "what reminders bring": lambda: "/reports/reminders",
        "which rungs make people pay": lambda: "/settings/effects",
        "satisfaction": lambda: "/reports/satisfaction",
        "letters": lambda: "/letters",
        "notices": lambda: "/notices",
        "failed notices": lambda: "/notices?state=failed",
        "notices of a room": lambda: f"/notices?room={one().room}",
        "what came of notices": lambda: "/notices/outcomes?days=30",
        "broadcasts": lambda: "/broadcasts",
        "meters": lambda: "/meters",
        "meters by room": lambda: "/meters?sort=subject",
        "tickets": lambda: "/tickets",
        "alerts": lambda: "/alerts",
        "refunds": lambda: "/refunds",
        "bank": lambda: "/bank",
        "discrepancies": lambda: "/discrepancies",
        "fapiao": lambda: "/fapiao",
        "approvals": lambda: "/approvals",
        "log": lambda: "/../audit",
    }


def _sign_in(console: str) -> requests.Session:
    browser = requests.Session()
    form = CSRF.search(browser.get(f"{console}/sign-in", timeout=60).text)
    if form is None:
        raise RuntimeError("the form to sign in has no token")
    typed = {"login": LOGIN, "password": PASSWORD, "totp": pyotp.TOTP(SECRET).now()}
    answer = browser.post(f"{console}/sign-in", data={**typed, "csrf_token": form[1]}, timeout=60)
    answer.raise_for_status()
    return browser


def _begin_shift(browser: requests.Session, base: str) -> None:
    form = CSRF.search(browser.get(f"{base}/counter", timeout=60).text)
    if form is None:
        raise RuntimeError("the counter has no form to begin a shift")
    typed = {"float": "0", "csrf_token": form[1]}
    browser.post(f"{base}/shifts", data=typed, timeout=60).raise_for_status()


def _p95_ms(browser: requests.Session, base: str, page: Callable[[], str]) -> float:
    took = []
    for _ in range(ROUNDS + 1):
        begun = time.perf_counter()
        answer = browser.get(base + page(), timeout=60)
        took.append((time.perf_counter() - begun) * 1000)
        if answer.status_code != requests.codes.ok:
            raise AssertionError(f"{answer.url}: {answer.status_code}")
    return round(quantiles(took[1:], n=20)[-1], 1)  # the first compiles its SQL


def _export(browser: requests.Session, server: Served, address: str) -> dict[str, Any]:
    server.forget_peak()
    held = server.peak_mb()
    begun = time.perf_counter()
    answer = browser.get(address, timeout=600)
    seconds = time.perf_counter() - begun
    answer.raise_for_status()
    return {
        "seconds": round(seconds, 1),
        "file_mb": round(len(answer.content) / 1e6, 1),
        "held_before_mb": held,
        "peak_mb": server.peak_mb(),
    }
