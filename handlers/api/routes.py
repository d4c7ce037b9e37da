"""Every address of the API, in one table: it serves the requests and writes the description."""

from collections.abc import Callable
from dataclasses import dataclass

from billing.api_access import ApiScope
from billing.counter import AMOUNT_MAX
from handlers.api import answers, views
from handlers.api.fields import KEY_MAX, Choice, Day, Field, Kind, Parts, Text, Whole

View = Callable[..., tuple[object, int]]
PAGE_MAX = 500
BILLS_MAX = 200


@dataclass(frozen=True, slots=True)
class Route:
    """One address and method.

    Attributes:
        rule: `<name>` and `<int:name>` are named in PLACES.
        answer: class of what comes back.
        query: of the address; `body`: of the JSON object that is sent.
    """

    method: str
    rule: str
    view: View
    scope: ApiScope
    answer: type
    query: tuple[Field, ...] = ()
    body: tuple[Field, ...] = ()

    @property
    def name(self) -> str:
        """Name of the operation."""
        return self.view.__name__


PLACES: dict[str, tuple[Kind, str]] = {
    "code": (Text(64), "Code of the community"),
    "room": (Text(64, example="3-2-501"), "Canonical room number"),
    "number": (Whole(1, KEY_MAX), "Its id"),
    "printed": (Text(16, r"[0-9]{4}-[0-9]{6,9}", "2026-000123"), "Number as printed"),
}
AFTER = Field("after", Whole(0, KEY_MAX), "`next` of the page before")
LIMIT = Field("limit", Whole(1, PAGE_MAX), "Rows of a page; 50 by default")
PAGED = (AFTER, LIMIT)
ROOM = Field("room", Text(64, example="3-2-501"), "Only of this home")
FEN = Whole(1, AMOUNT_MAX.fen)

NEW_PAYMENT = (
    Field("key", Text(64, "[!-~]+"), "Your own number of the payment", is_required=True),
    Field("room", Text(64, example="3-2-501"), "Whose home it is for", is_required=True),
    Field("amount_fen", FEN, "What was received, in fen", is_required=True),
    Field(
        "bills",
        Parts(
            (
                Field("bill", Whole(1, KEY_MAX), "Id of the bill", is_required=True),
                Field("amount_fen", FEN, "For this bill, in fen", is_required=True),
            ),
            BILLS_MAX,
        ),
        "What it is for, the rest is prepaid; absent: the oldest bills first",
    ),
    Field("paid_on", Day(), "When the payer paid; absent: today in Beijing"),
)

HERE = "/communities/<code>"
ROUTES = (
    Route("GET", "/communities", views.communities, ApiScope.HOMES_READ, answers.Communities),
    Route("GET", f"{HERE}/homes", views.homes, ApiScope.HOMES_READ, answers.Homes, PAGED),
    Route("GET", f"{HERE}/homes/<room>", views.home, ApiScope.HOMES_READ, answers.HomeAccount),
    Route(
        "GET",
        f"{HERE}/bills",
        views.bills,
        ApiScope.BILLS_READ,
        answers.Bills,
        (
            *PAGED,
            ROOM,
            Field("period", Text(7, "(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])", "2026-11"), "Month"),
            Field("state", Choice(("paid", "unpaid")), "Whether something is owed"),
        ),
    ),
    Route("GET", f"{HERE}/bills/<int:number>", views.bill, ApiScope.BILLS_READ, answers.BillDetail),
    Route(
        "GET",
        f"{HERE}/payments",
        views.payments,
        ApiScope.PAYMENTS_READ,
        answers.Payments,
        (*PAGED, ROOM),
    ),
    Route(
        "GET",
        f"{HERE}/payments/<int:number>",
        views.payment,
        ApiScope.PAYMENTS_READ,
        answers.Payment,
    ),
    Route(
        "POST",
        f"{HERE}/payments",
        views.record,
        ApiScope.PAYMENTS_WRITE,
        answers.Payment,
        body=NEW_PAYMENT,
    ),
    Route(
        "GET",
        f"{HERE}/receipts",
        views.receipts,
        ApiScope.PAYMENTS_READ,
        answers.Receipts,
        (*PAGED, Field("year", Whole(2000, 2999), "On the receipts", is_required=True)),
    ),
    Route(
        "GET", f"{HERE}/receipts/<printed>", views.receipt, ApiScope.PAYMENTS_READ, answers.Receipt
    ),
)
