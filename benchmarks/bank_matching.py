"""How fast a bank's statement is matched with the homes of a large town, and booked.

Rows as a bank has them: most with the home's reference, others with a room and a name, a name
alone, a misspelt name, or nothing that helps.
"""

import csv
import io
import random
import resource
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks.town import build_town
from billing.bank_accounts import add_account
from billing.bank_reference import reference_of
from billing.bill_run import run_bills
from billing.bulk import copy_rows
from billing.db import Database, connect
from billing.people import Staff, StaffRole
from billing.period import Period
from billing.privacy import Vault
from billing.property import Community
from billing.statements.deciding import match_all
from billing.statements.grid import parse_grids
from billing.statements.importing import import_statement
from bot.embedded import scratch
from bot.schema import migrate

PERIOD = Period("2026-11")
NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
FAMILY = "王李张刘陈杨黄赵周吴徐孙马朱胡林郭何高罗"
GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂建国文辉志玉红梅"
HEADINGS = ["交易日期", "交易时间", "收入金额", "对方户名", "对方账号", "附言", "流水号"]

Home = tuple[int, str, str, str]
"""Number, room, owner, what it owes in yuan."""


def measure(rows: int = 1_000, households: int = 10_000) -> dict[str, Any]:
    """Read a statement, import it, match it and book it; every home owes one bill."""
    chance = random.Random(20261123)  # the same town every time
    vault = Vault([Fernet.generate_key().decode()], "benchmark-only-hash-key-of-32-characters")
    with scratch() as engines:
        migrate(engines.database_url)
        database = Database(connect(engines.database_url), after_facts=lambda: None)
        community = build_town(database, households, 1)
        run_bills(database, community, PERIOD, today=PERIOD.start, now=NOW, publish=True)
        with database.transaction() as session:
            homes = _move_in(session, community, vault, chance)
            clerk = Staff(login="clerk", name="-", role=StaffRole.ACCOUNTANT)
            session.add(clerk)
            session.flush()
            account = add_account(
                session,
                vault,
                community.id,
                code="bench",
                holder="-",
                bank="-",
                number="62220000111122223",
                by=clerk,
                now=NOW,
            )
        content = _statement(homes, rows, chance)
        started = time.perf_counter()
        grids = parse_grids(content)
        with database.transaction() as session:
            import_statement(session, vault, account, grids, told={}, by=clerk, now=NOW)
        imported = time.perf_counter()
        counts = match_all(database, vault, community.id, now=NOW)
        ended = time.perf_counter()
        database.engine.dispose()
    return {
        "rows": rows,
        "households": households,
        "seconds": round(ended - started, 2),
        "import_seconds": round(imported - started, 2),
        "match_seconds": round(ended - imported, 2),
        "states": {state.value: count for state, count in sorted(counts.items())},
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _move_in(
    session: Session, community: Community, vault: Vault, chance: random.Random
) -> list[Home]:
    """Give every home an owner."""
    units = session.execute(
        text(
            "SELECT unit.id, unit.room, bill.amount FROM unit JOIN bill"
            " ON bill.community_id = unit.community_id AND bill.unit_id = unit.id ORDER BY unit.id"
        )
    ).all()
    homes = [
        (unit_id, room, _name(chance), f"{fen // 100}.{fen % 100:02d}")
        for unit_id, room, fen in units
    ]
    copy_rows(
        session,
        "resident",
        ("community_id", "id", "name_sealed"),
        ((community.id, unit_id, vault.seal(name)) for unit_id, _, name, _ in homes),
    )
    copy_rows(
        session,
        "occupancy",
        ("community_id", "unit_id", "resident_id", "role", "from_on"),
        ((community.id, home[0], home[0], "owner", date(2020, 1, 1)) for home in homes),
    )
    session.execute(text("RESET ROLE"))  # ANALYZE is the owner's right
    session.execute(text("ANALYZE"))
    return homes


def _name(chance: random.Random) -> str:
    return chance.choice(FAMILY) + "".join(chance.choices(GIVEN, k=chance.choice((1, 2, 2, 2))))


def _statement(homes: Sequence[Home], rows: int, chance: random.Random) -> bytes:
    """A bank's .csv in GB18030."""
    content = io.StringIO(newline="")
    writer = csv.writer(content)
    writer.writerow(HEADINGS)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    for number in range(rows):
        unit_id, room, owner, owes = chance.choice(homes)
        payer, remark = _words(unit_id, room, owner, chance)
        moment = start + timedelta(minutes=number * 30_000 // rows)
        amount = owes if chance.random() < 0.9 else "100.00"
        writer.writerow(
            [f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}", amount, payer, "62170000", remark, number]
        )
    return content.getvalue().encode("gb18030")


def _words(unit_id: int, room: str, owner: str, chance: random.Random) -> tuple[str, str]:
    kind = chance.random()
    if kind < 0.5:
        return owner, f"{reference_of(unit_id)} 物业费"
    if kind < 0.7:
        return owner, f"{room} 物业费"
    if kind < 0.8:
        return owner, "物业费"
    if kind < 0.9:
        return owner[0] + chance.choice(GIVEN) + owner[-1], f"{room.replace('-', '栋')}室"
    return _name(chance), "转账"
