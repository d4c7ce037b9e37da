"""By which way a message can go now, read set-wise for all that are claimed together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.people import Follower
from notify.approved import route_of
from notify.catalog import Transport
from notify.consents import Pair, SubscriptionConsent, lock_consents
from notify.outbox import Message, Notice

SERVICE_WINDOW = timedelta(hours=48)
"""A person may be written to for so long after their last message."""

Key = tuple[int, int]
"""(community, id within it)."""

PHONES = text(
    """
    WITH asked AS (
        SELECT DISTINCT * FROM unnest(
            CAST(:communities AS bigint[]), CAST(:units AS bigint[]), CAST(:followers AS bigint[])
        ) AS asked (community_id, unit_id, follower_id)
    ),
    home AS (SELECT DISTINCT community_id, unit_id FROM asked),
    bound AS (  -- not who sold the home: others live there now
        SELECT community_id, unit_id, binding.role, binding.follower_id, row_number() OVER (
            PARTITION BY community_id, unit_id, binding.role ORDER BY binding.id) AS place
        FROM binding JOIN home USING (community_id, unit_id)
        WHERE binding.state = 'active' AND binding.sees_to IS NULL
    ),
    living AS (
        SELECT community_id, unit_id, occupancy.role, resident.phone_sealed, row_number() OVER (
            PARTITION BY community_id, unit_id, occupancy.role ORDER BY occupancy.id) AS place
        FROM occupancy JOIN home USING (community_id, unit_id)
        JOIN resident USING (community_id)
        WHERE resident.id = occupancy.resident_id AND resident.phone_sealed IS NOT NULL
          AND from_on <= :today AND (to_on IS NULL OR to_on > :today)
    )
    SELECT community_id, unit_id, follower_id, phone_sealed
    FROM asked JOIN bound USING (community_id, unit_id, follower_id)
    JOIN living USING (community_id, unit_id, role, place)
    """
)
"""A binding does not say which of a home's owners it is. The first follower bound as owner stands
for the first owner who has a number, the second for the second: no number is written to twice.
"""


@dataclass(frozen=True, slots=True)
class Reach:
    """What is known about the ways of some messages.

    Attributes:
        phones: sealed numbers, by message.
        by_sms: whether there is a provider of SMS at all.
    """

    consents: Mapping[Pair, SubscriptionConsent]
    phones: Mapping[Key, str]
    by_sms: bool

    def first_usable(self, message: Message, follower: Follower, now: datetime) -> Transport | None:
        """The first transport, from the one in use on, that can carry the message now."""
        transports = route_of(message)
        for transport in transports[transports.index(message.transport) :]:
            if self._is_usable(transport, message, follower, now):
                return transport
        return None

    def take_consent(self, message: Message, now: datetime) -> None:
        """Use one consent for a subscription notice that is about to be sent."""
        consent = self.consents[message.follower_id, message.content["subscribe_id"]]
        consent.remaining -= 1
        consent.changed_at = now

    def _is_usable(
        self, transport: Transport, message: Message, follower: Follower, now: datetime
    ) -> bool:
        if transport is Transport.SMS:
            return self.by_sms and (message.community_id, message.id) in self.phones
        if follower.unfollowed_at is not None:
            return False
        if transport is Transport.TEMPLATE:
            return bool(message.content["template_id"])
        if transport is Transport.SERVICE:
            last = follower.last_message_at
            return last is not None and now < last + SERVICE_WINDOW
        consent = self.consents.get(
            (message.follower_id, message.content.get("subscribe_id") or "")
        )
        return consent is not None and consent.remaining > 0


def read_reach(
    session: Session,
    messages: Sequence[Message],
    told: Mapping[Key, Sequence[Notice]],
    today: date,
    *,
    by_sms: bool,
) -> Reach:
    """Read the ways of these messages, at most two queries; consents are locked."""
    pairs = {
        (message.follower_id, str(message.content["subscribe_id"]))
        for message in messages
        if message.content.get("subscribe_id")
    }
    texts = [message for message in messages if by_sms and message.content.get("sms")]
    return Reach(lock_consents(session, pairs), find_phones(session, texts, told, today), by_sms)


def find_phones(
    session: Session,
    messages: Sequence[Message],
    told: Mapping[Key, Sequence[Notice]],
    today: date,
) -> dict[Key, str]:
    """The sealed numbers of the residents these messages are for; none where nobody's is known."""
    asked = [
        (message, notice.unit_id)
        for message in messages
        for notice in told.get((message.community_id, message.id), ())
        if notice.unit_id is not None
    ]
    if not asked:
        return {}
    found = session.execute(
        PHONES,
        {
            "communities": [message.community_id for message, _ in asked],
            "units": [unit_id for _, unit_id in asked],
            "followers": [message.follower_id for message, _ in asked],
            "today": today,
        },
    )
    numbers = {(row[0], row[1], row[2]): row[3] for row in found}
    phones: dict[Key, str] = {}
    for message, unit_id in asked:
        sealed = numbers.get((message.community_id, unit_id, message.follower_id))
        if sealed is not None:
            phones.setdefault((message.community_id, message.id), sealed)
    return phones
