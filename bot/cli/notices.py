"""`mingzhang notices`: what came of what owners were told, and who is told by SMS."""

from dataclasses import asdict
from datetime import timedelta

import click

from bot.cli.installation import open_books, print_json
from bot.cli.options import community_option
from notify.outcomes import count_unreachable, list_outcomes

DAYS = 30
DAYS_MAX = 3650


@click.group()
def notices() -> None:
    """What owners were told (通知)."""


@notices.command()
@community_option
@click.option("--days", type=click.IntRange(1, DAYS_MAX), default=DAYS, show_default=True)
def report(code: str, days: int) -> None:
    """By kind and by broadcast: sent, delivered, opened, paid within three days."""
    with open_books(code) as books:
        found = list_outcomes(books.session, books.community_id, books.now - timedelta(days=days))
        unreachable = count_unreachable(books.session, books.community_id)
    kinds = [
        {"kind": one.kind.value, "label": one.kind.label}
        | {name: count for name, count in asdict(one).items() if name != "kind"}
        for one in found
    ]
    print_json({"days": days, "unreachable": unreachable, "kinds": kinds})


@notices.command()
@community_option
@click.option("--unfollowed/--no-unfollowed", "is_on", default=None)
def sms(code: str, is_on: bool | None) -> None:
    """Whether owners who stopped following are told of bills and arrears by SMS."""
    with open_books(code) as books:
        if is_on is not None:
            books.community.sms_unfollowed = is_on
        print_json({"community": code, "unfollowed": books.community.sms_unfollowed})
