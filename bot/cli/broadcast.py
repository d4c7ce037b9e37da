"""`mingzhang broadcast`: what staff send to many."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, TextIO

import click

from bot.cli.installation import open_books, print_json
from bot.cli.options import NUMBER, MomentParameter, by_option, community_option
from notify.audiences import Audience
from notify.broadcast_results import read_results
from notify.broadcast_tables import Broadcast
from notify.broadcasts import (
    PER_MINUTE_MAX,
    cancel_broadcast,
    confirm_broadcast,
    draft_broadcast,
    get_broadcast,
    list_broadcasts,
)
from notify.recipients import count_readers

BROADCASTS_LISTED = 100


@click.group()
def broadcast() -> None:
    """What staff send to many (群发)."""


identifier = click.argument("broadcast_id", type=NUMBER)


@broadcast.command("list")
@community_option
def list_all(code: str) -> None:
    """The latest broadcasts, drafts among them, the latest first."""
    with open_books(code) as books:
        found = list_broadcasts(books.session, books.community_id, BROADCASTS_LISTED)
        print_json([_json(one) for one in found])


@broadcast.command("show")
@community_option
@identifier
def show(code: str, broadcast_id: int) -> None:
    """A broadcast with its words."""
    with open_books(code) as books:
        one = get_broadcast(books.session, books.community_id, broadcast_id)
        print_json(_json(one) | {"body": one.body})


@broadcast.command("draft")
@community_option
@click.option("--audience", "written", required=True, help="As `list` prints it: building:3,5.")
@click.option("--body", type=click.File(encoding="utf-8"), required=True, help="File of the words.")
@click.option("--at", "send_at", type=MomentParameter(), help="Beijing time, 2026-11-24T09:00.")
@click.option("--per-minute", type=int, help="Messages; the community's speed by default.")
@by_option
def draft(
    code: str,
    written: str,
    body: TextIO,
    send_at: datetime | None,
    per_minute: int | None,
    login: str,
) -> None:
    """Write one down, with how many would read it; `approve` by the same person sends it."""
    with open_books(code) as books:
        audience = Audience.parse(written)
        one = draft_broadcast(
            books.session,
            community_id=books.community_id,
            audience=audience,
            body=body.read(),
            by=books.staff(login),
            now=books.now,
            send_at=send_at,
            per_minute=per_minute,
        )
        readers = count_readers(books.session, books.community_id, audience, books.now)
        result = _json(one) | {"homes": readers.homes, "silent": readers.silent}
    print_json(result)


@broadcast.command("results")
@community_option
@identifier
def results(code: str, broadcast_id: int) -> None:
    """What became of it: waiting, left, delivered, read, paid after, failed and why."""
    with open_books(code) as books:
        one = get_broadcast(books.session, books.community_id, broadcast_id)
        print_json(_json(one) | asdict(read_results(books.session, one)))


@broadcast.command("speed")
@community_option
@click.option("--per-minute", type=click.IntRange(1, PER_MINUTE_MAX), help="Messages.")
@click.option("--unlimited", is_flag=True, help="As fast as WeChat takes them.")
def speed(code: str, per_minute: int | None, unlimited: bool) -> None:
    """How fast the community's broadcasts go out, unless they say otherwise."""
    if unlimited and per_minute is not None:
        raise click.UsageError("--per-minute or --unlimited, not both")
    with open_books(code) as books:
        if unlimited or per_minute is not None:
            books.community.broadcasts_per_minute = per_minute
        result = {"community": code, "per_minute": books.community.broadcasts_per_minute}
    print_json(result)


@broadcast.command("approve")
@community_option
@identifier
@by_option
def approve(code: str, broadcast_id: int, login: str) -> None:
    """Say yes as its author, or as the second person; it leaves a minute later, or at its time."""
    with open_books(code) as books:
        by = books.staff(login)
        one = confirm_broadcast(
            books.session, books.community_id, broadcast_id, by=by, now=books.now
        )
        result = _json(one)
    print_json(result)


@broadcast.command("cancel")
@community_option
@identifier
@by_option
def cancel(code: str, broadcast_id: int, login: str) -> None:
    """Take back what is not sent yet; of one on its way, what has not left."""
    with open_books(code) as books:
        by = books.staff(login)
        one = cancel_broadcast(
            books.session, books.community_id, broadcast_id, by=by, now=books.now
        )
        result = _json(one)
    print_json(result)


def _json(one: Broadcast) -> dict[str, Any]:
    return {
        "id": one.id,
        "audience": one.audience,
        "state": one.state.value,
        "recipients": one.recipients,
        "needs_second": one.needs_second,
        "drafted_at": one.drafted_at,
        "send_at": one.send_at,
        "per_minute": one.per_minute,
        "queued_at": one.queued_at,
        "sent_at": one.sent_at,
        "cancelled_at": one.cancelled_at,
    }
