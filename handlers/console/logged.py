"""What staff did, written into the log of the community or of the account."""

from flask import request
from sqlalchemy.orm import Session

from billing.audit import audit
from handlers.console.desk import Desk
from notify.webhook_post import mask_url

SECRET_FIELDS = frozenset(
    {"csrf_token", "password", "old", "new", "again", "totp", "payer", "account_number"}
)
URL_FIELD = "url"
"""Written without its query, which may hold a secret."""

PERSONAL_FIELDS = frozenset({"person_name", "person_phone", "person_note"})
"""Neither is ever written into the log: what opens a door, whose name or account it is."""


def log_action(desk: Desk, session: Session) -> None:
    """Write down what this request did, in the transaction that did it."""
    audit(
        session,
        staff_id=desk.staff.id,
        community_id=desk.concerned,
        action=(request.endpoint or "").removeprefix("console."),
        subject=request.path,
        detail={
            name: _written(name, texts)
            for name, texts in request.form.lists()
            if name not in SECRET_FIELDS | PERSONAL_FIELDS
        },
        address=request.remote_addr or "",
        now=desk.now,
    )


def _written(name: str, texts: list[str]) -> str | list[str]:
    """What was sent under a name; a list where it was sent more than once."""
    kept = [mask_url(text) for text in texts] if name == URL_FIELD else texts
    return kept if len(kept) > 1 else kept[0]
