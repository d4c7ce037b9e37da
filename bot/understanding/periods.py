"""Bill periods: months, quarters, half years, years and ranges, relative to a given today.

Days map to their month; durations, weeks, festivals, lunar months and vague words are no period.
A bare month or quarter is the latest one that has begun (rules: `README.md`).
Functions here read text that `prepare()` has cleaned.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from bot.understanding.context import is_denied, is_recalled
from bot.understanding.numerals import CN_DIGIT, CN_NUMERAL, read_int
from bot.understanding.spans import YEAR_WORDS, Calendar, Quarter, Span, Year, quarter_at, year_at

Match = re.Match[str]


@dataclass(frozen=True)
class PeriodMention:
    """Where a period stands in the text and what it means."""

    start: int
    end: int
    span: Span


_M = r"(?:1[0-2]|0?[1-9]|十[一二]?|[元一二三四五六七八九])"
_YEAR_WORD = "|".join(YEAR_WORDS)
_YEAR_NUMBER = (
    rf"(?:20\d\d|[{CN_DIGIT}]{{4}}|[12]\d|[一二][{CN_DIGIT}]"
    r"|两千[零〇]?二十[一二三四五六七八九]?)年度?"
)
_YEAR = rf"(?:(?P<year>{_YEAR_WORD}|{_YEAR_NUMBER})的?(?:那个?)?\s*)?"
_NOT_MONTH = rf"(?<![\d{CN_NUMERAL}第几历])(?<!\d\.)"
_PER_MONTH = (
    r"(?!一月(?:多少|几|要|得|收|是多|交一|一交|一付|\d|[一两三四五六七八九]百))"
    r"(?!1月(?:多少|几块|一交))"
)
_TO = r"\s*(?:到|至|-|~|—|、|和|与|跟|及|,)\s*"
_RANGE_TO = r"\s*(?:份)?\s*(?:一直)?\s*(?:到|至|-|~|—)\s*"

_FULL_DATE = re.compile(
    r"(?<![\d-])(?P<y>20\d\d)\s*[-/.年]\s*(?P<m>\d{1,2})\s*[-/.月]\s*\d{1,2}[日号]?(?![\d月-])"
)
_YEAR_MONTH = re.compile(
    r"(?<![\d.])(?P<y>20\d\d)[-/.](?P<m>1[0-2]|0?[1-9])(?![\d元块/]|-\d{1,2}(?!\d)|\.\d)"
)
_COMPACT = re.compile(r"(?<!\d)(?P<y>20[12]\d)(?P<m>0[1-9]|1[0-2])(?:[0-3]\d)?(?![\d元块.])")
_DAY_RANGE = re.compile(
    r"(?<![\d.])(?P<a>1[0-2]|[1-9])[./]([0-3]?\d)\s*(?:到|至|-|~)\s*(?P<b>1[0-2]|[1-9])[./]([0-3]?\d)(?![\d.元块])"
)
_SLASH_DAY = re.compile(r"(?<![\d/.-])(?P<m>1[0-2]|[1-9])/(?:[12]\d|3[01]|0?[1-9])(?![\d/元块])")
_RECENT = re.compile(
    rf"(?P<word>最近|近|这|过去)的?(?:这)?(?:(?P<n>\d{{1,2}}|[{CN_DIGIT}]|[{CN_DIGIT}]?十[{CN_DIGIT}]?)个?(?P<unit>月|年)"
    rf"|(?P<half>半年))(?!份)"
)
_MONTHS = re.compile(
    rf"{_YEAR}{_NOT_MONTH}(?P<a>{_M})(?:月份?)?{_RANGE_TO}(?P<b>{_M})月(?:份)?"
    rf"(?!\d{{1,2}}[日号])"
)
_LISTED = re.compile(
    rf"{_YEAR}{_NOT_MONTH}(?P<list>(?:{_M}(?:月份?)?\s*[、,和与跟及]\s*)+{_M}|[一二三四五六七八九]{{2,4}}(?=月|[两三四]个月)|十十一|十一十二)(?:月份?|[两三四]个月)"
)
_MONTH = re.compile(
    rf"{_YEAR}{_NOT_MONTH}{_PER_MONTH}(?P<m>{_M}) ?月(?:份(?!额))?(?:底|初|末|中旬|上旬|下旬)?"
    rf"(?:(?:\d{{1,2}}|[{CN_NUMERAL}]{{1,3}})[日号]|(?<=月)\d{{1,2}}(?![\d元块.月]))?"
)
_RELATIVE = re.compile(
    r"(?:(?<![早晚以])(?P<back>上+)(?:个|一个)?|(?P<now>这个?|本|当)|(?P<next>下+)(?:个|一个)?)月(?!租|供|卡)(?:份|底|初|末)?"
    r"(?:(?:\d{1,2}|[一二三四五六七八九十]{1,3})[日号])?"
)
_RELATIVE_PAIR = re.compile(r"(?P<back>上)(?:个月)?(?:和|跟|、)?(?P<now>这)(?:两个)?月")
_QUARTER = re.compile(
    rf"{_YEAR}(?:(?P<back>上+)(?:一?个|一)?季度?|(?P<now>这个?|本|当前?|当)季度?|(?P<next>下+)(?:一?个|一)?季度?"
    rf"|(?:第|头)?(?P<n>[1-4一二三四首])(?:(?<=[第头].)个)?季度?(?!节)|(?:年|-)?q(?P<q>[1-4])(?!\d))"
)
_QUARTERS = re.compile(
    rf"{_YEAR}(?:前(?P<n>[二两三23])个?季度?|(?P<a>[一二三])(?P<b>[二三四])季度)"
)
_YEAR_Q = re.compile(r"(?<!\d)(?P<y>20\d\d|[12]\d)-?q(?P<q>[1-4])(?!\d)")
_HALF = re.compile(rf"{_YEAR}(?P<half>[上下])半年")
_YEAR_START = re.compile(rf"(?P<year>{_YEAR_WORD}|{_YEAR_NUMBER})?年?初(?=以来|到|至|起|开始)")
_YEAR_ONLY = re.compile(
    rf"(?<![\d{CN_NUMERAL}第])(?P<year>{_YEAR_WORD}|{_YEAR_NUMBER})(?:全年|整年|一整年|一年|一全年|度|里|内)?"
    r"(?!底|末|初|前|后|纪|代|轻|龄|多|了|来|同期|同月|这个时候|这时候|冬天|夏天|春节|过年|\d)"
)
_BARE_YEAR = re.compile(
    r"(?<![\d.,/-])(?P<y>20[12]\d)(?=$|\s*(?:的|账单|全年|年度|和|到|至|-))(?!-\d\d?(?!\d))"
)
_NOW = re.compile(
    r"(?:份|以来|起|开始)?\s*(?:一直)?(?:到|至|-|~)\s*(?:现在|今天?|目前|眼下|当前|今日|今)"
    r"(?!年)|(?:份)?以来"
)
_JOIN = re.compile(
    r"\s*(?:份|的|起)?\s*(?P<word>一直到|到|至|-|~|、|和|与|跟|及|还有|以及|,)\s*(?:从)?|份?"
)
_AHEAD = re.compile(r"提前|预交|预存|下个?月|接下来|即将")
_FINANCIAL = str.maketrans("壹贰叁肆伍陆柒捌玖拾", "一二三四五六七八九十")
_LUNAR = re.compile(r"(?:农历|阴历|旧历)\S{1,3}月|腊月|正月|冬月|闰\S月")
_COMPARED_BEFORE = re.compile(
    r"(?:比|较|比起|相比|对比|高于|低于|超过|不如|多过|过)(?:我自己家|我自己|我家|自己家?|起|照|于|之|了)?$"
)
_WITH_BEFORE = re.compile(r"(?:和|跟|与|同|对照|拿)(?:我家)?$")
_COMPARED_AFTER = re.compile(r"\S{0,8}?(?:比|差|一样|对不上|不同|相同|持平|对照)")
_MULTIPLE_AFTER = re.compile(r"(?:份|的)*\S{0,2}(?:[两二三四五\d]|好几)倍")
_LIVED = re.compile(r"(?:住|用|交|租|干|开|买|等|过)[了过]?(?:快|有)?$")


def find_periods(text: str, today: date) -> list[PeriodMention]:
    """Every period in cleaned text, in order; ranges and adjacent months are one mention."""
    text = text.translate(_FINANCIAL)
    masked = _LUNAR.sub(lambda m: "\ue000" * len(m.group()), text)
    calendar = Calendar(today, ahead=bool(_AHEAD.search(text)))
    found: list[PeriodMention] = []
    for pattern, read in _READERS:
        for match in pattern.finditer(masked):
            span = read(match, calendar)
            if span is not None and not any(
                m.start < match.end() and match.start() < m.end for m in found
            ):
                found.append(PeriodMention(match.start(), match.end(), span))
    return _joined(sorted(found, key=lambda m: m.start), masked, calendar)


def choose_period(mentions: list[PeriodMention], text: str) -> str | None:
    """The one period the text asks about, or None when there is none or they differ.

    A period that is denied (不是9月), compared with (比上个月) or recalled (上个月才80) does
    not count.
    """
    asked = [m for m in mentions if not is_denied(text, m.start) and not _is_compared(text, m)]
    current = [m for m in asked if not is_recalled(text, m.end)] or asked
    current = with_year_apart(current)
    names = {str(mention.span) for mention in current}
    return names.pop() if len(names) == 1 else None


def with_year_apart(mentions: list[PeriodMention]) -> list[PeriodMention]:
    """12月账单 去年的那个: a month and its year said apart are one period; 三月到五月…这三个月 are
    the three months that were named.
    """
    if len(mentions) != 2:
        return mentions
    years = [m for m in mentions if isinstance(m.span, Year)]
    months = [m for m in mentions if not m.span.fixed and m.span.first == m.span.last]
    if len(years) == len(months) == 1:
        index = years[0].span.first + months[0].span.first % 12
        return [PeriodMention(months[0].start, months[0].end, Span(index, index))]
    named = mentions[0]
    lengths = [m.span.last - m.span.first for m in mentions]
    if lengths[0] == lengths[1] > 0 and not isinstance(named.span, Year):
        return [named]
    return mentions


def _is_compared(text: str, mention: PeriodMention) -> bool:
    """Whether the period is only what another one is compared with."""
    return bool(
        _COMPARED_BEFORE.search(text[: mention.start])
        or (_WITH_BEFORE.search(text[: mention.start]) and _COMPARED_AFTER.match(text, mention.end))
        or _MULTIPLE_AFTER.match(text, mention.end)
    )


def _number(raw: str) -> int:
    return 1 if raw in ("元", "首") else read_int(raw) or 0


def _read_date(match: Match, _calendar: Calendar) -> Span | None:
    month = int(match["m"])
    index = int(match["y"]) * 12 + month - 1
    return Span(index, index) if 1 <= month <= 12 else None


def _read_day_range(match: Match, calendar: Calendar) -> Span:
    last = calendar.latest(int(match["b"]), calendar.month)
    return Span(calendar.latest(int(match["a"]), last), last)


def _read_slash_day(match: Match, calendar: Calendar) -> Span:
    return calendar.month_of(None, int(match["m"]))


def _read_recent(match: Match, calendar: Calendar) -> Span | None:
    """最近/近/这 N 个月: N months ending with this one."""
    if match["half"]:
        months: int | None = 6
    else:
        months = read_int(match["n"])
        if months and match["unit"] == "年":
            months = None if match["word"] == "这" and months > 1 else months * 12
    if not months or months > 60:
        return None
    return Span(calendar.month - months + 1, calendar.month)


def _read_months(match: Match, calendar: Calendar) -> Span | None:
    first, last = _number(match["a"]), _number(match["b"])
    return _month_range(calendar, calendar.named_year(match["year"]), first, last)


def _month_range(calendar: Calendar, year: int | None, first: int, last: int) -> Span:
    """The months between two numbers; without a year the latest such range that has begun."""
    if year is not None:
        start = year * 12 + first - 1
        return Span(start, start + (last - first) % 12)
    end = calendar.latest(last, calendar.month)
    return Span(calendar.latest(first, end), end, fixed=False)


def _read_listed(match: Match, calendar: Calendar) -> Span | None:
    """三四月, 9、10月: adjacent months are a range, others none."""
    numbers = [_number(raw) for raw in _listed_numbers(match["list"])]
    if any(b - a not in (1, -11) for a, b in pairwise(numbers)):
        return None
    return _month_range(calendar, calendar.named_year(match["year"]), numbers[0], numbers[-1])


def _listed_numbers(raw: str) -> list[str]:
    parts = [part for part in re.split(r"月份?|[、,和与跟及\s]+", raw) if part]
    if len(parts) > 1:
        return parts
    return {"十十一": ["十", "十一"], "十一十二": ["十一", "十二"]}.get(raw, list(raw))


def _read_month(match: Match, calendar: Calendar) -> Span | None:
    year = calendar.named_year(match["year"])
    return None if match["year"] and year is None else calendar.month_of(year, _number(match["m"]))


def _read_relative(match: Match, calendar: Calendar) -> Span:
    offset = len(match["next"] or "") - len(match["back"] or "")
    return Span(calendar.month + offset, calendar.month + offset)


def _read_relative_pair(_match: Match, calendar: Calendar) -> Span:
    return Span(calendar.month - 1, calendar.month)


def _read_quarter(match: Match, calendar: Calendar) -> Quarter | None:
    now = calendar.month // 3
    if match["n"] or match["q"]:
        number = _number(match["n"] or match["q"])
        year = calendar.named_year(match["year"])
        if year is not None:
            return quarter_at(year * 4 + number - 1)
        candidate = calendar.year * 4 + number - 1
        return quarter_at(candidate if candidate <= now else candidate - 4)
    return quarter_at(now + len(match["next"] or "") - len(match["back"] or ""))


def _read_quarters(match: Match, calendar: Calendar) -> Span:
    """前三季度, 一二季度: quarters in a row as a range of months."""
    year = calendar.named_year(match["year"]) or calendar.year
    first, last = (
        (1, _number(match["n"])) if match["n"] else (_number(match["a"]), _number(match["b"]))
    )
    return Span(year * 12 + first * 3 - 3, year * 12 + last * 3 - 1)


def _read_year_quarter(match: Match, _calendar: Calendar) -> Quarter:
    year = int(match["y"])
    return quarter_at((year + 2000 if year < 100 else year) * 4 + int(match["q"]) - 1)


def _read_half(match: Match, calendar: Calendar) -> Span:
    year = calendar.named_year(match["year"])
    if year is None:
        begun = match["half"] == "上" or calendar.month % 12 >= 6
        year = calendar.year if begun else calendar.year - 1
    first = year * 12 + (0 if match["half"] == "上" else 6)
    return Span(first, first + 5)


def _read_year_start(match: Match, calendar: Calendar) -> Span:
    year = calendar.named_year(match["year"])
    first = (calendar.year if year is None else year) * 12
    return Span(first, first)


def _read_year(match: Match, calendar: Calendar) -> Year | None:
    year = calendar.named_year(match["year"])
    is_word = match["year"] in YEAR_WORDS
    if year is None or (not is_word and _LIVED.search(match.string[: match.start()])):
        return None
    return year_at(year)


def _read_bare_year(match: Match, _calendar: Calendar) -> Year:
    return year_at(int(match["y"]))


_READERS: tuple[tuple[re.Pattern[str], Callable[[Match, Calendar], Span | None]], ...] = (
    (_FULL_DATE, _read_date),
    (_YEAR_MONTH, _read_date),
    (_COMPACT, _read_date),
    (_YEAR_Q, _read_year_quarter),
    (_DAY_RANGE, _read_day_range),
    (_RECENT, _read_recent),
    (_QUARTERS, _read_quarters),
    (_QUARTER, _read_quarter),
    (_HALF, _read_half),
    (_YEAR_START, _read_year_start),
    (_MONTHS, _read_months),
    (_LISTED, _read_listed),
    (_MONTH, _read_month),
    (_RELATIVE_PAIR, _read_relative_pair),
    (_RELATIVE, _read_relative),
    (_SLASH_DAY, _read_slash_day),
    (_YEAR_ONLY, _read_year),
    (_BARE_YEAR, _read_bare_year),
)
"""The most specific first: what one has read, the next ones leave alone."""


def _joined(mentions: list[PeriodMention], text: str, calendar: Calendar) -> list[PeriodMention]:
    """Mentions with "到", "和" or "到现在" between or after them made into ranges."""
    result: list[PeriodMention] = []
    for mention in mentions:
        if result:
            word = _JOIN.fullmatch(text, result[-1].end, mention.start)
            span = word and _range(result[-1].span, mention.span, word["word"] or "")
            if span:
                result[-1] = PeriodMention(result[-1].start, mention.end, span)
                continue
        result.append(mention)
    return [_until_now(mention, text, calendar) for mention in result]


def _range(first: Span, second: Span, word: str) -> Span | None:
    """Two periods as one range: always after 到, for neighbours after 和 or nothing."""
    if first.fixed and not second.fixed and second.first < first.first:
        years = -((second.first - first.first) // 12)
        second = Span(second.first + 12 * years, second.last + 12 * years)
    if not first.fixed and first.first > second.last:
        years = (first.first - second.last + 11) // 12
        first = Span(first.first - 12 * years, first.last - 12 * years)
    if first.first > second.last:
        return None
    if word in ("到", "至", "-", "~", "一直到") or second.first == first.last + 1:
        return Span(first.first, second.last)
    return None


def _until_now(mention: PeriodMention, text: str, calendar: Calendar) -> PeriodMention:
    """X 到现在, X 至今, X 以来: from X to this month."""
    tail = _NOW.match(text, mention.end)
    if tail is None or mention.span.first > calendar.month:
        return mention
    return PeriodMention(mention.start, tail.end(), Span(mention.span.first, calendar.month))
