"""Words around a room, period, amount or fee that take it back or push it into the background."""

import re

_DENIED = re.compile(
    r"(?:不是|并非|又不是|不问|不查|不看|不交|不付|没问|没说|除了|除|别算|不算|不包括|不含|而非|不要|不开)"
    r"(?:问|说|查|看|要|交|付|想|我|我家|的|关于|算|开|收|指)*$"
)
_RECALLED = re.compile(
    r"(?:份|的|我家|[a-z]|.费|[水电]){0,4}(?:才|只|都是|一直|还是|明明|不过|仅|就|也就|都才|都只)"
)
_USUAL = re.compile(
    r"(?:应该|本来|原来|原本|以前|之前|上次|上回|上个月|上月|去年|往常|往年|平时|平常|一般|通常|正常|从前|过去"
    r"|每次|向来|历来|说好|讲好|合同)\S{0,7}$"
)
_RISEN_FROM = re.compile(r"从\S{0,4}$")


def is_denied(text: str, start: int) -> bool:
    """Whether the words right before `start` deny what stands there: 不是…, 除了…."""
    return bool(_DENIED.search(text[max(0, start - 8) : start]))


def is_recalled(text: str, end: int) -> bool:
    """Whether the words right after `end` make it a thing of the past: …才80, …都是80."""
    return bool(_RECALLED.match(text, end))


def is_usual(text: str, start: int) -> bool:
    """Whether the words right before `start` make it the usual or earlier value: 平时…, 从…."""
    before = text[max(0, start - 12) : start]
    return bool(_USUAL.search(before) or _RISEN_FROM.search(before))
