"""Callbacks on their way, rows of `pay_notification`: of payments and of refunds."""

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True)
class Notice:
    """News to be told: `outcome` pending, accepted or given_up; `last_http` 0 = no answer.

    It tells of a refund where `out_refund_no` is not empty, else of the order's payment.
    """

    notice_id: str
    mchid: str
    out_trade_no: str
    out_refund_no: str
    attempts: int
    next_at: float
    outcome: str
    last_http: int | None


def insert_notice(db: Connection, notice: Notice) -> None:
    """Keep news that falls due at `next_at`."""
    values = vars(notice)
    places = ", ".join(f":{name}" for name in values)
    db.execute(
        f"INSERT INTO pay_notification ({', '.join(values)}) VALUES ({places})",  # noqa: S608 - our own field names
        values,
    )


def get_notice(db: Connection, notice_id: str) -> Notice:
    """Read a callback that must exist."""
    row = db.execute("SELECT * FROM pay_notification WHERE notice_id = ?", (notice_id,)).fetchone()
    return Notice(**row)


def find_notice(db: Connection, out_trade_no: str) -> Notice | None:
    """Read the callback of a payment, the latest where merchants share the number."""
    row = db.execute(
        "SELECT * FROM pay_notification WHERE out_trade_no = ? AND out_refund_no = ''"
        " ORDER BY rowid DESC",
        (out_trade_no,),
    ).fetchone()
    return Notice(**row) if row else None


def list_pending_notices(db: Connection) -> list[Notice]:
    """Read every callback that is still to be delivered."""
    rows = db.execute("SELECT * FROM pay_notification WHERE outcome = 'pending' ORDER BY rowid")
    return [Notice(**row) for row in rows]


def update_notice(db: Connection, notice: Notice) -> None:
    """Keep what became of an attempt."""
    db.execute(
        "UPDATE pay_notification SET attempts = :attempts, next_at = :next_at, outcome = :outcome,"
        " last_http = :last_http WHERE notice_id = :notice_id",
        vars(notice),
    )


def find_refund_notice(db: Connection, mchid: str, out_refund_no: str) -> Notice | None:
    """Read the callback of a refund; None where nobody is told."""
    row = db.execute(
        "SELECT * FROM pay_notification WHERE mchid = ? AND out_refund_no = ?",
        (mchid, out_refund_no),
    ).fetchone()
    return Notice(**row) if row else None
