"""消息模板: by which transports a kind of notice goes, with which template, and a trial of it.

WeChat's list of templates is the network's, so those pages are answered when the transaction of the
request is over (`Outside`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from flask import make_response, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.errors import BillingError, InvalidInput, NotFound
from billing.labels import LabelEnum
from billing.people import Follower, Staff
from handlers.console.desk import REFUSED, Desk, Outside
from handlers.console.forms import Form
from handlers.console.logged import log_action
from handlers.console.seen import refuse_stale, write_down
from handlers.console.template_words import Word, field_options, words_of
from handlers.console.words import explain
from handlers.notice_setting import list_account_templates, set_checked_template
from notify.approved import Approved, read_approved
from notify.catalog import NOTICES, NoticeKind, Transport
from notify.template_setting import (
    TEMPLATED,
    UNSHOWN,
    clear,
    holds,
    lock_kind,
    offered_words,
    require_manager,
    require_way,
    samples,
    set_route,
    set_template,
)
from notify.template_tables import NoticeRoute, NoticeTemplate
from notify.wechat import AccountTemplate

JOINT = ","


class Done(LabelEnum):
    """What was done."""

    SET = "set", "模板已启用，从下一条消息起使用"
    ORDERED = "ordered", "发送顺序已保存，从下一条消息起使用"
    CLEARED = "cleared", "已恢复为系统默认"


class Field(LabelEnum):
    """What is decided."""

    ORDER = "order", "发送顺序"
    TEMPLATE = "template", "模板"
    FIELDS = "fields", "字段"


@dataclass(frozen=True, slots=True)
class InForce:
    """The template of a transport, who set it, and whether it is on at all.

    Attributes:
        by: None: it comes from the server's settings.
        fields: field of the template, our word and an example of it.
        seen: what a form that changes it was drawn with.
    """

    transport: Transport
    is_on: bool
    template_id: str | None
    row: NoticeTemplate | None
    by: str | None
    fields: list[tuple[str, str, str]]
    seen: str


def kind_of(values: Mapping[str, str]) -> NoticeKind:
    """The kind a form or an address names; NotFound for one that is none."""
    code = values.get("kind", "")
    if code not in set(NoticeKind):
        raise NotFound(f"no kind of notice {code!r}")
    return NoticeKind(code)


def way_of(values: Mapping[str, str], kind: NoticeKind) -> Transport:
    """The transport it names; NotFound for one the kind cannot take."""
    code = values.get("transport", "")
    if code not in set(Transport) or Transport(code) not in NOTICES[kind].transports:
        raise NotFound(f"{kind.value} does not go by {code!r}")
    return Transport(code)


def index(desk: Desk) -> ResponseReturnValue:
    """Every kind, by which transports it goes and which templates are missing."""
    approved = read_approved(desk.session, desk.services.approved)
    return desk.page(
        "notice_templates/index.html",
        kinds=[
            (
                kind,
                approved.route(kind),
                [way for way in approved.route(kind) if way in TEMPLATED],
                {way for way in TEMPLATED if approved.template(kind, way) is not None},
            )
            for kind in NOTICES
        ],
        Transport=Transport,
    )


def show(desk: Desk) -> ResponseReturnValue:
    """One kind."""
    return desk.page("notice_templates/show.html", **context_of(desk, kind_of(request.args)))


def context_of(desk: Desk, kind: NoticeKind, **forms: Form) -> dict[str, object]:
    """Everything the page of a kind shows; forms: `ordering`, `sms`, `trying`. Who manages one
    community reads it without the forms.
    """
    approved = read_approved(desk.session, desk.services.approved)
    route = approved.route(kind)
    order = {f"way{place}": way.value for place, way in enumerate(route)}
    return {
        "kind": kind,
        "rule": NOTICES[kind],
        "ways": _ways(desk, kind, approved),
        "is_ordered": desk.session.get(NoticeRoute, kind) is not None,
        "ordering": forms.get("ordering") or Form(order, place="order-"),
        "sms": forms.get("sms") or Form(place="sms-"),
        "trying": forms.get("trying") or Form(place="test-"),
        "seen": write_down(_order_seen(route)),
        "clearing": forms.get("clearing") or Form(place="clear-"),
        "own": own_openid(desk) is not None,
        "everywhere": works_everywhere(desk),
        "trial": None,
        "sms_line": desk.services.sms is not None,
        "words": words_of(kind, Transport.TEMPLATE),
        "Transport": Transport,
    }


def works_everywhere(desk: Desk) -> bool:
    """Whether whoever sits here works for all communities, as templates are."""
    return desk.staff.community_id is None


def _refused(desk: Desk, kind: NoticeKind) -> ResponseReturnValue | None:
    """The page that says who sets templates, for whoever does not; before WeChat is asked."""
    form = Form(place="test-")
    try:
        require_manager(desk.staff)
    except InvalidInput as error:
        form.refuse("", explain(error))
        page = desk.page("notice_templates/show.html", **context_of(desk, kind, trying=form))
        return page[0], REFUSED
    return None


def _order_seen(route: tuple[Transport, ...]) -> dict[str, str]:
    return {Field.ORDER.value: JOINT.join(way.label for way in route)}


def _locked(desk: Desk, kind: NoticeKind) -> Approved:
    """What is in force, and stays so until this transaction ends."""
    lock_kind(desk.session, kind)
    return read_approved(desk.session, desk.services.approved)


def _ways(desk: Desk, kind: NoticeKind, approved: Approved) -> list[InForce]:
    rows = {
        row.transport: (row, name)
        for row, name in desk.session.execute(
            select(NoticeTemplate, Staff.name)
            .join(Staff, Staff.id == NoticeTemplate.set_by)
            .where(NoticeTemplate.kind == kind)
        )
    }
    ways = []
    for way in NOTICES[kind].transports:
        template = approved.template(kind, way)
        row, name = rows.get(way, (None, None))
        fields = {} if template is None else template["fields"]
        named = [(field, _label(word), samples().get(word, "")) for field, word in fields.items()]
        template_id = None if template is None else template["template_id"]
        is_on, seen = way in approved.route(kind), write_down(_template_seen(template))
        ways.append(InForce(way, is_on, template_id, row, name, named, seen))
    return ways


def _label(word: str) -> str:
    return Word(word).label if word in set(Word) else word


def own_openid(desk: Desk) -> str | None:
    """Of whoever sits here, if he bound his WeChat."""
    if desk.staff.follower_id is None:
        return None
    return desk.session.get_one(Follower, desk.staff.follower_id).openid


def _to_kind(desk: Desk, said: Done, kind: NoticeKind) -> Response:
    return desk.done(said, "notice_templates_show", kind=kind.value)


def order(desk: Desk) -> ResponseReturnValue:
    """By which transports a kind goes, the first first; one that is left out is off."""
    form = Form(request.form, place="order-")
    kind = kind_of(request.form)
    if (refused := _refused(desk, kind)) is not None:
        return refused
    refuse_stale(form, Field, _order_seen(_locked(desk, kind).route(kind)))
    places = range(len(NOTICES[kind].transports))
    known = {way.value for way in Transport}
    chosen = [Transport(code) for n in places if (code := form.typed(f"way{n}")) in known]

    def act() -> Response:
        set_route(desk.session, kind, chosen, by=desk.staff, now=desk.now)
        return _to_kind(desk, Done.ORDERED, kind)

    def again() -> tuple[str, int]:
        return desk.page("notice_templates/show.html", **context_of(desk, kind, ordering=form))

    return desk.submit(form, act, again)


def clear_one(desk: Desk) -> ResponseReturnValue:
    """Back to the settings: the template of a transport, or without one the order."""
    kind = kind_of(request.form)
    if (refused := _refused(desk, kind)) is not None:
        return refused
    way = way_of(request.form, kind) if request.form.get("transport") else None
    form, approved = Form(request.form, place="clear-"), _locked(desk, kind)
    now = (
        _order_seen(approved.route(kind))
        if way is None
        else _template_seen(approved.template(kind, way))
    )
    refuse_stale(form, Field, now)

    def act() -> Response:
        clear(desk.session, kind, way, by=desk.staff)
        return _to_kind(desk, Done.CLEARED, kind)

    def again() -> tuple[str, int]:
        return desk.page("notice_templates/show.html", **context_of(desk, kind, clearing=form))

    return desk.submit(form, act, again)


def choose(desk: Desk) -> ResponseReturnValue | Outside:
    """The account's templates, and of the chosen one which field shows which of our words."""
    kind = kind_of(request.args)
    way = way_of(request.args, kind)
    try:
        require_way(kind, way)
    except InvalidInput as error:
        raise NotFound(str(error)) from error
    if way is Transport.SMS or not works_everywhere(desk):
        return desk.go("notice_templates_show", kind=kind.value)
    present = read_approved(desk.session, desk.services.approved).template(kind, way)
    form = Form(request.args)
    return Outside(partial(_choose, desk, kind, way, present, form))


