"""What tests of corrections share: the staff and the bills of the world, and a payment that
arrives.
"""

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.bill_lines import LineState, list_lines
from billing.bills import BillState, list_bills, list_unpaid
from billing.bindings import see_follower
from billing.channels.base import ProviderAnswer, ProviderState
from billing.checks import run_checks
from billing.confirmation import Outcome, confirm
from billing.ledger import FixedAccount, balance
from billing.merchants import MerchantAccount
from billing.money import Money
from billing.payment_tables import Payment, PaymentChannel
from billing.payments import new_out_trade_no, prepare
from billing.people import Staff, get_staff
from tests.conftest import NOW, World

OPENID = "o-payer"
BEHIND, IN_TIME = "1-1-302", "3-2-501"
"""李先生 owes four bills; 张阿姨 owes the current one alone."""


def staff(world: World, login: str) -> Staff:
    """zhao is the manager, chen the accountant, liu at the service desk."""
    with world.database.transaction() as session:
        return get_staff(session, login)


def bill_of(world: World, room: str, month: str) -> BillState:
    """The bill of a home for a month."""
    with world.database.transaction() as session:
        bills = list_bills(session, world.community.id, [world.unit(room).id])
    [bill] = [bill for bill in bills if str(bill.period) == month]
    return bill


def lines_of(world: World, bill: BillState) -> list[LineState]:
    """Its lines."""
    with world.database.transaction() as session:
        return list_lines(session, bill.community_id, [bill.id])


def owed(world: World, room: str) -> Money:
    """What a home owes, in the journal's words."""
    with world.database.transaction() as session:
        return balance(session, world.community.id, FixedAccount.RECEIVABLE, world.unit(room).id)


def prepaid(world: World, room: str) -> Money:
    """What of a home's money is with us."""
    with world.database.transaction() as session:
        return -balance(session, world.community.id, FixedAccount.PREPAYMENTS, world.unit(room).id)


def prepared(world: World, room: str) -> Payment:
    """A payment of everything a home owes, offered to its payer."""
    unit = world.unit(room)
    with world.database.transaction() as session:
        bills = list_unpaid(session, world.community.id, [unit.id])
        return prepare(
            session,
            community_id=world.community.id,
            unit_id=unit.id,
            channel=PaymentChannel.WECHAT_JSAPI,
            merchant_id=world.merchant_id,
            payer_id=see_follower(session, OPENID, NOW).id,
            designated={bill.id: bill.outstanding for bill in bills},
            out_trade_no=new_out_trade_no(),
            now=NOW,
        )


def arrive(session: Session, payment: Payment) -> Outcome:
    """The provider says the payment was made."""
    merchant = session.scalars(select(MerchantAccount)).one()
    answer = ProviderAnswer(
        mchid=merchant.mchid,
        out_trade_no=payment.out_trade_no,
        state=ProviderState.PAID,
        transaction_id=f"42{payment.out_trade_no[2:]}",
        amount=payment.amount,
        payer=OPENID,
        paid_at=NOW,
    )
    return confirm(session, merchant, answer, NOW)


def pay(world: World, room: str) -> Payment:
    """Everything a home owes is paid."""
    payment = prepared(world, room)
    with world.database.transaction() as session:
        assert arrive(session, payment) is Outcome.BOOKED
    return payment


def violations(world: World) -> list[str]:
    """Names of the self-checks that find something."""
    with world.database.transaction() as session:
        return [result.name for result in run_checks(session) if result.violations]


def rows(world: World, query: str, **parameters: object) -> list[tuple[object, ...]]:
    """What a query finds."""
    with world.database.transaction() as session:
        return [tuple(row) for row in session.execute(text(query), parameters)]
