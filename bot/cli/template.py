"""`mingzhang template`: approved templates, their fields, and the order of transports."""

import re
import sys
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.errors import Conflict, InvalidInput
from billing.people import Follower, Staff, get_staff
from bot.cli.installation import Refused, open_program, print_json
from bot.cli.options import CodeParameter, by_option
from bot.program import Program
from notify.approved import Approved, read_approved
from notify.catalog import NOTICES, NoticeKind, Transport
from notify.template_setting import (
    check_mapping,
    clear,
    offered_words,
    require_manager,
    require_way,
    set_route,
    set_template,
)
from notify.trial import send_trial
from notify.wechat import AccountTemplate, WeChatError, WeChatUnreachable
from notify.wechat_errors import meaning

PHONE = re.compile(r"\+?[0-9]{8,15}")


@click.group()
def template() -> None:
    """Templates of notices (模板), and by which transports each kind goes."""


kind_option = click.option("--kind", type=CodeParameter(NoticeKind), required=True)
transport_option = click.option(
    "--transport",
    type=CodeParameter(Transport),
    default=Transport.TEMPLATE,
    show_default=True,
    help="template, subscribe or sms.",
)


@template.command("list")
@click.option("--kind", type=CodeParameter(NoticeKind), help="Default: all.")
def list_all(kind: NoticeKind | None) -> None:
    """Per kind: its words, its transports in order, and the template of each."""
    with open_program() as program:
        defaults = program.notifier.defaults
        with program.services.database.transaction() as session:
            approved = read_approved(session, defaults)
    kinds = [kind] if kind else list(NOTICES)
    print_json([_kind_json(one, approved, defaults) for one in kinds])


def _kind_json(kind: NoticeKind, approved: Approved, defaults: Approved) -> dict[str, Any]:
    route = approved.route(kind)
    off = [one for one in NOTICES[kind].transports if one not in route]
    return {
        "kind": kind.value,
        "label": kind.label,
        "words": offered_words(kind),
        "ordered_by_staff": kind in approved.routes,
        "transports": [
            {
                "transport": one.value,
                "on": one in route,
                "template": approved.template(kind, one),
                "set_by_staff": approved.template(kind, one) != defaults.template(kind, one),
            }
            for one in (*route, *off)
        ],
    }


@template.command("set")
@kind_option
@transport_option
@click.option("--template-id", required=True, help="As WeChat, or the provider of SMS, calls it.")
@click.option("--field", "pairs", multiple=True, help="thing1=room; once for each field.")
@by_option
def set_one(
    kind: NoticeKind, transport: Transport, template_id: str, pairs: tuple[str, ...], login: str
) -> None:
    """Use an approved template from the next message on; a mapping WeChat would refuse is refused
    with what there is.
    """
    fields = _fields(pairs)
    with open_program() as program:
        database = program.services.database
        with database.transaction() as session:
            require_manager(get_staff(session, login))
            require_way(kind, transport)
        if transport is not Transport.SMS:  # asked outside a transaction: it is the network
            listed = _at_wechat(program, transport)
            check_mapping(fields, template_id, listed, offered_words(kind))
        with database.transaction() as session:
            set_template(
                session,
                kind,
                transport,
                template_id,
                fields,
                by=get_staff(session, login),
                now=program.services.clock(),
            )
            approved = read_approved(session, program.notifier.defaults)
        print_json(_kind_json(kind, approved, program.notifier.defaults))


def _fields(pairs: tuple[str, ...]) -> dict[str, str]:
    fields = {}
    for pair in pairs:
        name, equals, word = (part.strip() for part in pair.partition("="))
        if not (name and equals and word):
            raise Refused(f"--field: {pair!r} is not like thing1=room")
        if name in fields:
            raise Refused(f"--field: {name} is given twice")
        fields[name] = word
    return fields


def _at_wechat(program: Program, transport: Transport) -> list[AccountTemplate]:
    wechat = program.services.wechat
    try:
        if transport is Transport.SUBSCRIBE:
            return wechat.list_subscriptions()
        return wechat.list_templates()
    except WeChatError as error:
        raise Refused(f"WeChat refuses to list templates: {meaning(error.errcode)}") from error
    except WeChatUnreachable as error:
        raise Refused(f"WeChat does not list templates: {error}; try again") from error


@template.command("order")
@kind_option
@click.argument("transports", nargs=-1, required=True, type=CodeParameter(Transport))
@by_option
def order(kind: NoticeKind, transports: tuple[Transport, ...], login: str) -> None:
    """Have a kind take these transports, the first first; those left out are off."""
    with open_program() as program, program.services.database.transaction() as session:
        by, now = get_staff(session, login), program.services.clock()
        set_route(session, kind, transports, by=by, now=now)
        approved = read_approved(session, program.notifier.defaults)
        print_json(_kind_json(kind, approved, program.notifier.defaults))


@template.command("clear")
@kind_option
@click.option("--transport", type=CodeParameter(Transport), help="Its template.")
@click.option("--order", "the_order", is_flag=True, help="The order of transports.")
@by_option
def clear_one(kind: NoticeKind, transport: Transport | None, the_order: bool, login: str) -> None:
    """Back to the settings: the template of a transport, or the order."""
    if (transport is None) != the_order:
        raise click.UsageError("say either --transport or --order")
    with open_program() as program, program.services.database.transaction() as session:
        clear(session, kind, transport, by=get_staff(session, login))
        approved = read_approved(session, program.notifier.defaults)
        print_json(_kind_json(kind, approved, program.notifier.defaults))


@template.command("test-send")
@kind_option
@click.option("--transport", type=CodeParameter(Transport), help="Default: the kind's first.")
@click.option("--to", required=True, help="Login of staff, an openid, or of an SMS a number.")
def test_send(kind: NoticeKind, transport: Transport | None, to: str) -> None:
    """Send a kind with sample words to one person, truly; says what the other side answered.
    Exit code 1 when it was refused.
    """
    with open_program() as program:
        with program.services.database.transaction() as session:
            approved = read_approved(session, program.notifier.defaults)
            way = transport or approved.route(kind)[0]
            reader = _number(to) if way is Transport.SMS else _openid(session, to)
        trial = send_trial(
            program.services.wechat, program.notifier.sms, approved, kind, way, reader
        )
    print_json(
        {
            "kind": kind.value,
            "transport": way.value,
            "accepted": trial.is_accepted,
            "code": trial.code,
            "answer": trial.answer,
            "means": trial.means,
            "shown": trial.shown,
        }
    )
    if not trial.is_accepted:
        sys.exit(1)


def _number(to: str) -> str:
    if PHONE.fullmatch(to) is None:
        raise InvalidInput("to", "an SMS goes to a number, digits only")
    return to


def _openid(session: Session, to: str) -> str:
    staff = session.scalar(select(Staff).where(Staff.login == to))
    if staff is None:
        return to
    if staff.follower_id is None:
        raise Conflict(f"{to} has not bound his WeChat; give an openid, or have him bind it first")
    return session.get_one(Follower, staff.follower_id).openid
