"""One import: read, check everything, then write everything or nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.errors import NotFound
from billing.imports.columns import SheetKind
from billing.imports.concession_sheets import plan_agreed_prices, plan_discounts
from billing.imports.known import Desk, Known
from billing.imports.meter_sheets import plan_meters, plan_readings
from billing.imports.old_payments import OldPayment, book_payments
from billing.imports.opening_books import (
    OldDebt,
    OldPrepayment,
    book_debts,
    book_prepayments,
)
from billing.imports.opening_sheets import plan_openings, plan_payments, plan_prepayments
from billing.imports.parsing import Advance, Book, Faults, read_book
from billing.imports.people_sheets import plan_people
from billing.imports.property_sheets import (
    plan_buildings,
    plan_communities,
    plan_entrances,
    plan_spaces,
    plan_units,
)
from billing.imports.reasons import Fault
from billing.imports.shared_cost_sheets import plan_shared_costs
from billing.imports.sheets import (
    AgreedPriceRow,
    BuildingRow,
    CommunityRow,
    DiscountRow,
    EntranceRow,
    ItemRow,
    MeterRow,
    OpeningRow,
    PaymentRow,
    PersonRow,
    PrepaymentRow,
    ReadingRow,
    ReplacementRow,
    SharedCostRow,
    SpaceRow,
    TariffRow,
    UnitRow,
)
from billing.imports.tariff_sheets import plan_items, plan_tariffs
from billing.imports.workbook import Sheet
from billing.imports.writing import Ids, Tally
from billing.ledger import ensure_accounts
from billing.meter_timeline import NewEvent
from billing.meters import write_events
from billing.people import BOOKKEEPERS, Staff, require_role
from billing.privacy import Vault
from billing.property import Community
from billing.resident_keys import add_phone_keys
from billing.run_lock import refuse_during_run

IMPORT_LOCK = 20261110
"""First key of the advisory lock of imports: two imports wait for each other."""


@dataclass(slots=True)
class Outcome:
    """What an import did, or would do, and what is wrong with its workbook.

    With `faults` nothing was written. `warnings` stop nothing.
    """

    sheets: dict[SheetKind, Tally] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The shape of `mingzhang import`."""
        return {
            "ok": not self.faults,
            "sheets": {kind.value: tally.as_json() for kind, tally in self.sheets.items()},
            "errors": [fault.as_json() for fault in self.faults],
            "warnings": [fault.as_json() for fault in self.warnings],
        }


@dataclass(slots=True)
class _Books:
    """What goes past master data: events of meters, and the books as they are opened."""

    events: list[NewEvent] = field(default_factory=list)
    debts: list[OldDebt] = field(default_factory=list)
    payments: list[OldPayment] = field(default_factory=list)
    prepayments: list[OldPrepayment] = field(default_factory=list)


def import_workbook(
    session: Session,
    sheets: Sequence[Sheet],
    code: str,
    vault: Vault,
    *,
    by: Staff | None,
    today: date,
    now: datetime,
    write: bool,
    advance: Advance = lambda _: None,
) -> Outcome:
    """Check every row of a workbook and, if all are sound and `write` is set, write them all.

    Safe to repeat: what is there already is left alone or brought up to date; what was billed or
    booked is never changed, a row that would is a fault.

    Args:
        code: the community everything belongs to; its own row may stand in the workbook.
        by: who imports; what he may not do by hand is a fault here as well. None: the operator at
            the command line, who may do all.
        advance: told of progress, in rows; three times the workbook's rows in all.

    Raises:
        NotFound: the community is neither in the database nor in the workbook.
        InvalidInput: `by` keeps no books of the community.
        Conflict: a bill run of the community is under way, and `write` is set.
    """
    faults = Faults()
    book = read_book(sheets, faults, advance)
    _set_up(session)
    ids = Ids(session)
    community_id = _community_id(session, book, code, faults, ids)
    if by is not None:
        require_role(by, community_id, BOOKKEEPERS)
    if write:
        refuse_during_run(session, community_id)
    known = Known(session, community_id)
    desk = Desk(session, known, ids, vault, today, now, faults, by)
    outcome = Outcome(faults=faults.found, warnings=desk.warnings.found)
    books = _Books()
    for kind, tally in _plan(book, desk, code, books):
        if kind in book.rows:
            outcome.sheets[kind] = tally
            advance(len(book.rows[kind]))
    if write and not faults:
        _write(desk, books)
        advance(book.total)
    return outcome