def _choose(
    desk: Desk,
    kind: NoticeKind,
    way: Transport,
    present: Mapping[str, object] | None,
    form: Form,
    listed: list[AccountTemplate] | None = None,
) -> ResponseReturnValue:
    """The page; runs when no transaction is open. `listed`: when WeChat was asked already."""
    if listed is None:
        try:
            listed = list_account_templates(desk.services, way)
        except BillingError as error:
            form.refuse("", explain(error))
            listed = []
    typed = form.typed("template_id")
    chosen = next((one for one in listed if one.template_id == typed), None)
    if chosen is not None:
        _guess(form, chosen, present, offered_words(kind))
    return desk.page(
        "notice_templates/choose.html",
        kind=kind,
        way=way,
        present="" if present is None else str(present["template_id"]),
        seen=write_down(_template_seen(present)),
        listed=listed,
        chosen=chosen,
        fields=field_options(kind, chosen) if chosen else [],
        form=form,
    )


def _template_seen(present: Mapping[str, object] | None) -> dict[str, str]:
    fields = present["fields"] if present is not None else {}
    pairs = sorted(fields.items()) if isinstance(fields, Mapping) else []
    return {
        Field.TEMPLATE.value: "" if present is None else str(present["template_id"]),
        Field.FIELDS.value: JOINT.join(f"{field}={_label(word)}" for field, word in pairs),
    }


