"""`mingzhang webhook`: which other systems hear of changes."""

from datetime import date, datetime, time
from typing import Any

import click
from sqlalchemy import select

from billing.business_day import BEIJING
from billing.facts import FactKind
from billing.property import Community, get_community
from bot.cli.installation import open_program, print_json
from bot.cli.options import CodeParameter, DateParameter
from notify.webhook_tables import Webhook, WebhookDelivery
from notify.webhooks import TELLABLE, add_webhook, end_webhook, get_webhook, replay

SHOWN = 100


@click.group()
def webhook() -> None:
    """Changes told to other systems (外部系统通知)."""


name_option = click.option("--name", required=True, help="Of the system.")


@webhook.command()
@name_option
@click.option("--url", required=True, help="https, on the public internet.")
@click.option(
    "--secret-file", type=click.File(), required=True, help="Signs what is sent; - reads it."
)
@click.option("--kinds", required=True, help=f"Of {', '.join(sorted(TELLABLE))}; commas between.")
@click.option("--community", "code", help="Only of this one; without it of every one.")
def add(name: str, url: str, secret_file: Any, kinds: str, code: str | None) -> None:
    """Tell a system of changes from now on."""
    kind = CodeParameter(FactKind)
    wanted = [kind.convert(one.strip(), None, None) for one in kinds.split(",")]
    with open_program() as program, program.services.database.transaction() as session:
        added = add_webhook(
            session,
            program.services.vault,
            name=name,
            url=url,
            secret=secret_file.read().strip(),
            kinds=wanted,
            community_id=get_community(session, code).id if code else None,
            loopback=program.settings.webhooks_to == "loopback",
            now=program.services.clock(),
        )
        result = {"name": added.name, "kinds": added.kinds, "community": code}
    print_json(result)


@webhook.command()
@name_option
def end(name: str) -> None:
    """Tell it nothing any more, not even what waits."""
    with open_program() as program, program.services.database.transaction() as session:
        dropped = end_webhook(session, get_webhook(session, name), program.services.clock())
    print_json({"name": name, "dropped": dropped})


@webhook.command("list")
def list_all() -> None:
    """Every system that hears of changes."""
    with open_program() as program, program.services.database.transaction() as session:
        rows = session.execute(
            select(Webhook, Community.code)
            .outerjoin(Community, Community.id == Webhook.community_id)
            .order_by(Webhook.id)
        )
        result = [
            {
                "name": one.name,
                "url": one.url,
                "kinds": one.kinds,
                "community": code,
                "created_at": one.created_at,
                "ended_at": one.ended_at,
            }
            for one, code in rows
        ]
    print_json(result)


@webhook.command()
@name_option
def deliveries(name: str) -> None:
    """The latest deliveries to a system, the last first."""
    with open_program() as program, program.services.database.transaction() as session:
        rows = session.scalars(
            select(WebhookDelivery)
            .where(WebhookDelivery.webhook_id == get_webhook(session, name).id)
            .order_by(WebhookDelivery.id.desc())
            .limit(SHOWN)
        )
        result = [
            {
                "id": one.number,
                "kind": one.body["kind"],
                "state": one.state.value,
                "attempts": one.attempts,
                "outcome": one.outcome,
                "created_at": one.created_at,
                "settled_at": one.settled_at,
            }
            for one in rows
        ]
    print_json(result)


@webhook.command("replay")
@name_option
@click.option("--since", type=DateParameter(), required=True, help="First day, in Beijing.")
@click.option("--all", "every", is_flag=True, help="Also what arrived.")
def replay_command(name: str, since: date, every: bool) -> None:
    """Send again what never arrived, or everything."""
    with open_program() as program, program.services.database.transaction() as session:
        queued = replay(
            session,
            get_webhook(session, name),
            program.services.clock(),
            since=datetime.combine(since, time(), BEIJING),
            failed_only=not every,
        )
    print_json({"name": name, "queued": queued})
