"""The phrase and word files, and the model that is built from them."""

import random

import pytest

from bot.understanding import phrasebook
from bot.understanding.model import load_model, sources_digest
from tests.bot.understanding.examples import rows

LEAST_PHRASES = 60


def test_the_model_was_built_from_these_files() -> None:
    built_from = load_model().sources
    assert built_from == sources_digest(), "run: python -m bot.understanding.training"


@pytest.mark.parametrize("intent", phrasebook.intents())
def test_every_intent_has_phrases_enough(intent: str) -> None:
    chance = random.Random(1)
    found = {
        text for line in phrasebook.lines(intent) for text in phrasebook.variants(line, 30, chance)
    }
    assert len(found) >= LEAST_PHRASES


def test_every_intent_of_the_examples_has_its_file() -> None:
    wanted = {row["intent"] for row in rows("utterances_seen")}
    assert set(phrasebook.intents()) == wanted | {phrasebook.BACKGROUND}


def test_a_line_stands_for_all_its_variants() -> None:
    found = phrasebook.variants("(查|看)(一下|)账单", 30, random.Random(1))
    assert sorted(found) == ["查一下账单", "查账单", "看一下账单", "看账单"]


def test_a_long_line_gives_its_shortest_sentence_and_no_more_than_asked() -> None:
    line = "(甲|乙甲)" * 10
    found = phrasebook.variants(line, 5, random.Random(1))
    assert found[0] == "甲" * 10
    assert len(found) <= 5


@pytest.mark.parametrize("intent", phrasebook.intents())
def test_brackets_are_closed_and_not_nested(intent: str) -> None:
    for line in phrasebook.lines(intent):
        depth = 0
        for ch in line:
            depth += (ch == "(") - (ch == ")")
            assert depth in (0, 1), line
        assert depth == 0, line
