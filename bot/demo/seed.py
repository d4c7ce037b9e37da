"""Demo data: one community with homes, cars, fourteen months of bills and mostly paid history.

Deterministic for a seed and a date. Everything goes through the core's own functions except past
payments, which are written set-wise (`history`), as an import from an older system would be.
Every step finds what an earlier start left, so a start that was killed is finished by the next.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.bank_accounts import add_account
from billing.bill_run import run_bills
from billing.bill_run_tables import BillRun, BillRunChunk, ChunkState, RunState
from billing.business_day import BEIJING
from billing.db import Database
from billing.late_fee_policy import set_policy
from billing.late_fee_tables import LateFeeCap
from billing.ledger import ensure_accounts
from billing.merchants import CommunityMerchant, MerchantAccount, Provider, find_merchant
from billing.people import Staff, StaffRole
from billing.period import Period, add_months
from billing.privacy import Vault
from billing.property import Community, SubjectKind
from billing.tariffs import ChargeItem, FeeKind, Tariff
from bot.demo.cast import (
    BANK_NAME,
    BANK_NUMBER,
    COMMUNITY_NAME,
    COMPANY_NAME,
    ITEMS,
    LATE_FEE_CLAUSE,
    STAFF,
)
from bot.demo.history import pay_history
from bot.demo.homes import add_homes
from bot.demo.utilities import add_utilities, read_and_record

COMMUNITY = "HY"
LATE_FEE_RATE = Decimal("0.0005")
"""Five in ten thousand a day, what contracts commonly say."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Size of the demo; with `utilities` it has water meters and shared costs as well."""

    households: int
    months: int
    seed: int
    today: date
    utilities: bool = False


def first_day_at_nine(period: Period) -> datetime:
    """When the bills of a past month were issued."""
    return datetime.combine(period.start, time(9), BEIJING)


def seed_demo(
    database: Database,
    vault: Vault,
    plan: Plan,
    merchant: tuple[str, str],
    alipay: tuple[str, str] | None = None,
) -> bool:
    """Fill an empty installation, or issue the bills of the months since the last start.

    Safe to repeat. Returns True when the installation was filled, or filling it was finished.

    Args:
        merchant: code and mchid of the WeChat Pay account that collects.
        alipay: code and seller id of the Alipay account that collects too.
    """
    with database.transaction() as session:
        community = session.scalar(select(Community).where(Community.code == COMMUNITY))
        if community is None:
            community = _community(session)
            _collect(session, community, Provider.WECHAT_PAY, merchant)
            _items(session, community, plan)
            add_homes(session, vault, community.id, plan.households, _chance(plan, "homes"))
            manager = _add_staff(session, community, STAFF[:1])[0]
            if plan.utilities:
                first = past_periods(plan)[0]
                chance = _chance(plan, "vacant")
                add_utilities(
                    session, community.id, first, manager, chance, first_day_at_nine(first)
                )
                add_account(
                    session,
                    vault,
                    community.id,
                    code="demo",
                    holder=COMPANY_NAME,
                    bank=BANK_NAME,
                    number=BANK_NUMBER,
                    by=manager,
                    now=first_day_at_nine(first),
                )
        if alipay and find_merchant(session, community.id, Provider.ALIPAY) is None:
            _collect(session, community, Provider.ALIPAY, alipay)
    for period in _periods_to_bill(database, community, plan):
        issued_at = first_day_at_nine(period)
        with database.transaction() as session:
            read_and_record(session, community.id, period, plan.seed, issued_at)
        run_bills(database, community, period, today=period.start, now=issued_at, publish=True)
    with database.transaction() as session:
        # The last of the staff come last: where they are, everything else is.
        staff = select(func.count(Staff.id)).where(Staff.community_id == community.id)
        if session.scalar(staff) == len(STAFF):
            return False
        pay_history(session, community.id, _chance(plan, "history"))
        if plan.utilities:
            # From this month on: the past was paid without late fees.
            set_policy(
                session,
                community.id,
                effective_from=Period.of(plan.today).start,
                daily_rate=LATE_FEE_RATE,
                grace_days=0,
                cap=LateFeeCap.PRINCIPAL,
                document=LATE_FEE_CLAUSE,
            )
        _add_staff(session, community, STAFF[1:])
    return True


