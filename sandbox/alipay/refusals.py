"""How Alipay says no: to a program by codes, to a person at the cashier by a sentence.

code    of the gateway: 20000 busy, 40001 something is missing, 40002 something is wrong,
        40004 the business refuses; `sub_code` says why
"""

import json
from pathlib import Path

_TEXTS: dict[str, str] = json.loads(
    (Path(__file__).parent / "templates" / "alipay_texts.json").read_text(encoding="utf-8")
)
_MESSAGES = {
    "20000": "Service Currently Unavailable",
    "40001": "Missing Required Arguments",
    "40002": "Invalid Arguments",
    "40004": "Business Failed",
}


class Refused(Exception):
    """A call or a payment that Alipay does not accept; `text` is Chinese, for a person."""

    def __init__(self, code: str, sub_code: str, /, **values: object):
        self.code = code
        self.sub_code = sub_code
        self.text = say(sub_code, **values)
        super().__init__(f"{sub_code} {self.text}")

    def body(self) -> dict[str, object]:
        """Give the answer's object."""
        return {
            "code": self.code,
            "msg": _MESSAGES[self.code],
            "sub_code": self.sub_code,
            "sub_msg": self.text,
        }


def say(name: str, /, **values: object) -> str:
    """Give the named text with its places filled; raises KeyError for an unknown name."""
    return _TEXTS[name].format(**values)


def wrong(name: str) -> Refused:
    """Build the refusal of a business parameter that is missing or unusable."""
    return Refused("40004", "ACQ.INVALID_PARAMETER", name=name)


def business(sub_code: str) -> Refused:
    """Build a refusal of the business, as ACQ.TRADE_NOT_EXIST."""
    return Refused("40004", sub_code)
