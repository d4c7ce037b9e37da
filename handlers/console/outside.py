"""外部接口: other systems that ask (tokens of the API) and that are told (webhooks).

Both are of one community or of all; what is of all only staff see who work for all of them.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, select, true
from sqlalchemy.engine import Row
from sqlalchemy.orm import InstrumentedAttribute
from werkzeug.wrappers import Response

from billing.api_access import ApiScope, add_token, revoke_token
from billing.api_tables import ApiCall, ApiToken
from billing.business_day import BEIJING
from billing.errors import NotFound
from billing.facts import FactKind
from billing.labels import LabelEnum
from handlers.console.desk import Desk
from handlers.console.forms import Form, Problem
from handlers.console.lists import Listing, show_list
from handlers.console.words import explain_answer
from notify.webhook_post import mask_url
from notify.webhook_tables import DeliveryState, Webhook, WebhookDelivery, delivery_number
from notify.webhooks import TELLABLE, add_webhook, end_webhook, replay

SECRET_BYTES = 32
EVERYWHERE = ""
ASKING, TOLD = "asking-", "told-"
"""The two forms of the page."""

REPLAY_DAYS = 7


class Done(LabelEnum):
    """What was done."""

    REVOKED = "revoked", "已吊销，用它的系统马上不能再访问"
    ENDED = "ended", "已停用，不再推送，等待中的也不发了"
    REPLAYED = "replayed", "已重新排队，很快再次推送"
    NOTHING = "nothing", "这段时间没有要重发的"


class Objection(LabelEnum):
    """Why a form is not accepted."""

    ELSEWHERE = "elsewhere", "请选择您负责的小区"


class Place(LabelEnum):
    """Of which communities something is."""

    EVERY = "every", "全部小区"


class CallColumn(LabelEnum):
    """Columns of the list of calls."""

    AT = "at", "时间"
    METHOD = "method", "方法"
    SUBJECT = "subject", "请求"
    STATUS = "status", "结果"
    ADDRESS = "address", "网络地址"


class DeliveryColumn(LabelEnum):
    """Columns of the list of deliveries."""

    NUMBER = "number", "推送编号"
    KIND = "kind", "事项"
    CREATED = "created_at", "发生时间"
    STATE = "state", "状态"
    ATTEMPTS = "attempts", "次数"
    OUTCOME = "outcome", "最近结果"
    SETTLED = "settled_at", "结束时间"


def index(desk: Desk) -> ResponseReturnValue:
    """Who asks and who is told, and the forms for more."""
    return _page(desk)


def _here(desk: Desk, column: InstrumentedAttribute[int | None]) -> ColumnElement[bool]:
    """What this member of staff may see: his community's, or everything."""
    return true() if desk.staff.community_id is None else column == desk.staff.community_id


def _page(desk: Desk, sent: Form | None = None) -> tuple[str, int]:
    tokens = select(ApiToken).where(_here(desk, ApiToken.community_id)).order_by(ApiToken.id)
    hooks = select(Webhook).where(_here(desk, Webhook.community_id)).order_by(Webhook.id)
    forms = {place: Form(place=place) for place in (ASKING, TOLD)}
    if sent is not None:
        forms[sent.place] = sent
    return desk.page(
        "outside/index.html",
        tokens=desk.session.scalars(tokens).all(),
        hooks=desk.session.scalars(hooks).all(),
        places={one.id: one.name for one in desk.communities},
        token_form=forms[ASKING],
        hook_form=forms[TOLD],
        chosen=request.form.getlist("scopes") + request.form.getlist("kinds"),
        scopes=ApiScope,
        kinds=sorted(TELLABLE, key=list(FactKind).index),
        every=Place.EVERY,
        FactKind=FactKind,
        mask_url=mask_url,
    )


def _read_place(desk: Desk, form: Form) -> int | None:
    """The community chosen; staff of one give nobody a sight of another."""
    typed = form.typed("community")
    if typed == EVERYWHERE and desk.staff.community_id is None:
        return None
    found = next((one.id for one in desk.communities if one.code == typed), None)
    if found is None:
        form.refuse("community", Objection.ELSEWHERE.label)
    desk.concern(found)
    return found


def _read_ticked(form: Form, name: str, options: list[LabelEnum]) -> list[str]:
    """Values of the boxes that are ticked; at least one."""
    known = {one.value for one in options}
    form.values.setdefault(name, "")
    ticked = [value for value in request.form.getlist(name) if value in known]
    if not ticked:
        form.refuse(name, Problem.NOT_CHOSEN.label)
    return ticked


def add(desk: Desk) -> ResponseReturnValue:
    """Let a system in; its token is shown once."""
    form = Form(request.form, place=ASKING)
    name, place = form.text("name"), _read_place(desk, form)
    scopes = [ApiScope(value) for value in _read_ticked(form, "scopes", list(ApiScope))]
    made: list[str] = []

    def act() -> Response:
        _, secret = add_token(
            desk.session, name=name, scopes=scopes, community_id=place, now=desk.now
        )
        made.append(secret)
        return Response()

    answer = desk.submit(form, act, lambda: _page(desk, form))
    if not made:
        return answer
    return desk.page("outside/secret.html", name=name, secret=made[0], is_token=True)


