"""What notices are about, read set-wise when they are merged and again before they are sent.

`objection` is the one place that decides whether a notice still makes sense.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from billing.alerts import Alert
from billing.bills import Bill, BillState, issued_bills
from billing.business_day import business_date
from billing.db import key_array
from billing.direct_debit.batches import ordered_bills
from billing.disputes import disputed_amounts
from billing.fapiao_tables import Fapiao, FapiaoState
from billing.money import ZERO, Money
from billing.people import Binding, BindingState, Follower, Staff
from billing.property import Community, Unit
from billing.ticket_tables import Ticket, TicketState
from billing.tickets import find_tickets
from notify.broadcast_tables import Broadcast, BroadcastState
from notify.catalog import NOTICES, Audience, Matter, NoticeKind
from notify.lost import find_lost, is_told_all_the_same
from notify.outbox import Notice, Reason
from notify.paid import (
    Debit,
    EndedRefund,
    PaidPayment,
    read_debits,
    read_deducted,
    read_payments,
    read_refunds,
)
from notify.preferences import Preference, read_preferences
from notify.prepaid import LowPrepayment, read_low
from notify.unseen import Key, read_unseen

FAPIAO_STATES: Mapping[NoticeKind, FapiaoState] = MappingProxyType(
    {
        NoticeKind.FAPIAO_REQUESTED: FapiaoState.REQUESTED,
        NoticeKind.FAPIAO_ISSUED: FapiaoState.ISSUED,
        NoticeKind.FAPIAO_REJECTED: FapiaoState.REJECTED,
        NoticeKind.FAPIAO_REVERSED: FapiaoState.REVERSED,
    }
)
"""The state in which each of these still makes sense."""

DUNNING = frozenset({NoticeKind.DUE_SOON, NoticeKind.OVERDUE})
"""Kinds that press for payment: never for what is disputed, or the bank is asked to take."""


@dataclass(frozen=True, slots=True)
class Matters:
    """Everything some notices are about, as it stands now.

    Attributes:
        deducted: bills that are announced and that the prepayment paid whole, with what it is now.
        lost: (community, home, follower) of owners who stopped following, of homes nobody follows.
    """

    people: dict[int, Follower]
    preferences: dict[int, Preference]
    staff: set[int]
    bound: set[tuple[int, int, int]]
    lost: set[tuple[int, int, int]]
    unseen: set[tuple[int, int, Matter, int]]
    communities: dict[int, Community]
    rooms: dict[Key, str]
    bills: dict[Key, BillState]
    payments: dict[Key, PaidPayment]
    fapiao: dict[Key, Fapiao]
    refunds: dict[Key, EndedRefund]
    debits: dict[Key, Debit]
    prepayments: dict[Key, LowPrepayment]
    bindings: dict[Key, Binding]
    alerts: dict[int, Alert]
    disputed: dict[Key, Money]
    debited: set[Key]
    deducted: dict[Key, Money]
    tickets: dict[Key, tuple[Ticket, str]]
    broadcasts: dict[Key, Broadcast]


def read_matters(session: Session, notices: Sequence[Notice]) -> Matters:
    """Read what these notices are about: a fixed number of queries, however many notices."""
    refs: dict[Matter, list[Key]] = defaultdict(list)
    for notice in notices:
        refs[NOTICES[notice.kind].matter].append((notice.community_id, notice.ref_id))
    followers = {notice.follower_id for notice in notices}
    units = {(n.community_id, n.unit_id) for n in notices if n.unit_id is not None}
    people = _people(session, followers)
    bills = _bills(session, refs[Matter.BILL])
    announced = {
        (notice.community_id, notice.ref_id)
        for notice in notices
        if notice.kind is NoticeKind.BILL_ISSUED
    }
    return Matters(
        people=people,
        preferences=read_preferences(session, followers),
        staff=_staff(session, followers),
        bound=_bound(session, followers),
        lost=find_lost(
            session, {one.id for one in people.values() if one.unfollowed_at is not None}
        ),
        unseen=read_unseen(session, followers, refs),
        communities=_communities(session, {notice.community_id for notice in notices}),
        rooms=_rooms(session, units),
        bills=bills,
        payments=read_payments(session, refs[Matter.PAYMENT]),
        fapiao=_fapiao(session, refs[Matter.FAPIAO]),
        refunds=read_refunds(session, refs[Matter.REFUND]),
        debits=read_debits(session, refs[Matter.DEBIT]),
        prepayments=read_low(session, refs[Matter.PREPAYMENT]),
        bindings=_bindings(session, refs[Matter.BINDING]),
        alerts=_alerts(session, [ref for _, ref in refs[Matter.ALERT]]),
        disputed=disputed_amounts(session, refs[Matter.BILL]),
        debited=ordered_bills(session, refs[Matter.BILL]),
        deducted=read_deducted(session, [bills[key] for key in announced if key in bills]),
        tickets=find_tickets(session, refs[Matter.TICKET]),
        broadcasts=_broadcasts(session, refs[Matter.BROADCAST]),
    )


def objection(notice: Notice, matters: Matters, now: datetime) -> Reason | None:
    """Why this notice must not be sent any more; None while it still holds."""
    follower = matters.people.get(notice.follower_id)
    if follower is None:
        return Reason.UNFOLLOWED
    community = matters.communities.get(notice.community_id)
    if follower.unfollowed_at and not is_told_all_the_same(notice, community, matters.lost):
        return Reason.UNFOLLOWED
    if not _may_know(notice, matters):
        return Reason.UNBOUND
    settled = _settled(notice, matters)
    if settled is not None:
        return settled
    if not _is_wanted(notice, matters, business_date(now)):
        return Reason.NOT_WANTED
    return Reason.EXPIRED if notice.expires_at <= now else None


def bills_of(notices: Iterable[Notice], matters: Matters) -> list[BillState]:
    """The bills these notices are about, each once; none for notices about anything else.

    Bills, payments and bindings are numbered apart: a payment's number is also some bill's.
    """
    keys = {
        (notice.community_id, notice.ref_id)
        for notice in notices
        if NOTICES[notice.kind].matter is Matter.BILL
    }
    return [matters.bills[key] for key in keys if key in matters.bills]


def outstanding(notices: Sequence[Notice], matters: Matters) -> Money:
    """What these notices of one kind say is owed on their bills, each bill once."""
    bills = bills_of(notices, matters)
    return sum((bill.outstanding for bill in bills), ZERO) - withheld(notices, matters)


def withheld(notices: Sequence[Notice], matters: Matters) -> Money:
    """What of the bills of these notices is disputed and therefore not pressed for; a bill that is
    only announced is announced whole.
    """
    if not notices or notices[0].kind not in DUNNING:
        return ZERO
    keys = {(bill.community_id, bill.id) for bill in bills_of(notices, matters)}
    return sum((matters.disputed.get(key, ZERO) for key in keys), ZERO)


def spoken_date(notices: Iterable[Notice], today: date) -> date:
    """The date a message speaks of: today, or that of a reminder walk made for another date.

    A walk's date moves on with every day its notices waited to be sent.
    """
    walks = [
        date.fromisoformat(str(notice.data["on"])) + (today - business_date(notice.created_at))
        for notice in notices
        if "on" in notice.data
    ]
    return max(walks, default=today)


def is_bound(notice: Notice, matters: Matters) -> bool:
    """Whether the follower may act for the home and sees the days the notice is about; somebody
    else may only have paid for it.
    """
    person = (notice.community_id, notice.follower_id)
    return (
        notice.unit_id is not None
        and (notice.community_id, notice.unit_id, notice.follower_id) in matters.bound
        and (*person, NOTICES[notice.kind].matter, notice.ref_id) not in matters.unseen
    )


def _may_know(notice: Notice, matters: Matters) -> bool:
    audience = NOTICES[notice.kind].audience
    if audience in (Audience.STAFF, Audience.APPROVERS):
        return notice.follower_id in matters.staff
    if audience is Audience.FOLLOWER:
        return True
    if audience is Audience.RESIDENTS:
        person = (notice.community_id, notice.follower_id)
        return any((community, who) == person for community, _, who in matters.bound)
    if audience is Audience.HOME_AND_PAYER and notice.data.get("payer_id") == notice.follower_id:
        return True
    return is_bound(notice, matters)


def _is_wanted(notice: Notice, matters: Matters, today: date) -> bool:
    """Whether the follower still wants what he may switch off, or pause."""
    chosen = matters.preferences.get(notice.follower_id)
    is_optional = NOTICES[notice.kind].is_optional
    if chosen is None or not (is_optional or notice.kind in DUNNING):
        return True
    is_paused = chosen.paused_until is not None and chosen.paused_until > today
    return not is_paused and not (is_optional and chosen.is_off)


def _settled(notice: Notice, matters: Matters) -> Reason | None:
    """Whether time has overtaken what the notice is about."""
    key = (notice.community_id, notice.ref_id)
    match NOTICES[notice.kind].matter:
        case Matter.BILL:
            return _bill_settled(notice.kind, key, matters)
        case Matter.BINDING:
            return _binding_settled(notice.kind, matters.bindings.get(key))
        case Matter.PAYMENT:
            payment = matters.payments.get(key)
            cancelled = notice.kind is NoticeKind.PAYMENT_REVERSED
            is_gone = payment is None or payment.is_cancelled != cancelled
        case Matter.FAPIAO:
            fapiao = matters.fapiao.get(key)
            is_gone = fapiao is None or fapiao.state is not FAPIAO_STATES[notice.kind]
        case Matter.REFUND:
            is_gone = key not in matters.refunds
        case Matter.DEBIT:
            return _debit_settled(notice.kind, matters.debits.get(key))
        case Matter.PREPAYMENT:
            is_gone = key not in matters.prepayments
        case Matter.LOOKUP | Matter.DIGEST:
            is_gone = False
        case Matter.ALERT:
            alert = matters.alerts.get(notice.ref_id)
            is_gone = alert is None or alert.closed_at is not None
        case Matter.BROADCAST:
            return _broadcast_settled(notice.kind, matters.broadcasts.get(key))
        case Matter.TICKET:
            ticket, _said = matters.tickets.get(key, (None, ""))
            is_open = ticket is not None and ticket.state is TicketState.OPEN
            is_gone = ticket is None or is_open != (notice.kind is NoticeKind.TICKET_OPENED)
    return Reason.GONE if is_gone else None


def _broadcast_settled(kind: NoticeKind, broadcast: Broadcast | None) -> Reason | None:
    if broadcast is not None and broadcast.state is BroadcastState.STOPPED:
        return Reason.STOPPED
    is_waiting = kind is NoticeKind.BROADCAST_WAITING
    wanted = BroadcastState.WAITING if is_waiting else BroadcastState.SENT
    return None if broadcast is not None and broadcast.state is wanted else Reason.GONE


def _bill_settled(kind: NoticeKind, key: Key, matters: Matters) -> Reason | None:
    bill = matters.bills.get(key)
    if bill is None:
        return Reason.GONE
    if bill.outstanding <= ZERO:
        # No receipt says what a prepayment paid: it was given when the money came.
        is_news = kind is NoticeKind.BILL_ISSUED and key in matters.deducted
        return None if is_news else Reason.PAID
    if kind not in DUNNING:
        return None
    if bill.outstanding <= matters.disputed.get(key, ZERO):
        return Reason.DISPUTED
    return Reason.BEING_DEBITED if key in matters.debited else None


def _debit_settled(kind: NoticeKind, debit: Debit | None) -> Reason | None:
    if debit is None or debit.is_open != (kind is NoticeKind.DEBIT_PLANNED):
        return Reason.GONE
    return Reason.PAID if debit.owed <= ZERO else None


def _binding_settled(kind: NoticeKind, binding: Binding | None) -> Reason | None:
    wanted = {
        NoticeKind.BINDING_REQUESTED: BindingState.REQUESTED,
        NoticeKind.BINDING_ADDED: BindingState.ACTIVE,
        NoticeKind.BINDING_JOINED: BindingState.ACTIVE,
        NoticeKind.BINDING_REFUSED: BindingState.REFUSED,
        NoticeKind.BINDING_ENDED: BindingState.ENDED,
    }[kind]
    if binding is None or binding.state is not wanted:
        return Reason.GONE
    # Bound by a code: the answer to the code has said so.
    by_code = kind is NoticeKind.BINDING_ADDED and binding.requested_at == binding.decided_at
    return Reason.TOLD_IN_CHAT if by_code else None


def _people(session: Session, followers: Collection[int]) -> dict[int, Follower]:
    found = session.scalars(select(Follower).where(Follower.id.in_(followers)))
    return {follower.id: follower for follower in found}


def _staff(session: Session, followers: Collection[int]) -> set[int]:
    found = session.scalars(
        select(Staff.follower_id).where(Staff.follower_id.in_(followers), Staff.left_at.is_(None))
    )
    return {follower for follower in found if follower is not None}


def _bound(session: Session, followers: Collection[int]) -> set[tuple[int, int, int]]:
    found = session.execute(
        select(Binding.community_id, Binding.unit_id, Binding.follower_id).where(
            Binding.follower_id.in_(followers), Binding.state == BindingState.ACTIVE
        )
    )
    return {(row.community_id, row.unit_id, row.follower_id) for row in found}


def _communities(session: Session, ids: Collection[int]) -> dict[int, Community]:
    found = session.scalars(select(Community).where(Community.id.in_(ids)))
    return {community.id: community for community in found}


def _rooms(session: Session, keys: Collection[Key]) -> dict[Key, str]:
    found = session.execute(
        select(Unit.community_id, Unit.id, Unit.room).where(
            tuple_(Unit.community_id, Unit.id).in_(key_array(keys))
        )
    )
    return {(row.community_id, row.id): row.room for row in found}


def _bills(session: Session, keys: Collection[Key]) -> dict[Key, BillState]:
    if not keys:
        return {}
    query = issued_bills().where(tuple_(Bill.community_id, Bill.id).in_(key_array(set(keys))))
    states = [BillState(*row) for row in session.execute(query)]
    return {(state.community_id, state.id): state for state in states}


def _fapiao(session: Session, keys: Collection[Key]) -> dict[Key, Fapiao]:
    if not keys:
        return {}
    found = session.scalars(
        select(Fapiao).where(tuple_(Fapiao.community_id, Fapiao.id).in_(key_array(set(keys))))
    )
    return {(fapiao.community_id, fapiao.id): fapiao for fapiao in found}


def _bindings(session: Session, keys: Collection[Key]) -> dict[Key, Binding]:
    if not keys:
        return {}
    found = session.scalars(
        select(Binding).where(tuple_(Binding.community_id, Binding.id).in_(key_array(set(keys))))
    )
    return {(binding.community_id, binding.id): binding for binding in found}


def _alerts(session: Session, ids: Collection[int]) -> dict[int, Alert]:
    if not ids:
        return {}
    found = session.scalars(select(Alert).where(Alert.id.in_(ids)))
    return {alert.id: alert for alert in found}


def _broadcasts(session: Session, keys: Collection[Key]) -> dict[Key, Broadcast]:
    if not keys:
        return {}
    found = session.scalars(
        select(Broadcast).where(
            tuple_(Broadcast.community_id, Broadcast.id).in_(key_array(set(keys)))
        )
    )
    return {(broadcast.community_id, broadcast.id): broadcast for broadcast in found}
