"""What was: past bills and payments, fee standards."""

from itertools import dropwhile

from flask import render_template
from flask.typing import ResponseReturnValue

from billing.bills import list_bills
from billing.late_fee_policy import list_policies
from billing.payment_tables import BOOKED_STATES
from billing.payments import list_confirmed
from billing.period import Period, add_months
from billing.reports.own_fees import OwnFees, own_fees
from billing.sightings import Sight
from billing.tariffs import FeeKind, list_tariffs
from handlers.charts import Value, lying_bars, standing_bars
from handlers.pages.queries import (
    require_bound,
    visit_home,
)
from handlers.pages.sightings import note_sight
from handlers.pages.tokens import payment_token
from handlers.pages.viewer import require_viewer
from handlers.services import Services
from notify.links import BillRef
from notify.wording import chinese_month, yuan

PAYMENTS_SHOWN_MAX = 60
MONTHS_SHOWN = 24


def history(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/history/<token>`: every bill of a home and its latest payments, newest first."""
    openid = require_viewer(services)
    with services.database.transaction() as session:
        visit = visit_home(session, openid, services.links.read_home(token))
        require_bound(visit)
        note_sight(session, visit, Sight.HISTORY, services.clock())
        bills = list_bills(session, visit.unit.community_id, [visit.unit.id], visit.seen)
        payments = list_confirmed(
            session,
            visit.unit.community_id,
            [visit.unit.id],
            limit=PAYMENTS_SHOWN_MAX,
            seen=visit.seen,
            states=BOOKED_STATES,
        )
        last = Period.of(services.today())
        fees = own_fees(
            session,
            visit.unit.community_id,
            visit.unit.id,
            first=Period.of(add_months(last.start, 1 - MONTHS_SHOWN)),
            last=last,
            seen=visit.seen,
        )
    return render_template(
        "pages/history.html",
        **_charts(fees),
        visit=visit,
        today=services.today(),
        home_token=token,
        bills=[
            (bill, services.links.bill_token(BillRef(bill.community_id, bill.id)))
            for bill in reversed(bills)
        ],
        payments=[(payment, receipt, payment_token(payment)) for payment, receipt in payments],
    )


def _charts(fees: OwnFees) -> dict[str, object]:
    """The trend of a home's bills, from the first the viewer sees on, and what they are made of."""
    months = dropwhile(lambda pair: not pair[1], fees.by_month.items())
    return {
        "fees": fees,
        "trend": standing_bars(
            [Value(chinese_month(month), amount.fen, yuan(amount)) for month, amount in months],
            labels_max=4,
        ),
        "made_of": lying_bars(
            [Value(fee.label, amount.fen, yuan(amount)) for fee, amount in fees.by_fee.items()]
        ),
    }


def tariffs(services: Services, token: str) -> ResponseReturnValue:
    """`GET /o/tariffs/<token>`: the community's fee standards, public to whoever signed in."""
    openid = require_viewer(services)
    today = services.today()
    with services.database.transaction() as session:
        visit = visit_home(session, openid, services.links.read_home(token))
        items = list_tariffs(session, visit.unit.community_id, today)
        late_fees = list_policies(session, visit.unit.community_id)
    return render_template(
        "pages/tariffs.html",
        visit=visit,
        items=[entry for entry in items if entry.item.fee is not FeeKind.LATE_FEE],
        late_fees=late_fees[::-1],
        today=today,
        home_token=token,
    )
