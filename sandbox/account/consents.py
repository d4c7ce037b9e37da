"""Consents to subscription notices: one pop-up accepted is one notice.

Rule: developers.weixin.qq.com, subscription notices (push and events).
"""

from sqlite3 import Connection

from sandbox.account.refusals import ApiError


def add_consent(db: Connection, openid: str, template_id: str) -> None:
    """The person accepted in the pop-up."""
    db.execute(
        "INSERT INTO consent VALUES (?, ?, 1)"
        " ON CONFLICT (openid, template_id) DO UPDATE SET remaining = remaining + 1",
        (openid, template_id),
    )


def end_consent(db: Connection, openid: str, template_id: str) -> None:
    """The person refused, in the pop-up or in the settings."""
    db.execute("DELETE FROM consent WHERE openid = ? AND template_id = ?", (openid, template_id))


def use_consent(db: Connection, openid: str, template_id: str) -> None:
    """Use one; raises ApiError 43101 where none is left."""
    used = db.execute(
        "UPDATE consent SET remaining = remaining - 1"
        " WHERE openid = ? AND template_id = ? AND remaining > 0",
        (openid, template_id),
    )
    if used.rowcount == 0:
        raise ApiError(43101)
