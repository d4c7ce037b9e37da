"""What owners' pages read beyond the core's own queries. Nothing here writes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.bills import find_bills, list_bills
from billing.homes import list_homes
from billing.merchants import MerchantAccount
from billing.money import ZERO
from billing.payment_tables import (
    Payment,
    PaymentAllocation,
    PaymentChannel,
    Receipt,
)
from billing.payments import list_targets
from billing.people import Follower, ResidentRole
from billing.period import EVERY_DAY, DayWindow
from billing.privacy import mask_room
from billing.property import Community, Unit
from billing.sight import payment_within
from billing.till import list_orders_under_way
from handlers.pages.refusals import Refusal, Refused
from handlers.signing import PaymentRef
from notify.links import HomeRef


@dataclass(frozen=True, slots=True)
class Visit:
    """A viewer at a home. Only a bound viewer sees more than is needed to pay for it.

    Attributes:
        role: what he is to the home; None for a helper.
        seen: days whose bills he sees; a helper pays whatever is owed, whoever owes it.
    """

    community: Community
    unit: Unit
    follower_id: int | None
    role: ResidentRole | None
    seen: DayWindow

    @property
    def bound(self) -> bool:
        """Whether he may act for the home."""
        return self.role is not None

    @property
    def is_present(self) -> bool:
        """Whether the home is still his: who handed it over sees his old bills only."""
        return self.bound and self.seen.end is None

    @property
    def ref(self) -> HomeRef:
        """The home, as links name it."""
        return HomeRef(self.unit.community_id, self.unit.id)

    @property
    def room(self) -> str:
        """The room number, masked for a stranger."""
        return self.unit.room if self.bound else mask_room(self.unit.room)


@dataclass(frozen=True, slots=True)
class PaymentRecord:
    """A payment with who collects it, if a provider does; `receipt` once the money arrived."""

    payment: Payment
    merchant: MerchantAccount | None
    receipt: Receipt | None


def visit_home(session: Session, openid: str | None, ref: HomeRef | None) -> Visit:
    """The viewer at this home; without an openid, somebody we do not know.

    Raises:
        Refused: no token of ours, or a home that no longer exists.
    """
    unit = session.get(Unit, (ref.community_id, ref.unit_id)) if ref else None
    if unit is None:
        raise Refused(Refusal.BROKEN_LINK)
    follower_id = session.scalar(select(Follower.id).where(Follower.openid == openid))
    homes = list_homes(session, follower_id) if follower_id is not None else []
    own = next(
        (home for home in homes if HomeRef(home.community_id, home.unit_id) == ref),
        None,
    )
    return Visit(
        community=session.get_one(Community, unit.community_id),
        unit=unit,
        follower_id=follower_id,
        role=own.role if own else None,
        seen=own.seen if own else EVERY_DAY,
    )


def require_bound(visit: Visit) -> None:
    """Raises Refused when the viewer may not see this home's books."""
    if not visit.bound:
        raise Refused(Refusal.NOT_YOURS)


def sees_bill(session: Session, visit: Visit, bill_id: int) -> bool:
    """Whether a bill of the home charges for days the viewer sees."""
    bills = list_bills(session, visit.unit.community_id, [visit.unit.id], visit.seen)
    return any(bill.id == bill_id for bill in bills)


def sees_payment(session: Session, visit: Visit, payment: Payment) -> bool:
    """Whether the viewer sees everything a payment of the home paid for, or paid it himself."""
    if visit.follower_id is not None and payment.payer_id == visit.follower_id:
        return True
    if not visit.bound:
        return False
    sight = payment_within(visit.seen)
    return bool(
        session.scalar(
            select(Payment.id).where(
                Payment.community_id == payment.community_id, Payment.id == payment.id, sight
            )
        )
    )


def find_payment(session: Session, community_id: int, out_trade_no: str) -> Payment | None:
    """The payment with this order number, if the form was sent before."""
    return session.scalar(
        select(Payment).where(
            Payment.community_id == community_id, Payment.out_trade_no == out_trade_no
        )
    )


def get_merchant(session: Session, payment: Payment) -> MerchantAccount:
    """The account a provider collects this payment for."""
    return session.get_one(MerchantAccount, payment.merchant_id)


def list_running(session: Session, visit: Visit, now: datetime) -> list[Payment]:
    """Payments for the home that may still arrive, whoever makes them, the newest first."""
    return list_orders_under_way(session, visit.unit.community_id, visit.unit.id, now)


def get_payment(session: Session, ref: PaymentRef | None) -> PaymentRecord:
    """A payment with its merchant and receipt.

    Raises:
        Refused: no token of ours.
    """
    payment = session.get(Payment, (ref.community_id, ref.payment_id)) if ref else None
    if payment is None:
        raise Refused(Refusal.BROKEN_LINK)
    receipt = session.scalar(
        select(Receipt).where(
            Receipt.community_id == payment.community_id, Receipt.payment_id == payment.id
        )
    )
    merchant = (
        session.get_one(MerchantAccount, payment.merchant_id) if payment.merchant_id else None
    )
    return PaymentRecord(payment, merchant, receipt)


def is_settled(session: Session, payment: Payment) -> bool:
    """Whether nothing is owed any more on the bills a payment was meant for."""
    bill_ids = list_targets(session, payment)
    bills = find_bills(session, payment.community_id, bill_ids)
    return bool(bill_ids) and all(bill.outstanding <= ZERO for bill in bills)


def list_payments_of_bill(
    session: Session, visit: Visit, bill_id: int
) -> list[tuple[Payment, Receipt | None]]:
    """Money that came and paid something on a bill and that the viewer sees, oldest first."""
    community_id = visit.unit.community_id
    paid = select(PaymentAllocation.payment_id).where(
        PaymentAllocation.community_id == community_id, PaymentAllocation.bill_id == bill_id
    )
    rows = session.execute(
        select(Payment, Receipt)
        .outerjoin(
            Receipt,
            (Receipt.community_id == Payment.community_id) & (Receipt.payment_id == Payment.id),
        )
        .where(
            Payment.community_id == community_id,
            Payment.id.in_(paid),
            Payment.channel != PaymentChannel.PREPAID,
            payment_within(visit.seen),
        )
        .order_by(Payment.confirmed_at, Payment.id)
    )
    return [(payment, receipt) for payment, receipt in rows]
