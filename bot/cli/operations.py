"""Commands for operators: alerts, and what is published to WeChat."""

import click
from sqlalchemy import select

from billing.alerts import Alert, close_alert
from bot.cli.installation import Refused, open_program, print_json
from bot.menu import menu
from notify.wechat import WeChatError, WeChatUnreachable


@click.command()
@click.option("--all", "every", is_flag=True, help="Closed ones too.")
@click.option("--close", "dealt_with", type=int, multiple=True, help="Alert that was dealt with.")
def alerts(every: bool, dealt_with: tuple[int, ...]) -> None:
    """Open alerts, latest first; after closing those named with --close."""
    with open_program() as program, program.services.database.transaction() as session:
        for alert_id in dealt_with:
            close_alert(session, alert_id, program.services.clock())
        query = select(Alert).order_by(Alert.raised_at.desc(), Alert.id.desc())
        if not every:
            query = query.where(Alert.closed_at.is_(None))
        print_json(
            [
                {
                    "id": alert.id,
                    "kind": alert.kind.value,
                    "label": alert.kind.label,
                    "community_id": alert.community_id,
                    "raised_at": alert.raised_at.isoformat(),
                    "closed_at": alert.closed_at.isoformat() if alert.closed_at else None,
                    "severity": alert.severity.value,
                    "close_reason": alert.close_reason,
                    "data": alert.data,
                }
                for alert in session.scalars(query)
            ]
        )


@click.group()
def wechat() -> None:
    """The official account."""


@wechat.command("menu")
def publish_menu() -> None:
    """Publish the menu; safe to repeat."""
    with open_program() as program:
        try:
            program.services.wechat.create_menu(menu())
        except (WeChatError, WeChatUnreachable) as error:
            raise Refused(f"WeChat did not take the menu: {error}") from error
        print_json({"published": True, "menu": menu()})
