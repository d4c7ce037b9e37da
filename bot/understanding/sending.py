"""How an order to send something narrows whom it is for, and when and how fast it is to leave."""

import re
from datetime import date, datetime, time, timedelta

from bot.understanding.numerals import CN_NUMERAL, read_int
from bot.understanding.rooms import find_rooms

_N = rf"(?:\d{{1,4}}|[{CN_NUMERAL}]{{1,4}})"
_MORE = r"(?P<over>超过|大于|高于|多于)?(?:满|达到?)?"
_OWES = r"(?:欠费|欠缴|欠款|欠|逾期|拖欠|没交|未交|未缴|没缴)"
_DAYS = re.compile(
    rf"{_OWES}[^,。:]{{0,4}}?{_MORE}(?P<count>{_N})(?P<unit>天|个月|年)(?P<least>以上)?"
    rf"|(?P<over2>超过)?(?P<count2>{_N})(?P<unit2>天|个月|年)(?P<least2>以上)?[^,。:]{{0,3}}"
    r"(?:没交|未交|未缴|没缴|没有交|欠费)"
)
_UNIT_DAYS = {"天": 1, "个月": 30, "年": 365}
_OVER = re.compile(r"(?:超过|大于|高于|多于)\s*[\d.,]+\s*(?:万|千|百)?(?:元|块)(?!.{0,2}以上)")
_TENANTS = re.compile(r"租户|租客|房客|承租")
# Prepared text says 我 for 本人, and 欠费 for 没交.
_OWNERS = re.compile(
    r"业主(?:本人|我)|房东|产权人|(?:只|仅)(?:发|通知|限)?(?:给|到)?业主"
    r"|(?:不含|不包括|除了?|不发给?|不要发给?)(?:租户|租客|房客)"
)
_BOTH = re.compile(
    r"(?:业主|房东)(?:和|与|、|跟|及)(?:租户|租客|房客)|(?:租户|租客)(?:和|与|、|跟|及)业主"
)
_LEFT_OUT = re.compile(r"除了|除外|不包括|不含|以外|之外")
_PLACE = r"(?:\d|[一二三四五六七八九十]+(?:栋|号楼|幢|座|单元))"
_PLACE_LEFT_OUT = re.compile(
    rf"(?:除了?|不包括|不含|不发给?|不要发给?)[^,。:]{{0,3}}{_PLACE}"
    rf"|{_PLACE}[^,。:]{{0,8}}(?:除外|以外|之外|(?:不|不要|不用)发(?!给?(?:租户|租客|房客)))"
)
_DAY = (
    r"(?P<near>今天|今日|今早|今晚|明天|明日|明早|明晚|后天|大后天)"
    r"|(?P<next>这|本|下)?个?(?:周|星期|礼拜)(?P<weekday>[一二三四五六日天])"
    r"|(?:(?P<month>\d{1,2})月)?(?P<day>\d{1,2})[日号]"
)
MOMENT = re.compile(
    rf"(?:(?:{_DAY})\s*的?\s*)?(?P<half>凌晨|早上|早晨|上午|中午|下午|傍晚|晚上)?\s*"
    rf"(?P<hour>\d{{1,2}}|[{CN_NUMERAL}]{{1,3}})\s*(?:点钟?|时|[:：])\s*"
    rf"(?:(?P<half_past>半)|(?P<minute>[0-5]?\d)分?)?\s*"
    r"(?=(?:再|定时|准时|统一|的时候)?\s*(?:[给往向][^,，。:：]{1,12}?)?(?:群发|发|推送))"
)
"""Of a text as it was typed or cleaned: 明天上午9点发."""

_NEAR = {"今": 0, "明": 1, "后": 2, "大": 3}
_AFTERNOON = frozenset({"下午", "傍晚", "晚上"})
SPEED = re.compile(r"每分钟\D{0,6}?(?P<count>\d{1,5})\s*(?:条|人|个)")
_PROGRESS = re.compile(
    r"群发.{0,6}(?:进度|结果|情况|效果|怎么样|到哪)"
    r"|(?:刚才|刚刚|上次|上一条|那条|今天|昨天).{0,4}(?:通知|公告|群发|消息).{0,8}"
    r"(?:怎么样|怎样|如何|发完|多少人|几个人|送达|到了|进度|结果|效果)"
    r"|(?:通知|公告|群发).{0,4}(?:发得|发的)(?:怎么样|怎样|如何)"
    r"|(?:通知|公告|群发).{0,8}(?:多少人|几个人|有谁)(?:看|读|收|点)"
)


