"""A home's transfer reference (转账识别码): what the payer writes into the remark of a transfer.

`MZ`, the number of the home (unique over all communities, at least six digits) and two check digits
by ISO 7064 MOD 97-10, so that a mistyped digit or two swapped ones name no home instead of the
neighbour's. Pure. That the home exists is for the caller to see.
"""

import re
import unicodedata

PREFIX = "MZ"
NUMBER_DIGITS_MIN = 6
CHECK_DIGITS = 2
DIGITS_MIN = NUMBER_DIGITS_MIN + CHECK_DIGITS
DIGITS_MAX = 18
"""Home numbers are BIGINT; what is longer is somebody's card."""
GROUP = 4
MODULUS = 97

_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣－_", "-"))
_PREFIXED = re.compile(r"(?<![A-Z0-9])MZ[\s:.-]{0,3}([0-9]+(?:[ -]?[0-9]+)*)(?![0-9])")
# A run of digits, with the single blanks or dashes people put into it, that is not a part of an
# amount, a date, a masked card or a code of letters and digits.
_BARE = re.compile(
    r"(?<![0-9A-Z*.])(?<![0-9][,:/])(?<![0-9][ -])([0-9]+(?:[ -][0-9]+)*)"
    r"(?![0-9A-Z*])(?![.,:/][0-9])(?![ -][0-9])"
)
_DATE = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")


def reference_of(unit_id: int) -> str:
    """The reference of a home.

    >>> reference_of(501)
    'MZ00050150'
    """
    digits = f"{unit_id:0{NUMBER_DIGITS_MIN}d}"
    return f"{PREFIX}{digits}{MODULUS + 1 - int(digits) * 100 % MODULUS:02d}"


def format_reference(unit_id: int) -> str:
    """The same in groups, as people read it out and copy it.

    >>> format_reference(501)
    'MZ 0005 0150'
    """
    digits = reference_of(unit_id).removeprefix(PREFIX)
    groups = [digits[at : at + GROUP] for at in range(0, len(digits), GROUP)]
    return " ".join([PREFIX, *groups])


def find_references(text: str) -> frozenset[int]:
    """Numbers of the homes whose references stand in a free text, a bank's remark for one.

    Full-width and lower case letters and blanks between the digits do not matter. Without the
    prefix a reference counts when it is the whole run of digits, eight of them; longer runs
    (phones, cards) and dates never do.

    >>> sorted(find_references("物业费ｍｚ 0005 0150"))
    [501]
    >>> sorted(find_references("电话13800050150"))
    []
    """
    plain = unicodedata.normalize("NFKC", text).translate(_DASHES).upper()
    found = set()
    for match in _PREFIXED.finditer(plain):
        found |= _numbers_of_groups(re.split("[ -]", match.group(1)))
    for match in _BARE.finditer(_PREFIXED.sub(";", plain)):
        run = re.sub("[ -]", "", match.group(1))
        if len(run) == DIGITS_MIN and _DATE.fullmatch(run) is None:
            found |= _numbers_of_groups([run])
    return frozenset(found)


def _numbers_of_groups(groups: list[str]) -> set[int]:
    """Numbers named by the first of these groups of digits; what comes after them is not ours."""
    found, run = set(), ""
    for group in groups:
        run += group
        is_canonical = len(run) == DIGITS_MIN or (len(run) > DIGITS_MIN and run[0] != "0")
        agrees = len(run) <= DIGITS_MAX and is_canonical and int(run) % MODULUS == 1
        number = int(run[:-CHECK_DIGITS] or "0") if agrees else 0
        # A number has one spelling: 98 and 01 would both leave the remainder of some numbers.
        if number > 0 and reference_of(number) == f"{PREFIX}{run}":
            found.add(number)
    return found
