"""`mingzhang binding`: codes and requests; the console does it too."""

from datetime import date
from typing import Any

import click
from sqlalchemy import select

from billing.binding_requests import Claim, decide_binding
from billing.bindings import issue_code
from billing.business_day import business_date
from billing.people import Binding, BindingState, Follower, ResidentRole
from billing.privacy import mask_openid, mask_room
from billing.property import Community, Unit, get_community, get_unit
from billing.residents import masked_claim
from billing.sightings import list_sightings
from billing.unbinding import end_by_staff, end_moved_out
from bot.cli.installation import open_books, open_program, print_json
from bot.cli.options import by_option, community_option, home_options, today_option


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
    with open_program() as program, program.services.database.transaction() as session:
        community_id, vault = get_community(session, code).id, program.services.vault
        rows = session.execute(
            select(Binding, Unit.room, Follower.openid)
            .join(Unit, (Unit.community_id == Binding.community_id) & (Unit.id == Binding.unit_id))
            .join(Follower, Follower.id == Binding.follower_id)
            .where(Binding.community_id == community_id, Binding.state == BindingState(state))
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
                    "claim": _claim_json(masked_claim(vault, found)),
                    "claim_fits": found.claim_fits,
                    "ended_at": found.ended_at,
                    "end_reason": found.end_reason,
                }
                for found, room, openid in rows
            ]
        )


def _claim_json(claim: Claim | None) -> dict[str, str] | None:
    return None if claim is None else {"name": claim.name, "phone": claim.phone}


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


@binding.command("end")
@click.argument("binding_id", type=int)
@community_option
@by_option
def end(binding_id: int, code: str, login: str) -> None:
    """End a binding; the follower is told."""
    with open_books(code) as books:
        ended = end_by_staff(
            books.session, books.community_id, binding_id, by=books.staff(login), now=books.now
        )
        unit = books.session.get_one(Unit, (ended.community_id, ended.unit_id))
        shown = {"id": ended.id, "room": mask_room(unit.room), "state": ended.state.value}
    print_json(shown | {"ended_at": ended.ended_at, "end_reason": ended.end_reason})


@binding.command("end-moved-out")
@today_option
def moved_out(today: date) -> None:
    """End the bindings of tenants whose tenancy is over, in all communities, as cron does."""
    with open_program() as program, program.services.database.transaction() as session:
        ended = end_moved_out(session, today, program.services.clock())
    print_json({"today": today, "ended": ended})


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


@click.command()
@home_options
@click.option(
    "--days", type=click.IntRange(1, 3660), default=180, show_default=True, help="How far back."
)
def sightings(code: str, room: str, days: int) -> None:
    """Who saw what of a home, the latest first; followers masked."""
    with open_books(code) as books:
        unit = books.unit(room)
        found = list_sightings(
            books.session, unit.community_id, unit.id, days=days, today=business_date(books.now)
        )
        shown = [
            {
                "at": seen.at.isoformat(),
                "what": seen.what.value,
                "follower": seen.openid and mask_openid(seen.openid),
                "staff": seen.login,
            }
            for seen in found
        ]
    print_json(shown)
