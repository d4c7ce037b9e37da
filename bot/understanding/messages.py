"""An order to send something, and the words to be sent, apart: only where they are clearly told
apart. Whoever sends sees them again before anything happens.

>>> split_message("群发 3栋业主：明天上午9:00停水，请储水")
('群发 3栋业主', '明天上午9:00停水，请储水')
>>> split_message("给5栋发停水通知")
('给5栋发停水通知', None)
"""

import re

from bot.understanding.sending import MOMENT, SPEED

WORDS_MIN = 4
_ORDER = re.compile(
    r"群发|通知|告知|告诉|广播|公告|推送|发给|发条|发个|发一条|发消息|提醒|催|转告|说一声|说一下|(?:给|向|跟|对).+[发说推]"
    r"|發|內容|内容|正文"
)
_NEXT_LINE = re.compile(
    r"\n(?!\s*[\da-zA-Z栋幢座号楼单元室、,，\s#-]*\d[\da-zA-Z栋幢座号楼单元室、,，\s#-]*(?:\n|$))"
)
"""A line of nothing but rooms goes on with the list before it."""

_COLON = re.compile(r"(?<!\d)[：:]|[：:](?!\d)")
_ROOM = re.compile(r"\d{1,3}\s*(?:-|栋|幢|座|号楼|#)[\d单元\s-]*\d{2,4}(?!\d|[:：月日年点])")
_SAYS = re.compile(r"(?:内容|正文)(?:是|为|如下|写)|就说(?:是|一下)?")
_QUOTED = re.compile(r"[“「『\"](?P<said>[^“”「」『』\"]{4,})[”」』\"]")
_ADDRESSED = re.compile(
    r"(?:通知|告知|告诉|群发|提醒)(?:.{0,12}?)(?:业主们?|住户们?|大家|所有人|各位|车主们?|全小区|欠费户)(?=[^的里中和、]{4})"
)
_PAUSE = re.compile(r"[，,。;；\s]+")
_MANNER = re.compile(
    r"语气|口气|温和|客气|别提|别写|发之前|给我看|帮我|群发|发通知|发个通知|通知一下|通知出去|通知一声|发出去|说一下|发公告|只发"
)
"""What tells us how to send, not those who receive it what there is."""


def split_message(text: str) -> tuple[str, str | None]:
    """The order and the words to be sent, as they were typed; None where the order stands alone
    or the words cannot be told from it.
    """
    for separator in (_COLON, _NEXT_LINE, _SAYS):
        found = separator.search(text)
        if found and _ORDER.search(text[: found.end()]):
            return _parted(text[: found.start()], text[found.end() :], text)
    quoted = _QUOTED.search(text)
    if quoted and _ORDER.search(text[: quoted.start()] + text[quoted.end() :]):
        return _parted(text[: quoted.start()] + text[quoted.end() :], quoted["said"], text)
    return _parted_by_pause(text)


def _parted_by_pause(text: str) -> tuple[str, str | None]:
    """通知3栋业主，明天停水 and 通知全体业主明天停水: behind whom it is for."""
    addressed = _ADDRESSED.search(text)
    pauses = [found for found in _PAUSE.finditer(text) if _ORDER.search(text[: found.start()])]
    ends = [
        found.span()
        for found in pauses
        if len(text[: found.start()]) > WORDS_MIN
        and not any(more.match(text, found.end()) for more in (MOMENT, SPEED, _ROOM))
    ]
    if addressed and (not ends or addressed.end() < ends[0][0]):
        ends = [(addressed.end(), addressed.end())]
    if not ends:
        return text, None
    start, end = ends[0]
    rest = text[end:]
    return (text, None) if _MANNER.search(rest) else _parted(text[:start], rest, text)


def _parted(order: str, words: str, text: str) -> tuple[str, str | None]:
    said = words.strip(" \n\r\t，,：:")
    return (order.strip(), said) if len(said) >= WORDS_MIN else (text, None)
