"""A home changes hands (过户).

The debts of a home stay with whoever owned it on the days they are for.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import or_, select, text, update
from sqlalchemy.orm import Session

from billing.business_day import business_date
from billing.direct_debit.tables import DirectDebitMandate, MandateState
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import FactKind, record
from billing.payments import lock_home, lock_homes
from billing.people import (
    Binding,
    BindingCode,
    BindingState,
    Occupancy,
    ResidentRole,
    check_residents,
)
from billing.prepayments import set_auto_deduction
from billing.property import Unit
from billing.shares import share_by_days

BILLS_OF_FORMER_OWNERS = text(
    """
    SELECT DISTINCT bill.unit_id, stay.to_on AS handed_over_on, bill.id
    FROM bill
    JOIN occupancy stay ON stay.community_id = bill.community_id AND stay.unit_id = bill.unit_id
     AND stay.role = 'owner'
    JOIN occupancy next ON next.community_id = stay.community_id AND next.unit_id = stay.unit_id
     AND next.role = 'owner' AND next.from_on = stay.to_on
    WHERE bill.community_id = :community_id AND bill.run_id = :run_id AND bill.chunk_no = :no
      AND EXISTS (SELECT FROM bill_line line
                  WHERE line.community_id = bill.community_id AND line.bill_id = bill.id
                    AND line.period_from < stay.to_on)
      AND NOT EXISTS (SELECT FROM bill_share share
                      WHERE share.community_id = bill.community_id AND share.bill_id = bill.id)
      AND NOT EXISTS (SELECT FROM bill_void void
                      WHERE void.community_id = bill.community_id AND void.bill_id = bill.id)
    ORDER BY bill.unit_id, handed_over_on, bill.id
    """
)
"""Bills of a chunk, not shared yet, for days before their home changed hands."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What a hand-over did: who left, who came, how many bills were shared among them.

    `bills` is 0 when the very same hand-over was recorded before.
    """

    former_owners: tuple[int, ...]
    new_owners: tuple[int, ...]
    bills: int


def hand_over(
    session: Session,
    community_id: int,
    unit_id: int,
    new_owners: Sequence[int],
    *,
    on: date,
    by: int,
    now: datetime,
    keep_tenants: bool = False,
    own_bindings: Collection[int] = (),
) -> HandedOver:
    """Record that a home has new owners from a day on.

    What was charged for days before stays the former owners', what was charged for days from then
    on becomes the new owners'; a line over both is split by days. Several owners share equally.
    Who was bound goes on seeing bills of days before, and no others; the name and number of who
    asks to be bound count as known no longer. Codes that were handed out and not used become
    worthless, and a mandate of the former owners and what they wished to be paid from the
    prepayment by itself end. Called again with the same facts it changes nothing.

    Args:
        new_owners: ids of residents the community knows.
        on: first day of the new owners, not in the future.
        keep_tenants: tenants stay, and see what comes.
        own_bindings: bindings of the home that are the new owners' already.

    Raises:
        InvalidInput: nobody new, a future day, or one not after the former owners' first.
        NotFound: an unknown home, resident or binding.
        Conflict: nobody is recorded as owner, or the new owners own it already.
    """
    _check_hand_over(session, community_id, unit_id, new_owners, on, now)
    lock_home(session, community_id, unit_id)
    wanted = tuple(dict.fromkeys(new_owners))
    stays = _owners_now(session, community_id, unit_id)
    former = tuple(stay.resident_id for stay in stays)
    if set(former) == set(wanted):
        if any(stay.from_on != on for stay in stays):
            raise Conflict(f"they own home {unit_id} since {stays[0].from_on} already")
        return HandedOver((), wanted, 0)
    if not former:
        raise Conflict(f"nobody is recorded as the owner of home {unit_id}; record him first")
    begun = max(stay.from_on for stay in stays)
    if on <= begun:
        raise InvalidInput("on", f"{on} must be after {begun}, when the present owners began")
    bills = share_by_days(session, community_id, unit_id, former, wanted, on, by=by, now=now)
    _move_people(session, community_id, unit_id, wanted, on, keep_tenants)
    _limit_bindings(session, community_id, unit_id, on, keep_tenants, own_bindings)
    _doubt_requests(session, community_id, unit_id, keep_tenants)
    _expire_codes(session, community_id, unit_id, keep_tenants, now)
    _end_mandates(session, community_id, unit_id, on, by)
    set_auto_deduction(session, community_id, unit_id, ())  # else their money pays his bills
    record(
        session,
        FactKind.HANDED_OVER,
        community_id=community_id,
        unit_id=unit_id,
        ref_id=unit_id,
        at=now,
        data={"on": on.isoformat(), "from": list(former), "to": list(wanted)},
    )
    return HandedOver(former, wanted, bills)


def share_issued_chunk(
    session: Session, community_id: int, run_id: int, no: int, *, now: datetime
) -> None:
    """Share the bills of a chunk just issued that are for days before their home changed hands, as
    `hand_over` shared those issued before it.

    One look-up where no home did. Called again it changes nothing.
    """
    found = session.execute(
        BILLS_OF_FORMER_OWNERS, {"community_id": community_id, "run_id": run_id, "no": no}
    ).all()
    if not found:
        return
    lock_homes(session, community_id, sorted({row.unit_id for row in found}))
    bills: dict[tuple[int, date], list[int]] = defaultdict(list)
    for row in found:
        bills[row.unit_id, row.handed_over_on].append(row.id)
    for (unit_id, on), bill_ids in bills.items():  # of one home, the oldest hand-over first
        former, new = _owners_around(session, community_id, unit_id, on)
        share_by_days(
            session, community_id, unit_id, former, new, on, by=None, now=now, only=bill_ids
        )


def _owners_around(
    session: Session, community_id: int, unit_id: int, on: date
) -> tuple[list[int], list[int]]:
    """Who owned a home until a day, and who owned it from then on."""
    stays = session.scalars(
        select(Occupancy)
        .where(
            Occupancy.community_id == community_id,
            Occupancy.unit_id == unit_id,
            Occupancy.role == ResidentRole.OWNER,
            Occupancy.from_on <= on,
            or_(Occupancy.to_on.is_(None), Occupancy.to_on >= on),
        )
        .order_by(Occupancy.id)
    ).all()
    former = [stay.resident_id for stay in stays if stay.from_on < on]
    new = [stay.resident_id for stay in stays if stay.to_on is None or stay.to_on > on]
    return list(dict.fromkeys(former)), list(dict.fromkeys(new))


def _check_hand_over(
    session: Session,
    community_id: int,
    unit_id: int,
    new_owners: Sequence[int],
    on: date,
    now: datetime,
) -> None:
    if on > business_date(now):
        raise InvalidInput("on", f"{on} is in the future; hand over on the day itself")
    if session.get(Unit, (community_id, unit_id)) is None:
        raise NotFound(f"no home {unit_id} in community {community_id}")
    check_residents(session, community_id, new_owners)


def _owners_now(session: Session, community_id: int, unit_id: int) -> Sequence[Occupancy]:
    return session.scalars(
        select(Occupancy)
        .where(
            Occupancy.community_id == community_id,
            Occupancy.unit_id == unit_id,
            Occupancy.role == ResidentRole.OWNER,
            Occupancy.to_on.is_(None),
        )
        .order_by(Occupancy.id)
    ).all()


def _move_people(
    session: Session,
    community_id: int,
    unit_id: int,
    new: Sequence[int],
    on: date,
    keep_tenants: bool,
) -> None:
    leaving = [ResidentRole.OWNER, ResidentRole.MEMBER]
    session.execute(
        update(Occupancy)
        .where(
            Occupancy.community_id == community_id,
            Occupancy.unit_id == unit_id,
            Occupancy.role.in_(leaving if keep_tenants else list(ResidentRole)),
            Occupancy.from_on < on,
            or_(Occupancy.to_on.is_(None), Occupancy.to_on > on),
        )
        .values(to_on=on)
    )
    session.add_all(
        Occupancy(
            community_id=community_id,
            unit_id=unit_id,
            resident_id=resident_id,
            role=ResidentRole.OWNER,
            from_on=on,
        )
        for resident_id in new
    )


def _limit_bindings(
    session: Session,
    community_id: int,
    unit_id: int,
    on: date,
    keep_tenants: bool,
    own_bindings: Collection[int],
) -> None:
    bindings = session.scalars(
        select(Binding)
        .where(
            Binding.community_id == community_id,
            Binding.unit_id == unit_id,
            Binding.state == BindingState.ACTIVE,
        )
        .order_by(Binding.id)
        .with_for_update()
    ).all()
    missing = sorted(set(own_bindings) - {binding.id for binding in bindings})
    if missing:
        raise NotFound(f"no binding {', '.join(map(str, missing))} of home {unit_id}")
    for binding in bindings:
        if binding.id in own_bindings:
            binding.role = ResidentRole.OWNER
            binding.sees_from = min(binding.sees_from or on, on)
            binding.sees_to = None
        elif not keep_tenants or binding.role is not ResidentRole.TENANT:
            binding.sees_to = min(binding.sees_to or on, on)


def _doubt_requests(session: Session, community_id: int, unit_id: int, keep_tenants: bool) -> None:
    """The name and number given with a request fitted people of before; approving it would let
    them in with the new owners.
    """
    requests = update(Binding).where(
        Binding.community_id == community_id,
        Binding.unit_id == unit_id,
        Binding.state == BindingState.REQUESTED,
        Binding.claim_fits.is_(True),
    )
    if keep_tenants:
        requests = requests.where(Binding.role != ResidentRole.TENANT)
    session.execute(requests.values(claim_fits=False))


def _expire_codes(
    session: Session, community_id: int, unit_id: int, keep_tenants: bool, now: datetime
) -> None:
    """A code the former owners did not use must not open the home to them again."""
    codes = update(BindingCode).where(
        BindingCode.community_id == community_id,
        BindingCode.unit_id == unit_id,
        BindingCode.used_at.is_(None),
        BindingCode.expires_at > now,
    )
    if keep_tenants:
        codes = codes.where(BindingCode.role != ResidentRole.TENANT)
    session.execute(codes.values(expires_at=now))


def _end_mandates(session: Session, community_id: int, unit_id: int, on: date, by: int) -> None:
    """What the new owners owe is not taken from the former owners' account."""
    session.execute(
        update(DirectDebitMandate)
        .where(
            DirectDebitMandate.community_id == community_id,
            DirectDebitMandate.unit_id == unit_id,
            DirectDebitMandate.state == MandateState.ACTIVE,
            DirectDebitMandate.signed_on < on,
        )
        .values(state=MandateState.ENDED, ended_on=on, ended_by=by)
    )