def _guess(
    form: Form,
    chosen: AccountTemplate,
    present: Mapping[str, object] | None,
    offered: tuple[str, ...],
) -> None:
    """Fill in what is mapped now; else the first word that fits and is not taken."""
    fields = present["fields"] if present and present["template_id"] == chosen.template_id else {}
    taken: set[str] = set()
    for field in chosen.fields:
        fitting = [word for word in offered if field in UNSHOWN or holds(field, word)]
        mapped = fields.get(field) if isinstance(fields, Mapping) else None
        guess = mapped or next((word for word in fitting if word not in taken), "")
        taken.add(form.values.setdefault(field, guess))


def save(desk: Desk) -> ResponseReturnValue | Outside:
    """Use a template from the next message on."""
    kind = kind_of(request.form)
    if (refused := _refused(desk, kind)) is not None:
        return refused
    way = way_of(request.form, kind)
    form = Form(request.form, place="sms-" if way is Transport.SMS else "")
    template_id = form.text("template_id")
    present = _locked(desk, kind).template(kind, way)
    refuse_stale(form, Field, _template_seen(present))
    if way is Transport.SMS:

        def act() -> Response:
            set_template(desk.session, kind, way, template_id, {}, by=desk.staff, now=desk.now)
            return _to_kind(desk, Done.SET, kind)

        def again() -> tuple[str, int]:
            return desk.page("notice_templates/show.html", **context_of(desk, kind, sms=form))

        return desk.submit(form, act, again)
    return Outside(partial(_save, desk, kind, way, present, form), is_logged=False)


def _save(
    desk: Desk,
    kind: NoticeKind,
    way: Transport,
    present: Mapping[str, object] | None,
    form: Form,
) -> ResponseReturnValue:
    """Ask WeChat, check, write; runs when no transaction is open."""
    listed: list[AccountTemplate] | None = None
    template_id = form.typed("template_id")
    if form.is_fine:
        try:
            listed = list_account_templates(desk.services, way)
            names = next((one.fields for one in listed if one.template_id == template_id), ())
            fields = {name: form.typed(name) for name in names if form.typed(name)}
            set_checked_template(
                desk.services,
                kind,
                way,
                template_id,
                fields,
                at_wechat=listed,
                seen=present,
                by=desk.staff,
                now=desk.now,
                log=partial(log_action, desk),
            )
            return _to_kind(desk, Done.SET, kind)
        except BillingError as error:
            form.refuse("", explain(error))
        with desk.services.database.transaction() as session:
            present = read_approved(session, desk.services.approved).template(kind, way)
    response = make_response(_choose(desk, kind, way, present, form, listed))
    response.status_code = REFUSED
    return response
