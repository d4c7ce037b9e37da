"""What a sentence about reminders sets: the hour, a pause, off or on. Nothing is guessed."""

import re
from datetime import date, timedelta

from bot.understanding.normalize import clean
from bot.understanding.numerals import CN_NUMERAL, read_int

_TIMES = {
    "早上": 9, "早晨": 9, "上午": 10, "中午": 12, "下午": 15, "傍晚": 18, "晚上": 20, "晚饭后": 19,
}  # fmt: skip
_HALF = "|".join(["凌晨", "半夜", "夜里", *_TIMES])
_CLOCK = re.compile(
    rf"(?P<half>{_HALF})?\s*(?P<hour>\d{{1,2}}|[{CN_NUMERAL}]{{1,3}})\s*(?:点|时(?!间)|:\d\d)"
)
_TIME_OF_DAY = re.compile("|".join(_TIMES))
_DAYTIME = re.compile(_HALF)
_AFTERNOON = {"下午", "傍晚", "晚上", "晚饭后"}
_MOVE = re.compile("改|换|调|挪|推|设|定|到|点再|的时候|以后|之后")
_NOT_THEN = re.compile("别|不要|不许|不准|甭|莫|勿|吵|打扰|太早|太晚")
_QUIET = re.compile("别|不要|不用|先不|暂停|免打扰|静音|停|甭|莫|勿|消停|缓")
_DAYS = re.compile(rf"(?P<count>\d{{1,2}}|[{CN_NUMERAL}]{{1,3}})\s*(?:天|日)(?:内|以内|之内)?")
_UNTIL = re.compile(
    r"(?P<month>\d{1,2}|[一二三四五六七八九十]{1,2})月"
    r"(?P<day>\d{1,2}|[一二三四五六七八九十]{1,3})(?:号|日)"
)
_WEEK = re.compile("这周|本周|这星期|这个星期|这礼拜|下周再|下星期再|下礼拜再")
_MONTH = re.compile("这个月|这月|本月|当月|下个月再|下月再|月底前|月底之前")
_OFF = re.compile(
    "(?:关|停|取消|退订|屏蔽|终止).{0,6}(?:提醒|通知|推送|消息|催|短信)|(?:提醒|通知|推送|消息|催).{0,6}(?:关|停|取消|退订|屏蔽)"
    "|(?:别|不要|不用|不想|不需要|不愿|甭|莫|勿).{0,8}(?:提醒|催|发|推送|通知|收)"
)
_ON = re.compile(
    "(?:打开|开启|恢复|重新|订阅|接收|设置|要|记得|麻烦|别忘了).{0,8}(?:提醒|通知|推送|消息)|(?:提醒|通知|推送|消息).{0,6}(?:打开|开启|恢复|开一下|开开)|提醒我|通知我"
)
_HABIT = re.compile("(?:按|根据|依|照|用).{0,4}习惯|个性化|智能")
_NOT_SO = re.compile("别|不|关|停|取消|甭|莫|勿")
PAUSE_DAYS_MAX = 60


def read_reminder(text: str, today: date) -> dict[str, str]:
    """What is to be set, by name; empty when the sentence only asks.

    `paused_until` the first day reminders may come again; `hour` 0 to 23; `off` or `on`;
    `habit` whether the hour may be learned from what he does, `yes` or `no`.

    >>> read_reminder("提醒改到晚上八点", date(2026, 11, 23))
    {'hour': '20'}
    >>> read_reminder("这个月先别催了", date(2026, 11, 23))
    {'paused_until': '2026-12-01'}
    >>> read_reminder("别再给我发提醒了", date(2026, 11, 23))
    {'off': 'yes'}
    >>> read_reminder("不要按我的习惯提醒", date(2026, 11, 23))
    {'habit': 'no'}
    >>> read_reminder("提醒几点发", date(2026, 11, 23))
    {}
    """
    plain = clean(text)
    if _HABIT.search(plain):
        return {"habit": "no" if _NOT_SO.search(plain) else "yes"}
    paused = _paused_until(plain, today) if _QUIET.search(plain) else None
    if paused is not None:
        return {"paused_until": paused.isoformat()}
    hour = _hour(plain)
    if hour is not None:
        return {"hour": str(hour)}
    if _NOT_THEN.search(plain) and (_CLOCK.search(plain) or _DAYTIME.search(plain)):
        return {}  # not at that time: at which, it does not say
    if _OFF.search(plain):
        return {"off": "yes"}
    return {"on": "yes"} if _ON.search(plain) else {}


def _paused_until(plain: str, today: date) -> date | None:
    until = _UNTIL.search(plain)
    if until:
        month, day = read_int(until["month"]), read_int(until["day"])
        return _next(month, day, today) if month and day else None
    days = _DAYS.search(plain)
    count = read_int(days["count"]) if days else None
    if count and count <= PAUSE_DAYS_MAX:
        return today + timedelta(days=count)
    if _WEEK.search(plain):
        return today + timedelta(days=7 - today.weekday())
    if _MONTH.search(plain):
        return (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    return None


def _next(month: int, day: int, today: date) -> date | None:
    """The next time this day comes, or None where there is none within the longest pause."""
    for year in (today.year, today.year + 1):
        try:
            found = date(year, month, day)
        except ValueError:
            return None
        if today < found <= today + timedelta(days=PAUSE_DAYS_MAX):
            return found
    return None


def _hour(plain: str) -> int | None:
    """The hour to be reminded at; none where a time is only said to be wrong."""
    clocks = list(_CLOCK.finditer(plain))
    if _NOT_THEN.search(plain) and not _MOVE.search(plain):
        return None
    if clocks:
        return _clock_hour(clocks[-1])
    times = _TIME_OF_DAY.findall(plain)
    return _TIMES[times[-1]] if times and _MOVE.search(plain) else None


def _clock_hour(clock: re.Match[str]) -> int | None:
    hour = read_int(clock["hour"])
    if hour is None or hour > 24:
        return None
    if clock["half"] in _AFTERNOON and hour < 12:
        return hour + 12
    return hour % 24
