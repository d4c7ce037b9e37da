"""The routes of the console, in one table; and the one door in front of them: who is it, may he,
one transaction, what he did written down.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, update_wrapper
from typing import Any

from flask import Blueprint, Response, abort, make_response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.audit import audit
from billing.errors import NotFound
from billing.property import Community
from billing.staff_access import SignedIn, find_session
from handlers.console import (
    account,
    alerts,
    approvals,
    codes,
    homes,
    homes_bill,
    homes_deposits,
    homes_people,
    homes_statement,
    homes_terms,
    imports,
    members,
    meters,
    overview,
    reports,
    runs,
    runs_bills,
    shared,
    sign_in,
    tariffs,
    tickets,
    work,
)
from handlers.console.desk import Desk, Outside
from handlers.console.money import (
    bank,
    closing,
    counter,
    debit,
    decisions,
    discrepancies,
    fapiao,
    payments,
    refunds,
    shifts,
)
from handlers.console.permissions import PERMISSIONS, Permission
from handlers.services import Services

View = Callable[..., ResponseReturnValue | Outside]
SECRET_FIELDS = frozenset(
    {"csrf_token", "password", "old", "new", "again", "totp", "payer", "account_number"}
)
PERSONAL_FIELDS = frozenset({"person_name", "person_phone"})
"""Neither is ever written into the log: what opens a door, whose name or account it is."""

ERRORS_FROM = 400
NUL = chr(0)
"""No key types it, and the database takes no text with it."""


@dataclass(frozen=True, slots=True)
class Route:
    """A page or an order of the console.

    Attributes:
        rule: of the address; `<code>` is the community's.
        permission: what it takes; None: to be signed in.
        upload_bytes: how large its form may be where a file comes with it.
    """

    method: str
    rule: str
    view: View
    permission: Permission | None
    upload_bytes: int | None = None

    @property
    def name(self) -> str:
        """Name of the endpoint: module and function."""
        return f"{self.view.__module__.rpartition('.')[2]}_{self.view.__name__}"


P = Permission

# Money: the counter, the bank, refunds, disagreements, papers, closing.
MONEY: tuple[Route, ...] = (
    Route("GET", "/<code>/counter", counter.index, P.COLLECT),
    Route("GET", "/<code>/counter/homes/<int:number>", counter.home, P.COLLECT),
    Route("POST", "/<code>/counter/homes/<int:number>", counter.take, P.COLLECT),
    Route("POST", "/<code>/counter/homes/<int:number>/make-room", counter.make_room, P.COLLECT),
    Route("POST", "/<code>/counter/homes/<int:number>/code", counter.order, P.COLLECT),
    Route("GET", "/<code>/counter/codes/<int:number>", counter.code, P.COLLECT),
    Route("GET", "/<code>/counter/codes/<int:number>/state", counter.code_state, P.COLLECT),
    Route("POST", "/<code>/counter/codes/<int:number>", counter.ask, P.COLLECT),
    Route("GET", "/<code>/shifts", shifts.index, P.COLLECT),
    Route("POST", "/<code>/shifts", shifts.begin, P.COLLECT),
    Route("GET", "/<code>/shifts/day", shifts.day, P.COLLECT),
    Route("GET", "/<code>/shifts/<int:number>", shifts.show, P.COLLECT),
    Route("POST", "/<code>/shifts/<int:number>/close", shifts.close, P.COLLECT),
    Route("GET", "/<code>/payments", payments.index, P.LOOK),
    Route("GET", "/<code>/payments/<int:number>", payments.show, P.LOOK),
    Route("GET", "/<code>/payments/<int:number>/receipt", payments.receipt, P.PAPERS),
    Route("POST", "/<code>/payments/<int:number>/cancel", payments.cancel, P.COLLECT),
    Route("GET", "/<code>/payments/<int:number>/refund", refunds.new, P.CORRECT),
    Route("POST", "/<code>/payments/<int:number>/refund", refunds.ask, P.CORRECT),
    Route("GET", "/<code>/refunds", refunds.index, P.LOOK),
    Route("GET", "/<code>/refunds/<int:number>", refunds.show, P.LOOK),
    Route("POST", "/<code>/refunds/<int:number>/approve", refunds.approve, P.APPROVE),
    Route("POST", "/<code>/refunds/<int:number>/reject", refunds.reject, P.APPROVE),
    Route("POST", "/<code>/refunds/<int:number>/pay", refunds.pay, P.COLLECT),
    Route("GET", "/<code>/bank", bank.index, P.BANK),
    Route("GET", "/<code>/bank/progress", bank.progress, P.BANK),
    Route("GET", "/<code>/bank/rows/<int:number>", bank.row, P.BANK),
    Route("POST", "/<code>/bank/rows/<int:number>/decide", bank.decide, P.BANK),
    Route("POST", "/<code>/bank/rows/<int:number>/set-aside", bank.set_aside, P.BANK),
    Route("GET", "/<code>/bank/statements", bank.statements, P.BANK),
    Route("POST", "/<code>/bank/statements", bank.upload, P.BANK, bank.FILE_BYTES_MAX),
    Route("GET", "/<code>/bank/accounts", bank.accounts, P.BANK),
    Route("POST", "/<code>/bank/accounts", bank.add, P.BANK),
    Route("POST", "/<code>/bank/accounts/<int:number>/end", bank.end, P.BANK),
    Route("GET", "/<code>/debit", debit.index, P.BANK),
    Route("POST", "/<code>/debit", debit.make, P.BANK),
    Route("GET", "/<code>/debit/<int:number>", debit.show, P.BANK),
    Route("POST", "/<code>/debit/<int:number>/file", debit.file, P.BANK),
    Route("POST", "/<code>/debit/<int:number>/sent", debit.sent, P.BANK),
    Route("POST", "/<code>/debit/<int:number>/cancel", debit.cancel, P.BANK),
    Route("POST", "/<code>/debit/<int:number>/answer", debit.answer, P.BANK, debit.FILE_BYTES_MAX),
    Route("GET", "/<code>/discrepancies", discrepancies.index, P.BANK),
    Route("GET", "/<code>/discrepancies/<int:number>", discrepancies.show, P.BANK),
    Route("POST", "/<code>/discrepancies/<int:number>/assign", discrepancies.hand, P.BANK),
    Route("POST", "/<code>/discrepancies/<int:number>/close", discrepancies.close, P.BANK),
    Route("GET", "/<code>/compared", discrepancies.compared, P.BANK),
    Route("GET", "/<code>/compared/yet", discrepancies.compared_yet, P.BANK),
    Route("POST", "/<code>/compared", discrepancies.compare, P.BANK),
    Route("GET", "/<code>/fapiao", fapiao.index, P.PAPERS),
    Route("GET", "/<code>/fapiao/<int:number>", fapiao.show, P.PAPERS),
    Route("POST", "/<code>/fapiao/<int:number>/reveal", fapiao.reveal, P.PERSONAL),
    Route("GET", "/<code>/fapiao/<int:number>/file", fapiao.file, P.PAPERS),
    Route(
        "POST", "/<code>/fapiao/<int:number>/issue", fapiao.issue, P.PAPERS, fapiao.FORM_BYTES_MAX
    ),
    Route("POST", "/<code>/fapiao/<int:number>/reject", fapiao.reject, P.PAPERS),
    Route("POST", "/<code>/fapiao/<int:number>/reverse", fapiao.reverse, P.PAPERS),
    Route("GET", "/<code>/closing", closing.index, P.BANK),
    Route("POST", "/<code>/closing/day", closing.close_a_day, P.BANK),
    Route("POST", "/<code>/closing/month", closing.close_a_month, P.BANK),
    Route("GET", "/<code>/closing/trial", closing.trial, P.BANK),
    Route("GET", "/<code>/decisions", decisions.index, P.APPROVE),
)

ROUTES: tuple[Route, ...] = (
    Route("GET", "/", overview.index, None),
    Route("GET", "/account", account.show, None),
    Route("POST", "/account/password", account.change, None),
    Route("POST", "/account/sessions/<int:number>/end", account.end, None),
    Route("POST", "/sign-out", account.sign_out, None),
    Route("GET", "/staff", members.index, Permission.STAFF),
    Route("GET", "/staff/new", members.new, Permission.STAFF),
    Route("POST", "/staff/new", members.add, Permission.STAFF),
    Route("GET", "/staff/<int:number>", members.show, Permission.STAFF),
    Route("POST", "/staff/<int:number>", members.change, Permission.STAFF),
    Route("POST", "/staff/<int:number>/account", members.issue, Permission.STAFF),
    Route("POST", "/staff/<int:number>/leave", members.leave, Permission.STAFF),
    Route("GET", "/audit", members.log, Permission.AUDIT),
    Route("GET", "/<code>/", overview.community, Permission.LOOK),
    Route("GET", "/<code>/homes", homes.index, Permission.LOOK),
    # What the numbers say.
    Route("GET", "/<code>/live", overview.live, Permission.LOOK),
    Route("GET", "/<code>/reports/", reports.index, Permission.REPORTS),
    Route("GET", "/<code>/reports/arrears", reports.arrears, Permission.REPORTS),
    Route("GET", "/<code>/reports/bills", reports.bills, Permission.REPORTS),
    Route("GET", "/<code>/reports/income", reports.income, Permission.REPORTS),
    Route("GET", "/<code>/reports/reminders", reports.reminders, Permission.REPORTS),
    Route("GET", "/<code>/alerts", alerts.index, Permission.REPORTS),
    Route("GET", "/<code>/alerts/<int:number>", alerts.show, Permission.REPORTS),
    Route("POST", "/<code>/alerts/<int:number>/take", alerts.take, Permission.BANK),
    Route("POST", "/<code>/alerts/<int:number>/snooze", alerts.snooze, Permission.BANK),
    Route("POST", "/<code>/alerts/<int:number>/close", alerts.close, Permission.BANK),
    # Tickets
    Route("GET", "/<code>/tickets", tickets.index, Permission.TICKETS),
    Route("GET", "/<code>/tickets/<int:number>", tickets.show, Permission.TICKETS),
    Route("POST", "/<code>/tickets/<int:number>/answer", tickets.answer, Permission.TICKETS),
    Route("POST", "/<code>/tickets/<int:number>/close", tickets.close, Permission.TICKETS),
    # Prices, meters, shared costs, imports.
    Route("GET", "/<code>/tariffs", tariffs.index, Permission.TARIFFS),
    Route("GET", "/<code>/tariffs/new", tariffs.new_item, Permission.TARIFFS),
    Route("POST", "/<code>/tariffs/new", tariffs.add_charge_item, Permission.TARIFFS),
    Route("GET", "/<code>/tariffs/<int:number>", tariffs.show, Permission.TARIFFS),
    Route("POST", "/<code>/tariffs/<int:number>", tariffs.add, Permission.TARIFFS),
    Route("POST", "/<code>/tariffs/<int:number>/remove", tariffs.remove, Permission.TARIFFS),
    Route("POST", "/<code>/tariffs/<int:number>/trial", tariffs.trial, Permission.TARIFFS),
    Route("GET", "/<code>/meters", meters.index, Permission.METERS),
    Route("GET", "/<code>/meters/enter", meters.enter, Permission.METERS),
    Route("POST", "/<code>/meters/enter", meters.save, Permission.METERS),
    Route("GET", "/<code>/meters/<int:number>", meters.show, Permission.METERS),
    Route("POST", "/<code>/meters/<int:number>/replace", meters.replace, Permission.METERS),
    Route("GET", "/<code>/shared", shared.index, Permission.METERS),
    Route("GET", "/<code>/shared/new", shared.new, Permission.METERS),
    Route("POST", "/<code>/shared/new", shared.record, Permission.METERS),
    Route("GET", "/<code>/shared/<int:number>", shared.show, Permission.METERS),
    Route("GET", "/<code>/shared/<int:number>/edit", shared.edit, Permission.METERS),
    Route("POST", "/<code>/shared/<int:number>/edit", shared.correct, Permission.METERS),
    Route("POST", "/<code>/shared/<int:number>/remove", shared.remove, Permission.METERS),
    Route("GET", "/<code>/imports", imports.index, Permission.BILLS),
    Route("POST", "/<code>/imports", imports.upload, Permission.BILLS, imports.UPLOAD_BYTES_MAX),
    Route("GET", "/<code>/imports/template", imports.template, Permission.BILLS),
    Route("POST", "/<code>/imports/<int:number>/commit", imports.commit, Permission.BILLS),
    Route("GET", "/<code>/imports/<int:number>/faults", imports.faults, Permission.BILLS),
    # Bill runs, and what is done in the background.
    Route("GET", "/<code>/work/<int:number>", work.show, Permission.BILLS),
    Route("GET", "/<code>/work/<int:number>/live", work.live, Permission.BILLS),
    Route("POST", "/<code>/work/<int:number>/again", work.again, Permission.BILLS),
    Route("GET", "/<code>/bill-runs", runs.index, Permission.BILLS),
    Route("POST", "/<code>/bill-runs/draft", runs.draft, Permission.BILLS),
    Route("GET", "/<code>/bill-runs/drafts", runs.drafts, Permission.BILLS),
    Route("POST", "/<code>/bill-runs/publish", runs.publish, Permission.BILLS),
    Route("POST", "/<code>/bill-runs/schedule", runs.schedule, Permission.BILLS),
    Route("GET", "/<code>/bill-runs/<int:number>", runs_bills.show, Permission.BILLS),
    Route("POST", "/<code>/bill-runs/<int:number>/void", runs_bills.void_run, Permission.BILLS),
    Route("GET", "/<code>/bill-runs/bills/<int:number>", runs_bills.bill, Permission.BILLS),
    Route("POST", "/<code>/bill-runs/bills/<int:number>/void", runs_bills.void, Permission.BILLS),
    # Homes, people and accounts
    Route("GET", "/<code>/homes/<int:number>", homes.show, Permission.LOOK),
    Route("GET", "/<code>/homes/<int:number>/bills", homes_bill.index, Permission.LOOK),
    Route("GET", "/<code>/homes/<int:number>/statement", homes_statement.show, Permission.LOOK),
    Route("GET", "/<code>/bills/<int:number>", homes_bill.show, Permission.LOOK),
    Route("GET", "/<code>/bills/<int:number>/paper", homes_bill.paper, Permission.LOOK),
    Route("POST", "/<code>/bills/<int:number>/adjust", homes_bill.adjust, Permission.CORRECT),
    Route("POST", "/<code>/bills/<int:number>/reverse", homes_bill.reverse, Permission.CORRECT),
    Route("POST", "/<code>/bills/<int:number>/share", homes_bill.share, Permission.CORRECT),
    Route("GET", "/<code>/homes/<int:number>/deposits", homes_deposits.show, Permission.LOOK),
    Route("POST", "/<code>/homes/<int:number>/deposits", homes_deposits.take, Permission.COLLECT),
    Route(
        "POST", "/<code>/homes/<int:number>/deposits/give", homes_deposits.give, Permission.COLLECT
    ),
    Route("GET", "/<code>/homes/<int:number>/people", homes_people.show, Permission.LOOK),
    Route(
        "POST", "/<code>/homes/<int:number>/people/reveal", homes_people.reveal, Permission.PERSONAL
    ),
    Route("POST", "/<code>/homes/<int:number>/people", homes_people.enter, Permission.PEOPLE),
    Route("POST", "/<code>/homes/<int:number>/people/leave", homes_people.leave, Permission.PEOPLE),
    Route("POST", "/<code>/homes/<int:number>/hand-over", homes_people.hand, Permission.PEOPLE),
    Route("POST", "/<code>/homes/<int:number>/unbind", homes_people.unbind, Permission.PEOPLE),
    Route("POST", "/<code>/homes/<int:number>/code", homes_people.code, Permission.PEOPLE),
    Route("GET", "/<code>/homes/<int:number>/terms", homes_terms.show, Permission.LOOK),
    Route("POST", "/<code>/homes/<int:number>/freeze", homes_terms.stop, Permission.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/unfreeze", homes_terms.resume, Permission.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/discount", homes_terms.grant, Permission.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/price", homes_terms.price, Permission.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/terms/end", homes_terms.end, Permission.APPROVE),
    Route("POST", "/<code>/homes/<int:number>/deduction", homes_terms.deduct, Permission.CORRECT),
    Route("GET", "/<code>/approvals", approvals.index, Permission.LOOK),
    Route(
        "POST",
        "/<code>/approvals/adjustments/<int:number>",
        approvals.adjustment,
        Permission.APPROVE,
    ),
    Route("POST", "/<code>/approvals/bindings/<int:number>", approvals.binding, Permission.PEOPLE),
    Route("GET", "/<code>/codes", codes.new, Permission.PEOPLE),
    Route("POST", "/<code>/codes", codes.make, Permission.PEOPLE),
    *MONEY,
)
MAY_KEEP_PASSWORD = ("account_show", "account_change", "account_sign_out")
"""Where somebody with a temporary password may go before he chose his own."""


def console(services: Services) -> Blueprint:
    """The staff console, to be registered under /console."""
    blueprint = Blueprint("console", __name__)
    for view, method in ((sign_in.show, "GET"), (sign_in.enter, "POST")):
        bound: Callable[..., ResponseReturnValue] = update_wrapper(partial(view, services), view)
        name = f"sign_in_{view.__name__}"
        blueprint.add_url_rule("/sign-in", name, bound, methods=[method])
    for route in ROUTES:
        answer = update_wrapper(partial(_answer, services, route), route.view)
        blueprint.add_url_rule(route.rule, route.name, answer, methods=[route.method])
    sizes = {f"console.{route.name}": route.upload_bytes for route in ROUTES if route.upload_bytes}
    blueprint.url_value_preprocessor(partial(_let_files_in, sizes))
    blueprint.after_request(_keep_private)
    return blueprint


def _let_files_in(sizes: Mapping[str, int], endpoint: str | None, _values: Any) -> None:
    """Larger forms where files are uploaded, for whoever signed in; set before the form is read."""
    size = sizes.get(endpoint or "")
    if size is not None and sign_in.TOKEN in session:
        request.max_content_length = size


def _answer(services: Services, route: Route, **values: object) -> ResponseReturnValue:
    """One request: everything it does is done, and written down, or nothing is."""
    if any(NUL in text for text in (request.path, *request.values.values())):
        abort(400)
    now = services.clock()
    with services.database.transaction() as books:
        token = session.get(sign_in.TOKEN)
        found = find_session(books, token, now) if isinstance(token, str) else None
        if found is None:
            return _to_sign_in()
        if found.must_change and route.name not in MAY_KEEP_PASSWORD:
            return redirect(url_for("console.account_show"))
        if route.permission and route.permission not in PERMISSIONS[found.staff.role]:
            abort(403)
        communities = _communities(books, found)
        code = values.pop("code", None)
        desk = Desk(
            session=books,
            services=services,
            staff=found.staff,
            session_id=found.session_id,
            now=now,
            communities=communities,
            _community=_named(communities, str(code)) if code is not None else None,
        )
        try:
            answer = route.view(desk, **values)
        except NotFound:
            abort(404)
        outside = answer if isinstance(answer, Outside) else None
        response = make_response("" if isinstance(answer, Outside) else answer)
        if request.method == "POST" and response.status_code < ERRORS_FROM:
            _write_down(desk, route)
    for left in desk.afterwards:
        left()
    return response if outside is None else outside.act()


def _to_sign_in() -> ResponseReturnValue:
    if request.method != "GET":
        abort(401)
    session[sign_in.BACK] = request.full_path.rstrip("?")
    return redirect(url_for("console.sign_in_show"))


def _communities(books: Session, found: SignedIn) -> list[Community]:
    """Those this member of staff works for."""
    query = select(Community).order_by(Community.code)
    if found.staff.community_id is not None:
        query = query.where(Community.id == found.staff.community_id)
    return list(books.scalars(query))


def _named(communities: list[Community], code: str) -> Community:
    """Of another's community he does not even learn that it is one."""
    found = next((one for one in communities if one.code == code), None)
    if found is None:
        abort(404)
    return found


def _write_down(desk: Desk, route: Route) -> None:
    audit(
        desk.session,
        staff_id=desk.staff.id,
        community_id=desk.community_id if "<code>" in route.rule else None,
        action=route.name,
        subject=request.path,
        detail={
            name: text
            for name, text in request.form.items()
            if name not in SECRET_FIELDS | PERSONAL_FIELDS
        },
        address=request.remote_addr or "",
        now=desk.now,
    )


def _keep_private(response: Response) -> Response:
    """Nobody who sits down at the same computer finds a page in its cache."""
    response.headers["Cache-Control"] = "no-store"
    return response
