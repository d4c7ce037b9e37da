"""Facts become notices, set-wise: one statement decides who is told what, by a unique key. What
outside systems subscribed to becomes deliveries to them in the same statement.

Taking a fact and writing its notices is one transaction, so a crash takes neither or both, and two
workers never take the same fact.
"""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.sight import sees_bill, sees_debit, sees_payment, sees_refund
from notify.broadcasts import BROADCASTERS
from notify.catalog import NOTICES, Urgency
from notify.quiet_hours import next_allowed

PERSON = ("binding.sees_from", "binding.sees_to")
"""The days whose bills a bound follower sees."""

TAKE_FACTS = text(
    f"""
    WITH waiting AS MATERIALIZED (  -- once: a subquery with LIMIT may be run again by a join
        SELECT community_id, id FROM fact
        WHERE taken_at IS NULL AND (kind = ANY(CAST(:later AS text[]))) = :is_later
        ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
    ),
    taken AS (
        UPDATE fact SET taken_at = :now
        FROM waiting
        WHERE fact.community_id = waiting.community_id AND fact.id = waiting.id
        RETURNING fact.community_id, fact.id, kind, unit_id, ref_id, data, amount, at
    ),
    outward AS (
        INSERT INTO webhook_delivery (community_id, webhook_id, fact_id, body, state, attempts,
                                      created_at, queued_at, next_attempt_at)
        SELECT taken.community_id, webhook.id, taken.id,
               jsonb_build_object(
                   'kind', taken.kind, 'at', taken.at, 'community', community.code,
                   'room', unit.room, 'ref', taken.ref_id, 'amount_fen', taken.amount,
                   'receipt', taken.data ->> 'receipt'),
               'queued', 0, :now, :now, :now
        FROM taken
        JOIN webhook ON taken.kind = ANY(webhook.kinds) AND webhook.ended_at IS NULL
         AND (webhook.community_id IS NULL OR webhook.community_id = taken.community_id)
        JOIN community ON community.id = taken.community_id
        LEFT JOIN unit ON unit.community_id = taken.community_id AND unit.id = taken.unit_id
        ORDER BY taken.id, webhook.id
        ON CONFLICT (community_id, webhook_id, fact_id) DO NOTHING
    ),
    rule AS (
        SELECT * FROM unnest(
            CAST(:facts AS text[]), CAST(:kinds AS text[]), CAST(:matters AS text[]),
            CAST(:audiences AS text[]), CAST(:starts AS timestamptz[]),
            CAST(:ends AS timestamptz[]), CAST(:urgencies AS text[])
        ) AS rule (fact, kind, matter, audience, not_before, expires_at, urgency)
    ),
    due AS (
        SELECT taken.*, rule.kind AS notice_kind, rule.matter, rule.audience,
               rule.not_before, rule.expires_at, rule.urgency
        FROM taken JOIN rule ON rule.fact = taken.kind
    ),
    told AS (
        SELECT due.*, binding.follower_id
        FROM due
        JOIN binding ON binding.community_id = due.community_id
         AND binding.unit_id = due.unit_id AND binding.state = 'active'
         AND CASE due.matter
             WHEN 'bill' THEN {sees_bill("due.community_id", "due.ref_id", *PERSON)}
             WHEN 'payment' THEN {sees_payment("due.community_id", "due.ref_id", *PERSON)}
             WHEN 'refund' THEN {sees_refund("due.community_id", "due.ref_id", *PERSON)}
             WHEN 'debit' THEN {sees_debit("due.community_id", "due.ref_id", *PERSON)}
             WHEN 'lookup' THEN binding.sees_to IS NULL  -- not who sold the home
             ELSE true END
        WHERE due.audience IN ('home', 'home_and_payer')
        UNION
        SELECT due.*, CAST(due.data ->> 'payer_id' AS bigint)
        FROM due
        WHERE due.audience = 'home_and_payer' AND due.data ->> 'payer_id' IS NOT NULL
        UNION
        SELECT due.*, CAST(due.data ->> 'follower_id' AS bigint)
        FROM due
        WHERE due.audience = 'follower'
        UNION
        SELECT due.*, binding.follower_id
        FROM due
        JOIN binding ON binding.community_id = due.community_id
         AND binding.unit_id = due.unit_id AND binding.state = 'active'
         AND binding.role = 'owner' AND binding.sees_to IS NULL  -- not who sold the home
         AND binding.follower_id <> CAST(due.data ->> 'follower_id' AS bigint)
        WHERE due.audience = 'other_owners'
        UNION
        SELECT due.*, staff.follower_id
        FROM due
        JOIN staff ON staff.follower_id IS NOT NULL AND staff.left_at IS NULL
         AND (staff.community_id IS NULL OR staff.community_id = due.community_id
              OR due.community_id = 0)
        WHERE due.audience = 'staff'
        UNION
        SELECT due.*, staff.follower_id
        FROM due
        JOIN staff ON staff.follower_id IS NOT NULL AND staff.left_at IS NULL
             AND staff.role = ANY(CAST(:approvers AS text[]))
         AND (staff.community_id IS NULL OR staff.community_id = due.community_id)
         AND staff.id <> CAST(due.data ->> 'by' AS bigint)
        WHERE due.audience = 'approvers'
    ),
    written AS (
        INSERT INTO notice (community_id, follower_id, kind, urgency, fact_key, unit_id, ref_id,
                            data, state, created_at, not_before, expires_at)
        SELECT community_id, follower_id, notice_kind, urgency, matter || ':' || ref_id, unit_id,
               ref_id, data, 'queued', :now, not_before, expires_at
        FROM told
        ORDER BY id, follower_id
        ON CONFLICT (community_id, follower_id, kind, fact_key) DO NOTHING
    )
    SELECT count(*) FROM taken
    """  # noqa: S608  # constant text
)


def take_facts(session: Session, now: datetime, limit: int, *, at_once: bool) -> int:
    """Turn the oldest facts nobody has looked at into notices; returns how many facts were taken.

    Facts that concern nobody are taken as well. Safe to run twice and from many workers at once.

    Args:
        at_once: those of which something is told at once, or nothing at all; else the others, so
            that a payment does not stand behind all bills of a month.
    """
    rules = [(kind, rule) for kind, rule in NOTICES.items() if rule.fact is not None]
    later = {rule.fact for _, rule in rules if rule.urgency is not Urgency.AT_ONCE}
    parameters = {
        "approvers": [role.value for role in BROADCASTERS],
        "now": now,
        "limit": limit,
        "facts": [str(rule.fact) for _, rule in rules],
        "kinds": [kind.value for kind, _ in rules],
        "matters": [rule.matter.value for _, rule in rules],
        "audiences": [rule.audience.value for _, rule in rules],
        "starts": [next_allowed(now) if rule.is_quiet else now for _, rule in rules],
        "ends": [now + rule.life for _, rule in rules],
        "urgencies": [rule.urgency.value for _, rule in rules],
        "later": [str(fact) for fact in later],
        "is_later": not at_once,
    }
    return int(session.execute(TAKE_FACTS, parameters).scalar_one())
