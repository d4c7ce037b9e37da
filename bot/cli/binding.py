"""`mingzhang binding`: codes and requests, until the console does it."""

from typing import Any

import click
from sqlalchemy import select

from billing.bindings import decide_binding, issue_code
from billing.people import Binding, BindingState, Follower, ResidentRole
from billing.privacy import mask_room
from billing.property import Community, Unit, get_community, get_unit
from bot.cli.installation import open_books, open_program, print_json
from bot.cli.options import community_option, home_options


@click.group()
def binding() -> None:
    """Bindings of followers to homes."""


@binding.command("list")
@community_option
@click.option(
    "--state",
    type=click.Choice([state.value for state in BindingState]),
    default=BindingState.REQUESTED.value,
    show_default=True,
)
def list_bindings(code: str, state: str) -> None:
    """Bindings in a state, oldest first."""
    with open_books(code) as books:
        rows = books.session.execute(
            select(Binding, Unit.room, Follower.openid)
            .join(Unit, (Unit.community_id == Binding.community_id) & (Unit.id == Binding.unit_id))
            .join(Follower, Follower.id == Binding.follower_id)
            .where(Binding.community_id == books.community_id, Binding.state == BindingState(state))
            .order_by(Binding.requested_at, Binding.id)
        ).all()
        print_json(
            [
                {
                    "id": found.id,
                    "room": room,
                    "openid": openid,
                    "role": found.role.value,
                    "requested_at": found.requested_at.isoformat(),
                }
                for found, room, openid in rows
            ]
        )


@binding.command()
@click.argument("binding_id", type=int)
@community_option
def approve(binding_id: int, code: str) -> None:
    """Approve a request; the follower is told."""
    print_json(_decide(binding_id, code, approve=True))


@binding.command()
@click.argument("binding_id", type=int)
@community_option
def refuse(binding_id: int, code: str) -> None:
    """Refuse a request; the follower is told."""
    print_json(_decide(binding_id, code, approve=False))


def _decide(binding_id: int, code: str, *, approve: bool) -> dict[str, Any]:
    with open_books(code) as books:
        decided = decide_binding(
            books.session, books.community_id, binding_id, approve=approve, now=books.now
        )
        unit = books.session.get_one(Unit, (decided.community_id, decided.unit_id))
        return {"id": decided.id, "room": mask_room(unit.room), "state": decided.state.value}


@binding.command("code")
@home_options
@click.option(
    "--role",
    type=click.Choice([role.value for role in ResidentRole]),
    default=ResidentRole.OWNER.value,
    show_default=True,
)
def make_code(code: str, room: str, role: str) -> None:
    """Make a one-time binding code for a home; shown only now."""
    with open_program() as program, program.services.database.transaction() as session:
        community: Community = get_community(session, code)
        unit = get_unit(session, community.id, room)
        made = issue_code(
            session,
            program.services.vault,
            community_id=community.id,
            unit_id=unit.id,
            role=ResidentRole(role),
            now=program.services.clock(),
        )
    print_json({"community": code, "room": room, "role": role, "code": made})
