"""Rows that wait are decided: booked to a home, found to be booked already, or left to people."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.bulk_booking import book_many
from billing.business_day import business_date
from billing.db import Database
from billing.payment_tables import Payment, PaymentChannel, PaymentState
from billing.payments import lock_homes
from billing.privacy import Vault
from billing.statements.directory import load_directory, read_owed
from billing.statements.matching import (
    CANDIDATES_KEPT_MAX,
    Candidate,
    Clue,
    Directory,
    after,
    candidates,
    choose,
    outcome,
    with_amounts,
)
from billing.statements.slips import Slip, find_slip, list_slips, numbers_in
from billing.statements.tables import BankRow, RowState

NUMBER_PREFIX = "BANK-"
ROWS_PER_TRANSACTION = 500


@dataclass(frozen=True, slots=True)
class Details:
    """What is sealed with a row."""

    payer: str
    account: str
    remark: str


def open_details(vault: Vault, row: BankRow) -> Details:
    """Who paid and what he wrote."""
    return Details(**json.loads(vault.open(row.details_sealed)))


@dataclass(frozen=True, slots=True)
class Assigned:
    """A row, the home it is booked to and how it stands to what is owed; `number` of the payment
    where the usual one is taken.
    """

    row: BankRow
    unit_id: int
    state: RowState
    number: str = ""


@dataclass(frozen=True, slots=True)
class _Look:
    """A row with who may have paid it."""

    row: BankRow
    found: list[Candidate]
    numbers: frozenset[str]


def match_all(
    database: Database,
    vault: Vault,
    community_id: int,
    *,
    now: datetime,
    rows_per_transaction: int = ROWS_PER_TRANSACTION,
) -> Counter[RowState]:
    """Decide about everything of a community that waits; returns how many rows became what.

    Opens a transaction for each part, so that whoever pays meanwhile waits for moments. Killed on
    the way it leaves whole parts; called again it goes on.
    """
    with database.transaction() as session:
        directory = load_directory(session, vault, community_id, today=business_date(now))
    counts: Counter[RowState] = Counter()
    while True:
        with database.transaction() as session:
            part = match_waiting(
                session, vault, community_id, directory, limit=rows_per_transaction, now=now
            )
        if not part:
            return counts
        counts += part


def match_waiting(
    session: Session,
    vault: Vault,
    community_id: int,
    directory: Directory,
    *,
    limit: int,
    now: datetime,
) -> Counter[RowState]:
    """Decide about the next rows that wait, by time; returns how many became what, nothing when
    none is left.

    Rows of certain homes are booked: what is owed is paid, the oldest first, the rest is the home's
    prepayment. In which order a file had its rows makes no difference. Safe to call twice and from
    two places at once. Locks the rows, then the homes (before payment, unit, community).
    """
    rows = session.scalars(
        select(BankRow)
        .where(BankRow.community_id == community_id, BankRow.state == RowState.WAITING)
        .order_by(BankRow.value_at, BankRow.key)
        .limit(limit)
        .with_for_update(key_share=True)
    ).all()
    looks = [_look(vault, row, directory) for row in rows]
    homes = sorted({home.unit_id for look in looks for home in look.found})
    # What they owe, and which slips a cashier books, must not change before this is booked.
    lock_homes(session, community_id, homes)
    owed = read_owed(session, community_id, homes)
    numbers = {number for look in looks for number in look.numbers}
    slips = list_slips(session, community_id, homes, numbers)
    booked: list[Assigned] = []
    for look in looks:
        row = look.row
        ranked = with_amounts(look.found, row.amount, owed)
        row.evidence = evidence_json(ranked)
        chosen = choose(ranked)
        slip = _slip_of(look, [chosen] if chosen else ranked, slips)
        row.decided_at = now
        if slip is not None:
            slips.remove(slip)
            row.state, row.unit_id, row.payment_id = (
                RowState.RECORDED,
                slip.unit_id,
                slip.payment_id,
            )
        elif chosen is not None:
            booked.append(Assigned(row, chosen.unit_id, outcome(row.amount, owed[chosen.unit_id])))
            owed[chosen.unit_id] = after(owed[chosen.unit_id], row.amount)
        else:
            row.state = RowState.AMBIGUOUS if ranked else RowState.UNKNOWN
    book_rows(session, community_id, booked, now)
    return Counter(look.row.state for look in looks)


def _look(vault: Vault, row: BankRow, directory: Directory) -> _Look:
    details = open_details(vault, row)
    clue = Clue(row.amount, details.payer, details.remark)
    return _Look(row, candidates(clue, directory), numbers_in(row.serial, details.remark))


def _slip_of(look: _Look, homes: Sequence[Candidate], slips: Sequence[Slip]) -> Slip | None:
    return find_slip(
        slips,
        amount=look.row.amount,
        value_on=look.row.value_on,
        unit_ids={home.unit_id for home in homes},
        numbers=look.numbers,
    )


def evidence_json(ranked: Sequence[Candidate]) -> dict[str, Any]:
    """The best candidates as they are kept with a row."""
    return {"homes": [home.as_json() for home in ranked[:CANDIDATES_KEPT_MAX]]}


def book_rows(
    session: Session, community_id: int, assigned: Sequence[Assigned], now: datetime
) -> None:
    """Book rows to their homes, each as a payment of its own, in the order given."""
    payments = [
        Payment(
            community_id=one.row.community_id,
            out_trade_no=one.number or f"{NUMBER_PREFIX}{one.row.id}",
            unit_id=one.unit_id,
            channel=PaymentChannel.BANK_TRANSFER,
            state=PaymentState.CONFIRMED,
            amount=one.row.amount,
            transaction_id=one.row.serial,
            prepared_at=now,
            confirmed_at=now,
            paid_at=one.row.value_at,
        )
        for one in assigned
    ]
    session.add_all(payments)
    session.flush()
    for one, payment in zip(assigned, payments, strict=True):
        one.row.state, one.row.unit_id = one.state, one.unit_id
        one.row.payment_id = payment.id
    session.flush()
    book_many(session, community_id, payments, now)
