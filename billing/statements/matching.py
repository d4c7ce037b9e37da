"""Whose money a row is: points for what speaks for a home, and what is decided by them. Pure.

The reference of a home is certain. Everything else needs two kinds of evidence that agree, and a
lead over every other home: what is not certain is left to people, with the reasons.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from billing.bank_reference import find_references
from billing.labels import LabelEnum
from billing.money import ZERO, Money
from billing.statements.names import Names, plain_name
from billing.statements.rooms import Rooms
from billing.statements.tables import RowState


class Evidence(LabelEnum):
    """What speaks for a home."""

    REFERENCE = "reference", "转账识别码"
    ROOM = "room", "附言中的房号"
    PAYER = "payer", "付款人姓名"
    NAMED = "named", "附言中的姓名"
    PAYER_ALIKE = "payer_alike", "付款人姓名相近"
    ALL_OWED = "all_owed", "等于全部欠费"
    ONE_BILL = "one_bill", "等于一期账单"
    MONTHLY = "monthly", "等于月费"


POINTS: Mapping[Evidence, int] = {
    Evidence.REFERENCE: 100,
    Evidence.ROOM: 50,
    Evidence.PAYER: 40,
    Evidence.NAMED: 40,
    Evidence.PAYER_ALIKE: 25,
    Evidence.ALL_OWED: 30,
    Evidence.ONE_BILL: 25,
    Evidence.MONTHLY: 20,
}
SURE = 60
"""Room and amount, room and name, or the very name and an amount. A name alike needs the room."""
LEAD = 20
"""By how much the best home must lead."""
CANDIDATES_KEPT_MAX = 5


@dataclass(frozen=True, slots=True)
class Clue:
    """What a row says: its amount, who paid, what he wrote."""

    amount: Money
    payer_name: str
    remark: str


@dataclass(frozen=True, slots=True)
class Owed:
    """What a home owes at the moment: each bill, the oldest first, and its latest monthly bill."""

    bills: tuple[Money, ...] = ()
    monthly: Money = ZERO

    @property
    def total(self) -> Money:
        """Everything."""
        return sum(self.bills, ZERO)


NOTHING_OWED = Owed()


@dataclass(frozen=True, slots=True)
class Directory:
    """The homes of a community by number, room and people."""

    homes: frozenset[int]
    rooms: Rooms
    names: Names


@dataclass(frozen=True, slots=True)
class Candidate:
    """A home with what speaks for it."""

    unit_id: int
    evidence: tuple[Evidence, ...]
    likeness: int = 0
    points: int = field(init=False)
    """The sum; kept, because homes are sorted by it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", sum(POINTS[kind] for kind in self.evidence))

    def as_json(self) -> dict[str, Any]:
        """As it is kept with the row; no personal data."""
        kept = {"unit_id": self.unit_id, "points": self.points, "why": list(self.evidence)}
        return kept | ({"likeness": self.likeness} if Evidence.PAYER_ALIKE in self.evidence else {})


def candidates(clue: Clue, directory: Directory) -> list[Candidate]:
    """Homes that the reference, the room or a name speaks for, by number. An amount alone speaks
    for nobody: half the town owes the same.
    """
    referred = find_references(clue.remark) & directory.homes
    if referred:
        return [Candidate(unit_id, (Evidence.REFERENCE,)) for unit_id in sorted(referred)]
    found: dict[int, list[Evidence]] = {}
    for unit_id in directory.rooms.named_in(clue.remark):
        found.setdefault(unit_id, []).append(Evidence.ROOM)
    likenesses = directory.names.homes_like(clue.payer_name)
    for unit_id, score in likenesses.items():
        kind = Evidence.PAYER if score == 100 else Evidence.PAYER_ALIKE
        found.setdefault(unit_id, []).append(kind)
    remark = plain_name(clue.remark)
    for unit_id, kinds in found.items():
        # A child or a company that pays for somebody writes down his room and his name.
        elsewise = Evidence.ROOM in kinds and Evidence.PAYER not in kinds
        if elsewise and directory.names.is_named(unit_id, remark):
            kinds[:] = [Evidence.ROOM, Evidence.NAMED]
    return [
        Candidate(unit_id, tuple(kinds), likenesses.get(unit_id, 0))
        for unit_id, kinds in sorted(found.items())
    ]


def with_amounts(
    found: Iterable[Candidate], amount: Money, owed: Mapping[int, Owed]
) -> list[Candidate]:
    """The same with what the amount says, the most likely first; ties by number of the home."""
    done = []
    for one in found:
        home = one
        kind = _fit(amount, owed.get(home.unit_id, NOTHING_OWED))
        if kind is not None:
            home = Candidate(home.unit_id, (*home.evidence, kind), home.likeness)
        done.append(home)
    return sorted(done, key=lambda home: (-home.points, home.unit_id))


def _fit(amount: Money, debt: Owed) -> Evidence | None:
    if amount == debt.total:
        return Evidence.ALL_OWED
    if amount in debt.bills:
        return Evidence.ONE_BILL
    return Evidence.MONTHLY if amount == debt.monthly else None


def choose(ranked: Sequence[Candidate]) -> Candidate | None:
    """The home whose money it is, or None when that is not certain."""
    if not ranked or ranked[0].points < SURE:
        return None
    if len(ranked) == 1:
        return ranked[0]
    best, second = ranked[:2]
    if Evidence.REFERENCE in second.evidence or best.points - second.points < LEAD:
        return None  # two references in one remark are two homes, whatever they owe
    return best


def outcome(amount: Money, owed: Owed) -> RowState:
    """How an amount stands to what is owed: it is all of it or one bill, less, or more."""
    if amount == owed.total or amount in owed.bills:
        return RowState.MATCHED
    return RowState.UNDERPAID if amount < owed.total else RowState.OVERPAID


def after(owed: Owed, amount: Money) -> Owed:
    """What is still owed once this was paid, the oldest bill first."""
    left, bills = amount, []
    for bill in owed.bills:
        paid = min(bill, left)
        left -= paid
        if bill > paid:
            bills.append(bill - paid)
    return Owed(tuple(bills), owed.monthly)
