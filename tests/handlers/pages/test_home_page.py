"""What is owed: homes, one home, one bill; and what 外人 with the link sees of them."""

from datetime import timedelta

import pytest

from billing.bill_lines import list_lines
from billing.pricing.explain import explain
from notify.links import BillRef, HomeRef
from notify.wording import chinese_date, yuan
from tests.handlers.pages.conftest import Browser, House


def bill_token(house: House, at: int = 0) -> str:
    bill = house.unpaid()[at]
    return house.services.links.bill_token(BillRef(bill.community_id, bill.id))


def test_the_owner_sees_every_unpaid_bill_and_the_total(house: House, owner: Browser) -> None:
    page = owner.get(f"/o/home/{house.token}")
    assert page.status == 200
    assert page.shows("花园小区", "1-1-302", "已逾期")
    assert len(house.unpaid()) >= 3
    for bill in house.unpaid():
        assert page.shows(f"{bill.period.start.year}年{bill.period.start.month}月账单")
        assert page.shows(f"¥{yuan(bill.outstanding)}")


def test_the_form_is_ready_to_pay_everything(house: House, owner: Browser) -> None:
    form = owner.get(f"/o/home/{house.token}").form("/o/pay")
    assert form["amount"] == house.owed().yuan
    assert len(form["bill"]) == len(house.unpaid())
    assert form["csrf_token"]


def test_a_link_may_say_which_months_and_how_much(house: House, owner: Browser) -> None:
    first = house.unpaid()[0]
    form = owner.get(f"/o/home/{house.token}?period={first.period}").form("/o/pay")
    assert (form["bill"], form["amount"]) == (bill_token(house), first.outstanding.yuan)
    form = owner.get(f"/o/home/{house.token}?amount=12.50").form("/o/pay")
    assert (len(form["bill"]), form["amount"]) == (len(house.unpaid()), "12.50")


@pytest.mark.parametrize(
    "query",
    ["period=2020-01", "period=x", "period=2026-13", "amount=-1", "amount=9999999", "amount=1e3"],
)
def test_what_a_link_cannot_mean_changes_nothing(house: House, owner: Browser, query: str) -> None:
    form = owner.get(f"/o/home/{house.token}?{query}").form("/o/pay")
    assert (len(form["bill"]), form["amount"]) == (len(house.unpaid()), house.owed().yuan)


def test_a_strangers_sum_is_the_total_whatever_the_link_says(
    house: House, stranger: Browser
) -> None:
    page = stranger.get(f"/o/home/{house.token}?amount=1.00&period=2026-09")
    assert page.form("/o/pay")["amount"] == house.owed().yuan


def test_every_page_gets_an_order_number_of_its_own(house: House, owner: Browser) -> None:
    first = owner.get(f"/o/home/{house.token}").form("/o/pay")["order"]
    assert owner.get(f"/o/home/{house.token}").form("/o/pay")["order"] != first


def test_a_stranger_sees_only_what_is_needed_to_help(house: House, stranger: Browser) -> None:
    page = stranger.get(f"/o/home/{house.token}")
    assert page.status == 200
    assert page.shows("为该房屋缴费", "花园小区", "1-1-**2", f"¥{yuan(house.owed())}")
    assert page.hides("1-1-302", "物业费", "车位", "逾期", "李")
    assert "bill" not in page.form("/o/pay")
    assert [link for link in page.links() if "/bill/" in link or "/history/" in link] == []


def test_a_stranger_with_a_bill_link_sees_the_same(house: House, stranger: Browser) -> None:
    page = stranger.get(f"/o/bill/{bill_token(house)}")
    assert page.shows("为该房屋缴费", "1-1-**2", f"¥{yuan(house.owed())}")
    assert page.hides("1-1-302", "物业费", "到期", "逾期")


