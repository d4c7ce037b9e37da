"""Whom a broadcast is for, as text (pure). `recipients` finds them.

As text it is what `bot.understanding` reads, with everything else behind it:
`building:3,5&overdue&days:90&owed:50000&fee:property&period:2026-10/2026-11`, `unit:4-1`,
`room:3-2-501,3-2-502&role:owner`, `parking`, `tag:装修中`, `all`. Parts are met all at once, of the
members of a list any.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from billing.errors import InvalidInput
from billing.home_tags import TAG
from billing.money import ZERO, Money
from billing.people import ResidentRole
from billing.period import Period
from billing.reports.scope import Scope
from billing.tariffs import FeeKind

DAYS_MAX = 9999
FEN_MAX = 10**12


@dataclass(frozen=True, slots=True)
class Audience:
    """The homes of a place that have everything asked for; without any of it the whole community.

    Attributes:
        buildings: codes; `entrance` and `rooms` are narrower and stand alone.
        overdue: only homes that owe on a bill past its due date; of `fees` and the months from
            `first` to `last`, both included, where they are named.
        days: only homes whose oldest such bill fell due so many days ago, or more.
        owed: only homes that owe so much on such bills, or more.
        parking: only homes with a parking space.
        roles: only people bound in one of these.
        tags: only homes that carry one of these.
    """

    buildings: tuple[str, ...] = ()
    entrance: tuple[str, str] | None = None
    rooms: tuple[str, ...] = ()
    overdue: bool = False
    days: int = 0
    owed: Money = ZERO
    parking: bool = False
    fees: tuple[FeeKind, ...] = ()
    first: Period | None = None
    last: Period | None = None
    roles: tuple[ResidentRole, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def is_everybody(self) -> bool:
        """Whether nothing narrows it."""
        return str(self) == "all"

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
        """The bills of its place, fees and months; single rooms are not told apart."""
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
        if self.rooms:
            parts.append(f"room:{','.join(self.rooms)}")
        elif self.entrance:
            parts.append(f"unit:{'-'.join(self.entrance)}")
        elif self.buildings:
            parts.append(f"building:{','.join(self.buildings)}")
        parts += ["overdue"] * self.overdue + ["parking"] * self.parking
        if self.days:
            parts.append(f"days:{self.days}")
        if self.owed:
            parts.append(f"owed:{self.owed.fen}")
        if self.fees:
            parts.append(f"fee:{','.join(self.fees)}")
        if self.first and self.last:
            parts.append(f"period:{self.first}/{self.last}")
        if self.roles:
            parts.append(f"role:{','.join(self.roles)}")
        if self.tags:
            parts.append(f"tag:{','.join(self.tags)}")
        return "&".join(parts) or "all"


def _read_part(kind: str, names: str) -> Mapping[str, Any]:
    """One part as attributes of an `Audience`. Raises ValueError or InvalidInput."""
    match kind:
        case "all" if not names:
            return {}
        case "overdue" | "parking" if not names:
            return {kind: True}
        case "room" if names:
            return {"rooms": _names(names)}
        case "building" if names:
            return {"buildings": _names(names)}
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
        case "days":
            return {"overdue": True, "days": _number(names, DAYS_MAX)}
        case "owed":
            return {"overdue": True, "owed": Money(_number(names, FEN_MAX))}
    return _read_people(kind, names)


def _read_people(kind: str, names: str) -> Mapping[str, Any]:
    match kind:
        case "role":
            return {"roles": tuple(ResidentRole(name) for name in names.split(","))}
        case "tag" if all(TAG.fullmatch(name) for name in names.split(",")):
            return {"tags": _names(names)}
    raise ValueError(kind)


def _names(written: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(written.split(",")))
    if not all(names):
        raise ValueError(written)
    return names


def _number(written: str, most: int) -> int:
    if not written.isdecimal() or not 0 < int(written) <= most:
        raise ValueError(written)
    return int(written)
