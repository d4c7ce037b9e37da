"""`mingzhang api-token`: which other systems may use the API."""

from typing import Any

import click
from sqlalchemy import select

from billing.api_access import ApiScope, add_token, list_tokens, revoke_token
from billing.api_tables import ApiCall, ApiToken
from billing.property import Community, get_community
from bot.cli.installation import open_program, print_json
from bot.cli.options import CodeParameter

CALLS_SHOWN = 100


@click.group("api-token")
def api_token() -> None:
    """Other systems that use the API (外部系统)."""


name_option = click.option("--name", required=True, help="Of the system.")


@api_token.command()
@name_option
@click.option("--scopes", required=True, help=f"Of {', '.join(ApiScope)}; commas between.")
@click.option("--community", "code", help="The one it may see; without it every one.")
def add(name: str, scopes: str, code: str | None) -> None:
    """Let a system in; prints its token, once."""
    kind = CodeParameter(ApiScope)
    wanted = [kind.convert(scope.strip(), None, None) for scope in scopes.split(",")]
    with open_program() as program, program.services.database.transaction() as session:
        token, secret = add_token(
            session,
            name=name,
            scopes=wanted,
            community_id=get_community(session, code).id if code else None,
            now=program.services.clock(),
        )
        result = {"name": token.name, "scopes": token.scopes, "community": code, "token": secret}
    print_json(result)


@api_token.command()
@name_option
def revoke(name: str) -> None:
    """Let nobody in with it any more."""
    with open_program() as program, program.services.database.transaction() as session:
        token = revoke_token(session, name, program.services.clock())
        result = {"name": token.name, "revoked_at": token.revoked_at}
    print_json(result)


@api_token.command("list")
def list_all() -> None:
    """Every token, what it may do, and when it was last used."""
    with open_program() as program, program.services.database.transaction() as session:
        places: dict[int, str] = dict(session.execute(select(Community.id, Community.code)).all())
        result = [_as_json(token, places) for token in list_tokens(session)]
    print_json(result)


@api_token.command()
@name_option
def calls(name: str) -> None:
    """The latest calls of a system, the last first."""
    with open_program() as program, program.services.database.transaction() as session:
        rows = session.scalars(
            select(ApiCall)
            .join(ApiToken, ApiToken.id == ApiCall.token_id)
            .where(ApiToken.name == name)
            .order_by(ApiCall.id.desc())
            .limit(CALLS_SHOWN)
        )
        result = [
            {
                "at": call.at,
                "method": call.method,
                "subject": call.subject,
                "status": call.status,
                "address": call.address,
            }
            for call in rows
        ]
    print_json(result)


def _as_json(token: ApiToken, places: dict[int, str]) -> dict[str, Any]:
    return {
        "name": token.name,
        "scopes": token.scopes,
        "community": places.get(token.community_id) if token.community_id else None,
        "created_at": token.created_at,
        "used_at": token.used_at,
        "revoked_at": token.revoked_at,
    }