def _token(desk: Desk, number: int) -> ApiToken:
    found = desk.session.scalar(
        select(ApiToken).where(ApiToken.id == number, _here(desk, ApiToken.community_id))
    )
    if found is None:
        raise NotFound(f"no token {number}")
    desk.concern(found.community_id)
    return found


def calls(desk: Desk, number: int) -> ResponseReturnValue:
    """What a system asked, the latest first."""
    token = _token(desk, number)
    query = select(
        ApiCall.id.label("key"),
        ApiCall.at,
        ApiCall.method,
        ApiCall.subject,
        ApiCall.status,
        ApiCall.address,
    ).where(ApiCall.token_id == token.id)
    listing = Listing("api-calls", CallColumn, query, newest_first=True)
    return show_list(desk, listing, "outside/calls.html", token=token)


def revoke(desk: Desk, number: int) -> ResponseReturnValue:
    """Let nobody in with it any more."""
    revoke_token(desk.session, _token(desk, number).name, desk.now)
    return desk.done(Done.REVOKED, "outside_index")


def add_hook(desk: Desk) -> ResponseReturnValue:
    """Tell a system of changes; the secret that signs them is drawn here and shown once."""
    form = Form(request.form, place=TOLD)
    name, url = form.text("name"), form.text("url", most=500)
    place = _read_place(desk, form)
    kinds = [FactKind(value) for value in _read_ticked(form, "kinds", list(TELLABLE))]
    secret = secrets.token_urlsafe(SECRET_BYTES)
    made: list[Webhook] = []

    def act() -> Response:
        made.append(
            add_webhook(
                desk.session,
                desk.services.vault,
                name=name,
                url=url,
                secret=secret,
                kinds=kinds,
                community_id=place,
                loopback=desk.services.webhooks_loopback,
                now=desk.now,
            )
        )
        return Response()

    answer = desk.submit(form, act, lambda: _page(desk, form))
    if not made:
        return answer
    return desk.page("outside/secret.html", name=name, secret=secret, is_token=False)


def _hook(desk: Desk, number: int) -> Webhook:
    found = desk.session.scalar(
        select(Webhook).where(Webhook.id == number, _here(desk, Webhook.community_id))
    )
    if found is None:
        raise NotFound(f"no webhook {number}")
    desk.concern(found.community_id)
    return found


def deliveries(desk: Desk, number: int) -> ResponseReturnValue:
    """What a system was told, the latest first."""
    since = (desk.today - timedelta(days=REPLAY_DAYS)).isoformat()
    return _deliveries(desk, _hook(desk, number), Form({"since": since}))


def _deliveries(desk: Desk, hook: Webhook, form: Form) -> ResponseReturnValue:
    state = request.args.get("state", "")
    one = WebhookDelivery
    query = select(
        one.id.label("key"),  # from one sequence for all communities; with the webhook an index
        one.community_id,
        one.body["kind"].astext.label("kind"),
        one.created_at,
        one.state,
        one.attempts,
        one.outcome,
        one.settled_at,
    ).where(one.webhook_id == hook.id)
    if state in {each.value for each in DeliveryState}:
        query = query.where(one.state == DeliveryState(state))
    listing = Listing(
        "deliveries",
        DeliveryColumn,
        query,
        newest_first=True,
        beside=_numbers,
        shown={DeliveryColumn.KIND: _kind, DeliveryColumn.OUTCOME: explain_answer},
    )
    return show_list(
        desk,
        listing,
        "outside/deliveries.html",
        hook=hook,
        url=mask_url(hook.url),
        form=form,
        state=state,
        states=[(each.value, each.label) for each in DeliveryState],
        place=next((c.name for c in desk.communities if c.id == hook.community_id), None)
        or Place.EVERY.label,
        FactKind=FactKind,
    )


def _numbers(rows: Sequence[Row[Any]]) -> dict[int, dict[str, object]]:
    return {
        row.key: {
            DeliveryColumn.NUMBER.value: delivery_number(row.community_id, row.key, row.created_at)
        }
        for row in rows
    }


def _kind(value: str) -> str:
    return FactKind(value).label if value in set(FactKind) else value


def again(desk: Desk, number: int) -> ResponseReturnValue:
    """Send again what never arrived since a day, or everything."""
    hook, form = _hook(desk, number), Form(request.form)
    since = form.day("since", default=desk.today)

    def act() -> Response:
        queued = replay(
            desk.session,
            hook,
            desk.now,
            since=datetime.combine(since, time(), BEIJING),
            failed_only=not form.ticked("every"),
        )
        said = Done.REPLAYED if queued else Done.NOTHING
        return desk.done(said, "outside_deliveries", number=number)

    return desk.submit(form, act, lambda: _deliveries(desk, hook, form))


def end(desk: Desk, number: int) -> ResponseReturnValue:
    """Tell it nothing any more."""
    end_webhook(desk.session, _hook(desk, number), desk.now)
    return desk.done(Done.ENDED, "outside_index")
