"""Setting a template takes WeChat's list of them: it is asked for while no transaction is open."""

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from billing.errors import Conflict, InvalidInput
from billing.people import Staff
from handlers.services import Services
from notify.approved import read_approved
from notify.catalog import NoticeKind, Transport
from notify.template_setting import check_mapping, lock_kind, offered_words, set_template
from notify.wechat import AccountTemplate, WeChatError, WeChatUnreachable


def list_account_templates(services: Services, transport: Transport) -> list[AccountTemplate]:
    """The templates WeChat has for the account, asked now.

    Raises:
        InvalidInput: a transport WeChat keeps no templates for.
        Conflict: WeChat refuses, or does not answer.
    """
    asked = {
        Transport.TEMPLATE: services.wechat.list_templates,
        Transport.SUBSCRIBE: services.wechat.list_subscriptions,
    }
    if transport not in asked:
        raise InvalidInput("transport", f"WeChat keeps no templates for {transport.value}")
    try:
        return asked[transport]()
    except WeChatError as error:
        raise Conflict(f"WeChat refuses to list templates: error {error.errcode}") from error
    except WeChatUnreachable as error:
        raise Conflict(f"WeChat does not list templates: {error}") from error


def set_checked_template(
    services: Services,
    kind: NoticeKind,
    transport: Transport,
    template_id: str,
    fields: Mapping[str, str],
    *,
    at_wechat: list[AccountTemplate],
    seen: Mapping[str, object] | None,
    by: Staff,
    now: datetime,
    log: Callable[[Session], None],
) -> None:
    """Use a template from the next message on, in a transaction of its own.

    Args:
        at_wechat: as `list_account_templates` gave them.
        seen: the template that was in force when `by` decided; None: there was none.
        log: writes down who did it, in the same transaction.

    Raises:
        InvalidInput: a mapping WeChat would refuse, or `by` may not.
        Conflict: somebody set another while WeChat was asked.
    """
    check_mapping(fields, template_id, at_wechat, offered_words(kind, transport))
    with services.database.transaction() as session:
        lock_kind(session, kind)
        present = read_approved(session, services.approved).template(kind, transport)
        if present != seen:
            there = "none" if present is None else present["template_id"]
            raise Conflict(f"the template was changed meanwhile, to {there}; look at it first")
        set_template(session, kind, transport, template_id, fields, by=by, now=now)
        log(session)
