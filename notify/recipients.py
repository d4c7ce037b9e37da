"""The followers a broadcast is for, found and counted set-wise."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.business_day import business_date
from billing.reports.scope import LATE_LINES
from billing.sight import sees_bill
from notify.audiences import Audience
from notify.reach import SERVICE_WINDOW

UNPRESSED = """
    NOT EXISTS (SELECT FROM ticket
                WHERE ticket.community_id = bill.community_id AND ticket.bill_line_id = line.id
                  AND ticket.state = 'open')
"""
"""While a dispute is open nobody is pressed for its line."""

PERSON = ("binding.sees_from", "binding.sees_to")

READERS = f"""
    WITH line AS MATERIALIZED (
        {LATE_LINES} AND {UNPRESSED}
          AND CAST(:overdue AS boolean)
    ),
    late AS MATERIALIZED (
        SELECT unit_id, bill_id, sum(due - paid) AS owed, min(due_on) AS due_on
        FROM line GROUP BY 1, 2 HAVING sum(due - paid) > 0
    ),
    home AS MATERIALIZED (
        SELECT unit.id FROM unit
        JOIN building ON building.community_id = unit.community_id
         AND building.id = unit.building_id
        LEFT JOIN entrance ON entrance.community_id = unit.community_id
         AND entrance.id = unit.entrance_id
        WHERE unit.community_id = :community_id
          AND (CAST(:rooms AS text[]) IS NULL OR unit.room = ANY(CAST(:rooms AS text[])))
          AND (CAST(:tags AS text[]) IS NULL OR unit.id IN (
              SELECT unit_id FROM home_tag WHERE home_tag.community_id = :community_id
               AND home_tag.tag = ANY(CAST(:tags AS text[]))))
          AND (CAST(:buildings AS text[]) IS NULL
               OR building.code = ANY(CAST(:buildings AS text[])))
          AND (CAST(:entrance AS text) IS NULL OR entrance.code = :entrance)
          AND (NOT CAST(:parking AS boolean) OR EXISTS (
              SELECT FROM subject space
              WHERE space.community_id = unit.community_id AND space.unit_id = unit.id
                AND space.kind = 'parking' AND space.billable_from <= :as_of
                AND (space.billable_to IS NULL OR space.billable_to > :as_of)))
    )
    SELECT binding.follower_id, binding.unit_id
    FROM home
    JOIN binding ON binding.community_id = :community_id AND binding.unit_id = home.id
     AND binding.state = 'active' AND binding.sees_to IS NULL  -- not who sold the home
     AND (CAST(:roles AS text[]) IS NULL OR binding.role = ANY(CAST(:roles AS text[])))
    JOIN follower ON follower.id = binding.follower_id AND follower.unfollowed_at IS NULL
    WHERE NOT CAST(:overdue AS boolean) OR EXISTS (
        SELECT FROM late WHERE late.unit_id = home.id
          AND {sees_bill(":community_id", "late.bill_id", *PERSON)}
        HAVING sum(late.owed) >= greatest(CAST(:owed AS bigint), 1)
           AND min(late.due_on) <= CAST(:due_by AS date)
    )
"""  # noqa: S608  # constant text
"""Followers bound to a home of the audience who still follow, with that home. Of what is overdue
only those are told who see the bill, and by what they see of it.
"""

RECIPIENTS = f"SELECT DISTINCT follower_id FROM ({READERS}) reader"  # noqa: S608  # constant text
"""The same, each once."""

COUNT = text(
    f"""
    SELECT count(DISTINCT reader.follower_id) AS people, count(DISTINCT reader.unit_id) AS homes,
           count(DISTINCT reader.follower_id) FILTER (
               WHERE follower.last_message_at IS NULL
                  OR follower.last_message_at <= CAST(:window_from AS timestamptz)
           ) AS silent
    FROM ({READERS}) reader JOIN follower ON follower.id = reader.follower_id
    """  # noqa: S608  # constant text
)


def recipient_parameters(community_id: int, audience: Audience, as_of: date) -> dict[str, Any]:
    """For a statement with `RECIPIENTS`."""
    return {
        **audience.scope(community_id).parameters(),
        "rooms": list(audience.rooms) or None,
        "roles": [role.value for role in audience.roles] or None,
        "tags": list(audience.tags) or None,
        "overdue": audience.overdue,
        "owed": audience.owed.fen,
        "due_by": as_of - timedelta(days=audience.days),
        "parking": audience.parking,
        "as_of": as_of,
    }


@dataclass(frozen=True, slots=True)
class Readers:
    """How many would read a broadcast.

    Attributes:
        homes: those they are bound to, of the audience.
        silent: people who did not write within 48 hours: a template message is the only way to
            them, and without an approved one there is none.
    """

    people: int
    homes: int
    silent: int


def count_readers(
    session: Session, community_id: int, audience: Audience, now: datetime
) -> Readers:
    """How many an audience is now."""
    parameters = recipient_parameters(community_id, audience, business_date(now))
    parameters["window_from"] = now - SERVICE_WINDOW
    return Readers(*session.execute(COUNT, parameters).one())


MISSING_BUILDINGS = text(
    """
    SELECT code FROM unnest(CAST(:codes AS text[])) AS named (code)
    WHERE NOT EXISTS (SELECT FROM building
                      WHERE building.community_id = :community_id AND building.code = named.code)
    """
)
KNOWN_PLACE = text(
    """
    SELECT EXISTS (
        SELECT FROM unit
        LEFT JOIN building ON building.community_id = unit.community_id
         AND building.id = unit.building_id
        LEFT JOIN entrance ON entrance.community_id = unit.community_id
         AND entrance.id = unit.entrance_id
        WHERE unit.community_id = :community_id
          AND building.code = :building AND entrance.code = :entrance)
    """
)
MISSING_ROOMS = text(
    """
    SELECT room FROM unnest(CAST(:rooms AS text[])) AS named (room)
    WHERE NOT EXISTS (SELECT FROM unit
                      WHERE unit.community_id = :community_id AND unit.room = named.room)
    """
)
MISSING_TAGS = text(
    """
    SELECT tag FROM unnest(CAST(:tags AS text[])) AS named (tag)
    WHERE NOT EXISTS (SELECT FROM home_tag WHERE home_tag.community_id = :community_id
                       AND home_tag.tag = named.tag)
    """
)


def unknown_places(session: Session, community_id: int, audience: Audience) -> list[str]:
    """What of the audience's places and tags the community does not have; none is well."""
    named = {
        "community_id": community_id,
        "codes": list(audience.buildings),
        "rooms": list(audience.rooms),
        "tags": list(audience.tags),
    }
    missing: list[str] = []
    for wanted, statement in (
        (audience.buildings, MISSING_BUILDINGS),
        (audience.rooms, MISSING_ROOMS),
        (audience.tags, MISSING_TAGS),
    ):
        if wanted:
            missing += session.scalars(statement, named)
    if audience.entrance:
        building, entrance = audience.entrance
        place = {"community_id": community_id, "building": building, "entrance": entrance}
        if not session.scalar(KNOWN_PLACE, place):
            missing.append(f"{building}-{entrance}")
    return missing
