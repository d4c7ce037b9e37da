"""What the contract says about late fees (违约金), and when they are not counted."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.bills import BillLine, LineKind
from billing.errors import Conflict, InvalidInput, NotFound
from billing.late_fee_tables import LateFeeCap, LateFeeFreeze, LateFeePolicy
from billing.ledger import ensure_accounts
from billing.people import BOOKKEEPERS, Staff, require_role
from billing.property import Community, SubjectKind, Unit
from billing.tariffs import ChargeItem, FeeKind

DAILY_RATE_USUAL_MAX = Decimal("0.0005")
"""0.05 % a day, about 18 % a year; courts cut what is well above the loss (Civil Code 585)."""

DAILY_RATE_DECIMALS_MAX = 8
GRACE_DAYS_MAX = 3650
TEXT_CHARACTERS_MAX = 500
ITEM_CODE = "late_fee"


def find_late_fee_item(session: Session, community_id: int) -> ChargeItem | None:
    """The charge item that late fees of a community are lines of; None before the first policy."""
    return session.scalars(
        select(ChargeItem)
        .where(ChargeItem.community_id == community_id, ChargeItem.fee == FeeKind.LATE_FEE)
        .order_by(ChargeItem.id)
        .limit(1)
    ).first()


def ensure_late_fee_item(session: Session, community_id: int, active_from: date) -> ChargeItem:
    """The item late fees are lines of, made on first use with its income account. Safe to call
    twice and from two places at once. It has no tariff: what it costs is the policy's business.

    Raises:
        Conflict: the code `late_fee` is taken by an item of another fee.
    """
    found = find_late_fee_item(session, community_id)
    if found is not None:
        return found
    _lock(session, community_id)  # two who make it at once wait here for each other
    session.execute(
        insert(ChargeItem)
        .values(
            community_id=community_id,
            code=ITEM_CODE,
            name=FeeKind.LATE_FEE.label,
            fee=FeeKind.LATE_FEE,
            subject_kind=SubjectKind.HOME,
            cycle_months=1,
            active_from=active_from,
        )
        .on_conflict_do_nothing(index_elements=["community_id", "code"])
    )
    item = find_late_fee_item(session, community_id)
    if item is None:
        raise Conflict(f"item {ITEM_CODE} is of another fee; rename it before setting a policy")
    ensure_accounts(session, community_id, {item.code: item.name})
    return item


def _lock(session: Session, community_id: int) -> None:
    session.execute(
        select(Community.id).where(Community.id == community_id).with_for_update(key_share=True)
    )


def list_policies(session: Session, community_id: int) -> list[LateFeePolicy]:
    """Every version of the clause, the oldest first."""
    return list(
        session.scalars(
            select(LateFeePolicy)
            .where(LateFeePolicy.community_id == community_id)
            .order_by(LateFeePolicy.effective_from)
        )
    )


def set_policy(
    session: Session,
    community_id: int,
    *,
    effective_from: date,
    daily_rate: Decimal,
    grace_days: int,
    cap: LateFeeCap,
    document: str,
) -> list[str]:
    """Add a version of the clause, in force until the next one begins; a rate of 0 ends late fees.

    Called again with the same facts it adds nothing.

    Args:
        daily_rate: fraction per day; 0.0005 is 0.05 %.
        document: the contract's clause, shown to owners.

    Returns:
        Warnings, in English: nothing is refused that the parties may agree on.

    Raises:
        InvalidInput: a rate outside 0..1, grace days outside 0..3650, or no document.
        Conflict: another version begins on the same day.
    """
    _check_policy(daily_rate, grace_days, document)
    document = document.strip()
    _lock(session, community_id)  # whoever looked at the versions under it has seen the newest
    ensure_late_fee_item(session, community_id, effective_from)
    known = session.scalar(
        insert(LateFeePolicy)
        .values(
            community_id=community_id,
            effective_from=effective_from,
            daily_rate=daily_rate,
            grace_days=grace_days,
            cap=cap,
            document=document,
        )
        .on_conflict_do_nothing(index_elements=["community_id", "effective_from"])
        .returning(LateFeePolicy.id)
    )
    if known is None:
        there = session.scalars(
            select(LateFeePolicy).where(
                LateFeePolicy.community_id == community_id,
                LateFeePolicy.effective_from == effective_from,
            )
        ).one()
        same = (there.daily_rate, there.grace_days, there.cap, there.document)
        if same != (daily_rate, grace_days, cap, document):
            raise Conflict(
                f"another version begins on {effective_from}; let this one begin on another day"
            )
    return _warnings(session, community_id, effective_from, daily_rate, cap)


def set_late_fee_first(session: Session, community_id: int, *, first: bool, by: Staff) -> None:
    """Say what money pays first when nobody says what it is for: late fees, or the debts they are
    for (Civil Code 561 lets the parties agree). Holds for money that comes from now on; twice-safe.

    Raises:
        InvalidInput: `by` may not.
    """
    require_role(by, community_id, BOOKKEEPERS)
    session.execute(
        update(Community).where(Community.id == community_id).values(late_fee_first=first)
    )


def _check_policy(daily_rate: Decimal, grace_days: int, document: str) -> None:
    if not daily_rate.is_finite() or not 0 <= daily_rate <= 1:
        raise InvalidInput("daily_rate", "must be a fraction per day from 0 to 1, such as 0.0005")
    exponent = daily_rate.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > DAILY_RATE_DECIMALS_MAX:
        raise InvalidInput("daily_rate", f"has more than {DAILY_RATE_DECIMALS_MAX} decimals")
    if not 0 <= grace_days <= GRACE_DAYS_MAX:
        raise InvalidInput("grace_days", f"must be 0 to {GRACE_DAYS_MAX}")
    if not 0 < len(document.strip()) <= TEXT_CHARACTERS_MAX:
        raise InvalidInput("document", f"must have 1 to {TEXT_CHARACTERS_MAX} characters")


def _warnings(
    session: Session, community_id: int, effective_from: date, daily_rate: Decimal, cap: LateFeeCap
) -> list[str]:
    warnings = []
    if daily_rate > DAILY_RATE_USUAL_MAX:
        warnings.append(
            f"a daily rate of {daily_rate} is above {DAILY_RATE_USUAL_MAX}: courts cut what is"
            " excessive"
        )
    if cap is LateFeeCap.NONE and daily_rate:
        warnings.append("without a cap a late fee may exceed the debt")
    charged_until: date | None = session.scalar(
        select(func.max(BillLine.period_to)).where(
            BillLine.community_id == community_id,
            BillLine.item_id == _item_id(session, community_id),
            BillLine.kind == LineKind.LATE_FEE,
        )
    )
    if charged_until is not None and charged_until > effective_from:
        warnings.append(
            f"days before {charged_until} were charged already; what they cost at this rate and"
            " was not charged comes with the next late fee, what was charged too much is not"
            " given back"
        )
    return warnings


def _item_id(session: Session, community_id: int) -> int | None:
    item = find_late_fee_item(session, community_id)
    return item.id if item else None


def freeze(
    session: Session,
    community_id: int,
    unit_id: int,
    *,
    from_on: date,
    to_on: date | None,
    reason: str,
    by: int,
    now: datetime,
) -> LateFeeFreeze:
    """Count no late fee for a home on these days; they may overlap days frozen before.

    What was charged for them already is a waiver's business.

    Args:
        to_on: first day counted again; None until `unfreeze`.
        by: id of the member of staff who decided.

    Raises:
        InvalidInput: no reason, or days that end before they begin.
        NotFound: no such home.
    """
    if to_on is not None and to_on <= from_on:
        raise InvalidInput("to_on", f"{to_on} must be after {from_on}")
    if session.get(Unit, (community_id, unit_id)) is None:
        raise NotFound(f"no home {unit_id} in community {community_id}")
    frozen = LateFeeFreeze(
        community_id=community_id,
        unit_id=unit_id,
        from_on=from_on,
        to_on=to_on,
        reason=_reason(reason),
        decided_by=by,
        decided_at=now,
    )
    session.add(frozen)
    session.flush()  # the caller tells its id
    return frozen


def unfreeze(
    session: Session, community_id: int, freeze_id: int, *, on: date, reason: str, by: int
) -> LateFeeFreeze:
    """Count late fees again from a day on. Days that were frozen until then stay uncounted.

    Raises:
        NotFound: no such freeze.
        Conflict: it ends on or before that day anyway.
        InvalidInput: no reason, or a day that is not after its first.
    """
    frozen = session.get(
        LateFeeFreeze, (community_id, freeze_id), with_for_update=True, populate_existing=True
    )
    if frozen is None:
        raise NotFound(f"no late-fee freeze {freeze_id} in community {community_id}")
    if frozen.to_on is not None and frozen.to_on <= on:
        raise Conflict(f"freeze {freeze_id} ends on {frozen.to_on} already")
    if on <= frozen.from_on:
        raise InvalidInput("on", f"{on} must be after {frozen.from_on}, its first day")
    frozen.to_on = on
    frozen.lift_reason = _reason(reason)
    frozen.lifted_by = by
    return frozen


def list_freezes(session: Session, community_id: int, unit_id: int) -> list[LateFeeFreeze]:
    """Freezes of a home, the oldest first."""
    return list(
        session.scalars(
            select(LateFeeFreeze)
            .where(LateFeeFreeze.community_id == community_id, LateFeeFreeze.unit_id == unit_id)
            .order_by(LateFeeFreeze.from_on, LateFeeFreeze.id)
        )
    )


def _reason(text: str) -> str:
    reason = text.strip()
    if not 0 < len(reason) <= TEXT_CHARACTERS_MAX:
        raise InvalidInput("reason", f"must have 1 to {TEXT_CHARACTERS_MAX} characters")
    return reason
