"""A home that changed hands, on its pages: whoever came later is 外人 to what was before."""

from datetime import date

import pytest

from billing.bills import BillState
from handlers.pages.tokens import payment_token
from notify.links import BillRef
from notify.wording import chinese_month, yuan
from tests.billing.paper import pay, sell
from tests.handlers.pages.conftest import Browser, House

SOLD_ON = date(2026, 11, 16)


def bill_path(house: House, bill: BillState) -> str:
    return f"/o/bill/{house.services.links.bill_token(BillRef(bill.community_id, bill.id))}"


@pytest.fixture
def new(house: House) -> Browser:
    """The phone of the new owner; `o-owner` is the old one."""
    with house.world.database.transaction() as session:
        sell(session, house.world, "1-1-302", SOLD_ON)
    house.bind("o-new")
    return house.phone("o-new")


def test_the_new_owner_sees_and_pays_his_own_bill_only(house: House, new: Browser) -> None:
    *_, november = house.unpaid()
    page = new.get(f"/o/home/{house.token}")
    assert page.shows("2026年11月账单", f"¥{yuan(november.outstanding)}")
    assert page.hides("2026年10月", "逾期")
    form = page.form("/o/pay")
    assert form["amount"] == november.outstanding.yuan
    assert isinstance(form["bill"], str)


def test_the_old_owner_still_sees_and_pays_all_his_debts(
    house: House, new: Browser, owner: Browser
) -> None:
    form = owner.get(f"/o/home/{house.token}").form("/o/pay")
    assert form["amount"] == house.owed().yuan
    assert len(form["bill"]) == len(house.unpaid()) == 4


def test_a_bill_of_other_days_is_refused_by_its_link(house: House, new: Browser) -> None:
    august, *_, november = house.unpaid()
    refused = new.get(bill_path(house, august))
    assert refused.status == 403
    assert refused.hides("¥", "1-1-302")
    assert new.get(bill_path(house, november)).status == 200


def test_a_bill_of_other_days_cannot_be_chosen_on_the_form(house: House, new: Browser) -> None:
    august, *_ = house.unpaid()
    form = new.get(f"/o/home/{house.token}").form("/o/pay")
    links = house.services.links
    form["bill"] = links.bill_token(BillRef(august.community_id, august.id))
    assert new.post("/o/pay", form).status == 422
    assert house.payments() == []


def test_history_shows_the_bills_and_payments_of_his_days(house: House, new: Browser) -> None:
    page = new.get(f"/o/history/{house.token}")
    assert page.shows(chinese_month(house.unpaid()[-1].period))
    assert page.hides("2026年10月", "2026年7月", "收据")


def receipt(house: House, at: int) -> str:
    """Pay a part of an unpaid bill at the counter; where its receipt is."""
    bill = house.unpaid()[at]
    with house.world.database.transaction() as session:
        payment = pay(session, house.world, "1-1-302", "1.00", house.world.today, bill.id)
    with house.app.app_context():
        return "/o/receipt/" + payment_token(payment)


def test_a_payment_for_other_days_is_refused(house: House, new: Browser, owner: Browser) -> None:
    his, both = receipt(house, 0), receipt(house, -1)
    assert new.get(his).status == 403
    assert owner.get(his).status == 200
    assert new.get(both).status == 200


def test_the_index_sums_what_each_sees(house: House, new: Browser) -> None:
    house.unit_id = house.world.unit("3-2-501").id
    house.bind("o-new")
    other = house.owed()
    page = new.get("/o/")
    assert page.shows(f"¥{yuan(other)}")
    house.unit_id = house.world.unit("1-1-302").id
    assert page.shows(f"¥{yuan(house.unpaid()[-1].outstanding)}")
    assert not page.shows(f"¥{yuan(house.owed())}")
