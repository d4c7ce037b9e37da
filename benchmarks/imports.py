"""How fast a community's lists are taken from Excel: homes, people, readings, debts, payments."""

import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import xlsxwriter
from cryptography.fernet import Fernet

from billing.db import Database, connect
from billing.imports.columns import SheetKind
from billing.imports.run import import_workbook
from billing.imports.wording import headings
from billing.imports.workbook import read_workbook
from billing.privacy import Vault
from bot.embedded import scratch
from bot.schema import migrate

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
HOMES_PER_STAIR = 100
OF_TEN = {
    SheetKind.UNITS: 3,
    SheetKind.PEOPLE: 3,
    SheetKind.METERS: 1,
    SheetKind.READINGS: 1,
    SheetKind.OPENINGS: 1,
    SheetKind.PAYMENTS: 1,
}
"""How many rows of ten are of this kind; buildings and stairs come on top."""

Cells = Sequence[Any]


def measure(rows: int = 10_000) -> dict[str, Any]:
    """From the file to the committed books, of a community that is not there yet."""
    with tempfile.TemporaryDirectory() as folder, scratch() as engines:
        path = Path(folder) / "community.xlsx"
        _write(path, rows)
        migrate(engines.database_url)
        database = Database(connect(engines.database_url), after_facts=lambda: None)
        vault = Vault([Fernet.generate_key().decode()], "benchmark-only-hash-key-of-32-characters")
        started = time.perf_counter()
        sheets = read_workbook(path)
        with database.transaction() as session:
            outcome = import_workbook(
                session, sheets, "BENCH", vault, by=None, today=TODAY, now=NOW, write=True
            )
        seconds = time.perf_counter() - started
        database.engine.dispose()
    if outcome.faults:
        raise RuntimeError(f"the benchmark's own rows are refused: {outcome.faults[0]}")
    taken = sum(tally.created for tally in outcome.sheets.values())
    return {
        "rows": taken,
        "seconds": round(seconds, 2),
        "rows_per_second": round(taken / seconds),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _write(path: Path, rows: int) -> None:
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        for kind, lines in _sheets(rows).items():
            sheet = book.add_worksheet(kind.label)
            sheet.write_row(0, 0, [word.heading for word in headings(kind).values()])
            for at, line in enumerate(lines, start=1):
                sheet.write_row(at, 0, line)


def _sheets(rows: int) -> dict[SheetKind, Iterator[Cells]]:
    """Lines of each sheet, in the order of its columns."""
    count = {kind: rows * share // 10 for kind, share in OF_TEN.items()}
    stairs = range(1, count[SheetKind.UNITS] // HOMES_PER_STAIR + 2)
    homes = [
        f"{stair}-1-{floor}{door:02d}"
        for stair in stairs
        for floor in range(1, HOMES_PER_STAIR // 4 + 1)
        for door in range(1, 5)
    ][: count[SheetKind.UNITS]]
    return {
        SheetKind.COMMUNITIES: iter([("BENCH", "bench", "bench", "-", "B", "1", "b", 1, 31)]),
        SheetKind.BUILDINGS: ((stair, str(stair)) for stair in stairs),
        SheetKind.ENTRANCES: ((stair, 1) for stair in stairs),
        SheetKind.UNITS: (
            (room, "home", int(room.split("-")[2][:-2]), 70 + at % 700 / 10, "2021-06-01")
            for at, room in enumerate(homes)
        ),
        SheetKind.PEOPLE: (
            (room, f"owner {at}", f"100{at:08d}", "owner", "2021-06-01")
            for at, room in enumerate(homes)
        ),
        SheetKind.ITEMS: iter([("water", "water", "water", "home", "monthly", "2021-01-01")]),
        SheetKind.METERS: (
            (f"W-{room}", "water", room) for room in homes[: count[SheetKind.METERS]]
        ),
        SheetKind.READINGS: (
            (f"W-{room}", "2026-11-01", 100 + at / 10)
            for at, room in enumerate(homes[: count[SheetKind.READINGS]])
        ),
        SheetKind.OPENINGS: (
            (room, None, "water", "2025-01-01", "2025-01-31", 100.5, "2025-02-28")
            for room in homes[: count[SheetKind.OPENINGS]]
        ),
        SheetKind.PAYMENTS: (
            (f"S{at}", room, "2025-03-01", 150.25, "cash")
            for at, room in enumerate(homes[: count[SheetKind.PAYMENTS]])
        ),
    }
