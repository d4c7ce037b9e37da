"""The letter of demand (催缴函): composed, printed to HTML and kept, in one transaction.

Civil Code 944: before a property company may sue, it has to demand payment within a reasonable
period; 195: the demand begins the three years anew. Both want proof, so the paper is kept as it is
and says what was sent when.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.bank_accounts import transfer_instructions
from billing.bill_lines import LineState, list_lines
from billing.disputes import disputed_lines
from billing.dunning import Demanded, list_dunnings, require_demandable
from billing.dunning_letters import (
    LetterNumber,
    homes_with_letter,
    list_services,
    record_letter,
    take_number,
)
from billing.dunning_tables import Dunning, DunningWay, LetterService
from billing.errors import Conflict, InvalidInput
from billing.late_fee_policy import list_policies
from billing.late_fee_tables import LateFeePolicy
from billing.late_fees import LateFeeLine, price_debts
from billing.money import ZERO, Money
from billing.payments import lock_home, lock_homes
from billing.people import Occupancy, Resident, ResidentRole, Staff
from billing.privacy import Vault
from billing.property import Community, Unit
from handlers.qr import qr_image
from handlers.receipt_paper import capital
from handlers.services import Services
from notify.dunned import Told, list_told
from notify.links import HomeRef
from notify.wording import last_day, paper_environment

RESPOND_DAYS = range(7, 91)
"""A period to pay in that is reasonable: not shorter, not longer."""

RESPOND_DAYS_USUAL = 15


@dataclass(frozen=True, slots=True)
class Debt:
    """A bill as the letter prints it: with its lines, and its late fee that is on no bill yet."""

    asked: Demanded
    lines: tuple[LineState, ...]
    late_fee: LateFeeLine | None


@dataclass(frozen=True, slots=True)
class Printed:
    """A letter that was recorded, and its paper."""

    number: LetterNumber
    letter: Dunning
    paper: str
    late_fee: Money


def print_letter(
    session: Session,
    services: Services,
    community: Community,
    unit: Unit,
    *,
    by: Staff,
    today: date,
    days: int = RESPOND_DAYS_USUAL,
) -> Printed:
    """Compose a letter about everything the present owner may be asked for, number and keep it.

    Called again it is another letter. The home is locked, so the letter says what is owed.

    Args:
        days: to pay in, from today.

    Raises:
        InvalidInput: `by` may not, or too few or many days.
        Conflict: nothing to demand.
    """
    if days not in RESPOND_DAYS:
        raise InvalidInput("days", f"must be from {RESPOND_DAYS[0]} to {RESPOND_DAYS[-1]}")
    lock_home(session, community.id, unit.id)
    asked = require_demandable(session, community.id, unit.id, today)
    respond_by = today + timedelta(days=days)
    debts = _read_debts(session, community.id, unit.id, asked, today)
    number = take_number(session, community, today)
    late_fee = sum((debt.late_fee.amount for debt in debts if debt.late_fee), ZERO)
    bill_ids = [one.bill.id for one in asked]
    paper = (
        paper_environment()
        .get_template("papers/dunning_letter.html")
        .render(
            number=number,
            community=community,
            room=unit.room,
            owners=_owners(session, services.vault, unit, today),
            debts=debts,
            disputed_lines=disputed_lines(session, community.id, bill_ids),
            total=sum((one.amount for one in asked), ZERO),
            late_fee=late_fee,
            policy=_policy(session, community.id, today),
            told=_told(session, community.id, bill_ids),
            earlier=_earlier(session, community.id, unit.id),
            transfer=transfer_instructions(session, services.vault, community.id, unit.id),
            code=qr_image(services.links.scan_url(HomeRef(community.id, unit.id))),
            today=today,
            respond_by=respond_by,
            printed_by=by.name,
            last_day=last_day,
            capital=capital,
        )
    )
    letter = record_letter(
        session,
        services.vault,
        community.id,
        asked,
        number,
        paper=paper,
        respond_by=respond_by,
        by=by,
        today=today,
        now=services.clock(),
    )
    return Printed(number, letter, paper, late_fee)


def print_letters(
    session: Session,
    services: Services,
    community: Community,
    units: Sequence[Unit],
    *,
    by: Staff,
    today: date,
    days: int = RESPOND_DAYS_USUAL,
) -> list[Printed]:
    """Letters for several homes, in this order; homes with nothing to demand, and those a letter
    was printed for today, get none, so that whoever prints twice prints nothing twice.

    All the homes are locked before the community's row that numbers letters (`lock_home`).

    Raises:
        InvalidInput: as `print_letter`.
    """
    lock_homes(session, community.id, [unit.id for unit in units])
    has_one = homes_with_letter(session, community.id, today)
    printed = []
    for unit in units:
        if unit.id in has_one:
            continue
        try:
            with session.begin_nested():
                one = print_letter(
                    session, services, community, unit, by=by, today=today, days=days
                )
        except Conflict:
            continue
        printed.append(one)
    return printed


def _read_debts(
    session: Session, community_id: int, unit_id: int, asked: Sequence[Demanded], today: date
) -> list[Debt]:
    lines = list_lines(session, community_id, [one.bill.id for one in asked])
    priced = price_debts(session, community_id, [unit_id], today, lock=False)
    fees = {debt.bill_id: line for debt, line in priced}
    return [
        Debt(
            one,
            tuple(line for line in lines if line.bill_id == one.bill.id),
            fees.get(one.bill.id),
        )
        for one in asked
    ]


def _owners(session: Session, vault: Vault, unit: Unit, today: date) -> list[str]:
    """Names of the present owners: the letter is addressed to them."""
    sealed = session.scalars(
        select(Resident.name_sealed)
        .join(
            Occupancy,
            (Occupancy.community_id == Resident.community_id)
            & (Occupancy.resident_id == Resident.id),
        )
        .where(
            Occupancy.community_id == unit.community_id,
            Occupancy.unit_id == unit.id,
            Occupancy.role == ResidentRole.OWNER,
            Occupancy.from_on <= today,
            (Occupancy.to_on.is_(None)) | (Occupancy.to_on > today),
        )
        .order_by(Occupancy.from_on, Occupancy.id)
    )
    return [vault.open(name) for name in sealed]


def _policy(session: Session, community_id: int, today: date) -> LateFeePolicy | None:
    """The clause in force, if it asks for anything."""
    begun = [
        policy for policy in list_policies(session, community_id) if policy.effective_from <= today
    ]
    return begun[-1] if begun and begun[-1].daily_rate else None


TOLD_MAX = 20
"""Rows of messages on a letter: the first, and the latest; all of them are kept."""


def _told(session: Session, community_id: int, bill_ids: Sequence[int]) -> list[Told]:
    told = [one for one in list_told(session, community_id, bill_ids) if one.sent_at]
    return told if len(told) <= TOLD_MAX else [*told[:1], *told[1 - TOLD_MAX :]]


def _earlier(
    session: Session, community_id: int, unit_id: int
) -> list[tuple[Dunning, list[LetterService]]]:
    """What people demanded before, with the deliveries of letters."""
    made = list_dunnings(session, community_id, unit_id)
    letters = [one.id for one in made if one.way is DunningWay.LETTER]
    served = list_services(session, community_id, letters)
    return [(one, served.get(one.id, [])) for one in made[-TOLD_MAX:]]
