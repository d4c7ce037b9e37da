"""The counter (收款台): a home is found, money is taken, the receipt is printed; all of it by
keyboard.
"""

from dataclasses import dataclass

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.bills import BillState, list_unpaid
from billing.channels.base import ChannelError
from billing.counter import take_payment
from billing.errors import BillingError, NotFound
from billing.labels import LabelEnum
from billing.merchants import MerchantAccount, Provider, find_merchant
from billing.money import ZERO, Money
from billing.owed_lines import bills_of_former_owners
from billing.payment_channels import CHANNELS
from billing.payment_tables import OPEN_STATES, Payment, PaymentChannel, PaymentState
from billing.prepayments import balance
from billing.property import Unit
from billing.shifts import find_open_shift, get_open_shift, report_shift
from billing.sightings import Sight, note_sightings
from billing.till import find_taken_before, list_orders_under_way, new_paper_number, spread
from handlers.console.desk import Desk, Outside
from handlers.console.forms import Form
from handlers.console.homes import meant
from handlers.console.words import explain
from handlers.counter_orders import order_at_counter
from handlers.qr import qr_image
from handlers.settlement import make_way, settle

HOMES_MAX = 20
BY_HAND = [channel for channel, rule in CHANNELS.items() if rule.by_hand]
KEPT_IN_ADDRESS = ("amount", "channel", "paper", "bank", "paid_on", "received")
"""What was typed and comes back after a provider was asked; a payer's name is not in addresses."""


class Done(LabelEnum):
    """What was done."""

    TAKEN = "taken", "已收款"
    TAKEN_BEFORE = "taken_before", "这笔已经收过，没有重复入账"
    WAY_MADE = "way_made", "线上付款已结束，可以收款了"
    ARRIVED = "arrived", "线上付款已到账，账单已更新"


class Objection(LabelEnum):
    """Why it is not done."""

    CHANGED = "changed", "账单刚刚有变化，下面已更新，请核对后再收"
    TOO_LITTLE = "too_little", "实收少于应收"
    BY_HAND = "by_hand", "请选择现金、刷卡或转账凭单"
    STILL_OPEN = "still_open", "支付机构还没有结果，请稍候再试"
    NO_CODE = "no_code", "没有取得付款码，请稍候再试，或改用其他方式收款"


def index(desk: Desk) -> ResponseReturnValue:
    """The shift, and where a home is found; a single one that fits is opened at once."""
    shift = find_open_shift(desk.session, desk.community_id, desk.staff)
    wanted = request.args.get("q", "").strip()
    homes = _homes(desk, wanted) if wanted else []
    exact = [home for home in homes if home.room == wanted]
    if shift is not None and (len(homes) == 1 or exact):
        return desk.go("counter_home", number=(exact or homes)[0].id)
    return desk.page(
        "money/counter.html",
        form=Form({"float": ""}),
        report=report_shift(desk.session, shift) if shift else None,
        q=wanted,
        homes=homes,
    )


def _homes(desk: Desk, wanted: str) -> list[Unit]:
    return list(
        desk.session.scalars(
            select(Unit)
            .where(Unit.community_id == desk.community_id, meant(desk, wanted))
            .order_by(Unit.room)
            .limit(HOMES_MAX)
        )
    )


@dataclass(frozen=True, slots=True)
class Owing:
    """What a home owes and is paying elsewhere while its payment is being taken.

    Attributes:
        former: of the bills, those that a former owner owes at least a part of; they are paid when
            the payer says so.
    """

    unit: Unit
    bills: list[BillState]
    former: set[int]
    prepaid: Money
    under_way: list[Payment]
    can_scan: bool

    @property
    def total(self) -> Money:
        """All it owes."""
        return sum((bill.outstanding for bill in self.bills), ZERO)

    @property
    def own(self) -> set[int]:
        """Bills of the present owners, which are paid unless the payer says otherwise."""
        return {bill.id for bill in self.bills} - self.former

    def of(self, bill_ids: set[int]) -> Money:
        """What is owed on these of the bills."""
        return sum((bill.outstanding for bill in self.bills if bill.id in bill_ids), ZERO)


