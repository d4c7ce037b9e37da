"""Granting discounts and agreeing prices, and ending them.

Apart from `concessions`, because runs read that while this reads bills. Days that are billed are
beyond a rule of pricing: what is given for them is a waiver.
"""

from datetime import date, datetime, timedelta
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from billing.billed_days import last_billed_day
from billing.bills import LineKind
from billing.concessions import AgreedPrice, DiscountGrant
from billing.errors import Conflict, InvalidInput, NotFound
from billing.money import Money
from billing.people import Staff, StaffRole
from billing.period import add_months
from billing.pricing import DiscountReason, TieredPrice, parse_discount, parse_price
from billing.pricing.fields import read_number
from billing.property import Subject, get_subject
from billing.refusals import refuse_absurd_day, refuse_stranger
from billing.run_lock import refuse_during_run
from billing.tariffs import ChargeItem, Tariff, get_item

APPROVERS = (StaffRole.MANAGER,)

Agreement = TypeVar("Agreement", DiscountGrant, AgreedPrice)

_NAMES = {DiscountGrant: "discount", AgreedPrice: "agreed price"}


def grant_discount(
    session: Session,
    community_id: int,
    item_code: str,
    subject_code: str,
    *,
    reason: DiscountReason,
    percent: object = None,
    amount: object = None,
    from_on: date,
    to_on: date | None = None,
    approved_by: Staff,
    now: datetime,
) -> DiscountGrant:
    """Grant one subject a discount on one item; runs take it off what they bill from then on.

    Args:
        subject_code: room number, or number of a parking space, as the item's kind of subject is.
        percent: decimal string above 0, up to 100.
        amount: decimal string in yuan, off the whole charge of a period. One of the two is given.
        from_on, to_on: half-open days; to_on None: until it is ended. The discount for a year paid
            in advance lasts exactly a year from its first day, which is what None means there.
        approved_by: a manager.

    Raises:
        InvalidInput: a field that is missing or means nothing, or days that are billed already.
        Conflict: a discount for the same reason holds on some of the days, or a bill run is under
            way.
        NotFound: no such item or subject.
    """
    refuse_stranger(approved_by, community_id, APPROVERS)
    given = {"percent": percent, "amount": amount}
    rule = parse_discount(
        {
            "reason": reason.value,
            **{key: value for key, value in given.items() if value is not None},
        }
    )
    if not rule.off:
        raise InvalidInput("discount", "must take something off")
    if reason is DiscountReason.PREPAID_YEAR:
        year_end = add_months(from_on, 12)
        if to_on not in (None, year_end):
            raise InvalidInput("to", f"a year paid in advance from {from_on} ends on {year_end}")
        to_on = year_end
    item, subject = _lock(session, community_id, item_code, subject_code)
    _refuse_days(session, item, subject, from_on, to_on, now)
    same = session.scalar(
        _overlapping(DiscountGrant, item, subject, from_on, to_on).where(
            DiscountGrant.reason == reason
        )
    )
    if same is not None:
        raise Conflict(f"{subject.code} has {_named(same)} for this reason; end that first")
    grant = DiscountGrant(
        community_id=community_id,
        subject_id=subject.id,
        item_id=item.id,
        reason=reason,
        percent=None if isinstance(rule.off, Money) else rule.off,
        amount=rule.off if isinstance(rule.off, Money) else None,
        from_on=from_on,
        to_on=to_on,
        approved_by=approved_by.id,
        granted_at=now,
    )
    session.add(grant)
    session.flush()
    return grant


def agree_price(
    session: Session,
    community_id: int,
    item_code: str,
    subject_code: str,
    *,
    unit_price: object,
    from_on: date,
    to_on: date | None = None,
    approved_by: Staff,
    now: datetime,
) -> AgreedPrice:
    """Agree a unit price with one owner, above or below the list, in place of every version's.

    Args:
        unit_price: decimal string in yuan, for what the item's tariff charges one unit price for.
        from_on, to_on: half-open days; to_on None: until it is ended.

    Raises:
        InvalidInput: a field that is missing or means nothing; an item without a single unit
            price; one collected for a supplier, whose price it is (《物业管理条例》 art. 44); days
            that are billed already.
        Conflict: another price is agreed for some of the days, or a bill run is under way.
        NotFound: no such item or subject.
    """
    refuse_stranger(approved_by, community_id, APPROVERS)
    price = read_number(unit_price, "unit_price")
    item, subject = _lock(session, community_id, item_code, subject_code)
    _refuse_without_unit_price(session, item, to_on)
    _refuse_days(session, item, subject, from_on, to_on, now)
    other = session.scalar(_overlapping(AgreedPrice, item, subject, from_on, to_on))
    if other is not None:
        raise Conflict(f"{subject.code} has {_named(other)}; end that first")
    agreed = AgreedPrice(
        community_id=community_id,
        subject_id=subject.id,
        item_id=item.id,
        unit_price=price,
        from_on=from_on,
        to_on=to_on,
        approved_by=approved_by.id,
        agreed_at=now,
    )
    session.add(agreed)
    session.flush()
    return agreed


