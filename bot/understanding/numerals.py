"""Numbers as people write them: Arabic, Chinese, financial capitals, spoken and mixed.

A grammar of our own, because cn2an reads the spoken tail wrong or not at all
(四百六 is 460, 1千2 is 1200); the tests hold it against cn2an where cn2an is right.
"""

import re
from decimal import Decimal

_DIGITS = {
    **{ch: 0 for ch in "零〇○"},
    **{ch: 1 for ch in "一幺壹"},
    **{ch: 2 for ch in "二两贰俩"},
    **{ch: 3 for ch in "三叁仨"},
    **{ch: 4 for ch in "四肆"},
    **{ch: 5 for ch in "五伍"},
    **{ch: 6 for ch in "六陆"},
    **{ch: 7 for ch in "七柒"},
    **{ch: 8 for ch in "八捌"},
    **{ch: 9 for ch in "九玖"},
}
_UNITS = {
    **{ch: 10 for ch in "十拾"},
    **{ch: 100 for ch in "百佰"},
    **{ch: 1000 for ch in "千仟k"},
    **{ch: 10000 for ch in "万w"},
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
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    if _PLAIN.fullmatch(text):
        return Decimal(text)
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
            elif digit is None and (unit != 10 or (last_unit and not after_zero)):
                return None
            elif last_unit and last_unit != 10000 and unit >= last_unit:
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
