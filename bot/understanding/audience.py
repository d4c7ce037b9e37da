"""Whom a staff message is meant for: all, overdue, parking, buildings, one unit, one home."""

import re

from bot.understanding.numerals import CN_NUMERAL, read_int

_N = rf"(?:\d{{1,3}}|[{CN_NUMERAL}]{{1,3}}|[a-z](?![a-z]))"
_MARK = r"(?:号楼|栋楼|栋|幢|座|#楼|#|懂|动|洞|号院)"
_UNITS = re.compile(
    rf"(?<![\d{CN_NUMERAL}])(?P<building>{_N})\s*(?:{_MARK}|号)\s*的?(?P<unit>{_N})\s*(?:单元|门)"
)
_BUILDING_RANGE = re.compile(
    rf"(?<![\d{CN_NUMERAL}])(?P<a>{_N})\s*{_MARK}?\s*(?:到|至|-|~)\s*(?P<b>{_N})\s*{_MARK}"
)
_BUILDINGS = re.compile(
    rf"(?<![\d{CN_NUMERAL}a-z])(?:{_N}\s*(?:{_MARK}?\s*(?:、|,|和|与|跟|及|还有)|{_MARK})\s*)*{_N}\s*{_MARK}(?!\s*\d{{2,4}}(?!\d|月|日|号|年|点))"
)
_TAKEN_BACK = re.compile(
    r"(?<!是)不是[^是?？]{1,8}是(?!不是)|(?:啊不|诶不|不对|说错了|打错了)\W*是?(?=.*(?:栋|幢|座|号楼|楼|#|单元))"
)
_OVERDUE = re.compile(r"欠费|逾期|欠|没交|未交|没有交|拖着|不交的|催费|没给钱|还没付")
_PARKING = re.compile(
    r"车主|有车的|停车的(?:人|业主|户)|(?:有|租|买)了?(?:车位|月卡|停车)|车位(?:业主|户|的业主)|停车(?:户|业主|用户)|月卡(?:用户|业主|户)|开车的"
)
_EVERYBODY = re.compile(
    r"全体|所有|全部|全小区|整个小区|大家|各位|全员|每家|每户|小区里|整小区|人人|都通知|都发"
)
_ALL = re.compile(
    r"全体|所有|全部|全小区|整个小区|大家|群发|各位|全员|每家|每户|小区里|整小区|广播|都通知|都发|公告|通知"
)


def building_scope(text: str) -> str | None:
    """The buildings or the one unit that prepared text names: building:9, unit:4-1."""
    text = _TAKEN_BACK.split(text)[-1]
    unit = _UNITS.search(text)
    if unit:
        return f"unit:{_name(unit['building'])}-{_name(unit['unit'])}"
    span = _BUILDING_RANGE.search(text)
    if span and _name(span["a"]).isdigit() and _name(span["b"]).isdigit():
        first, last = int(_name(span["a"])), int(_name(span["b"]))
        if first < last <= first + 50:
            return "building:" + ",".join(map(str, range(first, last + 1)))
    names = [
        _name(raw) for match in _BUILDINGS.finditer(text) for raw in re.findall(_N, match.group())
    ]
    named = list(dict.fromkeys(name for name in names if name))
    return f"building:{','.join(named)}" if named else None


def broadcast_audience(text: str, room: str | None) -> str | None:
    """Everybody a broadcast is for: a place, and of it the overdue or those who park."""
    if room:
        return f"room:{room}"
    parts = [building_scope(text)]
    if _OVERDUE.search(text):
        parts.append("overdue")
    if _PARKING.search(text):
        parts.append("parking")
    if not any(parts) and _ALL.search(text):
        parts.append("all")
    return "&".join(part for part in parts if part) or None


def names_everybody(text: str) -> bool:
    """Whether prepared text says in words that all are meant; 群发 alone does not."""
    return bool(_EVERYBODY.search(text))


def _name(raw: str) -> str:
    """12 -> 12, 十二 -> 12, a -> A."""
    if raw.isalpha() and raw.isascii():
        return raw.upper()
    value = read_int(raw)
    return str(value) if value else ""
