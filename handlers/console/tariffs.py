"""收费标准: what is charged, its versions on a time line, a new one, and what it would come to."""

from datetime import date
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from billing.bill_run_tables import BillRun, RunKind
from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.long_work import WorkKind
from billing.period import Period
from billing.pricing import (
    Per,
    PriceJump,
    PricingMethod,
    Proration,
    TierMode,
    parse_price,
    price_to_json,
)
from billing.property import SubjectKind, get_unit
from billing.tariff_changes import AddedTariff, add_item, add_tariff, remove_tariff
from billing.tariff_trial import HomeTrial, try_home
from billing.tariffs import ChargeItem, FeeKind, ItemTariffs, list_tariffs
from handlers.console import work
from handlers.console.desk import Desk
from handlers.console.forms import Form

TIERS = 6
"""Rows of the form; no tariff in use has more."""
CYCLES = (1, 3, 12)


class Done(LabelEnum):
    """What was done."""

    ITEM = "item", "收费项目已添加，请接着填写它的收费标准"
    ADDED = "added", "新标准已保存"
    JUMPS = "jumps", "新标准已保存。提醒：比原标准变动超过三成，请确认已经公示"
    FALLS = "falls", "新标准已保存。提醒：用量跨档时总价会下降，请确认这是本意"
    REMOVED = "removed", "这一版标准已删除"


class PassThrough(LabelEnum):
    """Whether it is collected for a supplier."""

    USUAL = "usual", "按费用种类的惯例（水、电、燃气、取暖为代收）"
    YES = "yes", "代收（不得加价）"
    NO = "no", "物业自收"


def index(desk: Desk) -> ResponseReturnValue:
    """Every item with the price in force, and the one to come."""
    found = list_tariffs(desk.session, desk.community_id, desk.today)
    return desk.page("tariffs/index.html", items=found, json=price_to_json, Per=Per)


def new_item(desk: Desk) -> ResponseReturnValue:
    """The form for an item."""
    begins = {"active_from": desk.today.replace(day=1).isoformat(), "cycle_months": "1"}
    return _item_page(desk, Form(begins))


def _item_page(desk: Desk, form: Form) -> tuple[str, int]:
    fees = [fee for fee in FeeKind if fee is not FeeKind.DEPOSIT]
    return desk.page(
        "tariffs/item.html", form=form, fees=fees, kinds=SubjectKind, through=PassThrough
    )


def add_charge_item(desk: Desk) -> ResponseReturnValue:
    """Begin to charge for something."""
    form = Form(request.form)
    code, name = form.text("code"), form.text("name")
    fee = form.choice("fee", FeeKind, default=FeeKind.PROPERTY)
    kind = form.choice("subject_kind", SubjectKind, default=SubjectKind.HOME)
    months = form.number("cycle_months")
    active_from = form.day("active_from", default=desk.today)
    active_to = form.optional_day("active_to")
    through = form.choice("pass_through", PassThrough, default=PassThrough.USUAL)

    def act() -> Response:
        item = add_item(
            desk.session,
            desk.community_id,
            code=code,
            name=name,
            fee=fee,
            subject_kind=kind,
            cycle_months=months,
            active_from=active_from,
            active_to=active_to,
            pass_through={PassThrough.YES: True, PassThrough.NO: False}.get(through),
            by=desk.staff,
            now=desk.now,
        )
        return desk.done(Done.ITEM, "tariffs_show", number=item.id)

    return desk.submit(form, act, lambda: _item_page(desk, form))


def _item(desk: Desk, number: int) -> ItemTariffs:
    """The item with its versions, also when it is charged no more."""
    found = next(
        (
            one
            for one in list_tariffs(desk.session, desk.community_id, date.min)
            if one.item.id == number
        ),
        None,
    )
    if found is None:
        raise NotFound(f"no charge item {number} in community {desk.community_id}")
    return found


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """An item: its time line, and the form for the next version, which begins as the present."""
    found = _item(desk, number)
    return _page(desk, found, Form(_begins(desk, found)))


def _begins(desk: Desk, found: ItemTariffs) -> dict[str, str]:
    last = desk.session.scalar(
        select(func.max(BillRun.period)).where(
            BillRun.community_id == desk.community_id, BillRun.kind == RunKind.REGULAR
        )
    )
    begins = {
        "effective_from": Period.of(desk.today).next().start.isoformat(),
        "period": str(last or Period.of(desk.today)),
        "price.method": PricingMethod.AREA.value,
    }
    current = found.current(desk.today) or (found.versions[0] if found.versions else None)
    if current is not None:
        begins |= _typed("price", price_to_json(current.price))
        begins["basis_document"] = current.basis_document
        if current.supplier_price is not None:
            begins |= _typed("supplier_price", price_to_json(current.supplier_price))
            begins["supplier_price"] = begins.get("supplier_price.unit_price", "")
    return begins


