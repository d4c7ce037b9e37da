"""Numbers as people write them: Arabic, Chinese, financial capitals, spoken and mixed.

A grammar of our own, because cn2an reads the spoken tail wrong or not at all
(四百六 is 460, 1千2 is 1200); the tests hold it against cn2an where cn2an is right.
"""

import re
from decimal import Decimal

_DIGITS = {
    **dict.fromkeys("零〇○", 0),
    **dict.fromkeys("一幺壹", 1),
    **dict.fromkeys("二两贰俩", 2),
    **dict.fromkeys("三叁仨", 3),
    **dict.fromkeys("四肆", 4),
    **dict.fromkeys("五伍", 5),
    **dict.fromkeys("六陆", 6),
    **dict.fromkeys("七柒", 7),
    **dict.fromkeys("八捌", 8),
    **dict.fromkeys("九玖", 9),
}
_UNITS = {
    **dict.fromkeys("十拾", 10),
    **dict.fromkeys("百佰", 100),
    **dict.fromkeys("千仟k", 1000),
    **dict.fromkeys("万w", 10000),
}

CN_DIGIT = "".join(_DIGITS)
"""Characters that stand for one digit, for use inside a character class."""

CN_NUMERAL = CN_DIGIT + "十拾百佰千仟万廿卅"
"""Every Chinese numeral character, for use inside a character class."""

_TOKEN = re.compile(r"\d+(?:\.\d+)?|.")
_PLAIN = re.compile(r"\d+(?:\.\d+)?")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")


def read_number(text: str) -> Decimal | None:
    """The number written in `text`, or None when it is not exactly one number.

    五零一 is read digit by digit, 四百六 is 460, 二千零六 is 2006, 3万5 is 35000;
    七八百 (an approximation) and 百 alone are no numbers.
    """
    if not text:
        return None
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    whole, point, decimals = text.partition("点")
    if point:
        left = read_number(whole)
        digits = "".join(str(_DIGITS.get(ch, "x")) for ch in decimals)
        return left + Decimal(f"0.{digits}") if left is not None and digits.isdecimal() else None
    if len(text) > 1 and all(ch in _DIGITS or ch.isdigit() for ch in text):
        return Decimal("".join(str(_DIGITS.get(ch, ch)) for ch in text))
    return _read_positional(text.replace("廿", "二十").replace("卅", "三十"))


def read_int(text: str) -> int | None:
    """The whole number written in `text`, or None."""
    number = read_number(text)
    return int(number) if number is not None and number == int(number) else None


def _read_positional(text: str) -> Decimal | None:
    """A number with units (十百千万), the last digit possibly spoken short."""
    total = section = Decimal(0)
    digit: Decimal | None = None
    last_unit, after_zero = 0, False
    for token in _TOKEN.findall(text):
        if token in _UNITS:
            unit = _UNITS[token]
            if unit == 10000:
                if total or (digit is None and not section):
                    return None
                total, section = (section + (digit or 0)) * unit, Decimal(0)
            elif (digit is None and (unit != 10 or (last_unit and not after_zero))) or (
                last_unit and last_unit != 10000 and unit >= last_unit
            ):
                return None
            else:
                section += (1 if digit is None else digit) * unit
            digit, last_unit, after_zero = None, unit, False
        elif token in _DIGITS and not _DIGITS[token]:
            if digit is not None:
                return None
            after_zero = True
        elif digit is not None:
            return None
        elif token in _DIGITS:
            digit = Decimal(_DIGITS[token])
        elif _PLAIN.fullmatch(token):
            digit = Decimal(token)
        else:
            return None
    return total + section + _tail(digit, last_unit, after_zero)


def _tail(digit: Decimal | None, last_unit: int, after_zero: bool) -> Decimal:
    """What a trailing digit is worth: 四百六 -> 60, 四百零六 -> 6, 四十六 -> 6."""
    if digit is None:
        return Decimal(0)
    if last_unit > 10 and not after_zero and digit < 10:
        return digit * (last_unit // 10)
    return digit
