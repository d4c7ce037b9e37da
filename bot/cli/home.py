"""`mingzhang home`: who lives there, hand-overs, and bills owed by several people."""

from datetime import date
from decimal import Decimal, InvalidOperation

import click

from billing.handovers import hand_over
from billing.property import get_community, get_unit
from billing.resident_keys import index_residents
from billing.residents import list_stays
from billing.shares import split_bill
from bot.cli.installation import Refused, open_books, open_program, print_json
from bot.cli.options import DateParameter, by_option, community_option, home_options


@click.group()
def home() -> None:
    """Homes: people, hand-over, shared bills."""


@home.command("people")
@home_options
def people(code: str, room: str) -> None:
    """Owners, tenants and family of a home, now and before, with the ids other commands take."""
    with open_program() as program, program.services.database.transaction() as session:
        unit = get_unit(session, get_community(session, code).id, room)
        stays = list_stays(session, program.services.vault, unit.community_id, [unit.id])
        found = [
            {
                "resident": stay.resident_id,
                "name": stay.name,
                "role": stay.role.value,
                "from": stay.from_on,
                "to": stay.to_on,
            }
            for stay in stays
        ]
    print_json(found)


@home.command("index")
def index() -> None:
    """Let people be found by name and number who were known before there was an index of them."""
    indexed = 0
    with open_program() as program:
        while True:
            with program.services.database.transaction() as session:
                done = index_residents(session, program.services.vault)
            indexed += done
            if not done:
                break
    print_json({"indexed": indexed})


@home.command("hand-over")
@home_options
@click.option(
    "--owner", "owners", type=int, multiple=True, required=True,
    help="Resident who owns it from now on; repeat for several.",
)  # fmt: skip
@click.option("--on", type=DateParameter(), required=True, help="Their first day.")
@click.option("--keep-tenants", is_flag=True, help="The tenants stay.")
@click.option(
    "--binding", "bindings", type=int, multiple=True, help="A binding that is theirs already."
)
@by_option
def give(
    code: str,
    room: str,
    owners: tuple[int, ...],
    on: date,
    keep_tenants: bool,
    bindings: tuple[int, ...],
    login: str,
) -> None:
    """Record new owners; debts stay with whoever owned the home on their days."""
    with open_books(code) as books:
        unit = books.unit(room)
        done = hand_over(
            books.session,
            unit.community_id,
            unit.id,
            owners,
            on=on,
            by=books.staff(login).id,
            now=books.now,
            keep_tenants=keep_tenants,
            own_bindings=bindings,
        )
    print_json(
        {
            "room": room,
            "on": on,
            "from": list(done.former_owners),
            "to": list(done.new_owners),
            "bills": done.bills,
        }
    )


@home.command("split")
@click.argument("bill_id", type=int)
@community_option
@click.option(
    "--share", "shares", multiple=True, required=True, metavar="RESIDENT=WEIGHT",
    help="Who owes it and how much of it; repeat for each.",
)  # fmt: skip
@by_option
def split(bill_id: int, code: str, shares: tuple[str, ...], login: str) -> None:
    """Share a bill among people; replaces how it was shared before."""
    weights = _read_weights(shares)
    with open_books(code) as books:
        owed = split_bill(
            books.session,
            books.community_id,
            bill_id,
            weights,
            by=books.staff(login).id,
            now=books.now,
        )
    print_json(
        {
            "bill": bill_id,
            "shares": [{"resident": one.resident_id, "amount_fen": one.amount.fen} for one in owed],
        }
    )


def _read_weights(shares: tuple[str, ...]) -> dict[int, Decimal]:
    weights: dict[int, Decimal] = {}
    for share in shares:
        resident, _, weight = share.partition("=")
        try:
            resident_id, number = int(resident), Decimal(weight)
        except (ValueError, InvalidOperation):
            raise Refused(f"--share: {share!r} is not RESIDENT=WEIGHT, such as 17=0.5") from None
        if resident_id in weights:
            raise Refused(f"--share: resident {resident_id} is named twice")
        weights[resident_id] = number
    return weights
