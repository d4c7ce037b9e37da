"""Typed fields of template messages and what WeChat lets into each. Pure.

Rule: developers.weixin.qq.com, "template message interface", table of parameter limits. A field's
type is its name without the digits: `thing1` is a `thing`.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import date

_HAN = r"\u4e00-\u9fff"
_YEAR, _MONTH, _DAY, _YUAN = "\u5e74", "\u6708", "\u65e5", "\u5143"
_DATE = rf"(?P<y>\d{{4}})[{_YEAR}/-](?P<m>\d{{1,2}})[{_MONTH}/-](?P<d>\d{{1,2}}){_DAY}?"
_TIME = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"
_INSTANT = re.compile(rf"(?:{_DATE}(?:\s*{_TIME})?|{_TIME})")
_EMOJI = re.compile("[\u2460-\u24ff\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]")


def _is_thing(value: str) -> bool:
    return len(unicodedata.normalize("NFC", value)) <= 20


def _is_instants(value: str) -> bool:
    """Dates and times of the 24-hour clock, one or a range joined by `~`; the days must exist."""
    ends = [end.strip() for end in value.split("~")]
    return len(ends) <= 2 and all(_is_instant(end) for end in ends)


def _is_instant(value: str) -> bool:
    found = _INSTANT.fullmatch(value)
    if not found:
        return False
    if found["y"]:
        try:
            date(int(found["y"]), int(found["m"]), int(found["d"]))
        except ValueError:
            return False
    return True


def _is_amount(value: str) -> bool:
    found = re.fullmatch(rf"[\u00a5\uffe5$€£]?\d+(?:\.\d+)?{_YUAN}?", value, re.ASCII)
    return bool(found) and sum(c.isdigit() for c in value) <= 12


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: bool(compiled.fullmatch(value))


FIELD_TYPES: dict[str, Callable[[str], bool]] = {
    "thing": _is_thing,
    "const": _is_thing,
    "character_string": _matches(r"[\x20-\x7e]{1,32}"),
    "time": _is_instants,
    "date": _is_instants,
    "amount": _is_amount,
    "phone_number": _matches(r"[0-9+\-() ]{1,17}"),
    "car_number": _matches(rf"[{_HAN}]?[A-Za-z0-9]{{1,7}}[{_HAN}]?(?<!.{{9}})"),
    "number": _matches(r"(?=.{1,32}$)-?\d+(?:\.\d+)?"),
    "letter": _matches(r"[A-Za-z]{1,32}"),
    "symbol": _matches(r"[!-/:-@\[-`{-~]{1,5}"),
    "name": _matches(rf"[{_HAN}·]{{1,10}}|[A-Za-z .]{{1,20}}"),
    "phrase": _matches(rf"[{_HAN}]{{1,5}}"),
}


def field_type(name: str) -> str | None:
    """Give the type a field's name stands for, None where WeChat has no such type."""
    kind = name.rstrip("0123456789")
    return kind if kind in FIELD_TYPES and kind != name else None


def refusal(name: str, value: object, approved: tuple[str, ...] = ()) -> str | None:
    """Tell what is wrong with a field's value as WeChat words it; None when it may be sent.

    `approved`: the strings a `const` field may hold, handed in with the template; it may be empty.
    """
    kind = name.rstrip("0123456789")
    if value == "" and kind == "const":
        return None
    if not isinstance(value, str) or not value.strip():
        return f"argument invalid! data.{name}.value is empty"
    printable = not any(unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") for c in value)
    fits = printable and not _EMOJI.search(value) and FIELD_TYPES[kind](value)
    if not fits or (kind == "const" and value not in approved):
        return f"argument invalid! data.{name}.value invalid"
    return None
