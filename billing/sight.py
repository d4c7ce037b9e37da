"""Which bills and payments a follower may see: those of the days he lived or owned there. SQL text.

A binding carries the days, `sees_from` up to but not including `sees_to`. A late fee counts as the
days of the debt it is for, so that whoever keeps a debt sees what it costs him and nobody else
does.

The conditions are text because statements that notify whole communities are; `bills` and
`payments` use the same text. Arguments are SQL expressions of the caller's, never values.
"""

from sqlalchemy import TextClause, text

from billing.period import DayWindow


def sees_bill(community_id: str, bill_id: str, sees_from: str, sees_to: str) -> str:
    """Condition: a day that the bill charges for lies within the days."""
    within = (
        f"({sees_to} IS NULL OR charged.period_from < {sees_to})"
        f" AND ({sees_from} IS NULL OR charged.period_to > {sees_from})"
    )
    return f"""(
        {sees_from} IS NULL AND {sees_to} IS NULL OR EXISTS (
            SELECT FROM bill_line charged
            WHERE charged.community_id = {community_id} AND charged.bill_id = {bill_id}
              AND charged.kind <> 'late_fee' AND {within}
        ) OR EXISTS (
            SELECT FROM bill_line fee
            JOIN bill_line charged ON charged.community_id = fee.community_id
             AND charged.bill_id = fee.source_id
            WHERE fee.community_id = {community_id} AND fee.bill_id = {bill_id}
              AND fee.kind = 'late_fee' AND charged.kind <> 'late_fee' AND {within}
        )
    )"""  # noqa: S608  # names of columns and parameters


def sees_payment(community_id: str, payment_id: str, sees_from: str, sees_to: str) -> str:
    """Condition: every bill the payment paid is seen; one that paid none came within the days."""
    each = sees_bill("part.community_id", "part.bill_id", sees_from, sees_to)
    return f"""(
        {sees_from} IS NULL AND {sees_to} IS NULL OR coalesce(
            (SELECT bool_and({each}) FROM payment_allocation part
             WHERE part.community_id = {community_id} AND part.payment_id = {payment_id}),
            (SELECT ({sees_from} IS NULL OR came.day >= {sees_from})
                AND ({sees_to} IS NULL OR came.day < {sees_to})
             FROM (SELECT CAST(arrived.confirmed_at AT TIME ZONE 'Asia/Shanghai' AS date) AS day
                   FROM payment arrived WHERE arrived.community_id = {community_id}
                    AND arrived.id = {payment_id}) came),
            false)
    )"""  # noqa: S608  # names of columns and parameters


def sees_refund(community_id: str, refund_id: str, sees_from: str, sees_to: str) -> str:
    """Condition: the payment it is of is seen."""
    return f"""EXISTS (
        SELECT FROM refund given_back
        WHERE given_back.community_id = {community_id} AND given_back.id = {refund_id}
          AND {sees_payment("given_back.community_id", "given_back.payment_id", sees_from, sees_to)}
    )"""


def sees_debit(community_id: str, payment_id: str, sees_from: str, sees_to: str) -> str:
    """Condition: every bill that the bank is asked to take money for is seen."""
    each = sees_bill("target.community_id", "target.bill_id", sees_from, sees_to)
    return f"""NOT EXISTS (
        SELECT FROM payment_target target
        WHERE target.community_id = {community_id} AND target.payment_id = {payment_id}
          AND NOT {each}
    )"""  # names of columns and parameters


def bill_within(seen: DayWindow) -> TextClause:
    """`sees_bill` of the `bill` in a SELECT."""
    return _bound(sees_bill("bill.community_id", "bill.id", *PARAMETERS), seen)


def payment_within(seen: DayWindow) -> TextClause:
    """`sees_payment` of the `payment` in a SELECT."""
    return _bound(sees_payment("payment.community_id", "payment.id", *PARAMETERS), seen)


PARAMETERS = ("CAST(:sees_from AS date)", "CAST(:sees_to AS date)")


def _bound(condition: str, seen: DayWindow) -> TextClause:
    return text(condition).bindparams(sees_from=seen.start, sees_to=seen.end)
