"""`mingzhang shared-cost`: costs that homes share (公摊); the console does it too."""

from typing import Any

import click

from billing.pricing import ApportionBy
from billing.pricing.explain import explain_basis
from billing.shared_cost_changes import record_shared_cost, remove_shared_cost
from billing.shared_costs import get_shared_cost, preview_shares
from bot.cli.installation import open_books, print_json
from bot.cli.options import (
    CodeParameter,
    DateParameter,
    community_option,
    from_option,
    item_option,
)


@click.group("shared-cost")
def shared_cost() -> None:
    """Costs of a building, an entrance or the community, shared by its homes."""


@shared_cost.command("add")
@community_option
@item_option
@click.option("--building", help="Code; none: the whole community.")
@click.option("--entrance", help="Code, of the building.")
@from_option
@click.option("--to", "to_on", type=DateParameter(), required=True, help="First day not meant.")
@click.option("--amount", help="Yuan; or a quantity at a unit price:")
@click.option("--quantity")
@click.option("--unit-price")
@click.option("--share-by", "by", type=CodeParameter(ApportionBy), required=True)
@click.option("--usage-item", help="Whose meters weigh, with --share-by usage.")
@click.option("--cap", help="Yuan, the most one share pays.")
def add_cost(code: str, **given: Any) -> None:
    """Record what something cost."""
    with open_books(code) as books:
        cost = record_shared_cost(books.session, books.community_id, now=books.now, **given)
        result = {"id": cost.id, "item": given["item_code"]}
    print_json(result)


@shared_cost.command("preview")
@community_option
@click.argument("cost_id", type=int)
def preview(code: str, cost_id: int) -> None:
    """What everybody would pay of a cost, with the weights of now."""
    with open_books(code) as books:
        cost = get_shared_cost(books.session, books.community_id, cost_id)
        found = preview_shares(books.session, cost)
    print_json(
        {
            "id": cost_id,
            "total_fen": found.total.fen,
            "uncollected_fen": found.uncollected.fen,
            "shares": [
                {
                    "subject": weighed.code,
                    "amount_fen": basis.amount.fen,
                    "explanation": explain_basis(basis),
                }
                for weighed, basis in found.shares
            ],
        }
    )


@shared_cost.command("remove")
@community_option
@click.argument("cost_id", type=int)
def remove_cost(code: str, cost_id: int) -> None:
    """Take back a cost nobody was charged for yet."""
    with open_books(code) as books:
        remove_shared_cost(books.session, books.community_id, cost_id)
    print_json({"removed": cost_id})
