"""`mingzhang tag`: the staff's own words for homes."""

from collections.abc import Sequence
from typing import Any

import click

from billing.home_tags import add_tag, list_tags, remove_tag
from bot.cli.installation import open_books, print_json
from bot.cli.options import by_option, community_option


@click.group()
def tag() -> None:
    """Tags of homes (标签), for broadcasts; owners do not see them."""


word = click.argument("word")


def rooms_option(command: Any) -> Any:
    """`--room`, as often as there are homes."""
    return click.option(
        "--room", "rooms", multiple=True, required=True, help="Canonical room number; repeatable."
    )(command)


@tag.command()
@community_option
@word
@rooms_option
@by_option
def add(code: str, word: str, rooms: Sequence[str], login: str) -> None:
    """Tag homes; all of them or, if one is unknown, none."""
    with open_books(code) as books:
        units = [books.unit(room) for room in rooms]
        added = add_tag(books.session, units, word, by=books.staff(login), now=books.now)
    print_json({"tag": word, "added": added})


@tag.command()
@community_option
@word
@rooms_option
@by_option
def remove(code: str, word: str, rooms: Sequence[str], login: str) -> None:
    """Take a tag off homes."""
    with open_books(code) as books:
        units = [books.unit(room) for room in rooms]
        removed = remove_tag(books.session, units, word, by=books.staff(login))
    print_json({"tag": word, "removed": removed})


@tag.command("list")
@community_option
def list_all(code: str) -> None:
    """Every tag with its homes."""
    with open_books(code) as books:
        found = list_tags(books.session, books.community_id)
    print_json([{"tag": one.tag, "rooms": one.rooms} for one in found])