def _typed(path: str, price: dict[str, Any]) -> dict[str, str]:
    """A price as the fields of the form, which are named as the core names what it refuses."""
    typed = {f"{path}.{key}": str(value) for key, value in price.items() if key != "tiers"}
    for at, tier in enumerate(price.get("tiers", [])):
        typed |= {f"{path}.tiers[{at}].{key}": str(value or "") for key, value in tier.items()}
    return typed


def _page(
    desk: Desk, found: ItemTariffs, form: Form, tried: HomeTrial | None = None
) -> tuple[str, int]:
    return desk.page(
        "tariffs/show.html",
        found=found,
        form=form,
        tried=tried,
        current=found.current(desk.today),
        rows=range(TIERS),
        json=price_to_json,
        Per=Per,
        methods=PricingMethod,
        prorations=Proration,
        modes=TierMode,
    )


def read_price(form: Form, path: str = "price") -> dict[str, Any]:
    """The price of a form as the core parses it; it names the fields it refuses as the form does.
    A supplier's price is in the shape of ours.
    """
    method = form.typed("price.method")
    if method == PricingMethod.TIERED:
        price: dict[str, Any] = {
            "method": method,
            "mode": form.typed("price.mode"),
            "tiers": _read_tiers(form, path),
        }
        if form.typed("price.normal_days"):
            price["normal_days"] = form.typed("price.normal_days")
        if form.ticked("price.year_to_date"):
            price["year_to_date"] = "0"
        return price
    typed = form.typed("price.unit_price" if path == "price" else path)
    price = {"method": method, "unit_price": typed}
    if method in (PricingMethod.FLAT, PricingMethod.AREA):
        price |= {"per": form.typed("price.per"), "proration": form.typed("price.proration")}
    return price


def _read_tiers(form: Form, path: str) -> list[dict[str, str | None]]:
    tiers: list[dict[str, str | None]] = []
    for at in range(TIERS):
        price = form.typed(f"{path}.tiers[{at}].unit_price")
        bound = form.typed(f"price.tiers[{at}].up_to") or None
        if price or bound:
            flat = form.typed(f"{path}.tiers[{at}].flat") or "0"
            tiers.append({"up_to": bound, "unit_price": price, "flat": flat})
    return tiers


def add(desk: Desk, number: int) -> ResponseReturnValue:
    """Write a version down; whoever saw another last one is told what came meanwhile."""
    found = _item(desk, number)
    form = Form(request.form)
    begins = form.day("effective_from", default=desk.today)
    document = form.text("basis_document")
    last = form.number("last") if form.typed("last") else None

    def act() -> Response:
        supplier = read_price(form, "supplier_price") if found.item.pass_through else None
        added = add_tariff(
            desk.session,
            desk.community_id,
            found.item.code,
            effective_from=begins,
            price=read_price(form),
            basis_document=document,
            by=desk.staff,
            now=desk.now,
            expected_last=last,
            supplier_price=supplier,
        )
        return desk.done(_said(added), "tariffs_show", number=number)

    return desk.submit(form, act, lambda: _page(desk, _item(desk, number), form))


def _said(added: AddedTariff) -> Done:
    if not added.warnings:
        return Done.ADDED
    jumps = any(isinstance(one, PriceJump) for one in added.warnings)
    return Done.JUMPS if jumps else Done.FALLS


def remove(desk: Desk, number: int) -> ResponseReturnValue:
    """Take a version back that priced nothing."""
    found = _item(desk, number)
    form = Form(request.form)
    begins = form.day("from", default=desk.today)
    last = form.number("seen") if form.typed("seen") else None

    def act() -> Response:
        remove_tariff(
            desk.session,
            desk.community_id,
            found.item.code,
            effective_from=begins,
            by=desk.staff,
            expected_last=last,
        )
        return desk.done(Done.REMOVED, "tariffs_show", number=number)

    def again() -> tuple[str, int]:
        now = _item(desk, number)
        shown = Form(_begins(desk, now))
        for words in form.errors.values():
            shown.refuse("", words)
        return _page(desk, now, shown)

    return desk.submit(form, act, again)


def trial(desk: Desk, number: int) -> ResponseReturnValue:
    """试算: of one home line by line at once; of the whole community in the background."""
    found = _item(desk, number)
    form = Form(request.form)
    period = form.period("period", default=Period.of(desk.today))
    everybody = form.ticked("everybody")
    room = "" if everybody else form.text("room")
    tried: list[HomeTrial] = []

    def act() -> Response:
        price = parse_price(read_price(form))
        if everybody:
            asked = {"item": number, "price": price_to_json(price), "period": str(period)}
            return work.ask(desk, WorkKind.TRIAL, key=f"trial {number}", request=asked)
        unit = get_unit(desk.session, desk.community_id, room)
        item = desk.session.get_one(ChargeItem, (desk.community_id, number))
        tried.append(try_home(desk.session, unit, item, price, period))
        return Response()

    answer = desk.submit(form, act, lambda: _page(desk, found, form))
    return _page(desk, found, form, tried[0]) if tried else answer
