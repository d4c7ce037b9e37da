"""Writing down what is charged: items, and versions of their prices that nobody has to regret.

Apart from `tariffs`, because bills read that and this reads bills. Whatever a run could not price,
or would price wrongly, is refused here with the field and the reason; what is only odd is a warning
for the person who writes it down.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.billed_days import last_billed_day
from billing.bills import BillLine
from billing.concessions import AgreedPrice
from billing.errors import Conflict, InvalidInput, NotFound
from billing.ledger import ensure_accounts
from billing.people import Staff, StaffRole
from billing.pricing import (
    AreaPrice,
    MeteredPrice,
    Price,
    PriceJump,
    TariffWarning,
    TieredPrice,
    parse_price,
    price_jump,
    price_to_json,
    refuse_margin,
    tariff_warnings,
)
from billing.property import SubjectKind
from billing.refusals import refuse_absurd_day, refuse_stranger, require_text
from billing.run_lock import refuse_during_run
from billing.shared_costs import SharedCost
from billing.tariffs import ChargeItem, FeeKind, Tariff, get_item

EDITORS = (StaffRole.MANAGER, StaffRole.ACCOUNTANT)
_CODE = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class AddedTariff:
    """A version that was written down, and what is odd about it."""

    tariff: Tariff
    warnings: list[TariffWarning | PriceJump]


def add_item(
    session: Session,
    community_id: int,
    *,
    code: str,
    name: str,
    fee: FeeKind,
    subject_kind: SubjectKind,
    cycle_months: int,
    active_from: date,
    by: Staff,
    now: datetime,
    active_to: date | None = None,
    pass_through: bool | None = None,
) -> ChargeItem:
    """Begin to charge for something; its income account is made with it.

    Args:
        cycle_months: 1, 3 or 12; what metered and shared items are billed by is theirs.
        active_from, active_to: half-open days it is charged for.
        pass_through: whether it is collected for a supplier (代收); None: as usual for the fee,
            which is yes for water, electricity, gas and heating.

    Raises:
        InvalidInput: a field that is missing or means nothing.
        Conflict: the code is taken.
    """
    refuse_stranger(by, community_id, EDITORS)
    if _CODE.fullmatch(code) is None:
        raise InvalidInput("code", f"{code[:40]!r} is not a code like water or lift_2, in a-z0-9_")
    if fee is FeeKind.DEPOSIT:
        raise InvalidInput("fee", "a deposit is taken and returned, never charged")
    if cycle_months not in (1, 3, 12):
        raise InvalidInput("cycle_months", "must be 1, 3 or 12")
    refuse_absurd_day("active_from", active_from, now)
    if active_to is not None and active_to <= active_from:
        raise InvalidInput("active_to", f"{active_to} must be after active_from, {active_from}")
    values = {
        "community_id": community_id,
        "code": code,
        "name": require_text("name", name),
        "fee": fee,
        "subject_kind": subject_kind,
        "cycle_months": cycle_months,
        "active_from": active_from,
        "active_to": active_to,
        **({} if pass_through is None else {"pass_through": pass_through}),
    }
    item: ChargeItem | None = session.scalar(
        insert(ChargeItem).values(values).on_conflict_do_nothing().returning(ChargeItem)
    )
    if item is None:
        raise Conflict(f"there is a charge item {code!r} already; add a tariff to it")
    ensure_accounts(session, community_id, {code: item.name})
    return item


def add_tariff(
    session: Session,
    community_id: int,
    item_code: str,
    *,
    effective_from: date,
    price: object,
    basis_document: str,
    by: Staff,
    now: datetime,
    expected_last: int | None,
    supplier_price: object = None,
) -> AddedTariff:
    """Write down a price that is in force from a day until the next version begins.

    Two people at once: each says which version was the last he saw, and whoever comes second, after
    waiting for the first, is told of the other's version instead of writing over it.

    Args:
        price: JSON of `billing.pricing` (README there), numbers as decimal strings.
        basis_document: contract clause or filing shown to owners (明码标价).
        expected_last: `ItemTariffs.last` as the editor saw it; None: there was no version.
        supplier_price: what the supplier charges, for items collected for him, in the shape of
            `price`; a decimal string is short for the same price at another unit price.

    Returns:
        The version, and warnings: a volume tariff whose total falls when usage rises, a price that
        changes by more than 30 %. It is in force all the same.

    Raises:
        InvalidInput: a price, date or text that is missing or absurd, by field; a price above the
            supplier's (《物业管理条例》 art. 44); a price the item's subjects cannot be charged.
        Conflict: another version was written down meanwhile, one begins on that day, days from
            then on are billed already, or a bill run is under way.
        NotFound: no such item.
    """
    refuse_stranger(by, community_id, EDITORS)
    refuse_during_run(session, community_id)
    item = _lock_item(session, community_id, item_code)
    versions = _versions(session, item)
    _refuse_stale(versions, expected_last)
    parsed = parse_price(price)
    _refuse_unusable(session, item, versions, parsed, effective_from)
    _refuse_day(session, item, versions, effective_from, now)
    supplier = _supplier_price(item, parsed, supplier_price)
    tariff = Tariff(
        community_id=community_id,
        item_id=item.id,
        effective_from=effective_from,
        price=price_to_json(parsed),
        basis_document=require_text("basis_document", basis_document),
        supplier_price=None if supplier is None else price_to_json(supplier),
        created_at=now,
        created_by=by.id,
    )
    session.add(tariff)
    session.flush()  # its id is what the next editor must have seen
    warnings: list[TariffWarning | PriceJump] = [*tariff_warnings(parsed)]
    before = [one for one in versions if one.effective_from < effective_from]
    if before:
        jump = price_jump(parse_price(before[-1].price), parsed)
        warnings += [] if jump is None else [jump]
    return AddedTariff(tariff, warnings)


def remove_tariff(
    session: Session,
    community_id: int,
    item_code: str,
    *,
    effective_from: date,
    by: Staff,
    expected_last: int | None,
) -> None:
    """Take back a version that priced nothing yet: no line, drafted, issued or voided, names it.

    Raises:
        Conflict: it priced a line, another version was written down meanwhile, or a bill run is
            under way.
        NotFound: no such item, or no version from that day.
    """
    refuse_stranger(by, community_id, EDITORS)
    refuse_during_run(session, community_id)
    item = _lock_item(session, community_id, item_code)
    versions = _versions(session, item)
    _refuse_stale(versions, expected_last)
    found = next((one for one in versions if one.effective_from == effective_from), None)
    if found is None:
        raise NotFound(f"{item_code} has no version from {effective_from}")
    lines = session.scalar(
        select(func.count()).where(
            BillLine.community_id == community_id,
            BillLine.item_id == item.id,
            BillLine.tariff_id == found.id,
        )
    )
    if lines:
        raise Conflict(
            f"version {found.id} of {item_code} priced {lines} lines; add a version from a later"
            " day instead"
        )
    session.delete(found)
    session.flush()


def _lock_item(session: Session, community_id: int, code: str) -> ChargeItem:
    """The item, until the transaction ends ours to edit; lines may still be written for it."""
    item = get_item(session, community_id, code)
    session.refresh(item, with_for_update={"key_share": True})
    return item


def _versions(session: Session, item: ChargeItem) -> list[Tariff]:
    return list(
        session.scalars(
            select(Tariff)
            .where(Tariff.community_id == item.community_id, Tariff.item_id == item.id)
            .order_by(Tariff.effective_from)
        )
    )


def _refuse_stale(versions: list[Tariff], expected_last: int | None) -> None:
    last = max(versions, key=lambda version: version.id, default=None)
    if (None if last is None else last.id) == expected_last:
        return
    if last is None:
        raise Conflict(f"version {expected_last} was removed meanwhile; look again")
    seen = "no version" if expected_last is None else f"version {expected_last}"
    raise Conflict(
        f"you saw {seen} as the last, but meanwhile it is version {last.id}, in force from"
        f" {last.effective_from} and written down at {last.created_at.isoformat()}; look again"
    )


def _refuse_unusable(
    session: Session, item: ChargeItem, versions: list[Tariff], price: Price, day: date
) -> None:
    """A price with which a run could not bill this item, or not rightly."""
    if isinstance(price, AreaPrice) and item.subject_kind is SubjectKind.PARKING:
        raise InvalidInput("price.method", "a parking space has no area; use a flat price")
    if any(_by_usage(parse_price(one.price)) is not _by_usage(price) for one in versions):
        # Readings rarely end on the day of the change, and a span cannot be charged by both.
        raise InvalidInput(
            "price.method",
            f"{item.code} cannot change between charging usage and charging time; add another item",
        )
    shared = exists().where(
        SharedCost.community_id == item.community_id, SharedCost.item_id == item.id
    )
    if session.scalar(select(shared)):
        raise InvalidInput("item", f"{item.code} shares costs and has no price; add another item")
    agreed = exists().where(
        AgreedPrice.community_id == item.community_id,
        AgreedPrice.item_id == item.id,
        or_(AgreedPrice.to_on.is_(None), AgreedPrice.to_on > day),
    )
    if isinstance(price, TieredPrice) and session.scalar(select(agreed)):
        raise InvalidInput(
            "price.method",
            "owners have agreed unit prices for this item, and tiers have no single unit price;"
            " end those agreements first",
        )


def _by_usage(price: Price) -> bool:
    return isinstance(price, MeteredPrice | TieredPrice)


def _refuse_day(
    session: Session,
    item: ChargeItem,
    versions: list[Tariff],
    day: date,
    now: datetime,
) -> None:
    refuse_absurd_day("effective_from", day, now)
    same = next((one for one in versions if one.effective_from == day), None)
    if same is not None:
        raise Conflict(f"version {same.id} of {item.code} begins on {day} too; remove it first")
    if item.active_to is not None and day >= item.active_to:
        raise InvalidInput("effective_from", f"{item.code} is charged only until {item.active_to}")
    billed = last_billed_day(session, item.community_id, item.id, since=day)
    if billed is not None:
        raise InvalidInput(
            "effective_from",
            f"{item.code} is billed up to and including {billed}; begin after that, or void those"
            " bills first",
        )


def _supplier_price(item: ChargeItem, price: Price, given: object) -> Price | None:
    if not item.pass_through:
        if given is not None:
            raise InvalidInput(
                "supplier_price", f"{item.code} is not collected for a supplier; leave it out"
            )
        return None
    if given is None:
        raise InvalidInput(
            "supplier_price",
            f"missing: {item.code} is collected for a supplier and may carry no margin",
        )
    if isinstance(given, str | int) and not isinstance(price, TieredPrice):
        given = {**price_to_json(price), "unit_price": given}
    supplier = parse_price(given, "supplier_price")
    refuse_margin(price, supplier)
    return supplier
