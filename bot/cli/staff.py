"""`mingzhang staff`: who works here. The console does it too, once somebody can sign in to it."""

from typing import Any

import click
from sqlalchemy import select

from billing.people import Staff, StaffRole, get_staff
from billing.property import Community, get_community
from billing.staff_access import NewAccount, add_staff, issue_account, let_go
from bot.cli.installation import open_program, print_json
from bot.cli.options import CodeParameter


@click.group()
def staff() -> None:
    """Staff and what they sign in with (员工)."""


login_option = click.option("--login", required=True)


@staff.command()
@login_option
@click.option("--name", required=True)
@click.option("--role", type=CodeParameter(StaffRole), required=True)
@click.option("--community", "code", help="Where he works; without it everywhere.")
def add(login: str, name: str, role: StaffRole, code: str | None) -> None:
    """Add somebody; prints his first password and second factor, once."""
    with open_program() as program, program.services.database.transaction() as session:
        account = add_staff(
            session,
            program.services.vault,
            login=login,
            name=name,
            role=role,
            community_id=get_community(session, code).id if code else None,
            now=program.services.clock(),
        )
        result = _issued(account)
    print_json(result)


@staff.command()
@login_option
def reset(login: str) -> None:
    """A new first password and second factor; he is signed out everywhere."""
    with open_program() as program, program.services.database.transaction() as session:
        one = get_staff(session, login)
        account = issue_account(session, program.services.vault, one, program.services.clock())
        result = _issued(account)
    print_json(result)


@staff.command()
@login_option
def leave(login: str) -> None:
    """He does not work here any more; what he did stays under his name."""
    with open_program() as program, program.services.database.transaction() as session:
        let_go(session, get_staff(session, login), program.services.clock())
    print_json({"login": login, "left": True})


@staff.command("list")
def list_all() -> None:
    """Everybody, also who left."""
    with open_program() as program, program.services.database.transaction() as session:
        rows = session.execute(
            select(Staff, Community.code)
            .outerjoin(Community, Community.id == Staff.community_id)
            .order_by(Staff.id)
        )
        result = [
            {
                "login": one.login,
                "name": one.name,
                "role": one.role.value,
                "community": code,
                "left_at": one.left_at,
            }
            for one, code in rows
        ]
    print_json(result)


def _issued(account: NewAccount) -> dict[str, Any]:
    return {
        "login": account.staff.login,
        "password": account.password,
        "totp_secret": account.totp_secret,
        "totp_uri": account.totp_uri,
    }
