"""The form that starts a payment: what is owed, the ways offered here, and the ways elsewhere."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from billing.bills import BillState
from billing.merchants import Provider
from billing.money import Money
from billing.payment_channels import Place
from billing.payments import new_out_trade_no
from handlers.months import Months, find_months
from handlers.pages.choice import PREPAID_MAX, read_amount, total_owed
from handlers.pages.places import here
from handlers.pages.queries import Visit
from handlers.pages.refusals import Objected, Objection
from handlers.pages.tokens import order_token
from handlers.pages.viewer import Viewer
from handlers.qr import qr_image
from handlers.services import Services
from handlers.ways import Way, offered_providers, offered_ways
from notify.links import BillRef


@dataclass(frozen=True, slots=True)
class Choice:
    """An unpaid bill on the form."""

    bill: BillState
    token: str
    checked: bool


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The page that takes money wherever it is opened: as a code to scan and as a link to copy.

    Attributes:
        providers: whose ways it offers that are not offered here.
    """

    providers: list[Provider]
    url: str
    code: str


@dataclass(frozen=True, slots=True)
class PayForm:
    """What a payment form shows. Without `ways` it shows only where else one can pay.

    Attributes:
        owed: on the bills that are chosen.
        amount: what the form offers to pay, at most that.
    """

    home_token: str
    order: str
    choices: list[Choice]
    owed: Money
    amount: Money
    objection: Objection | None
    ways: list[Way]
    elsewhere: Elsewhere | None
    prepaid_max: Money = PREPAID_MAX


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the viewer sent before, when the form is shown again."""

    objection: Objection
    chosen_ids: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the form begins, as the link said."""

    months: Months | None = None
    amount: Money | None = None


def read_wanted(period: str, amount: str) -> Wanted:
    """What a link says; nothing of what cannot be read."""
    try:
        yuan = read_amount(amount)
    except Objected:
        yuan = None
    return Wanted(find_months(period), yuan)


def pay_form(
    session: Session,
    services: Services,
    visit: Visit,
    viewer: Viewer,
    unpaid: Sequence[BillState],
    attempt: Attempt | None = None,
    begins: Wanted = Wanted(),  # it never changes
) -> PayForm:
    """The form to pay these bills, or without bills to prepay, with a fresh order number.

    Args:
        begins: what is chosen at first, where the viewer sees the bills; of months of which nothing
            is owed, everything.
    """
    wanted = {bill.id for bill in unpaid}
    if begins.months is not None and visit.bound:
        wanted = {bill.id for bill in unpaid if bill.period in begins.months} or wanted
    if attempt is not None and visit.bound:
        # What was chosen stays chosen; if nothing of it is owed any more, everything is offered.
        wanted = wanted.intersection(attempt.chosen_ids) or wanted
    ways = offered_ways(services, session, visit.community.id, here())
    owed = total_owed([one for one in unpaid if one.id in wanted])
    return PayForm(
        home_token=services.links.home_token(visit.ref),
        order=order_token(new_out_trade_no(), viewer.name, visit.ref),
        choices=[
            Choice(
                one,
                services.links.bill_token(BillRef(one.community_id, one.id)),
                one.id in wanted,
            )
            for one in unpaid
        ],
        owed=owed,
        amount=owed if begins.amount is None else min(begins.amount, owed),
        objection=attempt.objection if attempt else None,
        ways=ways,
        elsewhere=find_elsewhere(session, services, visit, ways),
    )


def find_elsewhere(
    session: Session, services: Services, visit: Visit, ways: Sequence[Way]
) -> Elsewhere | None:
    """Where else the home can be paid for; on a computer always with the phone."""
    offered = offered_providers(services, session, visit.community.id)
    if here() is not Place.DESKTOP:
        offered = [one for one in offered if one not in {way.provider for way in ways}]
    if not offered:
        return None
    url = services.links.scan_url(visit.ref)
    return Elsewhere(offered, url, qr_image(url))