def _owing(desk: Desk, number: int) -> Owing:
    unit = desk.session.get(Unit, (desk.community_id, number))
    if unit is None:
        raise NotFound(f"no home {number}")
    merchant = find_merchant(desk.session, desk.community_id, Provider.WECHAT_PAY)
    channel = desk.services.channels.get(merchant.code) if merchant else None
    bills = list_unpaid(desk.session, desk.community_id, [number])
    return Owing(
        unit,
        bills,
        bills_of_former_owners(desk.session, desk.community_id, [bill.id for bill in bills]),
        balance(desk.session, desk.community_id, number),
        list_orders_under_way(desk.session, desk.community_id, number, desk.now),
        channel is not None and PaymentChannel.WECHAT_NATIVE in channel.ways,
    )


def home(desk: Desk, number: int) -> ResponseReturnValue:
    """What a home owes, and the form that takes its money."""
    if find_open_shift(desk.session, desk.community_id, desk.staff) is None:
        return desk.go("counter_index")
    owing = _owing(desk, number)
    homes = [(desk.community_id, number)]
    note_sightings(desk.session, homes, Sight.BILLS, desk.now, staff_id=desk.staff.id)
    begins = {
        "amount": owing.of(owing.own).yuan if owing.own else "",
        "channel": PaymentChannel.CASH.value,
        "paper": new_paper_number(desk.now),
    }
    typed = {name: request.args[name] for name in KEPT_IN_ADDRESS if name in request.args}
    ticked = _ticked(owing, request.args.getlist("bill")) if typed else None
    return _home(desk, owing, Form(begins | typed), ticked)


def _ticked(owing: Owing, typed: list[str]) -> set[int]:
    """Bills of the home that are ticked."""
    return {bill.id for bill in owing.bills if str(bill.id) in typed}


def _home(desk: Desk, owing: Owing, form: Form, ticked: set[int] | None) -> tuple[str, int]:
    return desk.page(
        "money/take.html",
        form=form,
        owing=owing,
        ticked=owing.own if ticked is None else ticked,
        channels=BY_HAND,
    )


def take(desk: Desk, number: int) -> ResponseReturnValue:
    """Take money, in the cashier's own shift; on to its receipt."""
    owing = _owing(desk, number)
    form = Form(request.form)
    ticked = _ticked(owing, request.form.getlist("bill"))
    amount = form.money("amount")
    channel = form.choice("channel", PaymentChannel, default=PaymentChannel.CASH)
    if channel not in BY_HAND:
        form.refuse("channel", Objection.BY_HAND.label)
    received = form.money("received") if form.typed("received") else None
    if channel is PaymentChannel.CASH and received is not None and received < amount:
        form.refuse("received", Objection.TOO_LITTLE.label)
    is_slip = channel is PaymentChannel.SLIP
    bank = form.text("bank") if is_slip else None
    paper, payer = form.text("paper"), form.optional("payer")
    paid_on = form.optional_day("paid_on") if is_slip else None
    handed = {"received": received.yuan} if received is not None else {}
    same = find_taken_before(
        desk.session, desk.community_id, number, amount=amount, channel=channel, number=paper
    )
    if same is not None:
        return desk.done(Done.TAKEN_BEFORE, "payments_receipt", number=same.id, **handed)
    if form.typed("owed") not in ("", owing.total.yuan):
        form.refuse("", Objection.CHANGED.label)

    def act() -> Response:
        payment = take_payment(
            desk.session,
            get_open_shift(desk.session, desk.community_id, desk.staff),
            unit_id=number,
            amount=amount,
            channel=channel,
            number=paper,
            designated=_designate(desk, owing, ticked, amount),
            bank=bank,
            payer_name_sealed=desk.services.vault.seal(payer) if payer else None,
            paid_on=paid_on,
            now=desk.now,
        )
        return desk.done(Done.TAKEN, "payments_receipt", number=payment.id, printed="now", **handed)

    def again() -> tuple[str, int]:
        return _home(desk, _owing(desk, number), form, ticked)

    return desk.submit(form, act, again, called={"number": "paper"})


def _designate(
    desk: Desk, owing: Owing, ticked: set[int], amount: Money
) -> dict[int, Money] | None:
    """What the payer says it is for; with all that is the owners' ticked and nothing else, what the
    law says (oldest first).
    """
    if ticked == owing.own:
        return None if ticked else {}
    return dict(spread(desk.session, desk.community_id, ticked, amount))