def read_manner(text: str, today: date) -> dict[str, str | int]:
    """When it leaves (`send_at`, Beijing time without its zone) and how many messages a minute
    takes (`per_minute`), where cleaned text says so.
    """
    found: dict[str, str | int] = {}
    moment = MOMENT.search(text)
    at = _moment(moment, today) if moment else None
    if at is not None:
        found["send_at"] = at.isoformat()
    speed = SPEED.search(text)
    if speed and int(speed["count"]):
        found["per_minute"] = int(speed["count"])
    return found


def narrow(audience: str | None, text: str, amount: int | None) -> str | None:
    """The audience with the rooms of a list, the debt and the role that prepared text names.

    Args:
        amount: the sum it names, fen.
    """
    parts = [part for part in (audience or "").split("&") if part and part != "all"]
    rooms = [] if _LEFT_OUT.search(text) else list(dict.fromkeys(map(_room, find_rooms(text))))
    if len(rooms) > 1:
        places = ("room:", "building:", "unit:")
        parts = [f"room:{','.join(rooms)}", *(p for p in parts if not p.startswith(places))]
    if "overdue" in parts:
        days = _days(text)
        parts += [f"days:{days}"] if days else []
        over = 1 if _OVER.search(text) else 0
        parts += [f"owed:{amount + over}"] if amount else []
    role = None if _BOTH.search(text) else _role(text)
    parts += [f"role:{role}"] if role else []
    return "&".join(parts) or audience


def leaves_places_out(text: str) -> bool:
    """Whether buildings or homes are named as those it is not for. No audience says that, and it
    must not be taken for its opposite.
    """
    return bool(_PLACE_LEFT_OUT.search(text))


def asks_for_progress(text: str) -> bool:
    """Whether staff ask how a broadcast is doing."""
    return bool(_PROGRESS.search(text))


def _room(mention: object) -> str:
    return str(getattr(mention, "room", mention))


def _role(text: str) -> str | None:
    if _OWNERS.search(text):
        return "owner"
    return "tenant" if _TENANTS.search(text) else None


def _days(text: str) -> int | None:
    """Days a debt is old at least: 超过90天 is 91, 90天以上 is 90."""
    found = _DAYS.search(text)
    if found is None:
        return None
    count = read_int(found["count"] or found["count2"])
    if not count:
        return None
    is_over = (found["over"] or found["over2"]) and not (found["least"] or found["least2"])
    return count * _UNIT_DAYS[found["unit"] or found["unit2"]] + (1 if is_over else 0)


def _moment(found: re.Match[str], today: date) -> datetime | None:
    """None for a time or a day there is not."""
    half = found["half"] or ("晚上" if (found["near"] or "").endswith("晚") else "")
    hour = read_int(found["hour"])
    minute = 30 if found["half_past"] else int(found["minute"] or 0)
    if hour is None:
        return None
    if (half in _AFTERNOON and hour < 12) or (half == "中午" and hour < 3):
        hour += 12
    try:
        return datetime.combine(_day(found, today), time(hour, minute))
    except ValueError:
        return None


def _day(found: re.Match[str], today: date) -> date:
    """Raises ValueError for a day there is not."""
    if found["near"]:
        return today + timedelta(days=_NEAR[found["near"][0]])
    if found["weekday"]:
        wanted = "一二三四五六日".index(found["weekday"].replace("天", "日"))
        if found["next"] == "下":
            return today + timedelta(days=7 - today.weekday() + wanted)
        return today + timedelta(days=(wanted - today.weekday()) % 7)
    if found["day"]:
        month = int(found["month"] or today.month)
        day = date(today.year, month, int(found["day"]))
        if day < today and found["month"]:
            return day.replace(year=today.year + 1)
        return day
    return today
