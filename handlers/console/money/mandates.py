"""代扣授权: the papers by which owners let the bank take their fees; written down and ended."""

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.direct_debit.mandates import NOTICE_DAYS_MAX, end_mandate, sign_mandate
from billing.direct_debit.tables import DirectDebitMandate, MandateKind, MandateState
from billing.errors import InvalidInput, NotFound
from billing.labels import LabelEnum
from billing.privacy import mask_name
from billing.property import Unit, get_unit
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list

EVERY = "all"
ACCOUNT_MAX = 60
CALLED = {"contract_code": "paper", "holder": "person_name", "account": "account_number"}
"""The core's names of fields; those of the form keep names and numbers out of the log."""


class Done(LabelEnum):
    """What was done."""

    SIGNED = "signed", "授权已登记，从下一批托收起扣款"
    ENDED = "ended", "授权已终止，以后的批次不再扣款"


class MandateColumn(LabelEnum):
    """Columns of the list."""

    PAPER = "paper", "协议号"
    KIND = "kind", "方式"
    ROOM = "room", "房号"
    HOLDER = "holder", "户名"
    TAIL = "tail", "账号尾号"
    NOTICE = "notice_days", "提前几天通知"
    SIGNED = "signed_on", "签署日"
    ENDED = "ended_on", "终止日"
    STATE = "state", "状态"


def index(desk: Desk) -> ResponseReturnValue:
    """Every mandate that is in force, or others, the latest first; and the form for one more."""
    return _page(desk, Form({"signed_on": desk.today.isoformat(), "notice_days": "0"}), Form())


def _page(desk: Desk, signing: Form, ending: Form) -> ResponseReturnValue:
    state = request.args.get("state", MandateState.ACTIVE.value)
    room = request.args.get("room", "").strip()
    one = DirectDebitMandate
    query = (
        select(
            one.id.label("key"),
            one.contract_code.label("paper"),
            one.kind,
            Unit.room,
            one.holder_sealed.label("holder"),
            one.account_tail.label("tail"),
            one.notice_days,
            one.signed_on,
            one.ended_on,
            one.state,
        )
        .join(Unit, (Unit.community_id == one.community_id) & (Unit.id == one.unit_id))
        .where(one.community_id == desk.community_id)
    )
    if state in {each.value for each in MandateState}:
        query = query.where(one.state == MandateState(state))
    if room:
        query = query.where(Unit.room == room)
    vault = desk.services.vault

    def holder(sealed: str | None) -> str | None:
        return None if sealed is None else mask_name(vault.open(sealed))

    listing = Listing(
        "mandates",
        MandateColumn,
        query,
        sortable=(MandateColumn.ROOM, MandateColumn.SIGNED),
        newest_first=True,
        shown={MandateColumn.HOLDER: holder},
    )
    return show_list(
        desk,
        listing,
        "money/mandates.html",
        signing=signing,
        ending=ending,
        state=state,
        states=[(each.value, each.label) for each in MandateState],
        room=room,
        every=EVERY,
        bank=MandateKind.BANK,
        notice_max=NOTICE_DAYS_MAX,
        is_filtered=bool(room) or state != MandateState.ACTIVE.value,
    )


def sign(desk: Desk) -> ResponseReturnValue:
    """Write down a signed paper; the same paper again changes nothing."""
    form = Form(request.form)
    room, paper = form.text("room"), form.text("paper")
    holder = form.text("person_name")
    account = form.text("account_number", most=ACCOUNT_MAX)
    signed_on = form.day("signed_on", default=desk.today)
    notice_days = form.number("notice_days")

    def act() -> Response:
        try:
            unit = get_unit(desk.session, desk.community_id, room)
        except NotFound as error:
            raise InvalidInput("room", str(error)) from error
        sign_mandate(
            desk.session,
            desk.services.vault,
            desk.community_id,
            unit.id,
            contract_code=paper,
            holder=holder,
            account=account,
            signed_on=signed_on,
            by=desk.staff,
            now=desk.now,
            notice_days=notice_days,
        )
        return desk.done(Done.SIGNED, "mandates_index")

    return desk.submit(form, act, lambda: _page(desk, form, Form()), called=CALLED)


def end(desk: Desk, number: int) -> ResponseReturnValue:
    """The owner took it back. Ended already, nothing changes."""
    found = desk.session.get(DirectDebitMandate, (desk.community_id, number))
    if found is None:
        raise NotFound(f"no mandate {number}")
    form = Form(request.form)
    on = form.day("on", default=desk.today)

    def act() -> Response:
        end_mandate(desk.session, desk.community_id, found.contract_code, on=on, by=desk.staff)
        return desk.done(Done.ENDED, "mandates_index")

    signing = Form({"signed_on": desk.today.isoformat(), "notice_days": "0"})
    return desk.submit(form, act, lambda: _page(desk, signing, form))
