"""Mandates: an owner signs a paper, staff write it down, and end it when he takes it back."""

import re
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.bank_accounts import account_digits
from billing.business_day import business_date
from billing.direct_debit.tables import DirectDebitMandate, MandateKind, MandateState
from billing.errors import Conflict, InvalidInput, NotFound
from billing.people import BOOKKEEPERS, Staff, StaffRole, require_role
from billing.privacy import Vault, mask_name
from billing.property import Unit

CLERKS = BOOKKEEPERS | {StaffRole.CASHIER, StaffRole.SERVICE}
HOLDER_MAX = 60
NOTICE_DAYS_MAX = 30
_CONTRACT = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,31}")
_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class MandateView:
    """A mandate as staff see it."""

    contract_code: str
    kind: MandateKind
    room: str
    holder: str
    account_tail: str | None
    signed_on: date
    ended_on: date | None
    state: MandateState


def sign_mandate(
    session: Session,
    vault: Vault,
    community_id: int,
    unit_id: int,
    *,
    contract_code: str,
    holder: str,
    account: str,
    signed_on: date,
    by: Staff,
    now: datetime,
    notice_days: int = 0,
) -> DirectDebitMandate:
    """Write down a bank mandate. The same paper again changes nothing.

    Args:
        contract_code: number of the paper, unique in the community.
        holder: in whose name the account is, as the bank has it.
        account: digits; blanks and dashes between them do not matter.
        notice_days: so many days before the bank is asked to take money, the paper says, its
            holder is told how much; 0: on the day.

    Raises:
        InvalidInput: `by` may not, a value that cannot be one, or a day to come.
        NotFound: no such home.
        Conflict: the paper stands for another mandate, or the home has one that is not ended.
    """
    require_role(by, community_id, CLERKS)
    digits = account_digits("account", account)
    name = _check_holder(holder)
    if _CONTRACT.fullmatch(contract_code) is None:
        raise InvalidInput("contract_code", "must be 1 to 32 letters, digits, - and _")
    if not 0 <= notice_days <= NOTICE_DAYS_MAX:
        raise InvalidInput("notice_days", f"must be 0 to {NOTICE_DAYS_MAX}, as the paper says")
    if signed_on > business_date(now):
        raise InvalidInput("signed_on", f"{signed_on} is yet to come")
    if session.get(Unit, (community_id, unit_id)) is None:
        raise NotFound(f"no home {unit_id} in community {community_id}")
    session.execute(
        insert(DirectDebitMandate)
        .values(
            community_id=community_id,
            kind=MandateKind.BANK,
            unit_id=unit_id,
            contract_code=contract_code,
            holder_sealed=vault.seal(name),
            account_sealed=vault.seal(digits),
            account_tail=digits[-4:],
            notice_days=notice_days,
            signed_on=signed_on,
            state=MandateState.ACTIVE,
            signed_by=by.id,
            signed_at=now,
        )
        .on_conflict_do_nothing()
    )
    found = _find(session, community_id, contract_code)
    if found is None:
        raise Conflict(f"home {unit_id} has a mandate already; end that one first")
    known = _opened(vault, found)
    if (found.unit_id, *known, found.notice_days) != (unit_id, name, digits, notice_days):
        raise Conflict(f"paper {contract_code} stands for another mandate")
    return found


def _check_holder(holder: str) -> str:
    name = " ".join(holder.split())
    if not 0 < len(name) <= HOLDER_MAX or not name.isprintable():
        raise InvalidInput("holder", f"must have 1 to {HOLDER_MAX} characters")
    if name.startswith(_FORMULA):
        raise InvalidInput("holder", "would become a formula in the bank's file")
    return name


def _opened(vault: Vault, mandate: DirectDebitMandate) -> tuple[str, str]:
    """Holder and number; empty for a mandate that is no bank's."""
    sealed = (mandate.holder_sealed, mandate.account_sealed)
    holder, account = ("" if token is None else vault.open(token) for token in sealed)
    return holder, account


def end_mandate(
    session: Session, community_id: int, contract_code: str, *, on: date, by: Staff
) -> DirectDebitMandate:
    """End a mandate: no batch that is made from now on holds it. Twice keeps the first day.

    Raises:
        InvalidInput: `by` may not, or a day before it was signed.
        NotFound: no such paper.
    """
    require_role(by, community_id, CLERKS)
    mandate = _find(session, community_id, contract_code)
    if mandate is None:
        raise NotFound(f"no mandate {contract_code!r} in community {community_id}")
    if mandate.state is MandateState.ENDED:
        return mandate
    if on < mandate.signed_on:
        raise InvalidInput("on", f"{on} is before it was signed, {mandate.signed_on}")
    mandate.state, mandate.ended_on, mandate.ended_by = MandateState.ENDED, on, by.id
    session.flush()
    return mandate


def _find(session: Session, community_id: int, contract_code: str) -> DirectDebitMandate | None:
    return session.scalar(
        select(DirectDebitMandate)
        .where(
            DirectDebitMandate.community_id == community_id,
            DirectDebitMandate.contract_code == contract_code,
        )
        .with_for_update(key_share=True)
    )


def list_mandates(session: Session, vault: Vault, community_id: int) -> list[MandateView]:
    """Every mandate of a community, masked, by room and then by age."""
    rows = session.execute(
        select(DirectDebitMandate, Unit.room)
        .join(
            Unit,
            (Unit.community_id == DirectDebitMandate.community_id)
            & (Unit.id == DirectDebitMandate.unit_id),
        )
        .where(DirectDebitMandate.community_id == community_id)
        .order_by(Unit.room, DirectDebitMandate.id)
    )
    return [
        MandateView(
            contract_code=mandate.contract_code,
            kind=mandate.kind,
            room=room,
            holder=mask_name(_opened(vault, mandate)[0]),
            account_tail=mandate.account_tail,
            signed_on=mandate.signed_on,
            ended_on=mandate.ended_on,
            state=mandate.state,
        )
        for mandate, room in rows
    ]
