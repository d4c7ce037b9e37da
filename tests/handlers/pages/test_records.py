"""History, fee standards and receipts."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from billing.bills import list_bills
from billing.confirmation import Outcome, confirm
from billing.late_fee_policy import set_policy
from billing.late_fee_tables import LateFeeCap
from billing.merchants import MerchantAccount
from billing.money import ZERO, Money
from billing.payments import list_confirmed
from billing.period import EVERY_DAY, DayWindow, Period
from billing.reports.own_fees import own_fees
from billing.tariffs import ChargeItem, Tariff
from handlers.receipt_paper import capital
from notify.wording import chinese_month, clock, yuan
from tests.handlers.pages.conftest import Browser, House


def test_history_lists_every_bill_and_every_payment(house: House, owner: Browser) -> None:
    house.settle_everything()
    page = owner.get(f"/o/history/{house.token}")
    with house.world.database.transaction() as session:
        bills = list_bills(session, house.world.community.id, [house.unit_id])
        payments = list_confirmed(session, house.world.community.id, [house.unit_id], limit=100)
    assert len(bills) == 5
    assert len(payments) >= 2
    for bill in bills:
        assert page.shows(chinese_month(bill.period), f"¥{yuan(bill.amount)}")
    for payment, receipt in payments:
        assert payment.confirmed_at is not None
        number = receipt.number if receipt else "编号生成中"
        assert page.shows(clock(payment.confirmed_at), number)


def test_history_draws_what_the_home_was_charged_and_for_what(house: House, owner: Browser) -> None:
    community_id = house.world.community.id
    with house.world.database.transaction() as session:
        fees = own_fees(
            session,
            community_id,
            house.unit_id,
            first=Period("2024-12"),
            last=Period("2026-11"),
            seen=EVERY_DAY,
        )
        bills = list_bills(session, community_id, [house.unit_id])
    charged = sum((bill.amount + bill.adjusted for bill in bills), ZERO)
    assert len(fees.by_month) == 24
    assert sum(fees.by_month.values(), ZERO) == sum(fees.by_fee.values(), ZERO) == charged
    page = owner.get(f"/o/history/{house.token}")
    for fee, amount in fees.by_fee.items():
        assert page.shows(f"{fee.label} {yuan(amount)}")


def test_a_tenant_sees_the_charges_of_his_days_alone(house: House) -> None:
    with house.world.database.transaction() as session:
        fees = own_fees(
            session,
            house.world.community.id,
            house.unit_id,
            first=Period("2024-12"),
            last=Period("2026-11"),
            seen=DayWindow(date(2026, 11, 1)),
        )
    assert [str(month) for month, amount in fees.by_month.items() if amount.fen] == ["2026-11"]


def test_history_of_others_is_refused(house: House, stranger: Browser) -> None:
    page = stranger.get(f"/o/history/{house.token}")
    assert page.status == 403
    assert page.shows("这里是别人家的账")
    assert page.hides("1-1", "¥")


def test_fee_standards_show_price_and_legal_basis_to_anybody(
    house: House, stranger: Browser
) -> None:
    page = stranger.get(f"/o/tariffs/{house.token}")
    assert page.status == 200
    assert page.shows("物业费", "2.80元/㎡·月", "按当月天数折算", "《前期物业服务合同》第六条")
    assert page.shows("车位管理费", "120.00元/月", "现行", "已停用", "2.60元/㎡·月")
    assert page.hides("1-1")


def test_the_late_fee_clause_is_shown_as_the_contract_has_it(
    house: House, stranger: Browser
) -> None:
    assert stranger.get(f"/o/tariffs/{house.token}").hides("违约金")
    with house.world.database.transaction() as session:
        for begins, rate in ((date(2026, 1, 1), "0.001"), (date(2026, 9, 1), "0.0005")):
            set_policy(
                session,
                house.world.community.id,
                effective_from=begins,
                daily_rate=Decimal(rate),
                grace_days=5,
                cap=LateFeeCap.PRINCIPAL,
                document="合同第九条",
            )
    page = stranger.get(f"/o/tariffs/{house.token}")
    assert page.shows("违约金", "2026年9月1日起现行0.05%/天", "宽限5天，不超过欠费本金")
    assert page.shows("2026年1月1日起已停用0.1%/天", "依据：合同第九条")
    assert page.hides("标准待公布")


@pytest.mark.parametrize(
    ("price", "words"),
    [
        ({"method": "metered", "unit_price": "3.45"}, ["3.45元/度", "用量×单价"]),
        (
            {
                "method": "tiered",
                "mode": "graduated",
                "normal_days": 30,
                "tiers": [
                    {"up_to": "180", "unit_price": "5.00", "flat": "0"},
                    {"up_to": None, "unit_price": "7.00", "flat": "2"},
                ],
            },
            ["至180度", "5.00元/度", "以上部分", "7.00元/度，另加2元", "分档累进", "30天"],
        ),
    ],
)
def test_other_kinds_of_price_are_put_in_words(
    house: House, stranger: Browser, price: dict[str, Any], words: list[str]
) -> None:
    with house.world.database.transaction() as session:
        item = session.scalars(select(ChargeItem).where(ChargeItem.code == "parking")).one()
        item.fee = type(item.fee)("electricity")
        session.add(
            Tariff(
                community_id=item.community_id,
                item_id=item.id,
                effective_from=house.world.today + timedelta(days=30),
                price=price,
                basis_document="供用电合同",
                created_at=house.clock(),
            )
        )
    page = stranger.get(f"/o/tariffs/{house.token}")
    assert page.shows(*words)
    assert page.shows("将生效", "依据：供用电合同")


def test_items_no_longer_charged_are_not_shown(house: House, stranger: Browser) -> None:
    with house.world.database.transaction() as session:
        item = session.scalars(select(ChargeItem).where(ChargeItem.code == "parking")).one()
        item.active_to = date(2026, 11, 1)
    assert not stranger.get(f"/o/tariffs/{house.token}").shows("车位管理费")


def test_a_receipt_shows_what_was_paid_line_by_line(house: House, owner: Browser) -> None:
    owed, bills = house.owed(), len(house.unpaid())
    house.settle_everything()
    page = owner.get(f"/o/history/{house.token}")
    receipt = owner.get(next(link for link in page.links() if "/o/receipt/" in link))
    assert receipt.shows("收据", "No.2026-", "花园小区物业服务中心", "1-1-302", "微信支付")
    assert receipt.shows(f"合计¥{yuan(owed)}", f"人民币（大写）{capital(owed)}")
    assert receipt.text.count("物业费房屋1-1-302") == bills


def test_money_for_a_bill_that_was_paid_meanwhile_is_shown_as_prepaid(
    house: House, owner: Browser
) -> None:
    helper = house.phone("o-helper")
    form = helper.get(f"/o/home/{house.token}").form("/o/pay")
    late = helper.post("/o/pay", form).attribute("//main/@data-return")
    [first] = house.payments()
    house.settle_everything()
    house.cashier.pay(first.out_trade_no)
    answer = house.cashier.query(first.out_trade_no)
    with house.world.database.transaction() as session:
        merchant = session.get_one(MerchantAccount, first.merchant_id)
        assert confirm(session, merchant, answer, house.world.now) is Outcome.BOOKED
    assert helper.get(late).shows("已到账")
    receipt = owner.get(late.replace("/paid/", "/receipt/"))
    assert receipt.shows("预存", yuan(first.amount), "账单已由他人缴清，转作预存")


def test_an_unconfirmed_payment_has_no_receipt(house: House, owner: Browser) -> None:
    form = owner.get(f"/o/home/{house.token}").form("/o/pay")
    path = owner.post("/o/pay", form).attribute("//main/@data-return")
    assert owner.get(path.replace("/paid/", "/receipt/")).status == 404


@pytest.mark.parametrize(
    ("fen", "characters"),
    [
        (5, "伍分"),
        (10000, "壹佰元整"),
        (123450, "壹仟贰佰叁拾肆元伍角"),
        (30506, "叁佰零伍元零陆分"),
        (2000001, "贰万元零壹分"),
        (101050, "壹仟零壹拾元伍角"),
    ],
)
def test_amounts_in_capital_characters(fen: int, characters: str) -> None:
    assert capital(Money(fen)) == characters
