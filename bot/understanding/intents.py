"""The intent of a read sentence, how sure it is, and which clause carries it."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from bot.understanding.lexicon import WordIndex, load_table
from bot.understanding.model import Model
from bot.understanding.phrasebook import BACKGROUND
from bot.understanding.scope import Clause, clauses
from bot.understanding.sentence import AMOUNT, FEE, FEES, LATE_FEE, ONE_OFF_FEE, ROOM

Refusal = Literal["staff", "neighbour"]

OTHER = "other"
STAFF = "staff."
_WEAK = {OTHER: 0.35, BACKGROUND: 0.05, "help": 0.3}
"""How much a clause of small talk counts beside one that wishes something."""

SURE = 0.85
"""Share of the votes above which no second opinion is asked."""

SECOND = 0.4
"""Votes of a phrase that is the very sentence, in shares of all other votes."""

STAFFS_WISH = 0.5
"""Share of the votes above which a sentence asks for what only staff may."""

_LAST = 1.15
"""Weight of the last clause: the wish tends to come at the end."""

_WHOLE = 0.9
"""Weight of the sentence read as one, beside its clauses (which have 1 and a bit each)."""


@dataclass(frozen=True)
class Decision:
    """The likeliest intent, its share of certainty, and the clauses that speak for it."""

    intent: str
    confidence: float
    runner_up: str
    carriers: tuple[Clause, ...]
    counted: tuple[Clause, ...]
    """All clauses that are neither denied nor postponed."""

    refusal: Refusal | None = None
    """Why the likeliest wish is none that this sender may have."""


_OTHERS = re.compile(
    r"(?<![跟和比同与帮替给像])(?:楼上|楼下|隔壁|对门|邻居|别人|别家|那户|前妻|前夫|前任|前男友|前女友|老[王李张刘陈赵周吴])"
    r"(?:那)?(?:户|家|屋|业主)?(?:的|有没有|是不是|还|到底|一共|P|N|\d{3,4})*"
    r"(?:欠|交|付|账单|账|F|缴|L|电话|手机|水电|绑|姓名)"
)
"""An owner asking about another household; never answered."""

_OURS = re.compile(f"[{FEES}{ROOM}]|物业|账单|缴费|绑定|开票|小区|人工")
_BARE_FEE = re.compile(
    rf"\W*(?:请问|那个?|然后|还有|那么|我的?|我家的?)*[{FEE}{LATE_FEE}{ONE_OFF_FEE}]+(?:呢|嘞|啊|呀|哈|嘛|吧|哦|\W)*"
)
"""A fee and nothing else asks what is owed for it."""

_FORGES = re.compile(
    rf"[{FEES}账单欠款余额]+[^,。]{{0,6}}(?:改成|改为|设置为|设为|标记成|标记为)(?:{AMOUNT}|0|零|已)"
)
"""Who wants the books to say something else."""

_COMPLAINT = re.compile(r"(?:^|[我要想得来])(?:投诉|举报|反映)")
_ABOUT_MONEY = re.compile(f"[{FEES}费钱账款票]")
"""A complaint about anything but money is for a person to hear."""

_ABOUT_ROOM = frozenset({
    "bills.due", "bills.detail", "bills.history", "payments.history", "balance", "my_rooms",
    "bills.explain_change", "staff.arrears", "staff.collection",
})  # fmt: skip
_SENDING = re.compile(
    r"(?:给|向|跟|对|和|叫|让)(?:全体|所有|全部|全小区|整个小区|大家|各位|每家|每户|M?B)的?(?:业主|住户|人|家)*的?"
    r".{0,4}(?:发|推|说|讲|通知|告诉)|(?:通知|群发|发给|告诉|广播)(?:给)?(?:全体|所有|全部|全小区|大家|各位|每家|B)"
)
"""Staff who say so send something to many, whatever it is about."""

_SELF = re.compile(r"我(?:家|的|自己|名下|住|那|这|爸|妈|就是)")


def decide(skeleton: str, model: Model, *, staff: bool) -> Decision:
    """What the sender wants now, from all clauses that count."""
    parts = clauses(skeleton) or [Clause(0, len(skeleton), skeleton, 1.0)]
    shares = [model.likelihoods(part.text, staff=staff) for part in parts]
    votes = _votes(parts, shares)
    if len(parts) > 1:
        whole = model.likelihoods(" ".join(part.text for part in parts), staff=staff)
        for name, share in whole.items():
            votes[name] += _WHOLE * share * _WEAK.get(name, 1.0)
    votes = _second_opinion(votes, parts, model)
    votes[OTHER] += votes.pop(BACKGROUND)
    staffs = sum(vote for name, vote in votes.items() if name.startswith(STAFF)) / sum(
        votes.values()
    )
    _apply_roles(votes, skeleton, staff=staff)
    ranked = sorted(votes, key=lambda name: votes[name], reverse=True)
    best = ranked[0]
    carriers = (
        tuple(part for part, share in zip(parts, shares, strict=True) if share[best] >= 0.2)
        if best in shares[0]
        else ()
    )
    refusal: Refusal | None = None
    if best == OTHER and not staff:
        is_staffs = staffs >= STAFFS_WISH or bool(_SENDING.search(skeleton))
        refusal = "neighbour" if _OTHERS.search(skeleton) else "staff" if is_staffs else None
    return Decision(
        best,
        votes[best] / sum(votes.values()),
        ranked[1],
        carriers or tuple(parts),
        tuple(parts),
        refusal,
    )


def _second_opinion(votes: dict[str, float], parts: list[Clause], model: Model) -> dict[str, float]:
    """The votes of an unsure sentence with those of the phrases it resembles."""
    total = sum(votes.values())
    if max(votes.values()) >= SURE * total:
        return votes
    text = " ".join(part.text for part in parts)
    for name, likeness in model.second_look.resemblance(text).items():
        votes[name] += SECOND * total * likeness
    return votes


def _votes(parts: list[Clause], shares: list[dict[str, float]]) -> dict[str, float]:
    """Every clause votes by its shares, but a wish is not truer for being hinted at ten times:
    its two strongest clauses count, and of small talk the strongest.
    """
    given: dict[str, list[float]] = {name: [] for name in shares[0]}
    last = len(parts) - 1
    for i, (part, share) in enumerate(zip(parts, shares, strict=True)):
        weight = part.weight * (_LAST if i == last else 1.0)
        for name, value in share.items():
            given[name].append(weight * value)
    if not last:
        return {name: votes[0] for name, votes in given.items()}
    return {
        name: _WEAK[name] * max(votes) if name in _WEAK else sum(sorted(votes)[-2:])
        for name, votes in given.items()
    }


def _apply_roles(votes: dict[str, float], skeleton: str, *, staff: bool) -> None:
    """Rules above all likeness: what is nobody's property fee is not ours, nor is changing
    the books; a fee alone asks what is owed; a home that staff name is a query of theirs; an owner
    who asks for a staff action or about another household asks for nothing we do; who wants to
    complain wants a person.
    """
    if not staff and (_is_not_ours(skeleton) or _FORGES.search(skeleton)):
        votes[OTHER] += sum(votes.values())
        return
    if _BARE_FEE.fullmatch(skeleton):
        votes["bills.due"] += sum(votes.values())
        return
    if staff:
        if _SENDING.search(skeleton):
            votes["staff.broadcast"] += votes.pop(OTHER)
        if ROOM in skeleton and not _SELF.search(skeleton):
            for name in _ABOUT_ROOM:
                votes["staff.room"] += votes.pop(name)
        return
    if ROOM in skeleton:  # whose home it is, is looked up; here it is the sender's
        votes["bills.due"] += votes.pop("staff.room")
    for name in [name for name in votes if name.startswith(STAFF)]:
        votes[OTHER] += votes.pop(name)
    if _OTHERS.search(skeleton):
        votes[OTHER] += sum(votes.values())
    elif _COMPLAINT.search(skeleton) and not _ABOUT_MONEY.search(skeleton):
        votes["human"] += sum(votes.values())


def _is_not_ours(skeleton: str) -> bool:
    """Whether it is about other people's business (话费, 外卖) and names nothing of ours."""
    return not _OURS.search(skeleton) and next(_not_ours().find(skeleton), None) is not None


@cache
def _not_ours() -> WordIndex:
    return WordIndex(load_table("not_ours.txt"))
