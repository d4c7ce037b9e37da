"""The counter: a shift, money taken by keyboard, a receipt at once, corrected while it is open."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any, cast

import pytest
from lxml import html
from sqlalchemy import func, select

from billing.bills import list_unpaid
from billing.channels.base import ChannelUnreachable
from billing.counter_tables import CashierShift
from billing.deposits import list_deposits
from billing.money import ZERO, Money
from billing.payment_tables import Payment, PaymentChannel
from billing.payments import new_out_trade_no, prepare
from billing.people import StaffRole
from billing.prepayments import balance
from billing.privacy import Vault
from billing.property import Unit
from billing.refunds import new_out_refund_no
from billing.residents import Stay, list_stays
from bot.program import Program
from handlers.console.money import shifts
from tests.billing.paper import sell
from tests.conftest import MERCHANT, World
from tests.handlers.application import Clock
from tests.handlers.console.conftest import Clerk
from tests.handlers.test_counter_orders import CodeCashier

MakeClerk = Callable[..., Clerk]
ROOM = "1-1-302"


@pytest.fixture
def cashier(clerk: MakeClerk) -> Clerk:
    """A cashier with an open shift of 200 yuan."""
    one = clerk(StaffRole.CASHIER)
    assert one.post("/HY/shifts", float="200").status_code == 303
    return one


def owing_room(world: World) -> tuple[int, str, list[int], Money]:
    """A home that owes something: its id, room, bills, and all it owes."""
    with world.database.transaction() as session:
        homes = session.scalars(select(Unit.id).where(Unit.community_id == world.community.id))
        owing = list_unpaid(session, world.community.id, list(homes))
        unit_id = max(
            {bill.unit_id for bill in owing},
            key=lambda one: sum(bill.unit_id == one for bill in owing),
        )
        bills = [bill for bill in owing if bill.unit_id == unit_id]
    total = Money(sum(bill.outstanding.fen for bill in bills))
    return unit_id, bills[0].room, [bill.id for bill in bills], total


def typed(clerk: Clerk, number: int) -> dict[str, object]:
    """The form as it opens."""
    [form] = html.fromstring(clerk.get(f"/HY/counter/homes/{number}").text).xpath(
        "//form[@data-till]"
    )
    fields: dict[str, object] = dict(form.fields)
    fields.pop("csrf_token")
    fields["bill"] = form.xpath(".//input[@name='bill'][@checked]/@value")
    return {name: value for name, value in fields.items() if value is not None}


def count(world: World) -> int:
    with world.database.transaction() as session:
        query = select(func.count()).where(Payment.community_id == world.community.id)
        return session.scalar(query) or 0


def receipt_of(clerk: Clerk, fields: dict[str, object], number: int) -> str:
    """Take money; the address of its receipt."""
    answer = clerk.post(f"/HY/counter/homes/{number}", **fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"].removeprefix("/console")


def test_what_a_home_owes_is_taken_as_the_form_opens_and_its_receipt_is_printed(
    cashier: Clerk, world: World
) -> None:
    unit_id, room, _, total = owing_room(world)
    found = cashier.get(f"/HY/counter?q={room}")
    assert found.headers["Location"].endswith(f"/counter/homes/{unit_id}")
    fields = typed(cashier, unit_id) | {"received": f"{total.fen // 100 + 100}.00"}
    receipt = cashier.get(receipt_of(cashier, fields, unit_id)).text
    assert "data-print-now" in receipt
    assert "找零" in receipt
    assert re.search(r"No\. 2026-\d{6}", receipt)
    with world.database.transaction() as session:
        assert list_unpaid(session, world.community.id, [unit_id]) == []


def test_the_same_form_sent_twice_takes_the_money_once(cashier: Clerk, world: World) -> None:
    unit_id, *_ = owing_room(world)
    fields, before = typed(cashier, unit_id), count(world)
    assert receipt_of(cashier, fields, unit_id).split("?")[0]
    fields.pop("owed")  # the page is as old as the form; the number tells
    receipt_of(cashier, fields, unit_id)
    assert count(world) == before + 1


def test_one_bill_alone_is_paid_when_it_alone_is_ticked(cashier: Clerk, world: World) -> None:
    unit_id, _, bills, _ = owing_room(world)
    with world.database.transaction() as session:
        [last] = [
            bill
            for bill in list_unpaid(session, world.community.id, [unit_id])
            if bill.id == bills[-1]
        ]
    fields = typed(cashier, unit_id) | {"bill": [str(last.id)], "amount": last.outstanding.yuan}
    receipt_of(cashier, fields, unit_id)
    with world.database.transaction() as session:
        left = list_unpaid(session, world.community.id, [unit_id])
    assert [bill.id for bill in left] == bills[:-1]


def test_bills_of_the_former_owner_are_paid_only_when_they_are_ticked(
    cashier: Clerk, world: World
) -> None:
    with world.database.transaction() as session:
        sell(session, world, ROOM, date(2026, 11, 1))
        unit_id = world.unit(ROOM).id
        bills = list_unpaid(session, world.community.id, [unit_id])
    fields = typed(cashier, unit_id)
    assert fields["bill"] == [str(bills[-1].id)]
    assert fields["amount"] == bills[-1].outstanding.yuan
    assert cashier.get(f"/HY/counter/homes/{unit_id}").text.count('tag warn">原业主') == 3
    everything = sum((bill.outstanding for bill in bills), ZERO)
    both = fields | {"bill": [str(bill.id) for bill in bills], "amount": everything.yuan}
    receipt_of(cashier, both, unit_id)
    with world.database.transaction() as session:
        assert list_unpaid(session, world.community.id, [unit_id]) == []


def test_what_is_more_than_owed_becomes_a_prepayment(cashier: Clerk, world: World) -> None:
    unit_id, _, _, total = owing_room(world)
    fields = typed(cashier, unit_id) | {"amount": (total + Money(50_00)).yuan}
    receipt_of(cashier, fields, unit_id)
    with world.database.transaction() as session:
        assert balance(session, world.community.id, unit_id) >= Money(50_00)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"amount": "abc"}, "请填写金额"),
        ({"amount": "-5"}, "须大于 0"),
        ({"amount": "99999999999"}, "请填写金额"),
        ({"received": "0.01"}, "实收少于应收"),
        ({"channel": "wechat_jsapi"}, "请选择现金、刷卡或转账凭单"),
        ({"channel": "slip"}, "请填写"),
        ({"paper": "BANK-7"}, "与系统单号格式相同"),
        ({"owed": "0.01"}, "账单刚刚有变化"),
    ],
)
def test_a_mistake_is_said_at_its_field_and_nothing_is_booked_or_lost(
    cashier: Clerk, world: World, wrong: dict[str, str], words: str
) -> None:
    unit_id, *_ = owing_room(world)
    before = count(world)
    answer = cashier.post(
        f"/HY/counter/homes/{unit_id}", **(typed(cashier, unit_id) | {"payer": "李四"} | wrong)
    )
    assert answer.status_code == 422
    assert words in answer.text
    assert 'value="李四"' in answer.text
    assert count(world) == before


def test_a_payment_is_cancelled_while_the_shift_is_open_and_not_after(
    cashier: Clerk, world: World, program: Program
) -> None:
    unit_id, _, _, total = owing_room(world)
    path = receipt_of(cashier, typed(cashier, unit_id), unit_id).split("/receipt")[0]
    assert cashier.post(f"{path}/cancel", reason="").status_code == 422
    assert cashier.post(f"{path}/cancel", reason="收错了").status_code == 303
    assert "已冲红" in cashier.get(path).text
    assert "已作废" in cashier.get(f"{path}/receipt").text
    again = receipt_of(cashier, typed(cashier, unit_id), unit_id).split("/receipt")[0]
    shift = _shift(world)
    counted = (Money(200_00) + total).yuan
    closed = cashier.post(f"/HY/shifts/{shift.id}/close", counted=counted)
    assert closed.status_code == 303
    refused = cashier.post(f"{again}/cancel", reason="收错了")
    assert refused.status_code == 422
    assert "已经交班" in refused.text


def _shift(world: World) -> CashierShift:
    with world.database.transaction() as session:
        query = select(CashierShift).order_by(CashierShift.id.desc()).limit(1)
        return session.scalars(query).one()


def test_a_difference_in_the_drawer_needs_a_reason(cashier: Clerk, world: World) -> None:
    path = f"/HY/shifts/{_shift(world).id}"
    answer = cashier.post(f"{path}/close", counted="190")
    assert answer.status_code == 422
    assert "应有 200.00 元" in answer.text
    assert cashier.post(f"{path}/close", counted="190", reason="找错零").status_code == 303
    shown = cashier.get(path).text
    assert "短款" in shown
    assert "找错零" in shown
    assert cashier.get("/HY/counter").text.count("开班")
    assert "找错零" in cashier.get("/HY/shifts").text
    assert "应有现金" in cashier.get("/HY/shifts/day").text


def figures(text: str) -> list[Money]:
    """Every amount in it, as signed."""
    found = re.findall(r"-?[\d,]+\.\d\d", text)
    return [Money.from_yuan(one.replace(",", "")) for one in found]


def test_what_is_shown_of_a_drawer_adds_up_to_what_it_must_hold(
    cashier: Clerk, clerk: MakeClerk, world: World
) -> None:
    unit_id, *_ = owing_room(world)
    fields = typed(cashier, unit_id) | {"amount": "80"}
    payment = receipt_of(cashier, fields, unit_id).split("/")[3]
    taking = {"number": "YJ-1", "purpose": "装修押金", "amount": "2000"}
    assert cashier.post(f"/HY/homes/{unit_id}/deposits", **taking).status_code == 303
    with world.database.transaction() as session:
        [deposit] = list_deposits(session, world.community.id)
    giving = {"deposit": deposit.id, "how": "return", "reason": "验收", "amount": "500"}
    assert cashier.post(f"/HY/homes/{unit_id}/deposits/give", **giving).status_code == 303
    wish = {"amount": "15", "reason": "多收", "key": new_out_refund_no(), "release": "1"}
    asked = cashier.post(f"/HY/payments/{payment}/refund", **wish).headers["Location"]
    path, accountant = asked.removeprefix("/console"), clerk(StaffRole.ACCOUNTANT)
    approved = accountant.post(f"{path}/approve", seen="requested/")
    assert approved.status_code == 303
    seen = f"approved/{accountant.staff_id}"
    paid = cashier.post(f"{path}/pay", reference="TK-1", seen=seen)
    assert paid.status_code == 303, paid.text

    held = Money(200_00 + 80_00 + 2000_00 - 500_00 - 15_00)
    parts = [Money(200_00), Money(80_00), Money(2000_00), Money(-500_00), Money(-15_00)]
    shift = html.fromstring(cashier.get(f"/HY/shifts/{_shift(world).id}").text)
    [facts] = shift.xpath("//dl[@data-drawer]")
    assert figures(facts.text_content()) == [*parts, held]
    for word in ("备用金", "现金收款", "收取押金", "退还押金", "现金退款", "应有现金"):
        assert word in facts.text_content()
    for page in ("/HY/counter", "/HY/shifts/day"):
        [shown] = html.fromstring(cashier.get(page).text).xpath("//*[@data-drawer]")
        words = " ".join(shown.text_content().split())
        assert (
            "备用金 200.00 + 现金收款 80.00 + 收取押金 2,000.00 − 退还押金 500.00 − 现金退款 15.00"
            in words
        )
        assert held in figures(words)
    [day] = html.fromstring(cashier.get("/HY/shifts/day").text).xpath("//*[@data-moved]")
    assert figures(day.text_content())[-1] == held - parts[0]


def test_a_shift_lists_every_payment_or_says_that_it_does_not(
    cashier: Clerk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit_id, *_ = owing_room(world)
    for number in range(3):
        fields = {"amount": "5", "channel": "cash", "paper": f"S-{number}"}
        receipt_of(cashier, fields, unit_id)
    path = f"/HY/shifts/{_shift(world).id}"
    whole = cashier.get(path).text
    assert all(f"S-{number}" in whole for number in range(3))
    assert "没有列出" not in whole
    monkeypatch.setattr(shifts, "TAKEN_SHOWN", 2)
    part = cashier.get(path).text
    assert "S-0" not in part
    assert "还有更早的 1 笔没有列出" in part
    assert "15.00" in part


def test_without_a_shift_no_home_is_opened_and_one_shift_is_enough(
    clerk: MakeClerk, world: World
) -> None:
    one = clerk(StaffRole.CASHIER)
    home = f"/HY/counter/homes/{world.unit(ROOM).id}"
    assert one.get(home).status_code == 303
    assert one.post(home, amount="1", channel="cash", paper="X1").status_code == 422
    assert one.post("/HY/shifts", float="x").status_code == 422
    assert one.post("/HY/shifts", float="0").status_code == 303
    assert "您已经开班了" in one.post("/HY/shifts", float="0").text


def dweller(world: World, vault: Vault, unit_id: int) -> Stay:
    """Somebody who lives in a home, unmasked."""
    with world.database.transaction() as session:
        return list_stays(session, vault, world.community.id, [unit_id], in_full=True)[0]


def test_the_counter_finds_a_home_by_who_stands_before_it(
    cashier: Clerk, world: World, vault: Vault
) -> None:
    unit_id, *_ = owing_room(world)
    owner = dweller(world, vault, unit_id)
    for said in (owner.name, owner.phone):
        answer = cashier.get("/HY/counter", query_string={"q": said})
        assert answer.headers["Location"].endswith(f"/counter/homes/{unit_id}"), said
    assert "没有找到" in cashier.get("/HY/counter", query_string={"q": "欧阳无人"}).text


def test_payments_are_found_by_every_number_room_and_person(
    cashier: Clerk, world: World, vault: Vault, clock: Clock
) -> None:
    unit_id, room, _, _ = owing_room(world)
    owner = dweller(world, vault, unit_id)
    fields = typed(cashier, unit_id)
    receipt = cashier.get(receipt_of(cashier, fields, unit_id)).text
    number = re.search(r"No\. (2026-\d{6})", receipt)
    assert number is not None
    for wanted in (number[1], fields["paper"], room, owner.name, owner.phone[-4:]):
        shown = cashier.get("/HY/payments", query_string={"q": wanted}).text
        assert str(fields["paper"]) in shown, wanted
    assert "没有找到缴费" in cashier.get("/HY/payments?q=NOTHING").text
    today = clock.now.date().isoformat()
    assert str(fields["paper"]) in cashier.get(f"/HY/payments?first={today}&last={today}").text
    assert cashier.get("/HY/payments?channel=no&state=no&first=x").status_code == 200


def test_an_online_payment_under_way_is_seen_before_money_is_taken_twice(
    cashier: Clerk, world: World, program: Program
) -> None:
    unit_id, *_ = owing_room(world)
    with world.database.transaction() as session:
        prepare(
            session,
            community_id=world.community.id,
            unit_id=unit_id,
            channel=PaymentChannel.WECHAT_JSAPI,
            merchant_id=world.merchant_id,
            payer_id=None,
            designated={
                bill.id: bill.outstanding
                for bill in list_unpaid(session, world.community.id, [unit_id])
            },
            out_trade_no=new_out_trade_no(),
            now=program.services.clock(),
        )
    page = cashier.get(f"/HY/counter/homes/{unit_id}").text
    assert "结束线上付款" in page
    answer = cashier.post(f"/HY/counter/homes/{unit_id}", **typed(cashier, unit_id))
    assert answer.status_code == 422
    assert "正在用别的方式缴这些账单" in answer.text
    # No provider answers here: it cannot be ended, and what was typed comes back.
    back = cashier.post(f"/HY/counter/homes/{unit_id}/make-room", amount="12.34", channel="pos")
    assert back.status_code == 303
    assert 'value="12.34"' in cashier.get(back.headers["Location"].removeprefix("/console")).text


def refused_code(cashier: Clerk, world: World) -> str:
    """Ask for a code for the last bill alone, with a slip's number typed; the page that follows,
    where both are still there.
    """
    unit_id, _, bills, _ = owing_room(world)
    fields = typed(cashier, unit_id) | {"bill": [str(bills[-1])], "paper": "ZP-77"}
    answer = cashier.post(f"/HY/counter/homes/{unit_id}/code", **fields | {"amount": "12.34"})
    assert answer.status_code == 303
    page = cashier.get(answer.headers["Location"].removeprefix("/console")).text
    tree = html.fromstring(page)
    assert tree.xpath("//input[@name='bill'][@checked]/@value") == [str(bills[-1])]
    for name, value in (("amount", "12.34"), ("paper", "ZP-77")):
        assert tree.xpath(f"//input[@name='{name}']/@value") == [value]
    [said] = tree.xpath("//p[contains(@class, 'said')][@role='status']")
    assert said.get("class") == "said warn"
    return str(said.text_content())


def test_without_a_provider_no_code_is_shown_and_nothing_typed_is_lost(
    cashier: Clerk, world: World
) -> None:
    said = refused_code(cashier, world)
    assert "没有开通微信扫码收款" in said
    assert "请稍候再试" not in said


def test_a_code_that_cannot_be_had_is_refused_with_the_reason(
    cashier: Clerk, world: World, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, unit_id = CodeCashier(), owing_room(world)[0]
    monkeypatch.setitem(cast(dict[str, Any], program.services.channels), MERCHANT[0], provider)
    first = cashier.post(f"/HY/counter/homes/{unit_id}/code", **typed(cashier, unit_id))
    assert "/counter/codes/" in first.headers["Location"]
    provider.failure = ChannelUnreachable("no answer")
    assert "正在用别的方式缴这些账单" in refused_code(cashier, world)


def test_a_provider_without_an_answer_is_asked_again_later(
    cashier: Clerk, world: World, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = CodeCashier()
    monkeypatch.setitem(cast(dict[str, Any], program.services.channels), MERCHANT[0], provider)
    provider.failure = ChannelUnreachable("no answer")
    assert "没有取得付款码，请稍候再试" in refused_code(cashier, world)


def test_a_payment_that_is_no_code_has_no_page_of_one(cashier: Clerk, world: World) -> None:
    unit_id, *_ = owing_room(world)
    taken = receipt_of(cashier, typed(cashier, unit_id), unit_id).split("/")[3]
    assert cashier.get(f"/HY/counter/codes/{taken}").status_code == 404
