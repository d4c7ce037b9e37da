"""What a home has with us: paid in on its page, or by paying more than is owed."""

from datetime import date

import pytest

from billing.money import Money
from billing.payments import list_targets
from billing.people import ResidentRole
from billing.prepayments import balance, list_auto_deduction
from notify.links import BillRef
from notify.wording import yuan
from tests.billing.paper import sell
from tests.handlers.pages.conftest import ON_PHONE, Browser, House
from tests.handlers.pages.reading import Fields


def path(house: House) -> str:
    return f"/o/prepayment/{house.token}"


def held(house: House) -> Money:
    with house.world.database.transaction() as session:
        return balance(session, house.world.community.id, house.unit_id)


def deducted(house: House) -> list[str]:
    with house.world.database.transaction() as session:
        return list_auto_deduction(session, house.world.community.id, house.unit_id)


def top_up(house: House, browser: Browser, amount: str) -> str:
    """Pay in; returns the page of the result."""
    form: Fields = browser.get(path(house)).form("/o/pay") | {"amount": amount}
    page = browser.post("/o/pay", form)
    house.cashier.pay(house.payments()[-1].out_trade_no)
    return page.attribute("//main/@data-return")


def test_money_is_paid_in_and_shown_with_its_movements(house: House, owner: Browser) -> None:
    result = owner.get(top_up(house, owner, "500"))
    assert result.shows("已到账", "其中500.00元转入预存")
    assert held(house) == Money(50000)
    page = owner.get(path(house))
    assert page.shows("预存余额", "¥500.00", "+500.00", "缴费转入", "微信支付")
    assert owner.get(f"/o/home/{house.token}").shows("预存500.00元")


def test_the_cashier_says_before_paying_what_is_prepaid(house: House, owner: Browser) -> None:
    form = owner.get(path(house)).form("/o/pay") | {"amount": "88"}
    assert owner.post("/o/pay", form).shows("其中88.00元转入预存")


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [("", "请填写要存多少元"), ("100000.01", "一次最多预存"), ("x", "请用数字填写"), ("0", "大于")],
)
def test_a_wrong_amount_gets_a_sentence(
    house: House, owner: Browser, amount: str, sentence: str
) -> None:
    form = owner.get(path(house)).form("/o/pay") | {"amount": amount}
    page = owner.post("/o/pay", form)
    assert page.status == 422
    assert page.shows(sentence, "没有扣款", "预存余额")
    assert house.payments() == []


def test_an_amount_named_in_the_chat_fills_the_form(house: House, owner: Browser) -> None:
    assert owner.get(f"{path(house)}?amount=500.00").form("/o/pay")["amount"] == "500.00"
    assert owner.get(f"{path(house)}?amount=<b>").form("/o/pay")["amount"] == ""


def test_more_than_is_owed_becomes_a_prepayment(house: House, owner: Browser) -> None:
    owed = house.owed()
    form = owner.get(f"/o/home/{house.token}").form("/o/pay")
    page = owner.post("/o/pay", form | {"amount": (owed + Money(1234)).yuan})
    assert page.shows(f"¥{yuan(owed + Money(1234))}", "其中12.34元转入预存")
    [payment] = house.payments()
    with house.world.database.transaction() as session:
        assert sum(part.fen for part in list_targets(session, payment).values()) == owed.fen
    house.cashier.pay(payment.out_trade_no)
    assert owner.get(page.attribute("//main/@data-return")).shows("其中12.34元转入预存")
    assert house.unpaid() == []
    assert held(house) == Money(1234)


def test_while_a_bill_is_left_out_nothing_is_prepaid(house: House, owner: Browser) -> None:
    form = owner.get(f"/o/home/{house.token}").form("/o/pay")
    page = owner.post("/o/pay", form | {"bill": list(form["bill"])[:1]})
    assert page.status == 422
    assert page.shows("超过了所选账单的合计")


def test_a_bill_promises_a_prepayment_only_when_nothing_else_is_owed(
    house: House, owner: Browser
) -> None:
    *others, last = house.unpaid()
    links = house.services.links
    page = f"/o/bill/{links.bill_token(BillRef(last.community_id, last.id))}"
    assert owner.get(page).hides("多缴的转入预存")
    form = owner.get(f"/o/home/{house.token}").form("/o/pay")
    tokens = [links.bill_token(BillRef(one.community_id, one.id)) for one in others]
    paying = owner.post("/o/pay", form | {"bill": tokens, "amount": ""})
    house.cashier.pay(house.payments()[0].out_trade_no)
    owner.get(paying.attribute("//main/@data-return"))
    assert owner.get(page).shows("多缴的转入预存")


def test_a_stranger_sees_nothing_of_it(house: House, stranger: Browser) -> None:
    page = stranger.get(path(house))
    assert page.status == 403
    assert page.hides("1-1-302", "余额", "¥")
    form = stranger.get(f"/o/home/{house.token}").form("/o/pay")
    refused = stranger.post("/o/pay", form | {"top_up": "1", "amount": "5"})
    assert refused.status == 403
    assert house.payments() == []
    assert house.browser(ON_PHONE).get(path(house)).path == "/o/sign-in"


def test_the_owner_decides_what_is_deducted(house: House, owner: Browser) -> None:
    form = owner.get(path(house)).form(path(house))
    assert "item" not in form
    saved = owner.post(path(house), form | {"item": ["property"]})
    assert saved.shows("已保存")
    assert deducted(house) == ["property"]
    assert owner.get(path(house)).form(path(house))["item"] == "property"
    owner.post(path(house), form)
    assert deducted(house) == []


def test_an_item_that_is_not_charged_changes_nothing(house: House, owner: Browser) -> None:
    form = owner.get(path(house)).form(path(house))
    assert owner.post(path(house), form | {"item": ["nothing"]}).status == 400
    assert deducted(house) == []


@pytest.mark.parametrize("role", [ResidentRole.TENANT, ResidentRole.MEMBER])
def test_others_of_the_home_see_it_and_do_not_decide(house: House, role: ResidentRole) -> None:
    house.bind("o-lodger", role)
    lodger = house.phone("o-lodger")
    page = lodger.get(path(house))
    assert page.shows("预存余额", "由业主决定")
    assert page.hides("保存")
    form = page.form(path(house)) | {"item": ["property"]}
    refused = lodger.post(path(house), form)
    assert refused.status == 403
    assert refused.shows("这要由业主决定")
    assert deducted(house) == []


def test_a_tenant_sees_the_movements_of_his_days_only(house: House, owner: Browser) -> None:
    owner.get(top_up(house, owner, "500"))
    house.clock.now = house.clock.now.replace(day=house.clock.now.day + 2)
    house.bind("o-lodger", ResidentRole.TENANT)
    page = house.phone("o-lodger").get(path(house))
    assert page.shows("¥500.00", "还没有预存过")
    assert page.hides("+500.00")


def test_who_sold_the_home_sees_its_money_no_more(house: House, owner: Browser) -> None:
    with house.world.database.transaction() as session:
        sell(session, house.world, "1-1-302", date(2026, 11, 16))
    assert owner.get(path(house)).status == 403
    assert owner.get(f"/o/home/{house.token}").hides("余额", "看看怎么用")
