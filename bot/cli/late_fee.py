"""`mingzhang late-fee`: the contract's clause, freezes, and what debts cost."""

from datetime import date
from decimal import Decimal
from typing import Any

import click

from billing.bills import get_bills
from billing.late_fee_bills import issue_late_fees
from billing.late_fee_policy import freeze, list_policies, set_policy, unfreeze
from billing.late_fee_tables import LateFeeCap, LateFeeFreeze
from billing.late_fees import preview_late_fee
from billing.pricing import explain
from bot.cli.installation import open_books, print_json
from bot.cli.options import (
    DateParameter,
    DecimalParameter,
    by_option,
    community_option,
    home_options,
    today_option,
)


@click.group("late-fee")
def late_fee() -> None:
    """Late fees (违约金)."""


@late_fee.command("policy")
@community_option
@click.option("--from", "effective_from", type=DateParameter(), help="First day in force.")
@click.option("--daily-rate", type=DecimalParameter(), help="Fraction per day: 0.0005 is 0.05 %.")
@click.option("--grace-days", type=int, default=0, show_default=True)
@click.option(
    "--cap",
    type=click.Choice([cap.value for cap in LateFeeCap]),
    default=LateFeeCap.PRINCIPAL.value,
    show_default=True,
)
@click.option("--document", help="The contract's clause, shown to owners.")
def policy(
    code: str,
    effective_from: date | None,
    daily_rate: Decimal | None,
    grace_days: int,
    cap: str,
    document: str | None,
) -> None:
    """Add a version of the clause with --from, --daily-rate and --document; list all of them."""
    given = [effective_from, daily_rate, document]
    if any(one is not None for one in given) and any(one is None for one in given):
        raise click.UsageError("--from, --daily-rate and --document go together")
    warnings: list[str] = []
    with open_books(code) as books:
        if effective_from is not None and daily_rate is not None and document is not None:
            warnings = set_policy(
                books.session,
                books.community_id,
                effective_from=effective_from,
                daily_rate=daily_rate,
                grace_days=grace_days,
                cap=LateFeeCap(cap),
                document=document,
            )
        policies: list[dict[str, Any]] = [
            {
                "from": one.effective_from,
                "daily_rate": f"{one.daily_rate.normalize():f}",
                "grace_days": one.grace_days,
                "cap": one.cap.value,
                "document": one.document,
            }
            for one in list_policies(books.session, books.community_id)
        ]
    print_json({"policies": policies, "warnings": warnings})


@late_fee.command("freeze")
@home_options
@click.option("--from", "from_on", type=DateParameter(), required=True, help="First day frozen.")
@click.option("--to", "to_on", type=DateParameter(), help="First day counted again.")
@click.option("--reason", required=True)
@by_option
def freeze_home(
    code: str, room: str, from_on: date, to_on: date | None, reason: str, login: str
) -> None:
    """Count no late fee for a home on these days."""
    with open_books(code) as books:
        unit = books.unit(room)
        frozen = freeze(
            books.session,
            unit.community_id,
            unit.id,
            from_on=from_on,
            to_on=to_on,
            reason=reason,
            by=books.staff(login).id,
            now=books.now,
        )
    print_json(_freeze_json(frozen))


@late_fee.command("unfreeze")
@click.argument("freeze_id", type=int)
@community_option
@click.option("--on", type=DateParameter(), required=True, help="First day counted again.")
@click.option("--reason", required=True)
@by_option
def unfreeze_home(freeze_id: int, code: str, on: date, reason: str, login: str) -> None:
    """Count late fees again from a day on."""
    with open_books(code) as books:
        frozen = unfreeze(
            books.session,
            books.community_id,
            freeze_id,
            on=on,
            reason=reason,
            by=books.staff(login).id,
        )
    print_json(_freeze_json(frozen))


def _freeze_json(frozen: LateFeeFreeze) -> dict[str, Any]:
    return {"id": frozen.id, "from": frozen.from_on, "to": frozen.to_on}


@late_fee.command("accrue")
@home_options
@today_option
def accrue(code: str, room: str, today: date) -> None:
    """Charge a home what its debts cost up to today, by a bill issued at once."""
    with open_books(code) as books:
        unit = books.unit(room)
        ids = issue_late_fees(books.session, books.community, unit.id, today=today, now=books.now)
        bills = get_bills(books.session, unit.community_id, ids)
    print_json(
        {
            "room": room,
            "bills": [{"bill": bill.id, "amount_fen": bill.amount.fen} for bill in bills],
        }
    )


@late_fee.command("preview")
@click.argument("bill_id", type=int)
@community_option
@today_option
def preview(bill_id: int, code: str, today: date) -> None:
    """What would be charged for a bill today; nothing is written."""
    with open_books(code) as books:
        line = preview_late_fee(books.session, books.community_id, bill_id, today)
    nothing = {"bill": bill_id, "amount_fen": 0, "from": None, "to": None, "explanation": None}
    print_json(
        nothing
        if line is None
        else {
            "bill": bill_id,
            "amount_fen": line.amount.fen,
            "from": line.start,
            "to": line.end,
            "explanation": explain(line.basis),
        }
    )