def _add_staff(
    session: Session, community: Community, people: Sequence[tuple[str, str, StaffRole]]
) -> list[Staff]:
    staff = [
        Staff(login=login, name=name, role=role, community_id=community.id)
        for login, name, role in people
    ]
    session.add_all(staff)
    session.flush()  # what they approve refers to them
    return staff


def _chance(plan: Plan, purpose: str) -> random.Random:
    """A sequence of its own for each step, so that a step done earlier does not shift the next."""
    return random.Random(f"{plan.seed} {purpose}")  # noqa: S311  # demo data, not secrets


def _periods_to_bill(database: Database, community: Community, plan: Plan) -> list[Period]:
    """From the last month a run was begun for if that was killed, else the next, to the current."""
    with database.transaction() as session:
        last: Period | None = session.scalar(
            select(func.max(BillRun.period)).where(BillRun.community_id == community.id)
        )
        if last is not None and _is_finished(session, community, last):
            last = last.next()
    return (last or past_periods(plan)[0]).through(Period.of(plan.today))


def _is_finished(session: Session, community: Community, period: Period) -> bool:
    """Whether a month was drafted and issued whole; a month that was is not looked at again, as the
    meters may have been read for the next one already.
    """
    runs = select(BillRun.id).where(BillRun.community_id == community.id, BillRun.period == period)
    killed = runs.where(BillRun.state == RunState.DRAFTING)
    drafts = runs.join(
        BillRunChunk,
        (BillRunChunk.community_id == BillRun.community_id) & (BillRunChunk.run_id == BillRun.id),
    ).where(BillRunChunk.state == ChunkState.DRAFT)
    return session.scalar(killed.limit(1)) is None and session.scalar(drafts.limit(1)) is None


def past_periods(plan: Plan) -> list[Period]:
    """The demo's months, oldest first, ending with the current one."""
    current = Period.of(plan.today)
    return Period.of(add_months(current.start, 1 - plan.months)).through(current)


def _community(session: Session) -> Community:
    community = Community(
        code=COMMUNITY,
        name=COMMUNITY_NAME,
        company=COMPANY_NAME,
        service_phone="010-5550 0100",
        billing_day=1,
        due_day=31,
        due_month_offset=0,
    )
    session.add(community)
    session.flush()  # everything else refers to it
    return community


def _collect(
    session: Session, community: Community, provider: Provider, merchant: tuple[str, str]
) -> None:
    """Let a merchant account (code, number at the provider) collect for the community."""
    code, mchid = merchant
    account = MerchantAccount(code=code, provider=provider, mchid=mchid, name=COMPANY_NAME)
    session.add(account)
    session.flush()
    session.add(
        CommunityMerchant(community_id=community.id, provider=provider, merchant_id=account.id)
    )


def _items(session: Session, community: Community, plan: Plan) -> None:
    """Property fee by area with a price change, parking and garbage at flat prices."""
    first = past_periods(plan)[0].start
    change = past_periods(plan)[len(past_periods(plan)) // 2].start
    area = {"method": "area", "per": "month"}
    flat = {"method": "flat", "per": "month"}
    prices: dict[str, tuple[FeeKind, SubjectKind, list[tuple[date, dict[str, Any]]]]] = {
        "property": (
            FeeKind.PROPERTY,
            SubjectKind.HOME,
            [
                (first, {**area, "unit_price": "2.60"}),
                *([(change, {**area, "unit_price": "2.80"})] if change > first else []),
            ],
        ),
        "parking": (
            FeeKind.PARKING,
            SubjectKind.PARKING,
            [(first, {**flat, "unit_price": "120.00"})],
        ),
        "garbage": (FeeKind.GARBAGE, SubjectKind.HOME, [(first, {**flat, "unit_price": "6.00"})]),
    }
    for code, (fee, subject_kind, versions) in prices.items():
        name, document = ITEMS[code]
        item = ChargeItem(
            community_id=community.id,
            code=code,
            name=name,
            fee=fee,
            subject_kind=subject_kind,
            cycle_months=1,
            active_from=first,
        )
        session.add(item)
        session.flush()  # tariffs refer to it
        for effective_from, price in versions:
            session.add(
                Tariff(
                    community_id=community.id,
                    item_id=item.id,
                    effective_from=effective_from,
                    price=price,
                    basis_document=document,
                    created_at=first_day_at_nine(Period.of(first)),
                )
            )
    ensure_accounts(session, community.id, {code: ITEMS[code][0] for code in prices})
