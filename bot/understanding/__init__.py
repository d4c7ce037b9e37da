"""Understanding: from what a person types to an intent and its slots, without network or database.

>>> from datetime import date
>>> read_room("三号楼2单元五零一室"), read_amount("四百六")
('3-2-501', 46000)
>>> read_period("上季度", date(2026, 11, 23))
'2026-Q3'
"""

from bot.understanding.fapiao import read_fapiao
from bot.understanding.follow_up import change, read_choice
from bot.understanding.messages import split_message
from bot.understanding.normalize import clean
from bot.understanding.people import read_person, read_relation
from bot.understanding.reminders import read_reminder
from bot.understanding.sending import asks_for_progress
from bot.understanding.utterance import (
    ACTING,
    Understanding,
    read_amount,
    read_order,
    read_period,
    read_room,
    understand,
)

__all__ = [
    "ACTING",
    "Understanding",
    "asks_for_progress",
    "change",
    "clean",
    "read_amount",
    "read_choice",
    "read_fapiao",
    "read_order",
    "read_period",
    "read_person",
    "read_relation",
    "read_reminder",
    "read_room",
    "split_message",
    "understand",
]
