"""Why the charges of one period differ from those of another, item by item, in fen.

What an owner asks most. The changes sum to the difference of the bills as they were issued; what
was waived or paid afterwards does not matter here.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from billing.bill_lines import LineState, list_lines
from billing.bills import BillState, LineKind
from billing.labels import LabelEnum
from billing.money import ZERO, Money
from billing.period import Period
from billing.pricing.basis import parse_basis
from billing.pricing.compare import Cause, effects
from billing.property import SubjectKind
from billing.tariffs import FeeKind


class ChangeKind(LabelEnum):
    """What happened to a charge beside the causes within it."""

    NEW = "new", "新增"
    GONE = "gone", "本期没有"
    WITHIN = "within", "变化"


@dataclass(frozen=True, slots=True)
class Change:
    """What one cause added to the bill, fen (negative: took away).

    Attributes:
        line_kind: charge, discount, late fee or opening balance.
        cause: within a charge that both periods have; None for what is new, gone or no charge.
    """

    item_name: str
    subject_kind: SubjectKind
    subject_code: str
    line_kind: LineKind
    kind: ChangeKind
    amount: Money
    cause: Cause | None = None
    was: str = ""
    now: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A period's charges against those of an earlier one, as issued; `changes` sum to
    `difference`, the largest first.
    """

    base: Period
    before: Money
    after: Money
    changes: tuple[Change, ...]

    @property
    def difference(self) -> Money:
        """How much more than in the earlier period, fen."""
        return self.after - self.before


def earlier_periods(bills: Sequence[BillState], period: Period) -> list[Period]:
    """What to compare a period of a home with: the last one that was billed before it, and the
    same month of the year before, if that was billed.
    """
    before = sorted({bill.period for bill in bills if bill.period < period})
    last_year = Period(f"{period.start.year - 1}-{period.start.month:02d}")
    return list(dict.fromkeys([*before[-1:], *(one for one in before if one == last_year)]))


def compare(
    session: Session,
    bills: Sequence[BillState],
    period: Period,
    base: Period,
    *,
    fees: Collection[FeeKind] = (),
) -> Comparison:
    """Compare two periods of one home.

    Args:
        bills: the home's bills that the asker may see; those of both periods among them.
        fees: only these fees; none: all.
    """
    now = _lines(session, [bill for bill in bills if bill.period == period], fees)
    was = _lines(session, [bill for bill in bills if bill.period == base], fees)
    changes = [
        change
        for key in dict.fromkeys([*now, *was])
        for change in _changes(was.get(key, []), now.get(key, []))
    ]
    changes.sort(key=lambda change: -abs(change.amount.fen))
    return Comparison(base, _sum(was.values()), _sum(now.values()), tuple(changes))


_Key = tuple[str, str, LineKind]


def _lines(
    session: Session, bills: Sequence[BillState], fees: Collection[FeeKind]
) -> dict[_Key, list[LineState]]:
    """Lines of one charge together: an item of a home or a parking space, discounts apart."""
    found: dict[_Key, list[LineState]] = defaultdict(list)
    if bills:
        for line in list_lines(session, bills[0].community_id, [bill.id for bill in bills]):
            if not fees or line.fee in fees:
                found[line.item_code, line.subject_code, line.kind].append(line)
    return found


def _changes(was: Sequence[LineState], now: Sequence[LineState]) -> list[Change]:
    line = (now or was)[0]
    if was and now and line.kind is LineKind.CHARGE:
        found = effects(
            [parse_basis(one.basis) for one in was], [parse_basis(one.basis) for one in now]
        )
        return [
            Change(
                line.item_name, line.subject_kind, line.subject_code, line.kind, ChangeKind.WITHIN,
                effect.amount, effect.cause, effect.was, effect.now,
            )
            for effect in found
        ]  # fmt: skip
    amount = _sum([now]) - _sum([was])
    kind = ChangeKind.WITHIN if was and now else ChangeKind.NEW if now else ChangeKind.GONE
    change = Change(line.item_name, line.subject_kind, line.subject_code, line.kind, kind, amount)
    return [change] if amount != ZERO else []


def _sum(groups: Collection[Sequence[LineState]]) -> Money:
    return Money(sum(line.amount.fen for group in groups for line in group))
