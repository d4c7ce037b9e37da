"""Direct debits: told before the bank is asked, and when it took nothing, and what to do then."""

from datetime import date, timedelta

import pytest

from billing.bills import list_unpaid
from billing.direct_debit.batches import list_orders, prepare_file
from billing.direct_debit.mandates import sign_mandate
from billing.direct_debit.tables import DirectDebitBatch
from billing.errors import Conflict, InvalidInput
from billing.people import get_staff
from tests.billing.direct_debit.debits import ACCOUNT, DUE_BY, Debit
from tests.billing.paper import sell
from tests.conftest import make_vault
from tests.notify.conftest import Town

ZHANG = "3-2-501"
LI = "1-1-302"  # three months behind


@pytest.fixture
def debit(town: Town) -> Debit:
    return Debit(town.world)


def order(
    town: Town, debit: Debit, notice_days: int = 0, room: str = ZHANG, due_by: date = DUE_BY
) -> DirectDebitBatch:
    """A mandate with so many days of notice, and a batch with its order."""
    with town.world.database.transaction() as session:
        sign_mandate(
            session,
            make_vault(),
            town.world.community.id,
            town.world.unit(room).id,
            contract_code="XY-1",
            holder="张秀英",
            account=ACCOUNT,
            signed_on=date(2026, 11, 1),
            by=get_staff(session, "liu"),
            now=town.clock.now,
            notice_days=notice_days,
        )
    return debit.make(due_by)


def test_before_the_bank_is_asked_the_home_is_told_how_much_and_when(
    town: Town, debit: Debit
) -> None:
    town.bind(ZHANG, "Zhang")
    owed = town.owed(ZHANG)
    order(town, debit, notice_days=3)
    town.notifier.intake()
    town.notifier.intake()
    [shown] = town.wechat.shown
    assert shown.data == {
        "thing1": ZHANG,
        "amount2": f"{owed.yuan}元",
        "time3": "2026年11月26日",
        "thing4": "请保持余额充足，有疑问请致电物业",
    }


def test_the_bank_gets_the_batch_when_the_notice_is_over(town: Town, debit: Debit) -> None:
    batch = order(town, debit, notice_days=3)
    with pytest.raises(Conflict, match="goes to the bank from 2026-11-26 on"):
        debit.send(batch)
    with town.world.database.transaction() as session:
        for day, lines in ((2, 0), (3, 1)):
            try:
                found = prepare_file(
                    session, make_vault(), batch, town.clock.now + timedelta(days=day)
                )
            except Conflict:
                found = []
            assert len(found) == lines
    debit.cancel(batch)


def test_days_of_notice_that_no_paper_says_are_refused(town: Town, debit: Debit) -> None:
    with pytest.raises(InvalidInput, match="notice_days: must be 0 to 30"):
        order(town, debit, notice_days=31)


def test_a_batch_that_was_taken_back_is_not_told_of_any_more(town: Town, debit: Debit) -> None:
    town.bind(ZHANG, "Zhang")
    town.clock.now += timedelta(hours=12)  # night: the notice waits for the morning
    batch = order(town, debit)
    town.notifier.intake()
    debit.cancel(batch)
    town.clock.advance(hours=12)
    town.notifier.intake()
    assert town.notices() == [("debit_planned", "suppressed", "gone")]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("余额不足", "账户余额不足"),
        ("E1002 超出单笔限额", "超出银行的扣款限额"),
        ("账户已挂失", "账户暂时不能扣款"),
        ("户名不符", "户名与银行登记的不一致"),
        ("帐号不存在", "账号有误或账户已注销"),
        ("无授权协议", "银行未查到有效的扣款授权"),
        ("R99", "银行未能扣款"),
        ("", "银行未能扣款"),
    ],
)
def test_what_the_bank_did_not_take_is_told_in_plain_words(
    town: Town, debit: Debit, said: str, told: str
) -> None:
    batch = debit.send(order(town, debit))
    town.bind(ZHANG, "Zhang")
    owed = town.owed(ZHANG)
    debit.answer(batch, f"{batch.number},1,{owed.yuan},失败,{said},")
    town.notifier.intake()
    assert town.notices() == [
        ("debit_planned", "suppressed", "gone"),
        ("debit_failed", "merged", None),
    ]
    [shown] = town.wechat.shown
    assert (shown.data["amount2"], shown.data["thing3"]) == (f"{owed.yuan}元", told)
    assert shown.url.startswith("http://pay.example/o/home/")


