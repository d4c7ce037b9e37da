"""Addresses of homes: building-unit-room or building-room, exact or not at all.

A room number is never guessed: missing building, missing room, four parts, two different homes,
a parking bay, a phone number or a date give None (rules: `README.md`).
Functions here read text that `prepare()` has cleaned.
"""

import re
from dataclasses import dataclass, replace

from bot.understanding.numerals import CN_NUMERAL, read_int

_N = rf"(?:\d+|[{CN_NUMERAL}])(?:\d|[{CN_NUMERAL}])*"
_GAP = r"[\s,、.的那个嗯额就是里面()]*"
_DASH = r"\s*(?:-+|/|杠|横杠|一杠|_)\s*"
_BUILDING = rf"(?P<building>[a-z](?!\d)|[a-z]?\d{{1,3}}[a-z]?|[{CN_NUMERAL}]{{1,4}})"
_BUILDING_MARK = (
    r"(?P<mark>号楼|号院|栋楼|幢楼|座楼|#楼|栋|幢|座|号|#|懂|动|洞|冻|董|东(?=.{1,3}单元)"
    r"|楼(?=.{1,4}(?:单元|门)))"
)
_ENTRANCE = r"(?P<entrance>\d{1,2}|[a-z]|[一二三四五六七八九十两幺壹贰叁肆伍]{1,3})"
_ENTRANCE_MARK = r"(?:单元|单园|单员|单远|单原|单圆|丹元|担元|门|号门|梯口)"
_FLOOR = rf"(?:(?P<floor>{_N})\s*(?:层|楼)\s*)?"
_ROOM = r"(?P<room>\d{1,5}(?:[a-z](?![a-z]))?|[" + CN_NUMERAL + r"]{1,7})"
_NOT_ROOM = (
    r"(?!\d|(?!["
    + CN_NUMERAL
    + r"]{1,2}(?:月|季))["
    + CN_NUMERAL
    + r"]|\s*(?:栋|幢|座|号楼|单元|层|块|元|圆|度|吨|方|平|月|季度|年|日|天"
    r"|点|时|个|次|家|人|折|%|分|期|弄|路|米|岁|毛|万|楼)|[-/.]\s*\d|#|\.\d|年)"
)
_BEFORE = rf"(?<![\d{CN_NUMERAL}a-z#/.第-])"
_LANE_DATE = r"(?<!月)"

