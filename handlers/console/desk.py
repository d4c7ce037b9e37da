"""What a console view works with, and what it answers with.

`blueprint` opens the one transaction of a request and hands the view a `Desk`; a view neither opens
a transaction nor asks who may. A view that changed something ends with `done`, which sends the
browser on, so that reloading repeats nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from flask import flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from billing.business_day import business_date
from billing.errors import BillingError, InvalidInput, NotFound
from billing.labels import LabelEnum
from billing.people import Staff
from billing.property import Community
from handlers.console.forms import Form
from handlers.console.permissions import PERMISSIONS, Permission
from handlers.console.words import explain
from handlers.services import Services

OK, SEE_OTHER = 200, 303
REFUSED = 422
"""A form that was not accepted; what was typed is in the page."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The rest of an answer, for when the transaction is over: it asks a payment provider, which no
    transaction waits for. What the view did before is committed and written down by then.

    Attributes:
        is_logged: the view did something before. If not, what `act` does it writes down itself, by
            `logged.log_action`, in the transaction that does it.
    """

    act: Callable[[], ResponseReturnValue]
    is_logged: bool = True


@dataclass(frozen=True, slots=True)
class Desk:
    """A member of staff at work, in one open transaction.

    Attributes:
        session_id: of his browser's session.
        afterwards: what is done once the transaction is committed, e.g. waking a worker.
        _community: None on pages of no community.
        _concerned: the community a page of none turned out to be about, the latest last.
    """

    session: Session
    services: Services
    staff: Staff
    session_id: int
    now: datetime
    communities: list[Community] = field(default_factory=list)
    _community: Community | None = None
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    _concerned: list[int] = field(default_factory=list)

    @property
    def community(self) -> Community:
        """The one in the address.

        Raises:
            NotFound: the address names none.
        """
        if self._community is None:
            raise NotFound("this page is of no community")
        return self._community

    @property
    def community_id(self) -> int:
        """Whose books they are."""
        return self.community.id

    def concern(self, community_id: int | None) -> None:
        """Say in whose log an order belongs that is of no community by its address; None adds
        nothing: it is of all.
        """
        if community_id is not None:
            self._concerned.append(community_id)

    @property
    def concerned(self) -> int | None:
        """In whose log it belongs; None: only in that of all."""
        if self._community is not None:
            return self._community.id
        return self._concerned[-1] if self._concerned else None

    @property
    def today(self) -> date:
        """The business date."""
        return business_date(self.now)

    def may(self, permission: Permission) -> bool:
        """Whether this member of staff has a right."""
        return permission in PERMISSIONS[self.staff.role]

    def page(self, template: str, **context: object) -> tuple[str, int]:
        """A page of `templates/console`."""
        html = render_template(
            f"console/{template}",
            desk=self,
            Permission=Permission,
            community=self._community,
            **context,
        )
        return html, OK

    def url(self, endpoint: str, **values: object) -> str:
        """The address of a view, in this community unless it is of none."""
        if self._community is not None:
            values = {"code": self._community.code, **values}
        return url_for(f"console.{endpoint}", **values)  # type: ignore[arg-type]

    def go(self, endpoint: str, **values: object) -> Response:
        """Send the browser on to a page."""
        return redirect(self.url(endpoint, **values), SEE_OTHER)

    def done(self, said: LabelEnum, endpoint: str, **values: object) -> Response:
        """Say what was done and go on to a page."""
        flash(said.label, "done")
        return self.go(endpoint, **values)

    def refused(self, said: str, endpoint: str, **values: object) -> Response:
        """Say why nothing was done and go on to a page."""
        flash(said, "warn")
        return self.go(endpoint, **values)

    def submit(
        self,
        form: Form,
        act: Callable[[], Response],
        again: Callable[[], ResponseReturnValue],
        called: Mapping[str, str] | None = None,
    ) -> ResponseReturnValue:
        """Do what a form asks, all or nothing; else show it again with what was typed and why not.

        Args:
            act: does it and says where to go on; what the core refuses it need not catch.
            again: the page with the form, whose errors it shows.
            called: the core's name of a field → the form's, where they differ.
        """
        if form.is_fine:
            try:
                with self.session.begin_nested():
                    return act()
            except BillingError as error:
                form.refuse(_field_of(error, form, called or {}), explain(error))
        response = make_response(again())
        response.status_code = REFUSED
        return response


def _field_of(error: BillingError, form: Form, called: Mapping[str, str]) -> str:
    """Where the reason is shown: at the field it names, else at the head of the form."""
    field = called.get(error.field, error.field) if isinstance(error, InvalidInput) else ""
    return field if field in form.values else ""
