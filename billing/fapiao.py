"""Fapiao (发票): asked for by an owner, issued, rejected or red-reversed by staff.

A fapiao is for what became revenue: the parts of payments that paid lines of bills. Money that is
still a prepayment gets none; it does when it pays a bill, through the payment that used it. What
the old system was paid (IMPORTED) was invoiced there.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, insert, select, type_coerce
from sqlalchemy.orm import Session

from billing.db import MoneyColumn
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind, record
from billing.fapiao_papers import FapiaoTitle, read_number, sniff
from billing.fapiao_tables import (
    LIVING,
    Fapiao,
    FapiaoFile,
    FapiaoPayment,
    FapiaoState,
)
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentAllocation, PaymentChannel, PaymentState
from billing.payments import lock_home
from billing.people import BOOKKEEPERS, Staff, require_role
from billing.period import EVERY_DAY, DayWindow
from billing.privacy import Vault
from billing.property import Unit
from billing.sight import payment_within
from billing.tax_numbers import read_tax_number

REASON_CHARACTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Uninvoiced:
    """A payment with what of it no fapiao is for yet, fen."""

    payment: Payment
    amount: Money


def _uninvoiced(community_id: int, unit_id: int) -> Select[Payment, Money]:
    applied = (
        select(func.coalesce(func.sum(PaymentAllocation.amount), 0))
        .where(
            PaymentAllocation.community_id == Payment.community_id,
            PaymentAllocation.payment_id == Payment.id,
        )
        .correlate(Payment)
        .scalar_subquery()
    )
    invoiced = (
        select(func.coalesce(func.sum(FapiaoPayment.amount), 0))
        .join(
            Fapiao,
            (Fapiao.community_id == FapiaoPayment.community_id)
            & (Fapiao.id == FapiaoPayment.fapiao_id),
        )
        .where(
            FapiaoPayment.community_id == Payment.community_id,
            FapiaoPayment.payment_id == Payment.id,
            Fapiao.state.in_(LIVING),
        )
        .correlate(Payment)
        .scalar_subquery()
    )
    open_part = type_coerce(applied - invoiced, MoneyColumn())
    return (
        select(Payment, open_part.label("amount"))
        .where(
            Payment.community_id == community_id,
            Payment.unit_id == unit_id,
            Payment.state == PaymentState.CONFIRMED,
            Payment.channel != PaymentChannel.IMPORTED,
            open_part > ZERO,
        )
        .order_by(Payment.confirmed_at.desc(), Payment.id.desc())
    )


def list_uninvoiced(
    session: Session,
    community_id: int,
    unit_id: int,
    *,
    limit: int = 20,
    seen: DayWindow = EVERY_DAY,
    payer_id: int | None = None,
) -> list[Uninvoiced]:
    """Payments of a home a fapiao may be asked for, the latest first; with `seen` those somebody
    sees who sees the bills of these days, with `payer_id` those this follower made.
    """
    query = _uninvoiced(community_id, unit_id).limit(limit)
    if payer_id is not None:
        query = query.where(Payment.payer_id == payer_id)
    if not seen.is_open:
        query = query.where(payment_within(seen))
    return [Uninvoiced(payment, amount) for payment, amount in session.execute(query)]


def request_fapiao(
    session: Session,
    vault: Vault,
    *,
    community_id: int,
    unit_id: int,
    payment_ids: Collection[int],
    title: FapiaoTitle,
    follower_id: int,
    now: datetime,
) -> Fapiao:
    """Ask for one fapiao for everything of these payments that none is for yet.

    The caller has checked that the follower may act for the home and sees the payments. Asking
    again for the same payments is refused, so a double click asks once.

    Raises:
        NotFound: no such home.
        InvalidInput: no payments.
        Conflict: a payment that has nothing left to invoice: another fapiao is for it, it is still
            a prepayment, it was cancelled, or it is not a payment of this home.
    """
    if not payment_ids:
        raise InvalidInput("payments", "name at least one")
    if session.get(Unit, (community_id, unit_id)) is None:
        raise NotFound(f"no home {unit_id} in community {community_id}")
    lock_home(session, community_id, unit_id)  # two at once: the second finds what the first took
    query = _uninvoiced(community_id, unit_id).where(Payment.id.in_(payment_ids))
    found = {payment.id: amount for payment, amount in session.execute(query)}
    missing = sorted(set(payment_ids) - set(found))
    if missing:
        raise Conflict(f"nothing to invoice of payment {', '.join(map(str, missing))}")
    fapiao = Fapiao(
        community_id=community_id,
        unit_id=unit_id,
        follower_id=follower_id,
        title_kind=title.kind,
        title_sealed=vault.seal(title.name),
        tax_number=title.tax_number,
        email_sealed=vault.seal(title.email) if title.email else None,
        amount=sum(found.values(), ZERO),
        state=FapiaoState.REQUESTED,
        requested_at=now,
    )
    session.add(fapiao)
    session.flush()  # its parts and the fact name it
    session.execute(
        insert(FapiaoPayment),
        [
            {
                "community_id": community_id,
                "fapiao_id": fapiao.id,
                "payment_id": payment_id,
                "amount": amount,
            }
            for payment_id, amount in sorted(found.items())
        ],
    )
    _record(session, FactKind.FAPIAO_REQUESTED, fapiao, now)
    return fapiao


def issue_fapiao(
    session: Session,
    community_id: int,
    fapiao_id: int,
    *,
    number: str,
    content: bytes | None,
    by: Staff,
    now: datetime,
) -> Fapiao:
    """Write down that a fapiao was issued, with its number and, if there is one, its file.

    Raises:
        NotFound: no such fapiao.
        InvalidInput: `by` may not, a number that is none, a file that is too big or no PDF, OFD or
            PNG.
        Conflict: it is not waiting any more, or the number stands for another fapiao.
    """
    require_role(by, community_id, BOOKKEEPERS)
    number = read_number(number)
    kind = None if content is None else sniff(content)
    fapiao = _lock(session, community_id, fapiao_id, FapiaoState.REQUESTED)
    other = session.scalar(
        select(Fapiao.id).where(Fapiao.community_id == community_id, Fapiao.number == number)
    )
    if other is not None:
        raise Conflict(f"number {number} is that of fapiao {other}")
    fapiao.state = FapiaoState.ISSUED
    fapiao.issued_at = now
    fapiao.issued_by = by.id
    fapiao.number = number
    session.flush()
    if content is not None and kind is not None:
        session.add(
            FapiaoFile(community_id=community_id, fapiao_id=fapiao_id, kind=kind, content=content)
        )
    _record(session, FactKind.FAPIAO_ISSUED, fapiao, now)
    return fapiao


def reject_fapiao(
    session: Session, community_id: int, fapiao_id: int, *, reason: str, by: Staff, now: datetime
) -> Fapiao:
    """Refuse a request, with a reason the owner is told; he may ask again.

    Raises:
        NotFound: no such fapiao.
        InvalidInput: `by` may not, no reason.
        Conflict: it is not waiting any more.
    """
    fapiao = _end(
        session, community_id, fapiao_id, FapiaoState.REQUESTED, reason=reason, by=by, now=now
    )
    fapiao.state = FapiaoState.REJECTED
    session.flush()
    _record(session, FactKind.FAPIAO_REJECTED, fapiao, now)
    return fapiao


def reverse_fapiao(
    session: Session,
    community_id: int,
    fapiao_id: int,
    *,
    reason: str,
    red_number: str,
    by: Staff,
    now: datetime,
) -> Fapiao:
    """Write down that an issued fapiao was taken back by a red one (红冲); its payments may be
    asked for again.

    Raises:
        NotFound: no such fapiao.
        InvalidInput: `by` may not, no reason, a number that is none.
        Conflict: it is not issued, or was reversed already.
    """
    red_number = read_number(red_number)
    fapiao = _end(
        session, community_id, fapiao_id, FapiaoState.ISSUED, reason=reason, by=by, now=now
    )
    fapiao.state = FapiaoState.REVERSED
    fapiao.red_number = red_number
    session.flush()
    _record(session, FactKind.FAPIAO_REVERSED, fapiao, now)
    return fapiao


def _end(
    session: Session,
    community_id: int,
    fapiao_id: int,
    wanted: FapiaoState,
    *,
    reason: str,
    by: Staff,
    now: datetime,
) -> Fapiao:
    require_role(by, community_id, BOOKKEEPERS)
    if not 0 < len(reason.strip()) <= REASON_CHARACTERS_MAX:
        raise InvalidInput("reason", f"say why, in at most {REASON_CHARACTERS_MAX} characters")
    fapiao = _lock(session, community_id, fapiao_id, wanted)
    fapiao.ended_at = now
    fapiao.ended_by = by.id
    fapiao.end_reason = reason.strip()
    return fapiao


def _lock(session: Session, community_id: int, fapiao_id: int, wanted: FapiaoState) -> Fapiao:
    fapiao = session.get(
        Fapiao, (community_id, fapiao_id), with_for_update=True, populate_existing=True
    )
    if fapiao is None:
        raise NotFound(f"no fapiao {fapiao_id} in community {community_id}")
    if fapiao.state is not wanted:
        raise Conflict(f"fapiao {fapiao_id} is {fapiao.state.value}, not {wanted.value}")
    return fapiao


def _record(session: Session, kind: FactKind, fapiao: Fapiao, now: datetime) -> None:
    record(
        session,
        kind,
        community_id=fapiao.community_id,
        unit_id=fapiao.unit_id,
        ref_id=fapiao.id,
        amount=fapiao.amount,
        at=now,
        data={"follower_id": fapiao.follower_id},
    )


def open_title(vault: Vault, fapiao: Fapiao) -> FapiaoTitle:
    """In whose name a fapiao is, in clear."""
    legacy = bool(fapiao.tax_number) and read_tax_number(fapiao.tax_number or "").is_legacy
    return FapiaoTitle(
        fapiao.title_kind,
        vault.open(fapiao.title_sealed),
        fapiao.tax_number,
        vault.open(fapiao.email_sealed) if fapiao.email_sealed else None,
        legacy,
    )


def find_last_title(session: Session, vault: Vault, follower_id: int) -> FapiaoTitle | None:
    """The title a follower asked for last, to be offered again; None when he never asked."""
    last = session.scalar(
        select(Fapiao)
        .where(Fapiao.follower_id == follower_id)
        .order_by(Fapiao.requested_at.desc(), Fapiao.id.desc())
        .limit(1)
    )
    return None if last is None else open_title(vault, last)


def list_fapiao(
    session: Session,
    community_id: int,
    *,
    states: Collection[FapiaoState] = tuple(FapiaoState),
    limit: int = 200,
) -> list[Fapiao]:
    """Fapiao of a community, the latest first."""
    query = select(Fapiao).where(Fapiao.community_id == community_id, Fapiao.state.in_(states))
    return list(session.scalars(query.order_by(Fapiao.id.desc()).limit(limit)))


def get_fapiao(session: Session, community_id: int, fapiao_id: int) -> Fapiao:
    """One of them.

    Raises:
        NotFound: there is none.
    """
    found = session.get(Fapiao, (community_id, fapiao_id))
    if found is None:
        raise NotFound(f"no fapiao {fapiao_id} in community {community_id}")
    return found


def list_of_follower(session: Session, follower_id: int, *, limit: int = 10) -> list[Fapiao]:
    """What a follower asked for, the latest first."""
    return list(
        session.scalars(
            select(Fapiao)
            .where(Fapiao.follower_id == follower_id)
            .order_by(Fapiao.requested_at.desc(), Fapiao.id.desc())
            .limit(limit)
        )
    )


def list_parts(session: Session, fapiao: Fapiao) -> Sequence[tuple[Payment, Money]]:
    """The payments a fapiao is for, with what of each, the oldest first."""
    rows = session.execute(
        select(Payment, FapiaoPayment.amount)
        .join(
            FapiaoPayment,
            (FapiaoPayment.community_id == Payment.community_id)
            & (FapiaoPayment.payment_id == Payment.id),
        )
        .where(
            FapiaoPayment.community_id == fapiao.community_id,
            FapiaoPayment.fapiao_id == fapiao.id,
        )
        .order_by(Payment.id)
    )
    return [(payment, amount) for payment, amount in rows]


def find_file(session: Session, fapiao: Fapiao) -> FapiaoFile | None:
    """The file of a fapiao, if staff attached one."""
    return session.get(FapiaoFile, (fapiao.community_id, fapiao.id))
