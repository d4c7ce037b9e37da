"""`mingzhang discount`: what single owners pay less, or by agreement; the console does it too."""

from datetime import date
from typing import Any

import click

from billing.concession_changes import agree_price, end_agreed_price, end_discount, grant_discount
from billing.concessions import AgreedPrice, DiscountGrant, list_discounts
from billing.pricing import DiscountReason
from bot.cli.installation import open_books, print_json
from bot.cli.options import (
    CodeParameter,
    DateParameter,
    by_option,
    community_option,
    from_option,
    item_option,
    to_option,
    today_option,
)


@click.group()
def discount() -> None:
    """Discounts granted, and prices agreed, with single owners."""


end_option = click.option(
    "--to", "to_on", type=DateParameter(), required=True, help="First day without."
)
subject_option = click.option(
    "--subject", "subject_code", required=True, help="Room number, or number of a parking space."
)


@discount.command("list")
@community_option
@click.option("--all", "ended", is_flag=True, help="Also those that have ended.")
@today_option
def list_granted(code: str, ended: bool, today: date) -> None:
    """Discounts in the order they were granted."""
    with open_books(code) as books:
        found = list_discounts(books.session, books.community_id, on=None if ended else today)
        print_json(
            [
                {"subject": one.subject_code, "item": one.item_code, "by": one.approved_by}
                | _granted(one.grant)
                for one in found
            ]
        )


@discount.command("grant")
@community_option
@item_option
@subject_option
@click.option("--reason", type=CodeParameter(DiscountReason), required=True)
@click.option("--percent", help="Of every charge.")
@click.option("--amount", help="Yuan off the whole charge of a period.")
@from_option
@to_option
@by_option
def grant(code: str, login: str, **given: Any) -> None:
    """Grant a discount; a manager approves it."""
    with open_books(code) as books:
        found = grant_discount(
            books.session,
            books.community_id,
            approved_by=books.staff(login),
            now=books.now,
            **given,
        )
        result = _granted(found)
    print_json(result)


@discount.command("end")
@community_option
@click.argument("grant_id", type=int)
@end_option
@by_option
def end(code: str, grant_id: int, to_on: date, login: str) -> None:
    """End a discount; on its first day it never held and is gone."""
    with open_books(code) as books:
        by = books.staff(login)
        found = end_discount(books.session, books.community_id, grant_id, to_on=to_on, by=by)
        result = {"id": grant_id, "gone": True} if found is None else _granted(found)
    print_json(result)


@discount.command("agree")
@community_option
@item_option
@subject_option
@click.option("--unit-price", required=True, help="Yuan, in place of the tariff's unit price.")
@from_option
@to_option
@by_option
def agree(code: str, login: str, **given: Any) -> None:
    """Agree a unit price with one owner."""
    with open_books(code) as books:
        found = agree_price(
            books.session,
            books.community_id,
            approved_by=books.staff(login),
            now=books.now,
            **given,
        )
        result = _agreed(found)
    print_json(result)


@discount.command("end-agreed")
@community_option
@click.argument("agreed_id", type=int)
@end_option
@by_option
def end_agreed(code: str, agreed_id: int, to_on: date, login: str) -> None:
    """End an agreed price; on its first day it never held and is gone."""
    with open_books(code) as books:
        by = books.staff(login)
        found = end_agreed_price(books.session, books.community_id, agreed_id, to_on=to_on, by=by)
        result = {"id": agreed_id, "gone": True} if found is None else _agreed(found)
    print_json(result)


def _granted(found: DiscountGrant) -> dict[str, Any]:
    off = {"percent": format(found.percent, "f")} if found.percent is not None else {}
    return {
        "id": found.id,
        "reason": found.reason.value,
        **off,
        **({} if found.amount is None else {"amount": found.amount.yuan}),
        "from": found.from_on.isoformat(),
        "to": None if found.to_on is None else found.to_on.isoformat(),
    }


def _agreed(found: AgreedPrice) -> dict[str, Any]:
    return {
        "id": found.id,
        "unit_price": format(found.unit_price, "f"),
        "from": found.from_on.isoformat(),
        "to": None if found.to_on is None else found.to_on.isoformat(),
    }
