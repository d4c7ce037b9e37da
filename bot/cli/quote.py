"""`mingzhang quote`: trial calculations, one JSON request per line. Needs no database."""

import json
import sys
from typing import Any

import click

from billing.pricing.quote import answer


@click.command()
def quote() -> None:
    """Read JSON lines on stdin, write one JSON answer each, in order and at once."""
    answers = sys.stdout.buffer
    for line in sys.stdin.buffer:
        answers.write(json.dumps(answer_line(line), ensure_ascii=False).encode() + b"\n")
        answers.flush()


def answer_line(line: bytes) -> dict[str, Any]:
    """Answer one line; whatever it holds, the lines after it are still answered.

    >>> answer_line(b"{}")["error"]
    'request: must have exactly one of: price, versions, split, apportion, late_fee, due'
    """
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):  # also bad UTF-8, and integers too long to read
        return {"error": "request: not a JSON object on one line"}
    return answer(request)
