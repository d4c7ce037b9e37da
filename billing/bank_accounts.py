"""Bank accounts that owners transfer to, and what an owner is told to do a transfer."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.bank_reference import format_reference
from billing.errors import Conflict, InvalidInput, NotFound
from billing.people import BOOKKEEPERS, Staff, require_role
from billing.privacy import Vault
from billing.property import Unit
from billing.statements.tables import BankAccount

HASH_SCOPE = "bank-account"
NUMBER_DIGITS = (8, 32)
TEXT_MAX = 100
_CODE = re.compile(r"[a-z][a-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class TransferInstructions:
    """What an owner needs for a transfer: to whom, where, and what to write into the remark."""

    holder: str
    bank: str
    number: str
    """The account's full number, in groups of four: it is the company's and is meant to be copied.
    """
    reference: str
    """In groups, `MZ 0005 0150`."""


def add_account(
    session: Session,
    vault: Vault,
    community_id: int,
    *,
    code: str,
    holder: str,
    bank: str,
    number: str,
    by: Staff,
    now: datetime,
) -> BankAccount:
    """Write down an account of the company. The same again changes nothing.

    Args:
        number: digits; blanks and dashes between them do not matter.

    Raises:
        InvalidInput: `by` may not, or a value that cannot be one.
        Conflict: the code stands for another account, or the number has another code.
    """
    require_role(by, community_id, BOOKKEEPERS)
    digits = account_digits("number", number)
    if _CODE.fullmatch(code) is None:
        raise InvalidInput("code", f"{code[:40]!r} is not lower-case letters and digits, like icbc")
    names = {"holder": " ".join(holder.split()), "bank": " ".join(bank.split())}
    for field, text in names.items():
        if not 0 < len(text) <= TEXT_MAX:
            raise InvalidInput(field, f"must have 1 to {TEXT_MAX} characters")
    number_hash = vault.fingerprint(HASH_SCOPE, digits)
    session.execute(
        insert(BankAccount)
        .values(
            community_id=community_id,
            code=code,
            **names,
            number_sealed=vault.seal(digits),
            number_hash=number_hash,
            last_four=digits[-4:],
            added_by=by.id,
            added_at=now,
        )
        .on_conflict_do_nothing()
    )
    account = find_account(session, community_id, code)
    if account is None:
        raise Conflict("this number is written down already, under another code")
    if (account.number_hash, account.holder, account.bank) != (number_hash, *names.values()):
        raise Conflict(f"code {code} stands for another account; choose another code")
    return account


def account_digits(field: str, number: str) -> str:
    """The digits of an account's number as somebody writes it; never quoted in the refusal.

    Raises:
        InvalidInput: something else than digits, or too few or many.
    """
    digits = re.sub(r"[\s-]", "", number)
    least, most = NUMBER_DIGITS
    if re.fullmatch(f"[0-9]{{{least},{most}}}", digits) is None:
        raise InvalidInput(field, f"must be {least} to {most} digits")
    return digits


def end_account(
    session: Session, community_id: int, code: str, *, by: Staff, now: datetime
) -> BankAccount:
    """Show an account to owners no longer; its statements are still taken. Twice keeps the first
    time.

    Raises:
        NotFound: no such account.
        InvalidInput: `by` may not.
    """
    require_role(by, community_id, BOOKKEEPERS)
    account = get_account(session, community_id, code)
    account.ended_at = account.ended_at or now
    return account


def list_accounts(session: Session, community_id: int) -> list[BankAccount]:
    """Every account of a community, the oldest first."""
    return list(
        session.scalars(
            select(BankAccount)
            .where(BankAccount.community_id == community_id)
            .order_by(BankAccount.id)
        )
    )


def find_account(session: Session, community_id: int, code: str) -> BankAccount | None:
    """The account with this code, if there is one."""
    return session.scalar(
        select(BankAccount).where(
            BankAccount.community_id == community_id, BankAccount.code == code
        )
    )


def get_account(session: Session, community_id: int, code: str) -> BankAccount:
    """The account with this code.

    Raises:
        NotFound: there is none; the message lists the codes that exist.
    """
    account = find_account(session, community_id, code)
    if account is None:
        known = ", ".join(one.code for one in list_accounts(session, community_id)) or "none"
        raise NotFound(f"no bank account {code!r} in community {community_id}; known: {known}")
    return account


def transfer_instructions(
    session: Session, vault: Vault, community_id: int, unit_id: int
) -> TransferInstructions | None:
    """Where an owner of this home transfers to and what he writes into the remark; the oldest
    account that has not ended. None where the community has no account: transfers are not offered.

    Raises:
        NotFound: no such home.
    """
    if session.get(Unit, (community_id, unit_id)) is None:
        raise NotFound(f"no home {unit_id} in community {community_id}")
    shown = [one for one in list_accounts(session, community_id) if one.ended_at is None]
    if not shown:
        return None
    digits = vault.open(shown[0].number_sealed)
    return TransferInstructions(
        holder=shown[0].holder,
        bank=shown[0].bank,
        number=" ".join(digits[at : at + 4] for at in range(0, len(digits), 4)),
        reference=format_reference(unit_id),
    )