_MARKED = re.compile(
    rf"{_BEFORE}{_LANE_DATE}{_BUILDING}\s*{_BUILDING_MARK}(?:{_GAP}|{_DASH})"
    rf"(?:{_ENTRANCE}(?:\s*{_ENTRANCE_MARK}(?:{_GAP}|{_DASH})|{_DASH}))?"
    rf"{_FLOOR}{_ROOM}{_NOT_ROOM}(?P<end>\s*(?:号房间|号房|号室|房间|室|房|户|号)?)"
)
_DASHED = re.compile(
    rf"(?<![\d{CN_NUMERAL}a-z/.-])#?(?P<building>[a-z]|\d{{1,3}}|[{CN_NUMERAL}]{{1,3}})\s*(?P<mark>#)?{_DASH}"
    rf"(?:{_ENTRANCE}{_DASH})?{_ROOM}{_NOT_ROOM}(?P<end>\s*(?:室|房|号房|户)?)(?P<floor>)"
)
_SPACED = re.compile(
    r"(?<![\d/.-])(?P<building>\d{1,2}) (?P<entrance>\d) (?P<room>\d{3,4})(?![\d/.-])"
    r"(?P<mark>)(?P<end>室?)(?P<floor>)"
)
_REVERSED = re.compile(
    rf"(?<![\d-])(?P<room>\d{{3,4}})(?P<end>室|房|号房)?[\s,在]*{_BUILDING}\s*(?P<mark>号楼|栋|幢|座|#)"
    rf"(?:{_GAP}{_ENTRANCE}\s*{_ENTRANCE_MARK})?(?!{_GAP}\d)(?P<floor>)"
)
_LABELLED = re.compile(
    rf"(?:栋号|楼号|幢号|楼栋)[:是]?\s*{_BUILDING}\s*(?P<mark>,?)\s*"
    rf"(?:单元号?[:是]?\s*{_ENTRANCE}\s*,?\s*)?(?:房号|房子|室号|房间号?|门牌号?)[:是]?\s*{_ROOM}"
    r"(?P<end>\s*室?)(?P<floor>)"
)
_ORDINAL = re.compile(rf"第(?=(?:\d|[{CN_NUMERAL}])+\s*(?:栋|幢|座|号楼|单元|门|室|层))")
_MORE = re.compile(
    rf"\s*(?:和|与|跟|及|、|,|/|或者?|还是|以及|还有|到|至|~)\s*(?:{_N})(?=\s*(?:室|房|$|[,。的两都也这]))"
)
_PARKING_AFTER = re.compile(r"\s*号?的?(?:车位|车库|泊位)(?!费|管理|月租|租)")
_PARKING_BEFORE = re.compile(r"(?:车位|车库|地库|泊位|负[一二三]层)号?[是为:]?\s*$")
_DATE = re.compile(r"\d{2}-(?:0\d|1[0-2])-[0-3]\d|\d{1,2}-[0-3]?\d")
_DENIED_BEFORE = re.compile(r"(?:不是|并非|不在|不叫|而非|别是)(?:我家|在|什么)?\s*$")
_DENIED_AFTER = re.compile(
    r"(?:的?(?:水|电|燃气|物业|停车|垃圾|公摊|暖气)费)?[\s,。的]*(?:哦|啊|诶|等下|等一下|等等)?[\s,]*"
    r"(?:不是\s*(?=[\d一二三四五六七八九十]{1,2}(?:单元|栋|号楼|幢)\W*(?:是|$))|不是\s*(?=\d{3,4}\W*是\s*\d{3,4})|不对|错了|写错|打错|说错|输错|发错|搞错|口误|不是这|更正|改成|哦不|不不)"
)
_FRAGMENT = re.compile(
    rf"(?:(?<!不)是|应该是|改成|改为|换成|哦不|不对|错了|更正|不,)[\s,:是应该]*(?:{_BUILDING}\s*(?:号楼|栋|幢|座|#))?"
    rf"{_GAP}(?:{_ENTRANCE}\s*单元)?{_GAP}(?P<room>\d{{3,4}}|[{CN_NUMERAL}]{{3,6}})?"
)


@dataclass(frozen=True)
class Room:
    """One home's address; `entrance` is None where buildings have no units."""

    building: str
    entrance: str | None
    number: str

    def __str__(self) -> str:
        parts = (self.building, self.entrance, self.number)
        return "-".join(part for part in parts if part)


@dataclass(frozen=True)
class RoomMention:
    """Where an address stands in the text; `denied` when the writer takes it back."""

    start: int
    end: int
    room: Room
    denied: bool = False


def find_rooms(text: str) -> list[RoomMention]:
    """Every full address in cleaned text, in order, parking bays and dates left out."""
    text = _ORDINAL.sub(" ", text)
    found: list[RoomMention] = []
    for pattern in (_LABELLED, _MARKED, _DASHED, _SPACED, _REVERSED):
        for match in pattern.finditer(text):
            room = _room(match, text)
            if room and not any(m.start < match.end() and match.start() < m.end for m in found):
                found.append(_mention(match, room, text))
    return _with_corrections(sorted(found, key=lambda m: m.start), text)


def choose_room(mentions: list[RoomMention], text: str) -> str | None:
    """The one home the text is about, or None when there is none or more than one."""
    affirmed = [m for m in mentions if not m.denied]
    if len({m.room for m in affirmed}) != 1:
        return None
    last = affirmed[-1]
    more = _MORE.match(text, last.end)
    if more and not text[more.end() :].lstrip().startswith(("块", "元")):
        return None
    return str(last.room)


def _mention(match: re.Match[str], room: Room, text: str) -> RoomMention:
    """The mention with its denial, if the words around it take it back."""
    before, after = text[: match.start()], text[match.end() :]
    denied = bool(_DENIED_BEFORE.search(before) or _DENIED_AFTER.match(after))
    return RoomMention(match.start(), match.end(), room, denied)


