"""Many notices, one message (pure): who is told together, and what the words are made of."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from billing.alerts import Alert
from billing.bills import BillState
from billing.fapiao_tables import Fapiao
from billing.money import Money
from billing.people import Binding
from billing.privacy import mask_room
from billing.property import Community
from billing.ratings import kind_of
from billing.ticket_tables import Ticket
from notify.broadcast_tables import Broadcast
from notify.catalog import NOTICES, Matter, NoticeKind
from notify.digest import Day, read_digest
from notify.links import BillRef, BroadcastRef, FapiaoRef, HomeRef, Links, RatedRef
from notify.matters import (
    Matters,
    bills_of,
    is_bound,
    outstanding,
    spoken_date,
    withheld,
)
from notify.outbox import Notice
from notify.paid import Debit, EndedRefund, PaidPayment
from notify.prepaid import LowPrepayment

OPENING = frozenset(
    {
        NoticeKind.BILL_ISSUED,
        NoticeKind.DUE_SOON,
        NoticeKind.OVERDUE,
        NoticeKind.PAYMENT_RECEIVED,
        NoticeKind.PAYMENT_REVERSED,
        NoticeKind.FAPIAO_ISSUED,
        NoticeKind.REFUND_DONE,
        NoticeKind.REFUND_FAILED,
        NoticeKind.DEBIT_PLANNED,
        NoticeKind.DEBIT_FAILED,
        NoticeKind.PREPAYMENT_LOW,
        NoticeKind.BINDING_ADDED,
    }
)
"""Kinds whose message leads to a page."""


OF_MONEY = frozenset(
    {
        NoticeKind.PAYMENT_RECEIVED,
        NoticeKind.PAYMENT_REVERSED,
        NoticeKind.REFUND_DONE,
        NoticeKind.REFUND_FAILED,
    }
)
"""Kinds that also go to whoever paid, for his own home or for somebody else's."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What one message says, in figures and dates. The templates turn it into words.

    Attributes:
        rooms: homes concerned, in order of their numbers.
        bills: what it is about, earliest due date first, each once: still owed, or `deducted`.
        bindings: (room, binding) of the people concerned, for notices about bindings.
        span: first and last day of the months billed, inclusive.
        total: what the message says is owed: without what is `withheld` because it is disputed.
        deducted: those of the bills that the prepayment paid whole, with what is left of it.
        tickets: each with the masked sentence that opened it.
        days: of a digest, one per community.
        today: the business date the message speaks of.
        url: where it leads; None when there is nothing to open.
    """

    kind: NoticeKind
    community: Community | None
    rooms: tuple[str, ...]
    bills: tuple[BillState, ...]
    total: Money
    span: tuple[date, date] | None
    payment: PaidPayment | None
    fapiao: tuple[Fapiao, ...]
    refund: EndedRefund | None
    alerts: tuple[Alert, ...]
    bindings: tuple[tuple[str, Binding], ...]
    withheld: Money
    deducted: tuple[tuple[BillState, Money], ...]
    tickets: tuple[tuple[Ticket, str], ...]
    broadcast: Broadcast | None
    debit: Debit | None
    prepayment: LowPrepayment | None
    days: tuple[Day, ...]
    today: date
    url: str | None


def group(notices: Iterable[Notice]) -> list[list[Notice]]:
    """Notices that become one message: same follower, community and kind, if the kind merges."""
    groups: dict[tuple[int, int, NoticeKind, int], list[Notice]] = defaultdict(list)
    for notice in notices:
        alone = 0 if NOTICES[notice.kind].merges else notice.id
        groups[notice.community_id, notice.follower_id, notice.kind, alone].append(notice)
    return list(groups.values())


def tell(notices: Sequence[Notice], matters: Matters, links: Links, today: date) -> Telling:
    """What the message of one group says."""
    first = notices[0]
    bills = sorted(bills_of(notices, matters), key=lambda bill: (bill.due_on, bill.period, bill.id))
    return Telling(
        kind=first.kind,
        community=matters.communities.get(first.community_id),
        rooms=_rooms(notices, matters),
        bills=tuple(bills),
        total=outstanding(notices, matters),
        span=_span(bills),
        payment=_payment(first, matters),
        fapiao=_fapiao(notices, matters),
        refund=_refund(first, matters),
        alerts=_alerts(notices, matters),
        bindings=_bindings(notices, matters),
        withheld=withheld(notices, matters),
        deducted=_deducted(first.kind, bills, matters),
        tickets=_tickets(notices, matters),
        broadcast=matters.broadcasts.get((first.community_id, first.ref_id))
        if NOTICES[first.kind].matter is Matter.BROADCAST
        else None,
        debit=_debit(first, matters),
        prepayment=_prepayment(first, matters),
        days=read_digest(first.data) if NOTICES[first.kind].matter is Matter.DIGEST else (),
        today=spoken_date(notices, today),
        url=_url(notices, bills, matters, links),
    )


def _rooms(notices: Sequence[Notice], matters: Matters) -> tuple[str, ...]:
    """Homes concerned, in order; masked for a payer who does not live there."""
    rooms = {}
    for notice in notices:
        home = (notice.community_id, notice.unit_id or 0)
        if home in matters.rooms:
            shown = matters.rooms[home]
            rooms[home] = mask_room(shown) if _helps(notice, matters) else shown
    return tuple(sorted(rooms.values()))


def _helps(notice: Notice, matters: Matters) -> bool:
    """Whether this tells somebody of his money for a home that is not his."""
    return notice.kind in OF_MONEY and not is_bound(notice, matters)


def _payment(notice: Notice, matters: Matters) -> PaidPayment | None:
    if NOTICES[notice.kind].matter is not Matter.PAYMENT:
        return None
    return matters.payments[notice.community_id, notice.ref_id]


def _fapiao(notices: Sequence[Notice], matters: Matters) -> tuple[Fapiao, ...]:
    if NOTICES[notices[0].kind].matter is not Matter.FAPIAO:
        return ()
    return tuple(matters.fapiao[notice.community_id, notice.ref_id] for notice in notices)


def _refund(notice: Notice, matters: Matters) -> EndedRefund | None:
    if NOTICES[notice.kind].matter is not Matter.REFUND:
        return None
    return matters.refunds[notice.community_id, notice.ref_id]


def _debit(notice: Notice, matters: Matters) -> Debit | None:
    if NOTICES[notice.kind].matter is not Matter.DEBIT:
        return None
    return matters.debits[notice.community_id, notice.ref_id]


def _prepayment(notice: Notice, matters: Matters) -> LowPrepayment | None:
    if NOTICES[notice.kind].matter is not Matter.PREPAYMENT:
        return None
    return matters.prepayments[notice.community_id, notice.ref_id]


def _deducted(
    kind: NoticeKind, bills: Sequence[BillState], matters: Matters
) -> tuple[tuple[BillState, Money], ...]:
    if kind is not NoticeKind.BILL_ISSUED:
        return ()
    left = [(bill, matters.deducted.get((bill.community_id, bill.id))) for bill in bills]
    return tuple((bill, money) for bill, money in left if money is not None)


def _alerts(notices: Sequence[Notice], matters: Matters) -> tuple[Alert, ...]:
    if NOTICES[notices[0].kind].matter is not Matter.ALERT:
        return ()
    return tuple(matters.alerts[notice.ref_id] for notice in notices)


def _bindings(notices: Sequence[Notice], matters: Matters) -> tuple[tuple[str, Binding], ...]:
    if NOTICES[notices[0].kind].matter is not Matter.BINDING:
        return ()
    found = [matters.bindings[notice.community_id, notice.ref_id] for notice in notices]
    pairs = [(matters.rooms[one.community_id, one.unit_id], one) for one in found]
    return tuple(sorted(pairs, key=lambda pair: (pair[0], pair[1].id)))


def _tickets(notices: Sequence[Notice], matters: Matters) -> tuple[tuple[Ticket, str], ...]:
    if NOTICES[notices[0].kind].matter is not Matter.TICKET:
        return ()
    return tuple(matters.tickets[notice.community_id, notice.ref_id] for notice in notices)


def _span(bills: Sequence[BillState]) -> tuple[date, date] | None:
    if not bills:
        return None
    periods = [bill.period for bill in bills]
    return min(periods).start, max(periods).end - timedelta(days=1)


def _rated(notice: Notice, matters: Matters) -> RatedRef:
    """The answered ticket, as something to rate."""
    ticket, _ = matters.tickets[notice.community_id, notice.ref_id]
    return RatedRef(ticket.community_id, kind_of(ticket), ticket.id)


def _url(
    notices: Sequence[Notice], bills: Sequence[BillState], matters: Matters, links: Links
) -> str | None:
    """The bill if there is one, else the home, else all of the owner's homes; of a broadcast its
    page, as a field of a template cuts its words.
    """
    first = notices[0]
    if first.kind is NoticeKind.BROADCAST:
        return links.broadcast_url(BroadcastRef(first.community_id, first.ref_id))
    if first.kind is NoticeKind.TICKET_ANSWERED:
        return links.rating_url(_rated(first, matters))
    if first.kind not in OPENING or first.unit_id is None:
        return None
    if len(bills) == 1:
        return links.bill_url(BillRef(first.community_id, bills[0].id))
    if first.kind is NoticeKind.FAPIAO_ISSUED:
        return links.fapiao_url(FapiaoRef(first.community_id, first.ref_id))
    if len({notice.unit_id for notice in notices}) > 1:
        return f"{links.base_url}/o/"
    home = HomeRef(first.community_id, first.unit_id)
    if first.kind is NoticeKind.PREPAYMENT_LOW:
        return links.prepayment_url(home)
    if first.kind in OF_MONEY and not _helps(first, matters):
        return links.history_url(home)
    return links.home_url(home)
