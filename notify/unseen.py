"""What followers must not be told of: bills, payments, refunds and debits of days they do not see,
and the prepayment of a home they sold.
"""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.sight import sees_bill, sees_debit, sees_payment, sees_refund
from notify.catalog import Matter

Key = tuple[int, int]
"""(community, id within it)."""

_DAYS = ("limited.sees_from", "limited.sees_to")

UNSEEN = text(
    f"""
    WITH limited AS (
        SELECT community_id, unit_id, follower_id, sees_from, sees_to FROM binding
        WHERE follower_id = ANY(:followers) AND state = 'active'
          AND (sees_from IS NOT NULL OR sees_to IS NOT NULL)
    ),
    bill_told AS (
        SELECT DISTINCT * FROM unnest(CAST(:bill_communities AS bigint[]),
                                      CAST(:bills AS bigint[])) AS told (community_id, id)
    ),
    payment_told AS (
        SELECT DISTINCT * FROM unnest(CAST(:payment_communities AS bigint[]),
                                      CAST(:payments AS bigint[])) AS told (community_id, id)
    ),
    refund_told AS (
        SELECT DISTINCT * FROM unnest(CAST(:refund_communities AS bigint[]),
                                      CAST(:refunds AS bigint[])) AS told (community_id, id)
    ),
    debit_told AS (
        SELECT DISTINCT * FROM unnest(CAST(:debit_communities AS bigint[]),
                                      CAST(:debits AS bigint[])) AS told (community_id, id)
    )
    SELECT limited.community_id, limited.follower_id, 'bill' AS matter, bill.id
    FROM limited
    JOIN bill ON bill.community_id = limited.community_id AND bill.unit_id = limited.unit_id
    JOIN bill_told told ON told.community_id = bill.community_id AND told.id = bill.id
    WHERE NOT {sees_bill("bill.community_id", "bill.id", *_DAYS)}
    UNION ALL
    SELECT limited.community_id, limited.follower_id, 'payment', payment.id
    FROM limited
    JOIN payment ON payment.community_id = limited.community_id
     AND payment.unit_id = limited.unit_id
    JOIN payment_told told ON told.community_id = payment.community_id AND told.id = payment.id
    WHERE NOT {sees_payment("payment.community_id", "payment.id", *_DAYS)}
    UNION ALL
    SELECT limited.community_id, limited.follower_id, 'refund', refund.id
    FROM limited
    JOIN payment ON payment.community_id = limited.community_id
     AND payment.unit_id = limited.unit_id
    JOIN refund ON refund.community_id = payment.community_id AND refund.payment_id = payment.id
    JOIN refund_told told ON told.community_id = refund.community_id AND told.id = refund.id
    WHERE NOT {sees_refund("refund.community_id", "refund.id", *_DAYS)}
    UNION ALL
    SELECT limited.community_id, limited.follower_id, 'debit', payment.id
    FROM limited
    JOIN payment ON payment.community_id = limited.community_id
     AND payment.unit_id = limited.unit_id
    JOIN debit_told told ON told.community_id = payment.community_id AND told.id = payment.id
    WHERE NOT {sees_debit("payment.community_id", "payment.id", *_DAYS)}
    UNION ALL
    SELECT community_id, follower_id, 'prepayment', unit_id FROM limited
    WHERE sees_to IS NOT NULL
    """  # noqa: S608  # constant text
)


def read_unseen(
    session: Session, followers: Collection[int], refs: Mapping[Matter, Sequence[Key]]
) -> set[tuple[int, int, Matter, int]]:
    """(community, follower, matter, id) of what is of days a follower does not see."""
    found = session.execute(
        UNSEEN,
        {
            "followers": list(followers),
            "bill_communities": [community for community, _ in refs[Matter.BILL]],
            "bills": [bill for _, bill in refs[Matter.BILL]],
            "payment_communities": [community for community, _ in refs[Matter.PAYMENT]],
            "payments": [payment for _, payment in refs[Matter.PAYMENT]],
            "refund_communities": [community for community, _ in refs[Matter.REFUND]],
            "refunds": [refund for _, refund in refs[Matter.REFUND]],
            "debit_communities": [community for community, _ in refs[Matter.DEBIT]],
            "debits": [debit for _, debit in refs[Matter.DEBIT]],
        },
    )
    return {(row.community_id, row.follower_id, Matter(row.matter), row.id) for row in found}