def make_room(desk: Desk, number: int) -> ResponseReturnValue | Outside:
    """End what the home is paying elsewhere: book what arrived, close the rest."""
    under_way = _owing(desk, number).under_way
    kept = _kept()

    def act() -> ResponseReturnValue:
        ended = make_way(desk.services, under_way)
        with desk.services.database.transaction() as session:
            arrived = any(
                session.get_one(Payment, (one.community_id, one.id)).state is PaymentState.CONFIRMED
                for one in under_way
            )
        if arrived:
            return desk.done(Done.ARRIVED, "counter_home", number=number)
        if not ended:
            return desk.refused(Objection.STILL_OPEN.label, "counter_home", number=number, **kept)
        return desk.done(Done.WAY_MADE, "counter_home", number=number, **kept)

    return Outside(act)


def _kept() -> dict[str, object]:
    """What was typed and ticked, for the address of the page where it comes back."""
    typed = {name: request.form[name] for name in KEPT_IN_ADDRESS if name in request.form}
    return {"bill": request.form.getlist("bill"), **typed} if typed else {}


def order(desk: Desk, number: int) -> ResponseReturnValue | Outside:
    """A code that whoever stands there scans to pay what is ticked, and a prepayment on top."""
    owing = _owing(desk, number)
    form = Form(request.form)
    ticked = _ticked(owing, request.form.getlist("bill"))
    amount = form.money("amount")
    if form.typed("owed") not in ("", owing.total.yuan):
        form.refuse("", Objection.CHANGED.label)
    if not form.is_fine:
        return _home(desk, owing, form, ticked)[0], 422
    designated: dict[int, Money] = {}
    left = amount
    for bill in (one for one in owing.bills if one.id in ticked and left > ZERO):
        designated[bill.id] = min(left, bill.outstanding)
        left -= designated[bill.id]

    kept = _kept()

    def act() -> ResponseReturnValue:
        try:
            made = order_at_counter(desk.services, owing.unit, designated, left)
        except BillingError as error:
            is_channel = isinstance(error, ChannelError)
            said = Objection.NO_CODE.label if is_channel else explain(error)
            return desk.refused(said, "counter_home", number=number, **kept)
        return desk.go("counter_code", number=made.payment.id)

    return Outside(act)


def _ordered(desk: Desk, number: int) -> Payment:
    payment = desk.session.get(Payment, (desk.community_id, number))
    if payment is None or payment.channel is not PaymentChannel.WECHAT_NATIVE:
        raise NotFound(f"no order {number}")
    return payment


def code(desk: Desk, number: int) -> ResponseReturnValue:
    """The code, until it is paid."""
    payment = _ordered(desk, number)
    is_open = payment.state in OPEN_STATES
    if payment.state is PaymentState.CONFIRMED:
        return desk.go("payments_receipt", number=number, printed="now")
    return desk.page(
        "money/code.html",
        payment=payment,
        unit=desk.session.get_one(Unit, (desk.community_id, payment.unit_id)),
        is_open=is_open,
        image=qr_image(str(payment.call["code_url"])) if is_open and payment.call else None,
    )


def code_state(desk: Desk, number: int) -> ResponseReturnValue:
    """The part of that page that changes by itself."""
    payment = _ordered(desk, number)
    return desk.page("money/code_state.html", is_open=payment.state in OPEN_STATES)


def ask(desk: Desk, number: int) -> ResponseReturnValue | Outside:
    """Ask the provider now; with `end` the code is withdrawn if nobody paid."""
    payment = _ordered(desk, number)
    merchant = desk.session.get_one(MerchantAccount, payment.merchant_id)
    ends = bool(request.form.get("end"))

    def act() -> ResponseReturnValue:
        try:
            outcome = settle(desk.services, payment, merchant, at_once=ends)
        except ChannelError:
            outcome = "open"
        if outcome == "booked":
            return desk.done(Done.ARRIVED, "counter_code", number=number)
        if outcome == "closed":
            return desk.done(Done.WAY_MADE, "counter_home", number=payment.unit_id)
        return desk.refused(Objection.STILL_OPEN.label, "counter_code", number=number)

    return Outside(act)
