"""Enums that carry the Chinese label a person reads, in one place with the stored code."""

from enum import StrEnum
from typing import Self


class LabelEnum(StrEnum):
    """`Member = "code", "中文"`: `.value` is stored, `.label` is shown."""

    label: str

    def __new__(cls, code: str, label: str = "") -> Self:
        """Build the member from its stored code and its label; with a code alone it is looked
        up.
        """
        member = str.__new__(cls, code)
        member._value_ = code
        member.label = label
        return member