def test_who_paid_otherwise_is_not_told_that_the_bank_took_nothing(
    town: Town, debit: Debit
) -> None:
    batch = debit.send(order(town, debit))
    zhang = town.bind(ZHANG, "Zhang")
    debit.answer(batch, f"{batch.number},1,{town.owed(ZHANG).yuan},失败,余额不足,")
    town.pay(ZHANG, zhang)
    town.notifier.intake()
    assert ("debit_failed", "suppressed", "paid") in town.notices()


def test_what_the_bank_took_is_told_by_its_receipt(town: Town, debit: Debit) -> None:
    batch = debit.send(order(town, debit))
    town.bind(ZHANG, "Zhang")
    debit.answer(batch, f"{batch.number},1,{town.owed(ZHANG).yuan},成功,,2026-11-23")
    town.notifier.intake()
    told = [kind for kind, state, _ in town.notices() if state == "merged"]
    assert told == ["payment_received"]


def test_who_bought_the_home_is_not_told_of_the_seller_s_debits(town: Town, debit: Debit) -> None:
    october = date(2026, 10, 31)
    town.bind(LI, "Li")
    batch = debit.send(order(town, debit, room=LI, due_by=october))
    with town.world.database.transaction() as session:
        sell(session, town.world, LI, date(2026, 11, 1))
        [(ordered, _)] = list_orders(session, batch)
    town.bind(LI, "Buyer", sees_from=date(2026, 11, 1))
    debit.answer(batch, f"{batch.number},1,{ordered.amount.yuan},失败,余额不足,")
    town.notifier.intake()
    assert {shown.openid for shown in town.wechat.shown} == {"oLi"}


def test_who_bought_the_home_is_debited_what_is_his_and_told_so(town: Town, debit: Debit) -> None:
    with town.world.database.transaction() as session:
        unit = town.world.unit(LI)
        november = list_unpaid(session, unit.community_id, [unit.id])[-1].outstanding
        sell(session, town.world, LI, date(2026, 11, 1))
    town.bind(LI, "Buyer", sees_from=date(2026, 11, 1))
    batch = order(town, debit, notice_days=3, room=LI)
    with town.world.database.transaction() as session:
        [(ordered, _)] = list_orders(session, batch)
    assert ordered.amount == november < town.owed(LI)
    town.notifier.intake()
    town.notifier.intake()
    [shown] = town.wechat.shown
    assert (shown.openid, shown.data["amount2"]) == ("oBuyer", f"{november.yuan}元")


def test_nobody_is_pressed_for_what_the_bank_is_asked_to_take(town: Town, debit: Debit) -> None:
    batch = order(town, debit)
    town.bind(ZHANG, "Zhang")
    due = date(2026, 11, 30)
    assert town.remind(due)["suppressed"]["being_debited"] == 1
    assert town.notices() == []
    debit.cancel(batch)
    assert town.remind(due)["due"] == 1


def test_a_reminder_that_waits_is_called_off_when_the_bank_is_asked(
    town: Town, debit: Debit
) -> None:
    town.bind(ZHANG, "Zhang")
    town.remind(date(2026, 11, 30))
    order(town, debit)
    town.notifier.intake()
    assert town.notices() == [
        ("due_soon", "suppressed", "being_debited"),
        ("debit_planned", "merged", None),
    ]
