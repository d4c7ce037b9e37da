"""`mingzhang tariff`: what is charged and at which price; the console does it too."""

from datetime import date
from decimal import Decimal
from typing import Any

import click

from billing.money import Money
from billing.pricing import PriceJump, TariffWarning, price_to_json
from billing.property import SubjectKind
from billing.tariff_changes import add_item, add_tariff, remove_tariff
from billing.tariffs import FeeKind, ItemTariffs, Version, list_tariffs
from bot.cli.installation import open_books, print_json
from bot.cli.options import (
    CodeParameter,
    DateParameter,
    JsonParameter,
    by_option,
    community_option,
    item_option,
    today_option,
)

last_option = click.option(
    "--last",
    "expected_last",
    type=int,
    help="`last` as `tariff list` showed it; none for the first version.",
)


@click.group()
def tariff() -> None:
    """Charge items and the versions of their prices."""


@tariff.command("list")
@community_option
@today_option
def list_(code: str, today: date) -> None:
    """Items charged today or later, each with its versions, the newest first."""
    with open_books(code) as books:
        found = list_tariffs(books.session, books.community_id, today)
        print_json([_item(one, today) for one in found])


@tariff.command("add")
@community_option
@item_option
@click.option("--from", "effective_from", type=DateParameter(), required=True)
@click.option("--price", type=JsonParameter(), required=True, help="JSON as `quote` takes it.")
@click.option("--document", "basis_document", required=True, help="Contract clause or filing.")
@click.option("--supplier-price", type=JsonParameter(), help="Likewise, or a unit price.")
@last_option
@by_option
def add(code: str, item_code: str, login: str, **version: Any) -> None:
    """Write down a price that is in force from a day on; prints what is odd about it."""
    with open_books(code) as books:
        added = add_tariff(
            books.session,
            books.community_id,
            item_code,
            by=books.staff(login),
            now=books.now,
            **version,
        )
        result = {
            "id": added.tariff.id,
            "item": item_code,
            "effective_from": added.tariff.effective_from.isoformat(),
            "warnings": [_warning(warning) for warning in added.warnings],
        }
    print_json(result)


@tariff.command("remove")
@community_option
@item_option
@click.option("--from", "effective_from", type=DateParameter(), required=True)
@last_option
@by_option
def remove(code: str, item_code: str, login: str, **version: Any) -> None:
    """Take back a version that priced nothing yet."""
    with open_books(code) as books:
        by = books.staff(login)
        remove_tariff(books.session, books.community_id, item_code, by=by, **version)
    print_json({"item": item_code, "removed": version["effective_from"].isoformat()})


@tariff.command("add-item")
@community_option
@click.option("--code", "item_code", required=True, help="Short name in a-z0-9_, e.g. water.")
@click.option("--name", required=True, help="As printed on bills.")
@click.option("--fee", type=CodeParameter(FeeKind), required=True)
@click.option("--subject", "subject_kind", type=CodeParameter(SubjectKind), default="home")
@click.option("--months", "cycle_months", type=int, default=1, show_default=True)
@click.option("--from", "active_from", type=DateParameter(), required=True)
@click.option("--to", "active_to", type=DateParameter())
@click.option("--pass-through/--own", default=None, help="Collected for a supplier, or not.")
@by_option
def add_item_command(code: str, item_code: str, login: str, **item: Any) -> None:
    """Begin to charge for something."""
    with open_books(code) as books:
        added = add_item(
            books.session,
            books.community_id,
            code=item_code,
            by=books.staff(login),
            now=books.now,
            **item,
        )
        result = {"id": added.id, "item": added.code, "pass_through": added.pass_through}
    print_json(result)


def _item(one: ItemTariffs, today: date) -> dict[str, Any]:
    current = one.current(today)
    return {
        "item": one.item.code,
        "name": one.item.name,
        "fee": one.item.fee.value,
        "pass_through": one.item.pass_through,
        "last": one.last,
        "current": None if current is None else current.id,
        "versions": [_version(version) for version in one.versions],
    }


def _version(version: Version) -> dict[str, Any]:
    supplier = version.supplier_price
    return {
        "id": version.id,
        "effective_from": version.effective_from.isoformat(),
        "price": price_to_json(version.price),
        "document": version.basis_document,
        **({} if supplier is None else {"supplier_price": price_to_json(supplier)}),
    }


def _warning(warning: TariffWarning | PriceJump) -> dict[str, Any]:
    match warning:
        case TariffWarning():
            return {
                "kind": warning.kind.value,
                "field": warning.field,
                "at": str(warning.at),
                "up_to_there": warning.up_to_there.yuan,
                "beyond": warning.beyond.yuan,
            }
        case PriceJump():
            return {
                "kind": warning.kind.value,
                "at": None if warning.at is None else str(warning.at),
                "before": _yuan(warning.before),
                "after": _yuan(warning.after),
            }


def _yuan(value: Decimal | Money) -> str:
    return value.yuan if isinstance(value, Money) else format(value, "f")
