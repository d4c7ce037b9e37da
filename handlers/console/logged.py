"""What staff did, written into the log of the community or of the account."""

from flask import request
from sqlalchemy.orm import Session

from billing.audit import audit
from handlers.console.desk import Desk

SECRET_FIELDS = frozenset(
    {"csrf_token", "password", "old", "new", "again", "totp", "payer", "account_number"}
)
PERSONAL_FIELDS = frozenset({"person_name", "person_phone", "person_note"})
"""Neither is ever written into the log: what opens a door, whose name or account it is."""


def log_action(desk: Desk, session: Session) -> None:
    """Write down what this request did, in the transaction that did it."""
    of_community = request.url_rule is not None and "<code>" in request.url_rule.rule
    audit(
        session,
        staff_id=desk.staff.id,
        community_id=desk.community_id if of_community else None,
        action=(request.endpoint or "").removeprefix("console."),
        subject=request.path,
        detail={
            name: text
            for name, text in request.form.items()
            if name not in SECRET_FIELDS | PERSONAL_FIELDS
        },
        address=request.remote_addr or "",
        now=desk.now,
    )