def end_discount(
    session: Session, community_id: int, grant_id: int, *, to_on: date, by: Staff
) -> DiscountGrant | None:
    """End a discount: `to_on` is the first day without it. Its first day means it never held.

    Safe to repeat with the same day.

    Returns:
        The discount, or None when it never held and is gone.

    Raises:
        InvalidInput: the day is before its first, after its end, or before days billed with it.
        Conflict: a bill run is under way.
        NotFound: no such discount.
    """
    refuse_stranger(by, community_id, APPROVERS)
    refuse_during_run(session, community_id)
    grant = _get(session, DiscountGrant, community_id, grant_id)
    billed = last_billed_day(
        session,
        community_id,
        grant.item_id,
        since=to_on,
        subject_id=grant.subject_id,
        source_id=grant.id,
        kind=LineKind.DISCOUNT,
    )
    return grant if _end(session, grant, to_on, billed) else None


def end_agreed_price(
    session: Session, community_id: int, agreed_id: int, *, to_on: date, by: Staff
) -> AgreedPrice | None:
    """End an agreed price: from `to_on` on the list price holds. Its first day means it never did.

    Safe to repeat with the same day.

    Returns:
        The agreement, or None when it never held and is gone.

    Raises:
        InvalidInput: the day is before its first, after its end, or before days billed with it.
        Conflict: a bill run is under way.
        NotFound: no such agreement.
    """
    refuse_stranger(by, community_id, APPROVERS)
    refuse_during_run(session, community_id)
    agreed = _get(session, AgreedPrice, community_id, agreed_id)
    billed = last_billed_day(
        session, community_id, agreed.item_id, since=to_on, subject_id=agreed.subject_id
    )
    return agreed if _end(session, agreed, to_on, billed) else None


def _lock(
    session: Session, community_id: int, item_code: str, subject_code: str
) -> tuple[ChargeItem, Subject]:
    """The item, and the subject: until the transaction ends nobody else agrees anything for it."""
    refuse_during_run(session, community_id)
    item = get_item(session, community_id, item_code)
    subject = get_subject(session, community_id, item.subject_kind, subject_code)
    session.refresh(subject, with_for_update={"key_share": True})
    return item, subject


def _refuse_days(
    session: Session,
    item: ChargeItem,
    subject: Subject,
    from_on: date,
    to_on: date | None,
    now: datetime,
) -> None:
    refuse_absurd_day("from", from_on, now)
    if to_on is not None:
        refuse_absurd_day("to", to_on, now)
        if to_on <= from_on:
            raise InvalidInput("to", f"{to_on} must be after from, {from_on}")
    billed = last_billed_day(
        session, item.community_id, item.id, since=from_on, subject_id=subject.id
    )
    if billed is not None:
        raise InvalidInput(
            "from",
            f"{subject.code} is billed up to and including {billed}; begin on"
            f" {billed + timedelta(days=1)}, and waive what is owed for the days before",
        )


def _refuse_without_unit_price(session: Session, item: ChargeItem, to_on: date | None) -> None:
    if item.pass_through:
        raise InvalidInput(
            "item",
            f"{item.code} is collected for a supplier at his price (Property Management"
            " Regulations, article 44); grant a discount instead",
        )
    versions = select(Tariff.price).where(
        Tariff.community_id == item.community_id, Tariff.item_id == item.id
    )
    if to_on is not None:
        versions = versions.where(Tariff.effective_from < to_on)
    prices = [parse_price(price) for price in session.scalars(versions)]
    if not prices:
        raise InvalidInput("item", f"{item.code} has no tariff whose price could be replaced")
    if any(isinstance(price, TieredPrice) for price in prices):
        raise InvalidInput(
            "item", f"{item.code} has tiers and no single unit price; grant a discount instead"
        )


def _overlapping(
    kind: type[Agreement], item: ChargeItem, subject: Subject, from_on: date, to_on: date | None
) -> Select[Agreement]:
    """What holds for the subject and item on some of the days."""
    begins: list[ColumnElement[bool]] = [] if to_on is None else [kind.from_on < to_on]
    return select(kind).where(
        kind.community_id == item.community_id,
        kind.subject_id == subject.id,
        kind.item_id == item.id,
        or_(kind.to_on.is_(None), kind.to_on > from_on),
        *begins,
    )


def _get(
    session: Session, kind: type[Agreement], community_id: int, agreement_id: int
) -> Agreement:
    key = (community_id, agreement_id)
    found = session.get(kind, key, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound(f"no {_NAMES[kind]} {agreement_id} in community {community_id}")
    return found


def _end(
    session: Session, found: DiscountGrant | AgreedPrice, to_on: date, billed: date | None
) -> bool:
    """Set the end; False where it never held and its row is gone."""
    name = _named(found)
    if found.to_on == to_on:
        return True
    if to_on < found.from_on:
        raise InvalidInput("to", f"{to_on} is before {name} begins")
    if found.to_on is not None and to_on > found.to_on:
        raise InvalidInput("to", f"{name} ends before {to_on} already; a longer one is a new one")
    if billed is not None:
        raise InvalidInput(
            "to", f"{name} is billed up to and including {billed}; end it after that"
        )
    if to_on == found.from_on:
        session.delete(found)
    else:
        found.to_on = to_on
    session.flush()
    return to_on > found.from_on


def _named(found: DiscountGrant | AgreedPrice) -> str:
    until = "until it is ended" if found.to_on is None else f"to {found.to_on}"
    return f"{_NAMES[type(found)]} {found.id}, from {found.from_on} {until}"
