"""What is printed on a fapiao and what its file is: read from people, refused early. Pure."""

import re
import unicodedata
import zipfile
from dataclasses import dataclass
from io import BytesIO

from billing.errors import InvalidInput
from billing.fapiao_tables import FileKind, TitleKind
from billing.tax_numbers import read_tax_number

TITLE_CHARACTERS_MAX = 100
FILE_BYTES_MAX = 1024 * 1024
NUMBER = re.compile(r"[0-9]{8}|[0-9]{20}")
"""Numbers of fapiao: 20 digits of a fully digital one, 8 of one before."""

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]{2,24}")
EMAIL_CHARACTERS_MAX = 120


@dataclass(frozen=True, slots=True)
class FapiaoTitle:
    """In whose name, as it will be printed. A person has no tax number.

    Attributes:
        is_legacy_number: the tax number is of an old form that cannot be checked.
    """

    kind: TitleKind
    name: str
    tax_number: str | None = None
    email: str | None = None
    is_legacy_number: bool = False


def read_title(
    kind: TitleKind, name: str, tax_number: str | None = None, email: str | None = None
) -> FapiaoTitle:
    """A title that can be printed, from what a person typed.

    Raises:
        InvalidInput: field `title`, `tax_number` or `email`.
    """
    text = " ".join(unicodedata.normalize("NFKC", name).split())
    if not 2 <= len(text) <= TITLE_CHARACTERS_MAX or not text.isprintable():
        raise InvalidInput("title", f"must have 2 to {TITLE_CHARACTERS_MAX} characters")
    address = (email or "").strip() or None
    if address and (len(address) > EMAIL_CHARACTERS_MAX or not EMAIL.fullmatch(address)):
        raise InvalidInput("email", "is not an address like name@example.com")
    if kind is TitleKind.PERSONAL:
        if tax_number:
            raise InvalidInput("tax_number", "a person has none")
        return FapiaoTitle(kind, text, email=address)
    if not tax_number:
        raise InvalidInput("tax_number", "a company's is needed")
    number = read_tax_number(tax_number)
    return FapiaoTitle(kind, text, number.value, address, number.is_legacy)


def read_number(text: str) -> str:
    """The number of a fapiao, without the spaces people put into it.

    Raises:
        InvalidInput: field `number`.
    """
    number = "".join(unicodedata.normalize("NFKC", text).split())
    if NUMBER.fullmatch(number) is None:
        raise InvalidInput("number", "a fapiao's number has 20 digits, or 8")
    return number


def sniff(content: bytes) -> FileKind:
    """What a file is, by its content, whatever it is called.

    Raises:
        InvalidInput: field `file`: above 1 MB, or neither PDF, OFD nor PNG.
    """
    if len(content) > FILE_BYTES_MAX:
        raise InvalidInput("file", f"has {len(content)} bytes; at most {FILE_BYTES_MAX} are kept")
    if content.startswith(b"%PDF-"):
        return FileKind.PDF
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return FileKind.PNG
    if content.startswith(b"PK\x03\x04") and _holds_ofd(content):
        return FileKind.OFD
    raise InvalidInput("file", "is neither a PDF, an OFD nor a PNG")


def _holds_ofd(content: bytes) -> bool:
    """GB/T 33190-2016, 7.1: a ZIP with OFD.xml at its root."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as package:
            return "OFD.xml" in package.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
