"""Staff who waive, refund, void or take back far more than they used to and than others do."""

from collections import defaultdict
from datetime import date, timedelta
from statistics import median

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.alerts import AlertKind, Severity
from billing.insight.finding import Finding
from billing.labels import LabelEnum

DAYS = 30
MONTHS = 7
"""The last thirty days, and six spans of thirty before them."""

COUNT_MIN = 5
TIMES = 3.0


class Act(LabelEnum):
    """What somebody does that lowers what is owed or gives money back."""

    WAIVER = "waiver", "减免"
    REFUND = "refund", "退款"
    VOID = "void", "作废账单"
    CANCEL = "cancel", "撤销收款"


ACTS = text(
    """
    SELECT act, staff_id, staff.name, (:today - day) / :days AS span, count(*) AS times
    FROM (
        SELECT 'waiver' AS act, requested_by AS staff_id,
               CAST(requested_at AT TIME ZONE 'Asia/Shanghai' AS date) AS day
        FROM adjustment  -- taking one back is written down as a waiver too, and is none
        WHERE community_id = :community_id AND kind = 'waiver' AND reverses_id IS NULL
        UNION ALL
        SELECT 'refund', requested_by, CAST(requested_at AT TIME ZONE 'Asia/Shanghai' AS date)
        FROM refund WHERE community_id = :community_id
        UNION ALL  -- a whole run that is voided is one act
        SELECT DISTINCT 'void', voided_by, CAST(voided_at AT TIME ZONE 'Asia/Shanghai' AS date)
        FROM bill_void WHERE community_id = :community_id
        UNION ALL
        SELECT 'cancel', cancelled_by, CAST(cancelled_at AT TIME ZONE 'Asia/Shanghai' AS date)
        FROM counter_payment WHERE community_id = :community_id AND cancelled_at IS NOT NULL
    ) done
    JOIN staff ON staff.id = done.staff_id
    WHERE day > :today - :days * :months AND day <= :today
    GROUP BY 1, 2, 3, 4
    """
)


def find_patterns(session: Session, community_id: int, today: date) -> list[Finding]:
    """Who did something five times or more in thirty days, over three times as often as he used to
    and as the others do now.
    """
    counts: dict[tuple[str, int], dict[int, int]] = defaultdict(dict)
    names = {}
    for row in session.execute(
        ACTS, {"community_id": community_id, "today": today, "days": DAYS, "months": MONTHS}
    ):
        counts[row.act, row.staff_id][row.span] = row.times
        names[row.staff_id] = row.name
    found = []
    for (act, staff_id), spans in counts.items():
        now = spans.get(0, 0)
        others = [
            other.get(0, 0)
            for (what, who), other in counts.items()
            if (what == act and who != staff_id)
        ]
        before = sum(times for span, times in spans.items() if span) / (MONTHS - 1)
        usual = max(before, median(others) if others else 0.0, 1.0)
        if now >= COUNT_MIN and now > TIMES * usual:
            found.append(
                Finding(
                    AlertKind.STAFF_PATTERN,
                    Severity.HIGH,
                    f"staff {staff_id} {act} in the days to {month_end(today)}",
                    {
                        "name": names[staff_id],
                        "act": act,
                        "act_label": Act(act).label,
                        "times": now,
                        "usual": f"{usual:.1f}",
                        "days": DAYS,
                    },
                )
            )
    return found


def month_end(today: date) -> date:
    """The first of the next month: one alert a month of who goes on."""
    return (today.replace(day=1) + timedelta(days=32)).replace(day=1)
