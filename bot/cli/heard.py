"""`mingzhang heard`: masked sentences the understanding can learn from, labelled by staff."""

import json
import sys
from typing import Any

import click

from billing.business_day import business_date
from billing.people import get_staff
from bot.cli.installation import open_program, print_json
from bot.cli.options import NUMBER, by_option
from bot.understanding.phrasebook import BACKGROUND, intents
from handlers.heard import Heard, label_heard, list_heard, report_heard

INTENTS = [intent for intent in intents() if intent != BACKGROUND]
EXPORTED_MAX = 100_000


@click.group()
def heard() -> None:
    """Sentences that were not understood, asked back about, or corrected; kept for 90 days."""


@heard.command("list")
@click.option("--unlabelled", is_flag=True, help="Only those nobody labelled.")
def list_all(unlabelled: bool) -> None:
    """The latest two hundred, the latest first."""
    with open_program() as program, program.services.database.transaction() as session:
        found = list_heard(session, is_labelled=False if unlabelled else None)
        print_json([_json(one) for one in found])


@heard.command("label")
@click.argument("heard_id", type=NUMBER)
@click.argument("intent", type=click.Choice(INTENTS))
@by_option
def label(heard_id: int, intent: str, login: str) -> None:
    """Say what a sentence meant."""
    with open_program() as program, program.services.database.transaction() as session:
        by, now = get_staff(session, login), program.services.clock()
        result = _json(label_heard(session, heard_id, intent, by=by, now=now))
    print_json(result)


@heard.command("export")
def export() -> None:
    """Labelled sentences, one JSON line each, in the shape of the test sets. What was understood
    beside the intent is exported where the intent was right; a person looks at it before use.
    """
    with open_program() as program, program.services.database.transaction() as session:
        for one in list_heard(session, is_labelled=True, limit=EXPORTED_MAX):
            sys.stdout.write(json.dumps(_example(one), ensure_ascii=False) + "\n")


def print_report() -> None:
    """The confusion table over labelled sentences, as one JSON document."""
    with open_program() as program, program.services.database.transaction() as session:
        print_json(report_heard(session))


def _json(one: Heard) -> dict[str, Any]:
    return {
        "id": one.id,
        "text": one.masked,
        "guessed": one.guessed,
        "confidence": float(one.confidence),
        "slots": one.slots,
        "staff": one.is_staff,
        "reason": one.reason.value,
        "answered": one.answered,
        "at": one.at,
        "label": one.label,
    }


def _example(one: Heard) -> dict[str, Any]:
    return {
        "text": one.masked,
        "intent": one.label,
        "slots": one.slots if one.label == one.guessed else {},
        "staff": one.is_staff,
        "note": f"heard,{one.reason.value},today={business_date(one.at)}",
    }