def test_a_bill_shows_every_line_with_its_arithmetic(house: House, owner: Browser) -> None:
    bill = house.unpaid()[0]
    with house.world.database.transaction() as session:
        lines = list_lines(session, bill.community_id, [bill.id])
    page = owner.get(f"/o/bill/{bill_token(house)}")
    assert page.shows(f"¥{yuan(bill.outstanding)}", "缴费截止", "已逾期")
    assert lines
    for line in lines:
        assert page.shows(line.item_name, line.subject_code, f"¥{yuan(line.amount)}")
        assert page.shows(explain(line.basis))
    assert page.form("/o/pay")["amount"] == bill.outstanding.yuan


def test_dates_of_a_line_are_the_days_it_charges(house: House, owner: Browser) -> None:
    month = house.unpaid()[0].period
    last = month.end - timedelta(days=1)
    page = owner.get(f"/o/bill/{bill_token(house)}")
    assert page.shows(f"{chinese_date(month.start)}至{chinese_date(last)}")


def test_a_home_without_debts_says_so(house: House, owner: Browser) -> None:
    house.settle_everything()
    page = owner.get(f"/o/home/{house.token}")
    assert page.shows("账单都缴清了")
    assert not page.has_form("/o/pay")


def test_a_stranger_learns_that_nothing_is_owed(house: House, stranger: Browser) -> None:
    house.settle_everything()
    page = stranger.get(f"/o/home/{house.token}")
    assert page.shows("账单都缴清了", "1-1-**2")
    assert not page.has_form("/o/pay")


def test_a_settled_bill_shows_its_receipt_and_no_form(house: House, owner: Browser) -> None:
    token = bill_token(house)
    house.settle_everything()
    page = owner.get(f"/o/bill/{token}")
    assert page.shows("已缴清", "收据")
    assert not page.has_form("/o/pay")
    assert [link for link in page.links() if "/o/receipt/" in link]


def test_the_only_home_opens_at_once(house: House, owner: Browser) -> None:
    assert owner.get("/o/").path == f"/o/home/{house.token}"


def test_somebody_without_a_home_is_told_how_to_bind(stranger: Browser) -> None:
    assert stranger.get("/o/").shows("还没有绑定房屋")


def test_several_homes_are_listed_with_what_is_owed(house: House, owner: Browser) -> None:
    second = house.world.unit("3-2-501")
    first_room, house.unit_id = house.unit_id, second.id
    house.bind("o-owner")
    owed = house.owed()
    house.unit_id = first_room
    page = owner.get("/o/")
    assert page.shows("1-1-302", "3-2-501", f"¥{yuan(owed)}", f"¥{yuan(house.owed())}")


def test_a_made_up_link_opens_nothing(house: House, owner: Browser) -> None:
    tampered = house.token[:-1] + ("a" if house.token[-1] != "a" else "b")
    for path in (f"/o/home/{tampered}", "/o/home/1", f"/o/bill/{house.token}", "/o/bill/x"):
        page = owner.get(path)
        assert page.status == 404
        assert page.shows("这个链接打不开")


def test_a_link_to_a_bill_that_is_not_issued_opens_nothing(house: House, owner: Browser) -> None:
    token = house.services.links.bill_token(BillRef(house.world.community.id, 999_999))
    assert owner.get(f"/o/bill/{token}").status == 404
    gone = house.services.links.home_token(HomeRef(house.world.community.id, 999_999))
    assert owner.get(f"/o/home/{gone}").status == 404


def test_links_that_lead_to_a_payment_say_so(house: House, owner: Browser) -> None:
    page = owner.get(f"/o/home/{house.token}")
    assert page.tree is not None
    assert len(page.tree.xpath("//a[@data-pay-link][contains(@href, '/o/bill/')]")) == len(
        house.unpaid()
    )


def test_outside_wechat_the_page_offers_a_code_instead_of_a_form(house: House) -> None:
    page = house.signed_in_computer().get(f"/o/home/{house.token}")
    assert page.shows("用手机微信扫一扫")
    assert page.attribute("//div[@class='scan']/img/@src").startswith("data:image/svg+xml")
    assert page.hides("去缴费")
