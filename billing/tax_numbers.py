"""Tax numbers of companies (纳税人识别号), as they are printed on a fapiao. Pure.

Since 2015 it is the unified social credit code (统一社会信用代码): 18 characters, the last of which
checks the others (GB 32100-2015, 4.7). Numbers given before are still met and have no check
character for every form.
"""

import re
import unicodedata
from dataclasses import dataclass

from billing.errors import InvalidInput

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""GB 32100-2015, table 1: digits and capitals without I, O, S, V and Z."""

CODE_LENGTH = 18
LEGACY = re.compile(r"[0-9A-Z]{15}|[0-9A-Z]{17}|[0-9A-Z]{20}")
"""15: region and organisation code; 17 and 20: of people in business and their branches."""


@dataclass(frozen=True, slots=True)
class TaxNumber:
    """A tax number that can be printed. `is_legacy`: of a form nobody can check; look twice."""

    value: str
    is_legacy: bool


def check_character(body: str) -> str:
    """The 18th character of a unified social credit code, from the first 17 (GB 32100-2015, 4.7):
    weights are powers of 3 modulo 31.

    >>> check_character("91110108551385082")
    'Q'
    """
    total = sum(
        pow(3, position, 31) * ALPHABET.index(character) for position, character in enumerate(body)
    )
    return ALPHABET[-total % 31]


def read_tax_number(text: str) -> TaxNumber:
    """Read what a person typed; spaces, strokes, full-width and small letters are mended.

    Raises:
        InvalidInput: field `tax_number`: a wrong length, character or check character.

    >>> read_tax_number("9111 0108 5513 8508 2q").value
    '91110108551385082Q'
    """
    value = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", text)).upper()
    if LEGACY.fullmatch(value):
        return TaxNumber(value, is_legacy=True)
    if len(value) != CODE_LENGTH:
        raise InvalidInput("tax_number", f"has {len(value)} characters, not 18 (or 15, 17, 20)")
    strange = sorted(set(value) - set(ALPHABET))
    if strange:
        raise InvalidInput("tax_number", f"cannot contain {' '.join(strange)}")
    if value[-1] != check_character(value[:-1]):
        raise InvalidInput("tax_number", "a character is wrong: its check character does not fit")
    return TaxNumber(value, is_legacy=False)
