"""Rows that wait are decided: booked to a home, found to be booked already, or left to people."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.bulk import copy_rows, draw_ids
from billing.bulk_booking import book_many
from billing.business_day import business_date
from billing.db import Database
from billing.money import Money
from billing.payment_tables import Payment, PaymentChannel, PaymentState
from billing.payments import BANK_PREFIX, lock_homes
from billing.privacy import Vault
from billing.statements.directory import load_directory, read_owed
from billing.statements.matching import (
    CANDIDATES_KEPT_MAX,
    Candidate,
    Clue,
    Directory,
    Owed,
    after,
    candidates,
    choose,
    outcome,
    with_amounts,
)
from billing.statements.slips import (
    Slip,
    find_slip,
    list_debits,
    list_slips,
    may_be_debit,
    numbers_in,
)
from billing.statements.tables import BankRow, RowState

ROWS_PER_TRANSACTION = 500
PAYMENT_COLUMNS = (
    *("community_id", "id", "out_trade_no", "unit_id", "channel", "state", "amount"),
    *("transaction_id", "prepared_at", "confirmed_at", "paid_at"),
)

WRITE_DECISIONS = text(
    """
    UPDATE bank_row
    SET state = decided.state, unit_id = decided.unit_id, payment_id = decided.payment_id,
        evidence = decided.evidence, decided_at = :now
    FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS text[]), CAST(:unit_ids AS bigint[]),
                CAST(:payment_ids AS bigint[]), CAST(:evidence AS jsonb[]))
         AS decided (id, state, unit_id, payment_id, evidence)
    WHERE bank_row.community_id = :community_id AND bank_row.id = decided.id
    """
)


@dataclass(frozen=True, slots=True)
class Details:
    """What is sealed with a row."""

    payer: str
    account: str
    remark: str


def open_details(vault: Vault, sealed: str) -> Details:
    """Who paid and what he wrote."""
    return Details(**json.loads(vault.open(sealed)))


@dataclass(frozen=True, slots=True)
class Movement:
    """What of a row is needed to book it."""

    id: int
    amount: Money
    value_at: datetime
    value_on: date
    serial: str | None


@dataclass(frozen=True, slots=True)
class _Look:
    """A row with who may have paid it."""

    row: Movement
    found: list[Candidate]
    numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Decision:
    """What becomes of a row: booked to a home, a slip's, or nothing yet."""

    look: _Look
    ranked: Sequence[Candidate]
    state: RowState
    unit_id: int | None = None
    slip: Slip | None = None

    @property
    def is_booked(self) -> bool:
        """Whether it becomes a payment of its own."""
        return self.unit_id is not None and self.slip is None


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
    looks = _next_rows(session, vault, community_id, directory, limit)
    if not looks:
        return Counter()
    homes = {home.unit_id for look in looks for home in look.found}
    numbers = {number for look in looks for number in look.numbers}
    owed = read_owed(session, community_id, homes)
    slips = list_slips(session, community_id, homes, numbers)
    # Of the many homes in question a few are booked. Those alone are kept from paying meanwhile,
    # and what they owe and which slips are there is read again under their locks.
    payers = {one.unit_id for one in _decide(looks, owed, slips) if one.unit_id is not None}
    lock_homes(session, community_id, payers)
    owed |= read_owed(session, community_id, payers)
    slips = list_slips(session, community_id, homes, numbers)
    debits = list_debits(session, community_id, payers)
    decisions = [
        one if one.unit_id is None or one.unit_id in payers else _left_to_people(one)
        for one in _decide(looks, owed, slips, debits)
    ]
    _write(session, community_id, decisions, now)
    return Counter(one.state for one in decisions)


def _next_rows(
    session: Session, vault: Vault, community_id: int, directory: Directory, limit: int
) -> list[_Look]:
    rows = session.execute(
        select(
            BankRow.id,
            BankRow.amount,
            BankRow.value_at,
            BankRow.value_on,
            BankRow.serial,
            BankRow.details_sealed,
        )
        .where(BankRow.community_id == community_id, BankRow.state == RowState.WAITING)
        .order_by(BankRow.value_at, BankRow.key)
        .limit(limit)
        .with_for_update(key_share=True)
    )
    looks = []
    for found_row in rows:
        row = Movement(
            found_row.id,
            found_row.amount,
            found_row.value_at,
            found_row.value_on,
            found_row.serial,
        )
        details = open_details(vault, found_row.details_sealed)
        found = candidates(Clue(row.amount, details.payer, details.remark), directory)
        looks.append(_Look(row, found, numbers_in(row.serial, details.remark)))
    return looks


