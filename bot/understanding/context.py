"""Words around a room, period, amount or fee that take it back or push it into the background."""

import re

_DENIED = re.compile(
    r"(?:不是|并非|又不是|别提|不提|别说|不问|不查|不看|不交|不付|没问|没说|除了|除|别算|不算|不包括|不含|而非|不要|不开)"
    r"(?:问|说|查|看|要|交|付|想|我|我家|的|关于|算|开|收|指)*$"
)
_PAYING = frozenset("交缴付")
"""Verbs a fee's name may begin with (交物业费)."""

_RECALLED = re.compile(
    r"(?:份|的|我家|[a-z]|.费|[水电]){0,4}(?:才|只|都是|一直|还是|明明|不过|仅|就|也就|都才|都只)"
)
_EXCLUDED = re.compile(r"的?(?:不算|除外|之外|以外|不包括|不含|先不|暂时不)")
_USUAL = re.compile(
    r"(?:应该|本来|原来|原本|以前|之前|上次|上回|上个月|上月|去年|往常|往年|平时|平常|一般|通常|正常|从前|过去"
    r"|每次|向来|历来|说好|讲好|合同)\S{0,7}$"
)
_RISEN_FROM = re.compile(r"从[^\s变涨到升]{0,4}$")
_CORRECTING = re.compile(
    r"不对|算了|啊不|诶不|[说搞打写记]错|错了|口误|更正|(?:^|\W)(?:份|的|那个)?\W*(?:噢|哦|啊|嗯)?不是\W*(?:是|$)|[^是]不是\W*是?$"
    r"|(?:^|\W)不\W*$|改成|换成"
)
_NOT_CORRECTING = re.compile("是不是|对不对|账.{0,2}不对|算错|收错|抄错|多收")


def is_denied(text: str, start: int) -> bool:
    """Whether the words right before `start` deny what stands there: 不是…, 除了…."""
    verb = text[start : start + 1] if text[start : start + 1] in _PAYING else ""
    return bool(_DENIED.search(text[max(0, start - 8) : start] + verb))


def is_excluded(text: str, end: int) -> bool:
    """Whether the words right after `end` leave it out: …不算, …之外."""
    return bool(_EXCLUDED.match(text, end))


def is_recalled(text: str, end: int) -> bool:
    """Whether the words right after `end` make it a thing of the past: …才80, …都是80."""
    return bool(_RECALLED.match(text, end))


def is_usual(text: str, start: int) -> bool:
    """Whether the words right before `start` make it the usual or earlier value: 平时…, 从…."""
    before = text[max(0, start - 12) : start]
    return bool(_USUAL.search(before) or _RISEN_FROM.search(before))


def is_corrected(between: str) -> bool:
    """Whether the words between two mentions of a kind take the first one back: …不对，是…"""
    return bool(_CORRECTING.search(between)) and not _NOT_CORRECTING.search(between)
