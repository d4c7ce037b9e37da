"""A bank's file becomes rows that wait to be matched; each movement once, however often its file
comes.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.business_day import business_date
from billing.errors import Conflict, InvalidInput
from billing.people import BOOKKEEPERS, Staff, require_role
from billing.privacy import Vault
from billing.statements.columns import Columns, columns_from, find_table
from billing.statements.grid import Grid
from billing.statements.reading import ReadRow, read_rows
from billing.statements.tables import (
    BankAccount,
    BankStatement,
    BankStatementMapping,
)

HASH_SCOPE = "bank-row"
ROWS_PER_STATEMENT = 5_000
FIRST_DAY = date(2000, 1, 1)

WRITE_ROWS = text(
    """
    INSERT INTO bank_row (community_id, account_id, statement_id, key, value_at, value_on, amount,
                          serial, details_sealed, state, evidence)
    SELECT :community_id, :account_id, :statement_id, fresh.key, fresh.value_at, fresh.value_on,
           fresh.amount, fresh.serial, fresh.details,
           CASE WHEN fresh.amount < 0 THEN 'outgoing' ELSE 'waiting' END, '{}'
    FROM unnest(CAST(:keys AS text[]), CAST(:moments AS timestamptz[]), CAST(:days AS date[]),
                CAST(:amounts AS bigint[]), CAST(:serials AS text[]), CAST(:details AS text[]))
         AS fresh (key, value_at, value_on, amount, serial, details)
    ON CONFLICT (community_id, account_id, key) DO NOTHING
    RETURNING amount
    """
)


@dataclass(frozen=True, slots=True)
class Imported:
    """What one file brought."""

    columns: Columns
    from_on: date
    to_on: date
    rows: int
    fresh: int
    outgoing: int
    skipped: int

    def as_json(self) -> dict[str, Any]:
        """For `mingzhang bank-statement import`."""
        return {
            "from": self.from_on,
            "to": self.to_on,
            "rows": self.rows,
            "new": self.fresh,
            "already_imported": self.rows - self.fresh,
            "outgoing": self.outgoing,
            "skipped": self.skipped,
            "columns": self.columns.as_json(),
        }


def import_statement(
    session: Session,
    vault: Vault,
    account: BankAccount,
    grids: Sequence[Grid],
    *,
    told: Mapping[str, Any],
    by: Staff,
    now: datetime,
) -> Imported:
    """Take every movement of a file that is not there yet; rows wait for `match_waiting`. All of it
    or nothing. The same file again, or another that overlaps it, brings what is new.

    Args:
        grids: what `read_grids` read.
        told: key of `Columns` → heading, where what is remembered or guessed is wrong; an empty
            heading says that the bank has no such column.

    Raises:
        InvalidInput: `by` may not, a needed column is missing, a row cannot be read or lies in the
            future, or one serial number stands for two movements.
        Conflict: days that were imported already with other columns telling rows apart: their
            movements would be taken twice.
    """
    require_role(by, account.community_id, BOOKKEEPERS)
    remembered = session.get(BankStatementMapping, (account.community_id, account.bank))
    kept = columns_from(remembered.columns) if remembered else None
    grid, table = find_table(grids, told, kept)
    read = read_rows(grid, table)
    _check_days(read.rows, business_date(now))
    keyed = _keyed(read.rows, vault)
    days = [row.value_on for row in read.rows]
    statement = BankStatement(
        community_id=account.community_id,
        account_id=account.id,
        from_on=min(days),
        to_on=max(days),
        keyed_by=table.columns.keyed_by,
        imported_by=by.id,
        imported_at=now,
    )
    _wait_for_others(session, account)
    _refuse_other_keys(session, statement)
    session.add(statement)
    session.flush()
    fresh = _write(session, statement, keyed, vault)
    _remember(session, account, table.columns, by, now)
    return Imported(
        columns=table.columns,
        from_on=statement.from_on,
        to_on=statement.to_on,
        rows=len(read.rows),
        fresh=len(fresh),
        outgoing=sum(fen < 0 for fen in fresh),
        skipped=read.skipped,
    )


def _check_days(rows: Sequence[ReadRow], today: date) -> None:
    for row in rows:
        # A bank ahead of our clock by minutes is not in the future; a day is.
        if not FIRST_DAY <= row.value_on <= today + timedelta(days=1):
            raise InvalidInput("file", f"row {row.line}: {row.value_on} is no day of a movement")


def _keyed(rows: Sequence[ReadRow], vault: Vault) -> dict[str, ReadRow]:
    """Rows by what tells each from every other of the account, in any file.

    The bank's serial number with day and amount, because some banks begin anew every day; without
    one everything the bank says, and which of several such rows it is.
    """
    keyed: dict[str, ReadRow] = {}
    times: Counter[str] = Counter()
    for row in rows:
        if row.serial is None:
            said = _said(row)
            times[said] += 1
            key = "row " + vault.fingerprint(HASH_SCOPE, f"{said}\x00{times[said]}")
        else:
            key = f"serial {row.serial} {row.value_on} {row.amount.fen}"
            other = keyed.get(key)
            if other is not None and _said(other) != _said(row):
                raise InvalidInput(
                    "serial",
                    f"rows {other.line} and {row.line} have one number and amount but differ;"
                    " name the column that numbers movements, or `serial=` for none",
                )
        keyed[key] = row
    return keyed


def _said(row: ReadRow) -> str:
    parts = (
        row.value_at.isoformat(),
        str(row.amount.fen),
        row.payer_name,
        row.payer_account,
        row.remark,
        row.balance,
    )
    return "\x00".join(parts)


def _wait_for_others(session: Session, account: BankAccount) -> None:
    """One import of an account at a time, or two at once would each wait for the other's rows. A
    large one takes longer than the time-outs of what people wait for.
    """
    session.execute(text("SET LOCAL statement_timeout = 0"))
    session.execute(text("SET LOCAL lock_timeout = 0"))
    session.execute(
        select(BankAccount.id)
        .where(BankAccount.community_id == account.community_id, BankAccount.id == account.id)
        .with_for_update(key_share=True)
    )
    session.execute(text("SET LOCAL lock_timeout TO DEFAULT"))


def _refuse_other_keys(session: Session, statement: BankStatement) -> None:
    other = session.scalar(
        select(BankStatement)
        .where(
            BankStatement.community_id == statement.community_id,
            BankStatement.account_id == statement.account_id,
            BankStatement.keyed_by != statement.keyed_by,
            BankStatement.from_on <= statement.to_on,
            BankStatement.to_on >= statement.from_on,
        )
        .limit(1)
    )
    if other is not None:
        raise Conflict(
            f"{other.from_on} to {other.to_on} was imported with rows told apart by"
            f" {other.keyed_by}, this file by {statement.keyed_by}: movements would be taken twice;"
            " name the same columns, or leave out these days"
        )


def _write(
    session: Session, statement: BankStatement, keyed: Mapping[str, ReadRow], vault: Vault
) -> list[int]:
    """Insert what is new, in the order of keys; returns the new amounts in fen."""
    fresh: list[int] = []
    ordered = sorted(keyed.items())
    for at in range(0, len(ordered), ROWS_PER_STATEMENT):
        part = ordered[at : at + ROWS_PER_STATEMENT]
        parameters = {
            "community_id": statement.community_id,
            "account_id": statement.account_id,
            "statement_id": statement.id,
            "keys": [key for key, _ in part],
            "moments": [row.value_at for _, row in part],
            "days": [row.value_on for _, row in part],
            "amounts": [row.amount.fen for _, row in part],
            "serials": [row.serial for _, row in part],
            "details": [vault.seal(_details(row)) for _, row in part],
        }
        fresh += session.scalars(WRITE_ROWS, parameters)
    return fresh


def _details(row: ReadRow) -> str:
    details = {"payer": row.payer_name, "account": row.payer_account, "remark": row.remark}
    return json.dumps(details, ensure_ascii=False)


def _remember(
    session: Session, account: BankAccount, columns: Columns, by: Staff, now: datetime
) -> None:
    values = {"columns": columns.as_json(), "confirmed_by": by.id, "confirmed_at": now}
    session.execute(
        insert(BankStatementMapping)
        .values(community_id=account.community_id, bank=account.bank, **values)
        .on_conflict_do_update(index_elements=["community_id", "bank"], set_=values)
    )
