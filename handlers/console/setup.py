"""开通清单: what a community still lacks before it can bill and be paid, and where it is done."""

from dataclasses import dataclass

from flask.typing import ResponseReturnValue

from billing.setting_up import BooksOpened, Step, StepDone, list_steps, read_books
from handlers.console.desk import Desk
from notify.approved import Approved, read_approved
from notify.catalog import NoticeKind, Transport

TOLD = (NoticeKind.BILL_ISSUED, NoticeKind.OVERDUE, NoticeKind.PAYMENT_RECEIVED)
"""What an owner has to be told of by a template: he may never have written to the account."""

PAGES = {
    Step.HOMES: "imports_index",
    Step.TARIFFS: "tariffs_index",
    Step.METERS: "meters_index",
    Step.BANK_ACCOUNT: "bank_accounts",
    Step.TEMPLATES: "notice_templates_index",
    Step.STAFF: "members_index",
    Step.CODES: "codes_new",
    Step.DRAFT: "runs_index",
    Step.PUBLISHED: "runs_index",
}


@dataclass(frozen=True, slots=True)
class Setup:
    """The list, and what is still open of it."""

    books: BooksOpened
    steps: list[StepDone]
    untold: list[NoticeKind]

    @property
    def left(self) -> int:
        """How many steps somebody has to see to."""
        return sum(not one.is_over for one in self.steps)

    @property
    def next(self) -> Step | None:
        """The first of them."""
        return next((one.step for one in self.steps if not one.is_over), None)


def read_setup(desk: Desk) -> Setup:
    """How far the community is; asked whenever the first page is opened, so it is cheap."""
    books = read_books(desk.session, desk.community_id, desk.today)
    approved = read_approved(desk.session, desk.services.approved)
    untold = [kind for kind in TOLD if not _is_told(approved, kind)]
    return Setup(books, list_steps(books, has_templates=not untold), untold)


def _is_told(approved: Approved, kind: NoticeKind) -> bool:
    return any(
        approved.template(kind, way) is not None
        for way in approved.route(kind)
        if way is not Transport.SERVICE
    )


def index(desk: Desk) -> ResponseReturnValue:
    """Every step in order."""
    return desk.page("setup/index.html", setup=read_setup(desk), pages=PAGES, Step=Step)
