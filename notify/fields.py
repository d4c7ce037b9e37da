"""Values made to fit WeChat's typed template fields (pure). Cutting, never failing.

Rule: developers.weixin.qq.com, template messages, table of parameter limits; a field's type is its
name without the digits. An empty value or a control character is refused (47003), an emoji is not
shown.
"""

import re
import unicodedata
from collections.abc import Callable

ELLIPSIS = "…"
NOTHING = "-"
DATE_CHARACTERS = r"[0-9\u5e74\u6708\u65e5:~ /-]"
"""Digits, the words for year, month and day, and what joins dates to times and ranges."""

UNSHOWN_CATEGORIES = {"Cc", "Cf", "Cn", "Co", "Cs", "No", "Sk", "So"}
"""Control, format, unassigned, private, surrogate; circled numbers; symbols, emoji among them."""


def fit(field: str, value: str) -> str:
    """The value as the field takes it; a type we do not know is treated as `thing`.

    >>> fit("thing1", "3-2-501"), fit("character_string2", "收据2026-000017")
    ('3-2-501', '2026-000017')
    """
    kind = field.rstrip("0123456789")
    return FITTERS.get(kind, _thing)(plain(value)) or NOTHING


def plain(value: str) -> str:
    """The value in NFC, on one line, without what telephones do not show."""
    one_line = " ".join(value.split())
    return "".join(
        character
        for character in unicodedata.normalize("NFC", one_line)
        if unicodedata.category(character) not in UNSHOWN_CATEGORIES
        and not "\ufe00" <= character <= "\ufe0f"  # variation selectors choose emoji shapes
        and not "\u2600" <= character <= "\u27bf"  # symbols and dingbats, brackets among them
    ).strip()


def _cut(value: str, characters_max: int) -> str:
    if len(value) <= characters_max:
        return value
    return value[: characters_max - 1].rstrip() + ELLIPSIS


def _thing(value: str) -> str:
    return _cut(value, 20)


def _keep(pattern: str, characters_max: int) -> Callable[[str], str]:
    """Keep only the characters the type allows, at most so many."""
    allowed = re.compile(pattern)
    return lambda value: "".join(allowed.findall(value)).strip()[:characters_max]


FITTERS: dict[str, Callable[[str], str]] = {
    "thing": _thing,
    "const": _thing,
    "character_string": _keep(r"[\x20-\x7e]", 32),
    "amount": _keep(r"[\u00a5\uffe5$0-9.\u5143]", 15),  # yen signs, yuan
    "time": _keep(DATE_CHARACTERS, 40),
    "date": _keep(DATE_CHARACTERS, 40),
    "phone_number": _keep(r"[0-9+() -]", 17),
    "car_number": _keep(r"[A-Za-z0-9\u4e00-\u9fff]", 8),
    "number": _keep(r"[0-9.-]", 32),
    "letter": _keep(r"[A-Za-z]", 32),
    "name": _keep(r"[\u4e00-\u9fff·]", 10),
    "phrase": _keep(r"[\u4e00-\u9fff]", 5),
}