def _set_up(session: Session) -> None:
    """One import at a time; nobody waits for its statements but whoever started it."""
    session.execute(text("SET LOCAL statement_timeout = 0"))
    session.execute(text("SET LOCAL lock_timeout = 0"))
    lock = text("SELECT pg_advisory_xact_lock(CAST(:key AS bigint))")
    session.execute(lock, {"key": IMPORT_LOCK})
    session.execute(text("SET LOCAL lock_timeout TO DEFAULT"))


def _community_id(session: Session, book: Book, code: str, faults: Faults, ids: Ids) -> int:
    found: int | None = session.scalar(select(Community.id).where(Community.code == code))
    if found is not None:
        return found
    # A faulty row of the community is reported by itself, not as a community that is missing.
    if not faults and all(row.code != code for row in book.of(CommunityRow)):
        raise NotFound(f"no community {code!r}, and no row of it in the workbook")
    return ids.new(Community)


def _plan(book: Book, desk: Desk, code: str, books: _Books) -> Iterator[tuple[SheetKind, Tally]]:
    """Check sheet by sheet, each after those it refers to."""
    yield SheetKind.COMMUNITIES, plan_communities(book.of(CommunityRow), desk, code)
    yield SheetKind.BUILDINGS, plan_buildings(book.of(BuildingRow), desk)
    yield SheetKind.ENTRANCES, plan_entrances(book.of(EntranceRow), desk)
    yield SheetKind.UNITS, plan_units(book.of(UnitRow), desk)
    yield SheetKind.SPACES, plan_spaces(book.of(SpaceRow), desk)
    yield SheetKind.PEOPLE, plan_people(book.of(PersonRow), desk)
    yield SheetKind.ITEMS, plan_items(book.of(ItemRow), desk)
    yield SheetKind.TARIFFS, plan_tariffs(book.of(TariffRow), desk)
    yield SheetKind.DISCOUNTS, plan_discounts(book.of(DiscountRow), desk)
    yield SheetKind.AGREED_PRICES, plan_agreed_prices(book.of(AgreedPriceRow), desk)
    yield SheetKind.SHARED_COSTS, plan_shared_costs(book.of(SharedCostRow), desk)
    meters, timelines = plan_meters(book.of(MeterRow), desk)
    yield SheetKind.METERS, meters
    readings, replacements, books.events = plan_readings(
        book.of(ReadingRow), book.of(ReplacementRow), timelines, desk
    )
    yield SheetKind.READINGS, readings
    yield SheetKind.REPLACEMENTS, replacements
    debts, books.debts = plan_openings(book.of(OpeningRow), desk)
    yield SheetKind.OPENINGS, debts
    payments, books.payments = plan_payments(book.of(PaymentRow), desk)
    yield SheetKind.PAYMENTS, payments
    prepayments, books.prepayments = plan_prepayments(book.of(PrepaymentRow), desk)
    yield SheetKind.PREPAYMENTS, prepayments


def _write(desk: Desk, books: _Books) -> None:
    session, community_id = desk.session, desk.community_id
    desk.changes.write(session)
    add_phone_keys(session, desk.vault, community_id, desk.new_phones)
    names = {item.code: item.name for item in desk.known.items.values()}
    ensure_accounts(session, community_id, names)
    write_events(session, community_id, books.events, now=desk.now)
    book_debts(session, community_id, books.debts, today=desk.today, now=desk.now)
    book_payments(session, community_id, books.payments, now=desk.now)
    book_prepayments(session, community_id, books.prepayments, now=desk.now)
