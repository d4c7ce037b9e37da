"""`mingzhang reconcile` and `mingzhang discrepancy`: the books against the providers."""

import sys
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.business_day import business_date
from billing.discrepancies import (
    Discrepancy,
    DiscrepancyKind,
    age_days,
    assign_discrepancy,
    close_discrepancy,
    list_discrepancies,
)
from billing.merchants import MerchantAccount
from billing.people import Staff, get_staff
from billing.property import get_community
from billing.statements.totals import StatementTotals, statement_totals
from bot.cli.installation import open_program, print_json
from bot.cli.options import NUMBER, DateParameter, by_option
from handlers.reconciling import Comparison
from handlers.reconciling import reconcile as compare

discrepancy_argument = click.argument("discrepancy_id", type=NUMBER)


@click.command()
@click.option(
    "--date",
    "day",
    type=DateParameter(),
    help="Day of the payments, YYYY-MM-DD; default: today in Asia/Shanghai.",
)
def reconcile(day: date | None) -> None:
    """Compare a day with what providers and banks say of it; mend what asking mends, list the rest.

    Exit code 1 when a provider could not be asked.
    """
    with open_program() as program:
        services = program.services
        wanted = day or services.today()
        found = compare(services, wanted)
        with services.database.transaction() as session:
            discrepancies = list_discrepancies(session, day=wanted)
            listed = _discrepancies_json(session, discrepancies, services.today())
            banks = statement_totals(session, wanted)
    listed += [
        {
            "kind": DiscrepancyKind.MISSING_HERE.value,
            "bank_row": row.id,
            "amount_fen": row.amount.fen,
            "statement_on": row.value_on.isoformat(),
            "age_days": row.age_days,
        }
        for bank in banks
        for row in bank.open_rows
        if row.value_on == wanted
    ]
    print_json(
        {
            "date": wanted.isoformat(),
            "provider_fen": _sum(found, "provider")
            + sum((bank.credited - bank.ignored).fen for bank in banks),
            "booked_fen": _sum(found, "booked") + sum(bank.booked.fen for bank in banks),
            "refunded_fen": _sum(found, "refunded"),
            "booked_refunded_fen": _sum(found, "booked_refunded"),
            "matched": sum(each.totals.matched for each in found if each.totals),
            "healed": sum(each.healed for each in found),
            "discrepancies": listed,
            "merchants": [_merchant_json(each) for each in found],
            "banks": [_bank_json(each) for each in banks],
        }
    )
    if any(each.failure for each in found):
        sys.exit(1)


def _sum(found: Sequence[Comparison], figure: str) -> int:
    return sum(getattr(each.totals, figure).fen for each in found if each.totals)


def _merchant_json(found: Comparison) -> dict[str, Any]:
    known: dict[str, Any] = {
        "merchant": found.merchant.code,
        "by_statement": found.by_statement,
        "done": found.is_done,
        "healed": found.healed,
        "not_asked": found.not_asked,
        "failure": found.failure,
    }
    if found.totals is None:
        return known
    return known | {
        "rows": found.totals.rows,
        "provider_fen": found.totals.provider.fen,
        "booked_fen": found.totals.booked.fen,
        "refunded_fen": found.totals.refunded.fen,
        "booked_refunded_fen": found.totals.booked_refunded.fen,
        "fees_fen": found.totals.fees.fen,
        "matched": found.totals.matched,
    }


def _bank_json(totals: StatementTotals) -> dict[str, Any]:
    return {
        "community_id": totals.community_id,
        "credited_fen": totals.credited.fen,
        "booked_fen": totals.booked.fen,
        "ignored_fen": totals.ignored.fen,
        "open": len(totals.open_rows),
        "oldest_days": max((row.age_days for row in totals.open_rows), default=0),
    }


@click.group()
def discrepancy() -> None:
    """Where the books and a provider disagree: who sees to it, what became of it."""


@discrepancy.command("list")
@click.option("--community", "code", help="Of one community, and those of nobody's.")
@click.option("--date", "day", type=DateParameter(), help="Of one day's statement.")
@click.option("--all", "every", is_flag=True, help="Closed ones too.")
def list_all(code: str | None, day: date | None, every: bool) -> None:
    """Open discrepancies, the oldest first."""
    with open_program() as program, program.services.database.transaction() as session:
        found = list_discrepancies(
            session,
            day=day,
            community_id=get_community(session, code).id if code else None,
            with_closed=every,
        )
        print_json(_discrepancies_json(session, found, program.services.today()))


@discrepancy.command()
@discrepancy_argument
@click.option("--to", "login", required=True, help="Login of who sees to it.")
def assign(discrepancy_id: int, login: str) -> None:
    """Name who sees to it."""
    _change(login, lambda session, to, _: assign_discrepancy(session, discrepancy_id, to=to))


@discrepancy.command()
@discrepancy_argument
@click.option("--reason", required=True, help="What became of the money.")
@by_option
def close(discrepancy_id: int, reason: str, login: str) -> None:
    """Close it, for good."""
    _change(
        login,
        lambda session, by, now: close_discrepancy(
            session, discrepancy_id, by=by, reason=reason, now=now
        ),
    )


def _change(login: str, change: Callable[[Session, Staff, Any], Discrepancy]) -> None:
    with open_program() as program, program.services.database.transaction() as session:
        now = program.services.clock()
        changed = change(session, get_staff(session, login), now)
        print_json(_discrepancies_json(session, [changed], business_date(now))[0])


def _discrepancies_json(
    session: Session, found: Sequence[Discrepancy], today: date
) -> list[dict[str, Any]]:
    merchants = {each.id: each.code for each in session.scalars(select(MerchantAccount))}
    staff = {each.id: each.login for each in session.scalars(select(Staff))}
    return [
        {
            "id": each.id,
            "kind": each.kind.value,
            "label": each.kind.label,
            "merchant": merchants[each.merchant_id],
            "community_id": each.community_id,
            "out_trade_no": each.out_trade_no,
            "out_refund_no": each.out_refund_no,
            "transaction_id": each.transaction_id,
            "statement_on": each.statement_on,
            "age_days": age_days(each, today),
            "owner": staff.get(each.owner_id) if each.owner_id else None,
            "closed_at": each.closed_at,
            "closed_by": staff.get(each.closed_by) if each.closed_by else None,
            "close_reason": each.close_reason,
            "healed": each.is_healed,
            "data": each.data,
        }
        for each in found
    ]
