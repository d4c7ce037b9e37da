"""Whom a broadcast is for, as text and as followers.

As text it is what `bot.understanding` reads, with fees and months behind it:
`building:3,5&overdue&fee:property&period:2026-10/2026-11`, `unit:4-1`, `room:3-2-501`, `parking`,
`all`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.errors import InvalidInput
from billing.period import Period
from billing.reports.scope import LATE_LINES, Scope
from billing.sight import sees_bill
from billing.tariffs import FeeKind


@dataclass(frozen=True, slots=True)
class Audience:
    """The homes of a place that have everything asked for; without any of it the whole community.

    Attributes:
        buildings: codes; `entrance` and `room` are narrower and stand alone.
        overdue: only homes that owe on a bill past its due date; of `fees` and the months from
            `first` to `last`, both included, where they are named.
        parking: only homes with a parking space.
    """

    buildings: tuple[str, ...] = ()
    entrance: tuple[str, str] | None = None
    room: str | None = None
    overdue: bool = False
    parking: bool = False
    fees: tuple[FeeKind, ...] = ()
    first: Period | None = None
    last: Period | None = None

    @classmethod
    def parse(cls, written: str) -> Self:
        """Read an audience.

        Raises:
            InvalidInput: field `audience`.
        """
        found: dict[str, Any] = {}
        for part in written.split("&"):
            kind, _, names = part.partition(":")
            try:
                found |= _read_part(kind, names)
            except (ValueError, InvalidInput):
                raise InvalidInput("audience", f"{part!r} is no audience") from None
        return cls(**found)

    def scope(self, community_id: int) -> Scope:
        """The bills of its place, fees and months; a single room is not told apart."""
        return Scope(
            community_id,
            self.first,
            self.last,
            buildings=self.buildings,
            entrance=self.entrance,
            fees=self.fees,
        )

    def __str__(self) -> str:
        parts = []
        if self.room:
            parts.append(f"room:{self.room}")
        elif self.entrance:
            parts.append(f"unit:{'-'.join(self.entrance)}")
        elif self.buildings:
            parts.append(f"building:{','.join(self.buildings)}")
        parts += ["overdue"] * self.overdue + ["parking"] * self.parking
        if self.fees:
            parts.append(f"fee:{','.join(self.fees)}")
        if self.first and self.last:
            parts.append(f"period:{self.first}/{self.last}")
        return "&".join(parts) or "all"


def _read_part(kind: str, names: str) -> Mapping[str, Any]:
    """One part as attributes of an `Audience`. Raises ValueError or InvalidInput."""
    match kind:
        case "all" if not names:
            return {}
        case "overdue" | "parking" if not names:
            return {kind: True}
        case "room" if names:
            return {"room": names}
        case "building" if names:
            return {"buildings": tuple(names.split(","))}
        case "unit":
            building, entrance = names.split("-")
            if not building or not entrance:
                raise ValueError(names)
            return {"entrance": (building, entrance)}
        case "fee":
            return {"fees": tuple(FeeKind(name) for name in names.split(","))}
        case "period":
            first, last = names.split("/")
            return {"first": Period(first), "last": Period(last)}
    raise ValueError(kind)


UNPRESSED = """
    NOT EXISTS (SELECT FROM ticket
                WHERE ticket.community_id = bill.community_id AND ticket.bill_line_id = line.id
                  AND ticket.state = 'open')
"""
"""While a dispute is open nobody is pressed for its line."""

PERSON = ("binding.sees_from", "binding.sees_to")

RECIPIENTS = f"""
    WITH line AS MATERIALIZED (
        {LATE_LINES} AND {UNPRESSED}
          AND CAST(:overdue AS boolean)
    ),
    late AS MATERIALIZED (
        SELECT unit_id, bill_id FROM line GROUP BY 1, 2 HAVING sum(due - paid) > 0
    ),
    home AS MATERIALIZED (
        SELECT unit.id FROM unit
        JOIN building ON building.community_id = unit.community_id
         AND building.id = unit.building_id
        LEFT JOIN entrance ON entrance.community_id = unit.community_id
         AND entrance.id = unit.entrance_id
        WHERE unit.community_id = :community_id
          AND (CAST(:room AS text) IS NULL OR unit.room = :room)
          AND (CAST(:buildings AS text[]) IS NULL
               OR building.code = ANY(CAST(:buildings AS text[])))
          AND (CAST(:entrance AS text) IS NULL OR entrance.code = :entrance)
          AND (NOT CAST(:parking AS boolean) OR EXISTS (
              SELECT FROM subject space
              WHERE space.community_id = unit.community_id AND space.unit_id = unit.id
                AND space.kind = 'parking' AND space.billable_from <= :as_of
                AND (space.billable_to IS NULL OR space.billable_to > :as_of)))
    )
    SELECT DISTINCT binding.follower_id
    FROM home
    JOIN binding ON binding.community_id = :community_id AND binding.unit_id = home.id
     AND binding.state = 'active' AND binding.sees_to IS NULL  -- not who sold the home
    JOIN follower ON follower.id = binding.follower_id AND follower.unfollowed_at IS NULL
    WHERE NOT CAST(:overdue AS boolean) OR EXISTS (
        SELECT FROM late WHERE late.unit_id = home.id
          AND {sees_bill(":community_id", "late.bill_id", *PERSON)}
    )
"""  # noqa: S608  # constant text
"""Followers bound to a home of the audience who still follow, each once. Of what is overdue only
those are told who see the bill.
"""

COUNT = text(f"SELECT count(*) FROM ({RECIPIENTS}) recipient")  # noqa: S608  # constant text


def recipient_parameters(community_id: int, audience: Audience, as_of: date) -> dict[str, Any]:
    """For a statement with `RECIPIENTS`."""
    return {
        **audience.scope(community_id).parameters(),
        "room": audience.room,
        "overdue": audience.overdue,
        "parking": audience.parking,
        "as_of": as_of,
    }


def count_recipients(session: Session, community_id: int, audience: Audience, as_of: date) -> int:
    """How many followers an audience is now."""
    parameters = recipient_parameters(community_id, audience, as_of)
    return int(session.execute(COUNT, parameters).scalar_one())


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
          AND (CAST(:room AS text) IS NULL OR unit.room = :room)
          AND (CAST(:entrance AS text) IS NULL
               OR (building.code = :building AND entrance.code = :entrance)))
    """
)


def unknown_places(session: Session, community_id: int, audience: Audience) -> list[str]:
    """What of the audience's place the community does not have; none is well."""
    named = {"community_id": community_id, "codes": list(audience.buildings)}
    missing = list(session.scalars(MISSING_BUILDINGS, named))
    if not audience.room and not audience.entrance:
        return missing
    building, entrance = audience.entrance or (None, None)
    place = {
        "community_id": community_id,
        "room": audience.room,
        "building": building,
        "entrance": entrance,
    }
    if session.scalar(KNOWN_PLACE, place):
        return missing
    return [*missing, audience.room or f"{building}-{entrance}"]
