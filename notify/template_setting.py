"""Staff set templates and the order of transports; what cannot work is refused with what can."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.errors import InvalidInput
from billing.people import Staff, StaffRole
from notify.catalog import NOTICES, NoticeKind, Transport
from notify.fields import FITTERS, fit, plain
from notify.sms import PLACE
from notify.template_tables import NoticeRoute, NoticeTemplate
from notify.wechat import AccountTemplate
from notify.wording import TEMPLATES, text_environment

TEMPLATED = (Transport.TEMPLATE, Transport.SUBSCRIBE, Transport.SMS)
SMS_CODE = re.compile(r"SMS_[0-9]{1,20}")
CUT = frozenset({"thing", "const"})
"""Types that hold every text, cut to their length."""

UNSHOWN = frozenset({"first", "remark"})
"""Fields of older templates that telephones show no more; they need not be filled."""

WORD = re.compile(r"^(\w+) = ", re.MULTILINE)
"""A word in `fields.txt`, one a line."""

LOCK_KIND = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 20261126))")

INSTANT = re.compile(r"[0-9]{1,2}:[0-9]{2}|[0-9]{4}[\u5e74/-]")


@cache
def samples() -> Mapping[str, str]:
    """Every word that templates may be given, with an example of it."""
    lines = text_environment().get_template("notices/_samples.txt").render().splitlines()
    pairs = (line.partition("=") for line in lines if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


@cache
def offered_words(kind: NoticeKind, transport: Transport = Transport.TEMPLATE) -> tuple[str, ...]:
    """The words a kind offers to templates, or has in its wording as SMS; none where it has none
    of these.
    """
    is_sms = transport is Transport.SMS
    file = TEMPLATES / "notices" / kind.value / ("sms.txt" if is_sms else "fields.txt")
    if not file.exists():
        return ()
    source = file.read_text(encoding="utf-8")
    return tuple(PLACE.findall(source) if is_sms else WORD.findall(source))


def holds(field: str, word: str) -> bool:
    """Whether a field of WeChat's can show a word of ours: texts are cut, anything else is whole.

    >>> holds("thing1", "remark"), holds("amount2", "amount"), holds("time3", "room")
    (True, True, False)
    """
    kind, value = field.rstrip("0123456789"), samples()[word]
    if kind in CUT:
        return True
    if kind in {"time", "date"} and INSTANT.search(value) is None:
        return False
    return fit(field, value) == plain(value)


def check_mapping(
    fields: Mapping[str, str],
    template_id: str,
    at_wechat: Sequence[AccountTemplate],
    offered: Sequence[str],
) -> None:
    """Refuse a mapping that WeChat would.

    Args:
        fields: field of the template → our word.
        at_wechat: the account's templates.
        offered: the kind's words.

    Raises:
        InvalidInput: a template the account has not, a field or word that does not exist, a type
            that cannot hold its word, or a field left empty; each with what there is.
    """
    known = {each.template_id: each for each in at_wechat}
    if template_id not in known:
        there = ", ".join(f"{each.template_id} ({each.title})" for each in at_wechat) or "none"
        raise InvalidInput(
            "template_id", f"the account has no template {template_id!r}; it has: {there}"
        )
    names = known[template_id].fields
    for field, word in fields.items():
        if field not in names:
            raise InvalidInput(
                "field", f"the template has no {field!r}; it has: {', '.join(names)}"
            )
        if word not in offered:
            raise InvalidInput(
                "field", f"{word!r} is no word of this kind; it has: {', '.join(offered)}"
            )
        kind = field.rstrip("0123456789")
        if kind not in FITTERS and field not in UNSHOWN:
            raise InvalidInput(
                "field", f"we know no type {kind!r}; we know: {', '.join(sorted(FITTERS))}"
            )
        if field not in UNSHOWN and not holds(field, word):
            fitting = ", ".join(one for one in offered if holds(field, one)) or "none"
            raise InvalidInput(
                "field",
                f"{field} cannot hold {word!r}, such as {samples()[word]!r}; it can hold:"
                f" {fitting}",
            )
    empty = [name for name in names if name not in fields and name not in UNSHOWN]
    if empty:
        raise InvalidInput("field", f"WeChat refuses empty fields; map {', '.join(empty)} as well")


def require_manager(by: Staff) -> None:
    """Templates are the account's, which all communities share, so a manager of all sets them.

    Raises:
        InvalidInput: somebody else.
    """
    if by.role is not StaffRole.MANAGER:
        raise InvalidInput("by", f"{by.login} is {by.role.value}; this takes manager")
    if by.community_id is not None:
        raise InvalidInput(
            "by", f"{by.login} manages one community; this takes a manager of all communities"
        )


def require_way(kind: NoticeKind, transport: Transport) -> None:
    """Refuse a transport that a kind cannot take, or that has no templates.

    Raises:
        InvalidInput: with the transports it can.
    """
    there = [one.value for one in NOTICES[kind].transports if one in TEMPLATED]
    if transport.value not in there:
        raise InvalidInput(
            "transport",
            f"{kind.value} takes no template for {transport.value}; it takes one for:"
            f" {', '.join(there) or 'none'}",
        )


def lock_kind(session: Session, kind: NoticeKind) -> None:
    """Have whoever else sets or clears something of a kind wait until this transaction ends; rows
    that are not there yet cannot be locked. Safe to repeat.
    """
    session.execute(LOCK_KIND, {"name": f"notice {kind.value}"})


def set_template(
    session: Session,
    kind: NoticeKind,
    transport: Transport,
    template_id: str,
    fields: Mapping[str, str],
    *,
    by: Staff,
    now: datetime,
) -> None:
    """Use this template from the next message on; replaces what was set. Checked before, by
    `check_mapping`: it takes WeChat's list, and nobody asks WeChat within a transaction.

    Raises:
        InvalidInput: `by` may not, or the code of an SMS that is none.
    """
    require_manager(by)
    lock_kind(session, kind)
    require_way(kind, transport)
    if transport is Transport.SMS and (SMS_CODE.fullmatch(template_id) is None or fields):
        raise InvalidInput("template_id", "an SMS takes a code like SMS_123456789 and no fields")
    row = insert(NoticeTemplate).values(
        kind=kind,
        transport=transport,
        template_id=template_id,
        fields=dict(fields),
        set_by=by.id,
        set_at=now,
    )
    names = ("template_id", "fields", "set_by", "set_at")
    session.execute(
        row.on_conflict_do_update(
            index_elements=["kind", "transport"],
            set_={name: row.excluded[name] for name in names},
        )
    )


def set_route(
    session: Session,
    kind: NoticeKind,
    transports: Sequence[Transport],
    *,
    by: Staff,
    now: datetime,
) -> None:
    """Have a kind take these transports in this order; one that is left out is off.

    Raises:
        InvalidInput: `by` may not; none, one twice, or one the kind cannot take.
    """
    require_manager(by)
    lock_kind(session, kind)
    there = NOTICES[kind].transports
    if not transports or len(set(transports)) < len(transports) or not set(transports) <= {*there}:
        raise InvalidInput(
            "transports",
            f"name at least one, each once, of: {', '.join(one.value for one in there)}",
        )
    row = insert(NoticeRoute).values(
        kind=kind, transports=[one.value for one in transports], set_by=by.id, set_at=now
    )
    names = ("transports", "set_by", "set_at")
    session.execute(
        row.on_conflict_do_update(
            index_elements=["kind"], set_={name: row.excluded[name] for name in names}
        )
    )


def clear(session: Session, kind: NoticeKind, transport: Transport | None, *, by: Staff) -> None:
    """Back to the settings: the template of one transport, or the order of all. Safe to repeat.

    Args:
        transport: None: the order.

    Raises:
        InvalidInput: `by` may not.
    """
    require_manager(by)
    lock_kind(session, kind)
    if transport is None:
        session.execute(delete(NoticeRoute).where(NoticeRoute.kind == kind))
        return
    session.execute(
        delete(NoticeTemplate).where(
            NoticeTemplate.kind == kind, NoticeTemplate.transport == transport
        )
    )