def _decide(
    looks: Sequence[_Look],
    owed: Mapping[int, Owed],
    slips: Sequence[Slip],
    debits: Collection[tuple[int, Money, date]] = (),
) -> list[_Decision]:
    """What becomes of each row, one after the other: what an earlier one pays is not owed when the
    next is looked at, and a slip stands for one row. What may be the credit of a direct debit that
    is booked by the bank's answer is left to people.
    """
    still, left = dict(owed), list(slips)
    decisions = []
    for look in looks:
        amount = look.row.amount
        ranked = with_amounts(look.found, amount, still)
        chosen = choose(ranked)
        slip = find_slip(
            left,
            amount=amount,
            value_on=look.row.value_on,
            unit_ids={home.unit_id for home in ([chosen] if chosen else ranked)},
            numbers=look.numbers,
        )
        if slip is not None:
            left.remove(slip)
            made = _Decision(look, ranked, RowState.RECORDED, slip.unit_id, slip)
        elif chosen is not None and not may_be_debit(
            debits, unit_id=chosen.unit_id, amount=amount, value_on=look.row.value_on
        ):
            debt = still[chosen.unit_id]
            still[chosen.unit_id] = after(debt, amount)
            made = _Decision(look, ranked, outcome(amount, debt), chosen.unit_id)
        else:
            state = RowState.AMBIGUOUS if ranked else RowState.UNKNOWN
            made = _Decision(look, ranked, state)
        decisions.append(made)
    return decisions


def _left_to_people(decision: _Decision) -> _Decision:
    """Of a row whose home became another while the homes were being locked."""
    return _Decision(decision.look, decision.ranked, RowState.AMBIGUOUS)


def _write(
    session: Session, community_id: int, decisions: Sequence[_Decision], now: datetime
) -> None:
    booked = [one for one in decisions if one.is_booked]
    payments = book_movements(
        session,
        community_id,
        [Assigned(one.look.row, one.unit_id) for one in booked if one.unit_id is not None],
        now,
    )
    of_row = {one.look.row.id: paid for one, paid in zip(booked, payments, strict=True)}
    session.execute(
        WRITE_DECISIONS,
        {
            "community_id": community_id,
            "now": now,
            "ids": [one.look.row.id for one in decisions],
            "states": [one.state.value for one in decisions],
            "unit_ids": [one.unit_id for one in decisions],
            "payment_ids": [
                one.slip.payment_id if one.slip else of_row.get(one.look.row.id)
                for one in decisions
            ],
            "evidence": [_evidence_json(one.ranked) for one in decisions],
        },
    )


def _evidence_json(ranked: Sequence[Candidate]) -> str:
    """The best candidates as they are kept with a row."""
    return json.dumps({"homes": [home.as_json() for home in ranked[:CANDIDATES_KEPT_MAX]]})


@dataclass(frozen=True, slots=True)
class Assigned:
    """A movement and the home it is booked to; `number` of the payment where the usual one is
    taken.
    """

    row: Movement
    unit_id: int
    number: str = ""


def book_movements(
    session: Session, community_id: int, assigned: Sequence[Assigned], now: datetime
) -> list[int]:
    """Book movements to their homes, each as a payment of its own, in the order given; returns the
    payments' ids in that order. The caller names them in the rows.
    """
    ids = draw_ids(session, "payment", len(assigned))
    payments = [
        Payment(
            community_id=community_id,
            id=payment_id,
            out_trade_no=one.number or f"{BANK_PREFIX}{one.row.id}",
            unit_id=one.unit_id,
            channel=PaymentChannel.BANK_TRANSFER,
            state=PaymentState.CONFIRMED,
            amount=one.row.amount,
            transaction_id=one.row.serial,
            prepared_at=now,
            confirmed_at=now,
            paid_at=one.row.value_at,
        )
        for payment_id, one in zip(ids, assigned, strict=True)
    ]
    copy_rows(session, "payment", PAYMENT_COLUMNS, map(_cells, payments))
    book_many(session, community_id, payments, now)
    return ids


def _cells(payment: Payment) -> list[object]:
    values = {name: getattr(payment, name) for name in PAYMENT_COLUMNS}
    values |= {"channel": payment.channel.value, "state": payment.state.value}
    return list((values | {"amount": payment.amount.fen}).values())