def _with_corrections(found: list[RoomMention], text: str) -> list[RoomMention]:
    """Adds the home meant by "…501，说错了，是502": the parts named last, the rest as before."""
    if not found or any(not m.denied for m in found):
        return found
    last = found[-1]
    for match in _FRAGMENT.finditer(text, last.end):
        parts = match.groupdict()
        if any(parts.values()):
            room = _merged(last.room, parts)
            if room:
                return [*found, RoomMention(match.start(), match.end(), room)]
    return [replace(last, denied=False)] if _is_complaint(text, last) else found


def _is_complaint(text: str, mention: RoomMention) -> bool:
    """ "3-2-501 的账单不对": the bill is wrong, not the address."""
    return not _DENIED_BEFORE.search(text[: mention.start]) and len(text) <= mention.end + 6


def _merged(room: Room, parts: dict[str, str | None]) -> Room | None:
    building = _building(parts["building"]) if parts["building"] else room.building
    entrance = _building(parts["entrance"]) if parts["entrance"] else room.entrance
    number = _number(parts["room"], None) if parts["room"] else room.number
    return Room(building, entrance, number) if building and number else None


def _room(match: re.Match[str], text: str) -> Room | None:
    """The address of one match, or None when it only looks like one."""
    mark, whole = match["mark"] or "", match.group()
    raw = match["room"]
    if not mark and (_PARKING_AFTER.match(text, match.end()) or _DATE.fullmatch(whole)):
        return None
    if _PARKING_BEFORE.search(text[: match.start()]):
        return None
    if not mark and not match["entrance"] and not _enough_digits(raw, 3):
        return None
    counts_homes = match["end"].strip() == "户" and not (match["entrance"] or match["floor"])
    if counts_homes and not _enough_digits(raw, 4):  # 5栋120户
        return None
    if mark == "号" and not match["entrance"] and not _enough_digits(raw, 3) and "室" not in whole:
        return None
    if not match["entrance"] and match["end"].strip() == "号" and not _enough_digits(raw, 3):
        return None
    building = _building(match["building"])
    number = _number(raw, match["floor"])
    if building is None or number is None:
        return None
    entrance = _building(match["entrance"]) if match["entrance"] else None
    return Room(building, entrance, number)


def _enough_digits(raw: str, least: int) -> bool:
    """Whether a written room number has that many digits (Chinese ones by value)."""
    return len(raw) >= least if raw[0].isdigit() else (read_int(raw) or 0) >= 10 ** (least - 1)


def _building(raw: str) -> str | None:
    """12 -> 12, 十二 -> 12, b -> B, 07 -> 7."""
    if re.fullmatch(r"[a-z]?\d*[a-z]?", raw):
        return raw.lstrip("0").upper() or None
    value = read_int(raw)
    return str(value) if value else None


def _number(raw: str, floor: str | None) -> str | None:
    """The room number without leading zeros; with a floor, 18层03室 is 1803."""
    digits = _digits(raw)
    if digits is None:
        return None
    storey = read_int(floor) if floor else None
    if storey:
        same_floor = len(digits) > 2 and digits.startswith(str(storey))
        return digits if same_floor else f"{storey}{digits:>02}"
    if len(re.sub(r"\D", "", digits)) < 2:
        return None
    return digits.lstrip("0").upper() or None


def _digits(raw: str) -> str | None:
    """五零一 -> 501, 一千二百零一 -> 1201, 十二零三 -> 1203, 0501 -> 0501."""
    if raw[0].isdigit():
        return raw
    spoken = re.fullmatch(r"([一二三]?十[一二三四五六七八九]?)([零〇][一二三四五六七八九])", raw)
    if spoken:
        return f"{read_int(spoken[1])}0{read_int(spoken[2][1])}"
    value = read_int(raw)
    if value is None:
        return None
    zeros = len(raw) - len(raw.lstrip("零〇"))
    return "0" * zeros + str(value)
