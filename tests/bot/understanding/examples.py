"""The labelled examples beside this module, and how many of them are understood."""

import json
import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from bot.understanding import ACTING, Understanding, understand
from tests.conftest import SOAK

TODAY = date(2026, 11, 23)
LONG = 1000
_HERE = Path(__file__).parent


def rows(name: str) -> list[dict[str, Any]]:
    """The lines of one example file."""
    lines = (_HERE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@dataclass(frozen=True)
class Score:
    """Shares of utterances with the right intent (or an accepted other), and the right slots."""

    intents: float
    slots: float
    wrong_acts: list[str]
    """Texts on which the bot would have acted though nobody asked for that."""


@cache
def score(name: str) -> Score:
    """Understand a file of labelled utterances; every day a third of a long one, all in `make
    soak`.
    """
    labelled = rows(name)
    if len(labelled) > LONG and not SOAK:
        labelled = labelled[::3]
    found = [understand(row["text"], today=TODAY, staff=row["staff"]) for row in labelled]
    pairs = list(zip(labelled, found, strict=True))
    right = [(row, one) for row, one in pairs if one.intent in accepted(row)]
    same_slots = [one for row, one in pairs if one.slots == row["slots"]]
    return Score(
        len(right) / len(pairs),
        len(same_slots) / len(pairs),
        [row["text"] for row, one in pairs if acts_wrongly(row, one)],
    )


def accepted(row: dict[str, Any]) -> set[str]:
    """The label and the other intents its note accepts."""
    others = re.search(r"alt=([\w.,]+)", row["note"])
    return {row["intent"], *(others[1].split(",") if others else ())}


def acts_wrongly(row: dict[str, Any], found: Understanding) -> bool:
    """Whether something would change that the sender did not ask for."""
    return found.intent in ACTING and not found.ask and found.intent not in accepted(row)
