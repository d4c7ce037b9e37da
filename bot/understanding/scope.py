"""Clauses, and which of them carry what the sender wants done now.

A denied or postponed clause never counts (不是要交费…, 发票以后再说); one marked as first or only
now counts more, one that adds something by the way counts less.
"""

import re
from dataclasses import dataclass

_BORDER = re.compile(
    r"[,。!?;:…\n]+|(?<=[\u4e00-\u9fffA-Z]) (?=[\u4e00-\u9fffA-Z])|~"
    r"|(?=但是|不过|可是|所以|另外|顺便|然后再|然后|而且|只是想|主要是|就是想|我就想|就想问)"
)
_NOT_BUT = re.compile(r"(不是.{1,12}?)(?:,|，)?((?:而是|是想|是要|是问|我是|是[^不否吗]).+)")
_BEFORE_DOING = re.compile(
    r"^.{0,4}?(?:交|付|付款|交费|结清|付钱|缴)(?:费|款|钱|[FLE])*(?:之前|以前|前)"
)
_DENIED = re.compile(
    r"^(?:[我你FLEG]|现在|暂时|今天|这次|又|也|并|其实|但|那个){0,3}"
    r"(?:不是|并不是|没说|没有说|没有要|没要|不问|没问|没想|没有要|不想|不用|不要|先不|先不要|不急|不着急|不查|不看|不交|不开|不付|不需要)"
)
_DENIED_AFTER = re.compile(r"(?:先不|先不要|不用|不要)(?:交|付|看|管|问|开|查|弄|说|发|了)*$")
_STANDING = re.compile(
    r"提醒|催|推送|短信|通知|消息|自动|代扣|绑|不交|不认|机器|想不通|不对|不是我的|不是不|不想交|不用电梯|不起|不了|不上|不到|不开$|多收"
)
_NO_REFUSAL = re.compile(
    r"^.{0,3}(?:不是不|又不是不|没说不|不是嫌|不要.{0,4}(?:推销|推荐|发链接|发付款|给链接|发码))"
)
_LATER = re.compile(
    r"再说|回头|改天|下次|过几天|晚点|待会|等会|先放|先不管|不急|不着急|(?<![点号天])以后再|后面再|下个月再|先不交|先不要|不用看|不用管|慢慢"
    r"|(?:U|月底|发了?工资|明天|后天|周末|过两天)[^把想要提FLE]{0,5}(?:我|就|再)?(?:交|付|给|转)(?:你|掉|了|吧)*$"
)
_AFTER_THAT = re.compile(
    r"^(?:.{0,6}(?:没问题|清楚|对了|确认|看完|付完|交完|弄完|已交|之后|以后).{0,4})?(?:我|你)?再(?!发|给|说)(?:.{1,5})$|没问题.{0,3}再|付完再|交完再|已交再|看完再|清楚.{0,3}再"
)
_BY_THE_WAY = re.compile(r"^(?:顺便|另外|还有|再顺便|对了|以后|下次|而且)")
_FIRST = re.compile(r"先(?!生|前)|直接|主要|就想|我就|只想|马上|现在|赶紧|立刻|就问|只问|其实")
_WISH = re.compile(r"想|要|帮|请|能|给|怎么|多少|为什么|吗|麻烦|发|查|看")


@dataclass(frozen=True)
class Clause:
    """A stretch of the skeleton (`start` inclusive, `end` exclusive) and how much it counts."""

    start: int
    end: int
    text: str
    weight: float


def clauses(skeleton: str) -> list[Clause]:
    """The clauses that count, in order; all of them when every one is denied or postponed."""
    found = _all(skeleton)
    if len(found) < 2:
        return [_undone(clause) for clause in found]
    kept = [
        _weighed(clause)
        for clause in found
        if not _is_postponed(clause.text) and not _is_denied(clause.text)
    ]
    return kept or found


def denied_clauses(skeleton: str) -> tuple[Clause, ...]:
    """The clauses that are denied, without those that are only postponed."""
    return tuple(
        clause
        for clause in _all(skeleton)
        if _is_denied(clause.text) and not _is_postponed(clause.text)
    )


def _all(skeleton: str) -> list[Clause]:
    spans = [part for span in _split(skeleton) for part in _not_but(skeleton, *span)]
    return [Clause(start, end, skeleton[start:end], 1.0) for start, end in spans]


def _split(skeleton: str) -> list[tuple[int, int]]:
    """The borders of the clauses, punctuation left out."""
    spans, start = [], 0
    for match in _BORDER.finditer(skeleton):
        spans.append((start, match.start()))
        start = match.end()
    spans.append((start, len(skeleton)))
    return [(a, b) for a, b in spans if skeleton[a:b].strip()]


def _not_but(skeleton: str, start: int, end: int) -> list[tuple[int, int]]:
    """不是要交费是问明细 without a comma is two clauses."""
    match = _NOT_BUT.fullmatch(skeleton[start:end])
    if match is None or match[1].startswith("不是吗"):
        return [(start, end)]
    return [(start, start + match.end(1)), (start + match.start(2), end)]


def _undone(clause: Clause) -> Clause:
    """A clause without the doing it only puts off: 交之前想看明细 -> 想看明细."""
    before = _BEFORE_DOING.match(clause.text)
    if before is None or before.end() == len(clause.text):
        return clause
    start = clause.start + before.end()
    return Clause(start, clause.end, clause.text[before.end() :], clause.weight)


def _is_postponed(text: str) -> bool:
    """Whether the clause is for later, or only says before what."""
    return bool(_LATER.search(text) or _AFTER_THAT.search(text) or _BEFORE_DOING.fullmatch(text))


def _is_denied(text: str) -> bool:
    """Whether the clause denies a wish; a refusal to pay or to be reminded is a wish itself."""
    if _NO_REFUSAL.match(text):
        return True
    denied = _DENIED.match(text) or _DENIED_AFTER.search(text)
    return bool(denied) and (text.startswith("不是取消") or not _STANDING.search(text))


def _weighed(clause: Clause) -> Clause:
    clause = _undone(clause)
    weight = 1.0
    if _BY_THE_WAY.match(clause.text):
        weight *= 0.4
    if _FIRST.search(clause.text):
        weight *= 1.5
    if _WISH.search(clause.text):
        weight *= 1.3
    return Clause(clause.start, clause.end, clause.text, weight)
