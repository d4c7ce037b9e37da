"""群发: drafted by fields, shown as its readers will see it, confirmed, approved by a second
person, followed while it leaves, taken back.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.orm import aliased
from werkzeug.wrappers import Response

from billing.business_day import business_date
from billing.labels import LabelEnum
from billing.people import ResidentRole, Staff
from handlers.console.broadcast_form import (
    WORDS_CHARACTERS_MAX,
    form_like,
    read_audience,
    read_choices,
    read_moment,
)
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list
from handlers.console.notice_words import advice
from handlers.console.notices import DAYS_MAX
from notify.approved import read_approved
from notify.audiences import Audience
from notify.broadcast_preview import describe_audience, show_broadcast
from notify.broadcast_results import read_progress, with_effects
from notify.broadcast_tables import Broadcast, BroadcastState
from notify.broadcasts import (
    ALONE_MAX,
    BODY_CHARACTERS_MAX,
    PER_MINUTE_MAX,
    TAKEN_BACK_WITHIN,
    cancel_broadcast,
    confirm_broadcast,
    draft_broadcast,
    get_broadcast,
    presses_unlawfully,
    sent_from,
)
from notify.quiet_hours import next_allowed
from notify.recipients import count_readers

BODY_SHOWN = 30
NUMBER_MAX_DIGITS = 15
OPEN_STATES = frozenset({BroadcastState.DRAFT, BroadcastState.WAITING, BroadcastState.QUEUED})
LEFT_STATES = frozenset({BroadcastState.SENT, BroadcastState.STOPPED})


class Done(LabelEnum):
    """What was done."""

    DRAFTED = "drafted", "已存为草稿，还没有发送。请核对下面的内容和人数"
    QUEUED = "queued", "已确认，一分钟后开始发送，在那之前可以取消"
    SCHEDULED = "scheduled", "已确认，到时间自动发送，在那之前可以取消"
    WAITING = "waiting", "您已确认。人数较多，还要另一位经理或客服复核，已通知他们"
    CANCELLED = "cancelled", "已取消，没有人收到"
    STOPPED = "stopped", "已中止，还没发出的不再发送"


class Objection(LabelEnum):
    """Why a form is not accepted."""

    CHANGED = "changed", "这条群发刚刚被别人处理过，请看下面现在的情况"
    READ_AGAIN = "read_again", "请先再看一遍内容，确认没有以停水停电等相要挟，然后打勾"


class BroadcastColumn(LabelEnum):
    """Columns of the list."""

    NUMBER = "id", "编号"
    STATE = "state", "状态"
    AUDIENCE = "audience", "发给"
    BODY = "body", "内容"
    RECIPIENTS = "recipients", "人数"
    DRAFTER = "drafter", "起草人"
    DRAFTED = "drafted_at", "起草时间"
    SENT = "sent_at", "发出时间"


def index(desk: Desk) -> ResponseReturnValue:
    """Broadcasts, the latest first; of one state where that is chosen."""
    state = request.args.get("state", "")
    query = (
        select(
            Broadcast.id.label("key"),
            Broadcast.id,
            Broadcast.audience,
            func.left(Broadcast.body, BODY_SHOWN).label("body"),
            Broadcast.state,
            Broadcast.recipients,
            Staff.name.label("drafter"),
            Broadcast.drafted_at,
            Broadcast.sent_at,
        )
        .join(Staff, Staff.id == Broadcast.drafted_by)
        .where(Broadcast.community_id == desk.community_id)
    )
    if state in {one.value for one in BroadcastState}:
        query = query.where(Broadcast.state == BroadcastState(state))
    listing = Listing(
        "broadcasts",
        BroadcastColumn,
        query,
        sortable=(BroadcastColumn.RECIPIENTS, BroadcastColumn.DRAFTED),
        newest_first=True,
        shown={
            BroadcastColumn.AUDIENCE: lambda written: _whom(desk, Audience.parse(written)),
            BroadcastColumn.BODY: lambda body: " ".join(body.split()),
        },
    )
    states = [(one.value, one.label) for one in BroadcastState]
    return show_list(desk, listing, "broadcasts/index.html", states=states, state=state)


def _whom(desk: Desk, audience: Audience) -> str:
    return describe_audience(audience, desk.services.text)


def new(desk: Desk) -> ResponseReturnValue:
    """The form; filled in as for an earlier one where `like` names it."""
    like = request.args.get("like", "")
    if like.isdecimal() and len(like) <= NUMBER_MAX_DIGITS:
        return _form(desk, form_like(get_broadcast(desk.session, desk.community_id, int(like))))
    return _form(desk, Form())


def _form(desk: Desk, form: Form) -> tuple[str, int]:
    return desk.page(
        "broadcasts/form.html",
        form=form,
        choices=read_choices(desk),
        roles=ResidentRole,
        body_max=BODY_CHARACTERS_MAX,
        per_minute_max=PER_MINUTE_MAX,
        speed=desk.community.broadcasts_per_minute,
        alone_max=ALONE_MAX,
    )


def draft(desk: Desk) -> ResponseReturnValue:
    """Write it down; nothing is sent by it."""
    form = Form(request.form)
    audience = read_audience(desk, form)
    body = form.text("body", most=WORDS_CHARACTERS_MAX)
    send_at = read_moment(form, "send_at")
    per_minute = form.number("per_minute") if form.typed("per_minute") else None

    def act() -> Response:
        written = draft_broadcast(
            desk.session,
            community_id=desk.community_id,
            audience=audience,
            body=body,
            by=desk.staff,
            now=desk.now,
            send_at=send_at,
            per_minute=per_minute,
        )
        return desk.done(Done.DRAFTED, "broadcasts_show", number=written.id)

    return desk.submit(form, act, lambda: _form(desk, form), called={"audience": "rooms"})


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """One broadcast: as it will be seen and by how many, or what became of it."""
    return _page(desk, get_broadcast(desk.session, desk.community_id, number), Form())


def live(desk: Desk, number: int) -> ResponseReturnValue:
    """What became of it until now, for the page that renews itself; the whole page is opened again
    when it is not in the `state` that page shows, for then other things can be done with it.
    """
    one = get_broadcast(desk.session, desk.community_id, number)
    words = dict(_progress(desk, one))
    words["is_over"] |= request.args.get("state", one.state.value) != one.state.value
    return desk.page("broadcasts/progress.html", **words)


def _page(desk: Desk, one: Broadcast, form: Form) -> tuple[str, int]:
    drafter, approver, ender = aliased(Staff), aliased(Staff), aliased(Staff)
    people = desk.session.execute(
        select(
            drafter.name.label("drafted"),
            approver.name.label("approved"),
            ender.name.label("cancelled"),
        )
        .select_from(drafter)
        .outerjoin(approver, approver.id == (one.approved_by or 0))
        .outerjoin(ender, ender.id == (one.cancelled_by or 0))
        .where(drafter.id == one.drafted_by)
    ).one()
    is_open = one.state in OPEN_STATES
    leaves_at = _leaves_at(one, desk.now)
    approved = read_approved(desk.session, desk.services.approved)
    meant = one.meant
    return desk.page(
        "broadcasts/show.html",
        form=form,
        people=people,
        whom=_whom(desk, meant),
        states=BroadcastState,
        is_open=is_open,
        is_soon=leaves_at <= desk.now + TAKEN_BACK_WITHIN,
        readers=count_readers(desk.session, one.community_id, meant, desk.now) if is_open else None,
        shown=show_broadcast(desk.community, one.body, leaves_at, desk.services.text, approved),
        is_unlawful=presses_unlawfully(meant, one.body),
        alone_max=ALONE_MAX,
        is_mine=one.drafted_by == desk.staff.id,
        **_progress(desk, one),
    )


def _leaves_at(one: Broadcast, now: datetime) -> datetime:
    """When it left or leaves; of one that is not confirmed yet, were it confirmed now."""
    soon = now + TAKEN_BACK_WITHIN
    return one.sent_at or sent_from(one) or next_allowed(max(soon, one.send_at or soon))


def _progress(desk: Desk, one: Broadcast) -> Mapping[str, Any]:
    """What became of it; `is_over` once nothing changes by itself any more. What its readers did is
    counted from then on: it is dear, and a page that follows it asks again and again.
    """
    results = read_progress(desk.session, one) if one.state in LEFT_STATES else None
    is_over = one.state is not BroadcastState.QUEUED and (results is None or not results.waiting)
    if results is not None and is_over:
        results = with_effects(desk.session, one, results)
    words: dict[str, Any] = {"one": one, "results": results, "is_over": is_over}
    words["leaves_at"] = _leaves_at(one, desk.now)
    if results is None:
        return words
    left_on = business_date(words["leaves_at"])
    ended = sum(results.failed.values()) + sum(results.suppressed.values())
    return words | {
        "left_on": left_on,
        "until": min(desk.today, left_on + timedelta(days=DAYS_MAX - 1)),
        "total": results.waiting + results.left + ended,
        "done": results.left + ended,
        "advice": advice,
    }


def _decision(one: Broadcast) -> Form:
    """What was sent; refused when it is not as the sender saw it."""
    form = Form(request.form)
    if form.typed("state") != one.state.value:
        form.refuse("", Objection.CHANGED.label)
    return form


def confirm(desk: Desk, number: int) -> ResponseReturnValue:
    """Say yes, as its author or as the second person."""
    one = get_broadcast(desk.session, desk.community_id, number, lock=True)
    form = _decision(one)
    if presses_unlawfully(one.meant, one.body) and not form.ticked("read_again"):
        form.refuse("read_again", Objection.READ_AGAIN.label)

    def act() -> Response:
        done = confirm_broadcast(
            desk.session, desk.community_id, number, by=desk.staff, now=desk.now
        )
        said = Done.WAITING
        if done.state is BroadcastState.QUEUED:
            leaves_at = sent_from(done) or desk.now
            is_soon = leaves_at <= desk.now + TAKEN_BACK_WITHIN
            said = Done.QUEUED if is_soon else Done.SCHEDULED
        return desk.done(said, "broadcasts_show", number=number)

    return desk.submit(form, act, lambda: _page(desk, one, form))


def cancel(desk: Desk, number: int) -> ResponseReturnValue:
    """Take it back; of one on its way, what has not left."""
    one = get_broadcast(desk.session, desk.community_id, number, lock=True)
    form = _decision(one)

    def act() -> Response:
        done = cancel_broadcast(
            desk.session, desk.community_id, number, by=desk.staff, now=desk.now
        )
        said = Done.STOPPED if done.state is BroadcastState.STOPPED else Done.CANCELLED
        return desk.done(said, "broadcasts_show", number=number)

    return desk.submit(form, act, lambda: _page(desk, one, form))
