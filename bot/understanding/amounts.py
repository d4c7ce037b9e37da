"""Sums of money in fen: exact or not at all.

Approximations, unit prices, foreign money, ranges and more than two decimals are no amount
(rules: `README.md`). Functions here read text that `prepare()` has cleaned.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from bot.understanding.context import is_denied, is_usual
from bot.understanding.numerals import CN_DIGIT, CN_NUMERAL, read_number

_NUM = (
    rf"(?:\d(?:[\d,]*\d)?(?:\.\d+)?|[{CN_NUMERAL}])(?:[{CN_NUMERAL}]|[kw](?![a-z])|\d+(?:\.\d+)?)*"
    rf"(?:(?<=[{CN_NUMERAL}])点[{CN_DIGIT}]{{1,3}}(?![{CN_NUMERAL}分钟半刻]))?"
)
_BEFORE = rf"(?<![\d.{CN_NUMERAL}a-z])"
_COUNTED = "个月号日天栋次平吨度方立辆户小年季楼层单"
_YUAN = r"(?:块钱|元钱|块|元|圆|人民币|rmb|cny|大洋|蚊)"
_SMALL = rf"(?:\d{{1,2}}|[{CN_DIGIT}])"

_MONEY = re.compile(
    rf"{_BEFORE}(?P<sign>¥|rmb|人民币)?\s*(?P<yuan>{_NUM})\s*(?P<more>[多来几余好])?"
    rf"(?:(?<=.) ?(?P<unit>{_YUAN})"
    rf"(?:(?P<half>半)(?![年个月天])|零?(?P<jiao>{_SMALL})(?:毛|角)(?:零?(?P<jfen>{_SMALL})分?)?"
    rf"|零?(?P<fen>{_SMALL})分|(?P<tail>零?(?!一[^一二三四五六七八九]){_SMALL}{{1,2}})(?![\d.{_COUNTED}]))?)?"
    rf"(?:钱|整|正)*"
)
_JIAO = re.compile(
    rf"{_BEFORE}(?<![块元圆])(?P<jiao>{_SMALL})(?:毛|角)(?:零?(?P<jfen>{_SMALL})分?)?(?:钱)?(?!形|落|度)"
)
_FEN = re.compile(rf"{_BEFORE}(?<![块元圆毛角点时])(?P<fen>{_SMALL})分(?:钱|$|(?=[,。的]))")

_APPROX_BEFORE = re.compile(
    r"(?:大概|大约|约|差不多|将近|接近|近|(?<!尽)快|不到|没到|至少|最多|起码|估计|可能|几乎|小|大几|好几|几|数|(?<![单面表网机头])上|多则|少则|顶多|约莫|大致|左右)"
    r"(?:有|是|要|得|到|收)?\s*$"
)
_APPROX_AFTER = re.compile(
    r"\s*(?:\+|多|来(?!交|付)|几|余(?!额)|左右|上下|出头|以内|以下|好几|的样子|不到|上下|这样子|吧左右|大概|差不多)"
)
_RANGE_AFTER = re.compile(rf"\s*(?:到|至|-|~|、|或者?|还是)\s*[¥]?{_NUM}")
_RANGE_BEFORE = re.compile(rf"{_NUM}{_YUAN}?\s*(?:到|至|-|~|、|或者?|还是)\s*[¥]?$")
_FOREIGN = re.compile(
    r"\s*(?:美元|美金|美刀|刀|欧元|欧|英镑|港币|港元|港纸|日元|日币|韩元|台币|新台币|澳元|加元|卢布|泰铢"
    r"|usd|hkd|eur|jpy|gbp|dollar|euro|澳门)"
)
_FOREIGN_SIGN = re.compile(
    r"(?:us|hk|nt)?[$€£]\s*$|(?:usd|hkd|eur|美金|美元|港币|台币|澳门币|葡币|日元|日币|韩元|欧元|英镑|澳元)\s*$"
)
_UNIT = (
    r"(?:平方米|平方|平米|平|m2|度电?|吨水?|立方米?|立方|方|个月|月|年|天|日|小时|辆|户|季度"
    r"|个季度|车位|人)"
)
_RATE_BEFORE = re.compile(
    rf"(?:每|按|(?<![上下前这近第])[一单]个?)(?:一)?{_UNIT}(?:[^,。\d]{{0,4}})?$"
)
_RATE_AFTER = re.compile(rf"\s*(?:/|每|(?<![第])一|的?单价)\s*(?:个|一)?{_UNIT}(?!半载|起)")
_MEASURE = re.compile(
    r"\s*(?:个|月|年|日|号|天|周|时|点|分钟|分(?!钱)|秒|楼|层|栋|幢|座|室|房|户|单元|门|期|区|平|m2|度|吨|方|立方|次"
    r"|遍|条|张|份|笔|位|人|口|岁|辆|台|套|间|米|公里|斤|折|成|%|后(?!付|交)|届|路|弄|页|项|倍|小时|季度|#|杠|分之|把|根|件|字"
    r"|级|家|栏|幅|起(?!交)|下|半|些|样|边|直|共|般|定|旦|会|块儿|趟|圈|段|回|瓶|车|桶|期|代|单|次|[a-z]|[-/:]\d|\.\d)"
)
_TOGETHER = re.compile(r"(?:一块)(?=儿|交|付|结|算|弄|给|去|来|转|缴|办|查|看|发|都)")
_NUMBER_OF = re.compile(
    r"(?:尾号|卡号|编号|户号|单号|流水号|工号|车牌号?|验证码|电话|手机号?)[是为:]?\s*$"
)
_RHETORIC = re.compile(r"\s*(?:钱)?(?:都|也)(?:没|不|别|休)")
_BARE_BEFORE = re.compile(
    r"(?:费|账|单|额|款|钱|金|摊|交|付|充值|充|存|转|打|扣|收|欠|退|补|花|要|是|了|我|才|到|成|共|给|还|冲|预存|抵|剩|用|超过|大于|满|过"
    r"|先|电|水|气|暖|这|那|个|显示|写|变|突然|竟然|居然|飙到|干到|怎么|为什么|就|结清|合计|总|叫|催|出|起|者)\s*:?$"
)
_BARE_AFTER = re.compile(
    r"\s*(?:这个?数|的?(?:物业|停车|水费|电费|燃气费|暖气费|公摊|垃圾费|账单|费用)|是(?:哪|什么|怎么)|怎么(?:来|算)|哪来|以上)"
)
_CUE = re.compile(r"怎么|为什么|收|扣|账单|显示|这次|这个月|这回|涨|变成")


@dataclass(frozen=True)
class AmountMention:
    """Where a sum stands in the text; `fen` is None when it is not exact."""

    start: int
    end: int
    fen: int | None


def find_amounts(text: str, *, bare: bool) -> list[AmountMention]:
    """Every sum in cleaned text, in order; with `bare` also any number that counts nothing else.

    Without `bare`, a number without 元 counts only after a word of money (交500, 物业费412.8).
    """
    masked = _TOGETHER.sub("\ue000\ue000", text)
    found: list[AmountMention] = []
    for pattern in (_JIAO, _FEN, _MONEY):
        for match in pattern.finditer(masked):
            if any(m.start < match.end() and match.start() < m.end for m in found):
                continue
            if _is_money(match, masked, bare=bare):
                found.append(AmountMention(match.start(), match.end(), _fen(match, masked)))
    return sorted(found, key=lambda m: m.start)


def choose_amount(mentions: list[AmountMention], text: str) -> int | None:
    """The one exact sum the text is about, or None; with two, the charge asked about."""
    asked = [m for m in mentions if m.fen is not None and not is_denied(text, m.start)]
    charged = [m for m in asked if not is_usual(text, m.start)] or asked
    if len({m.fen for m in charged}) > 1:
        charged = [m for m in charged if _CUE.search(text[max(0, m.start - 8) : m.start])]
    sums = {m.fen for m in charged}
    return sums.pop() if len(sums) == 1 else None


def _is_money(match: re.Match[str], text: str, *, bare: bool) -> bool:
    """Whether a number is a sum at all: it has a unit, or stands where only money can."""
    groups = match.groupdict()
    before, end = text[: match.start()], match.end()
    if (
        before.endswith(("第", "/", ":", "-"))
        or _NUMBER_OF.search(before)
        or _RHETORIC.match(text, end)
    ):
        return False
    if "yuan" not in groups:
        return True
    if groups["unit"]:
        return groups["yuan"] != "一" or text[end : end + 1] not in ("起", "地", "石", "砖")
    if groups["sign"] or _FOREIGN.match(text, end):
        return True
    if _MEASURE.match(text, end) or groups["more"]:
        return bool(groups["more"]) and read_number(groups["yuan"]) is not None
    raw = groups["yuan"]
    if len(re.sub(r"\D", "", raw.partition(".")[0])) >= 7:
        return False
    written = raw[0].isdigit() or len(raw) > 1 or raw == "十"
    if bare:
        return written or text.strip() == raw
    big = raw[0].isdigit() or any(ch in raw for ch in "十百千万佰仟拾")
    if re.fullmatch(r"\d+\.\d{1,2}", raw):
        return True
    plain = len(raw) > 1 and not before.endswith(("个", "楼", "栋"))
    return (
        written
        and big
        and bool(
            (before and _BARE_BEFORE.search(before)) or (plain and _BARE_AFTER.match(text, end))
        )
    )


def _fen(match: re.Match[str], text: str) -> int | None:
    """The exact sum of one match in fen, or None for approximations, rates, foreign money."""
    groups = match.groupdict()
    if groups.get("more") or _is_inexact(match, text):
        return None
    yuan = read_number(groups["yuan"]) if groups.get("yuan") else Decimal(0)
    if yuan is None:
        return None
    fen = yuan * 100
    if groups.get("half"):
        fen += 50
    fen += _digit(groups.get("jiao")) * 10 + _digit(groups.get("jfen")) + _digit(groups.get("fen"))
    fen += _tail_fen(groups.get("tail"))
    return int(fen) if fen == int(fen) and fen > 0 else None


def _is_inexact(match: re.Match[str], text: str) -> bool:
    before, end = text[: match.start()], match.end()
    return bool(
        _APPROX_BEFORE.search(before)
        or _APPROX_AFTER.match(text, end)
        or _RANGE_AFTER.match(text, end)
        or _RANGE_BEFORE.search(before)
        or _FOREIGN.match(text, end)
        or _FOREIGN_SIGN.search(before)
        or _RATE_BEFORE.search(before)
        or _RATE_AFTER.match(text, end)
    )


def _digit(raw: str | None) -> int:
    return int(read_number(raw) or 0) if raw else 0


def _tail_fen(raw: str | None) -> int:
    """What follows 块 without a unit: 3块5 is 50 fen, 3块55 is 55, 3块零5 is 5."""
    if not raw:
        return 0
    digits = "".join(str(_digit(ch)) for ch in raw)
    return int(digits) * 10 if len(digits) == 1 else int(digits)
