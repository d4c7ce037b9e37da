"""`mingzhang understand`: what a sentence means, one JSON request per line. Needs no database but
for the report.
"""

import json
import sys
from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from bot import understanding

Answer = dict[str, Any]

BUSINESS_ZONE = ZoneInfo("Asia/Shanghai")


@click.command("understand")
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help="Default: today in Asia/Shanghai.")
@click.option(
    "--kind",
    type=click.Choice(["utterance", "room", "period", "amount"]),
    default="utterance",
    show_default=True,
)
@click.option(
    "--report", is_flag=True, help="Instead: how labelled sentences of followers were understood."
)
def understand(today: datetime | None, kind: str, report: bool) -> None:
    """Read JSON lines on stdin, write one JSON answer each, in order and at once."""
    if report:
        # Not before: it brings the whole program, and whoever pipes sentences waits for it.
        from bot.cli.heard import print_report

        print_report()
        return
    answer = reader(kind, (today or datetime.now(BUSINESS_ZONE)).date())
    answers = sys.stdout.buffer
    for line in sys.stdin.buffer:
        answers.write(json.dumps(answer_line(line, answer), ensure_ascii=False).encode() + b"\n")
        answers.flush()


def reader(kind: str, today: date) -> Callable[[str, bool], Answer]:
    """What answers one text of this kind; a text's sender may be staff."""
    if kind == "utterance":
        return lambda text, staff: answer_utterance(text, today=today, staff=staff)
    read: Callable[[str], str | int | None] = {
        "room": understanding.read_room,
        "period": lambda text: understanding.read_period(text, today),
        "amount": understanding.read_amount,
    }[kind]
    return lambda text, _staff: {"text": text, "value": read(text)}


def answer_utterance(text: str, *, today: date, staff: bool) -> Answer:
    """One utterance as JSON, in the shape of the contract."""
    found = understanding.understand(text, today=today, staff=staff)
    return {
        "text": text,
        "intent": found.intent,
        "slots": found.slots,
        "confidence": found.confidence,
        "ask": found.ask,
    }


def answer_line(line: bytes, answer: Callable[[str, bool], Answer]) -> Answer:
    """Answer one line; whatever it holds, the lines after it are still answered."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):  # also bad UTF-8, and integers too long to read
        return {"error": "request: not a JSON object on one line"}
    if not isinstance(request, dict) or not isinstance(request.get("text"), str):
        return {"error": "text: must be a string"}
    if not isinstance(request.get("staff", False), bool):
        return {"error": "staff: must be true or false"}
    return answer(_whole(request["text"]), request.get("staff", False))


def _whole(text: str) -> str:
    """`text` without lone surrogates, which JSON can carry and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")
