"""From a fact to a phone: who is told what, once, and what is no longer told."""

import threading
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import func, select, text, update

from billing.alerts import Alert, AlertKind, raise_alert
from billing.bill_run import run_bills
from billing.bills import list_unpaid
from billing.binding_requests import decide_binding
from billing.bindings import see_follower
from billing.deduction import deduct_home
from billing.facts import Fact
from billing.money import Money
from billing.people import Binding, Follower, Staff
from billing.period import Period
from billing.prepayments import balance, set_auto_deduction
from notify.intake import take_facts
from notify.outbox import Notice
from tests.asking import ask_for
from tests.billing.paper import pay
from tests.conftest import World
from tests.notify.conftest import Town

ZHANG = "3-2-501"
LI = "1-1-302"
DECEMBER = Period("2026-12")


def publish_december(town: Town) -> None:
    run_bills(
        town.world.database,
        town.world.community,
        DECEMBER,
        today=date(2026, 12, 1),
        now=town.clock.now,
        publish=True,
    )


def prepay(
    town: Town, room: str, items: Sequence[str] = ("property", "garbage", "parking")
) -> None:
    """Enough for every bill of the home to come; the receipt is told."""
    unit = town.world.unit(room)
    with town.world.database.transaction() as session:
        set_auto_deduction(session, unit.community_id, unit.id, items)
        pay(session, town.world, room, "5000.00", town.world.today)
    town.notifier.intake()


def left(town: Town, room: str) -> Money:
    unit = town.world.unit(room)
    with town.world.database.transaction() as session:
        return balance(session, unit.community_id, unit.id)


def staff_member(town: Town) -> Follower:
    with town.world.database.transaction() as session:
        follower = see_follower(session, "oChen", town.clock.now)
        follower.last_message_at = town.clock.now
        session.execute(update(Staff).where(Staff.login == "chen").values(follower_id=follower.id))
    return follower


def test_an_issued_bill_is_told_to_everybody_bound_to_the_home(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    town.bind(ZHANG, "Daughter")
    publish_december(town)
    town.notifier.intake()
    assert sorted(shown.openid for shown in town.wechat.shown) == ["oDaughter", "oZhang"]
    assert town.wechat.shown[0].data["thing1"] == ZHANG
    assert town.wechat.shown[0].url.startswith("http://pay.example/o/bill/")
    assert town.messages() == [("bill_issued", "sent", None)] * 2


def test_intake_twice_tells_nothing_twice(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    publish_december(town)
    town.notifier.intake()
    assert town.notifier.intake() == {
        "receipts": 0,
        "facts": 0,
        "broadcasts": 0,
        "notices": 0,
        "messages": 0,
    }
    assert len(town.wechat.shown) == 1


def test_the_same_fact_recorded_twice_is_told_once(town: Town, world: World) -> None:
    town.bind(ZHANG, "Zhang")
    publish_december(town)
    town.notifier.intake()
    with world.database.transaction() as session:
        session.execute(update(Fact).values(taken_at=None).where(Fact.kind == "bill_issued"))
    town.notifier.intake()
    told = [shown for shown in town.wechat.shown if "2026年12月" in shown.text]
    assert len(told) == 1


def test_two_intakes_at_once_take_each_fact_once(town: Town, world: World) -> None:
    town.bind(ZHANG, "Zhang")
    publish_december(town)
    gate = threading.Barrier(2)
    taken: list[int] = []

    def take() -> None:
        with world.database.transaction() as session:
            gate.wait(30)
            taken.append(take_facts(session, town.clock.now, 1000, at_once=False))

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with world.database.transaction() as session:
        waiting = session.scalar(select(func.count()).where(Fact.taken_at.is_(None)))
        notices = session.scalar(select(func.count()).select_from(Notice))
    assert (sum(taken), waiting, notices) == (24, 0, 1)


def test_facts_are_taken_a_batch_at_a_time(town: Town, world: World) -> None:
    publish_december(town)
    with world.database.transaction() as session:
        assert take_facts(session, town.clock.now, 10, at_once=False) == 10
        assert take_facts(session, town.clock.now, 100, at_once=False) == 14


def test_several_homes_of_one_owner_are_one_message(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    town.bind(LI, "Zhang")
    publish_december(town)
    town.notifier.intake()
    (shown,) = town.wechat.shown
    assert shown.data["thing1"] == "1-1-302 等2户"
    assert shown.url.partition("?")[0] == "http://pay.example/o/"
    assert town.notices() == [("bill_issued", "merged", None)] * 2


def test_a_payment_is_receipted_to_the_payer_and_the_home(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    helper = town.bind("1-1-101", "Helper")
    town.clock.now = datetime.fromisoformat("2026-11-23T23:30:00+08:00")  # receipts never wait
    amount = town.pay(ZHANG, helper)
    town.notifier.intake()
    assert sorted(shown.openid for shown in town.wechat.shown) == ["oHelper", "oZhang"]
    assert {shown.data["amount2"] for shown in town.wechat.shown} == {f"{amount.yuan}元"}
    assert {shown.data["time3"] for shown in town.wechat.shown} == {"2026-11-23 23:30"}


def test_a_bill_paid_before_it_was_told_is_not_told(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    publish_december(town)
    town.pay(ZHANG, zhang)
    town.notifier.intake()
    assert ("bill_issued", "suppressed", "paid") in town.notices()
    assert [shown.data.get("amount3") for shown in town.wechat.shown] == [None]  # the receipt


def test_a_bill_the_prepayment_paid_is_told_once_with_what_is_left_of_it(town: Town) -> None:
    for name in ("Zhang", "Li"):
        town.bind(ZHANG, name)
    prepay(town, ZHANG)
    town.wechat.shown.clear()
    publish_december(town)
    assert town.owed(ZHANG) == Money(0)
    town.notifier.intake()
    town.notifier.intake()
    assert [shown.openid for shown in town.wechat.shown] == ["oZhang", "oLi"]
    for shown in town.wechat.shown:
        assert (shown.data["thing1"], shown.data["amount3"]) == (f"{ZHANG} 预存已抵扣", "0.00元")
        assert "/o/bill/" in shown.url
    with town.world.database.transaction() as session:
        content = town.rows(session)[-1].content
    assert f"已从预存款抵扣，预存款还有 {left(town, ZHANG).yuan} 元" in content["text"].replace(
        ",", ""
    )
    assert "缴费期限" not in content["text"]


def test_a_bill_the_prepayment_paid_is_told_together_with_one_that_is_owed(town: Town) -> None:
    for room in (ZHANG, LI):
        town.bind(room, "Zhang")
    prepay(town, ZHANG)
    town.wechat.shown.clear()
    publish_december(town)
    object.__setattr__(town.notifier, "templates", {})
    town.notifier.intake()
    [shown] = town.wechat.shown
    with town.world.database.transaction() as session:
        unit = town.world.unit(LI)
        owed = list_unpaid(session, unit.community_id, [unit.id])[-1]
    assert f"账单已出：应缴 {owed.outstanding.yuan} 元" in shown.text
    assert f"· {LI} 2026年12月 {owed.outstanding.yuan} 元" in shown.text
    assert f"· {ZHANG} 2026年12月" in shown.text
    assert "已从预存款抵扣" in shown.text


def test_a_bill_the_prepayment_paid_after_it_was_put_into_words_is_told_anew(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    prepay(town, ZHANG, items=[])
    publish_december(town)
    town.wechat.next_answers["/cgi-bin/message/template/send"].append(45009)
    town.notifier.intake()
    unit = town.world.unit(ZHANG)
    with town.world.database.transaction() as session:
        assert deduct_home(session, unit.community_id, unit.id, now=town.clock.now)
    town.notifier.redis.flushdb()
    town.clock.advance(days=1)
    town.notifier.intake()
    town.notifier.intake()
    bills = [(state, why) for kind, state, why in town.messages() if kind == "bill_issued"]
    assert bills == [("suppressed", "superseded"), ("sent", None)]
    assert town.wechat.shown[-1].data["amount3"] == "0.00元"


def test_somebody_who_unfollowed_is_not_written_to(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    town.change(zhang, unfollowed_at=town.clock.now)
    publish_december(town)
    town.notifier.intake()
    assert town.notices() == [("bill_issued", "suppressed", "unfollowed")]
    assert town.wechat.shown == []


def test_a_notice_that_waited_too_long_is_dropped(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    publish_december(town)
    with town.world.database.transaction() as session:
        take_facts(session, town.clock.now, 1000, at_once=False)
    town.clock.advance(days=6)
    town.notifier.deliver()
    assert town.notices() == [("bill_issued", "suppressed", "expired")]


def test_staff_are_asked_about_a_binding_and_the_applicant_hears_the_answer(town: Town) -> None:
    staff_member(town)
    unit = town.world.unit(ZHANG)
    with town.world.database.transaction() as session:
        applicant = see_follower(session, "oNew", town.clock.now)
        applicant.last_message_at = town.clock.now
        binding = ask_for(session, applicant, unit, town.clock.now)
    town.notifier.intake()
    town.clock.advance(minutes=5)
    with town.world.database.transaction() as session:
        decide_binding(session, unit.community_id, binding.id, approve=True, now=town.clock.now)
    town.notifier.intake()
    asked, answered = town.wechat.shown
    assert (asked.openid, ZHANG in asked.text) == ("oChen", True)
    assert (answered.openid, "已通过" in answered.text) == ("oNew", True)
    assert "http://pay.example/o/home/" in answered.text


def test_a_refused_applicant_is_told_whom_to_call(town: Town) -> None:
    unit = town.world.unit(ZHANG)
    with town.world.database.transaction() as session:
        applicant = see_follower(session, "oNew", town.clock.now)
        applicant.last_message_at = town.clock.now
        binding = ask_for(session, applicant, unit, town.clock.now)
        session.flush()
        decide_binding(session, unit.community_id, binding.id, approve=False, now=town.clock.now)
    town.notifier.intake()
    assert ["010-5550 0100" in shown.text for shown in town.wechat.shown] == [True]


def test_who_was_bound_by_a_code_was_told_in_the_chat(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    with town.world.database.transaction() as session:
        session.execute(update(Binding).values(requested_at=Binding.decided_at))
        binding = session.scalars(select(Binding)).one()
        session.add(
            Fact(
                community_id=binding.community_id,
                kind="binding_added",
                unit_id=binding.unit_id,
                ref_id=binding.id,
                data={"follower_id": zhang.id},
                at=town.clock.now,
            )
        )
    town.notifier.intake()
    assert town.notices() == [("binding_added", "suppressed", "told_in_chat")]


def test_staff_hear_of_an_alert_while_they_can_be_written_to(town: Town) -> None:
    staff = staff_member(town)
    for number, wrote in ((1, town.clock.now), (2, town.clock.now - timedelta(hours=49))):
        town.change(staff, last_message_at=wrote)
        with town.world.database.transaction() as session:
            raise_alert(
                session,
                AlertKind.DISCREPANCY,
                key=f"order {number}",
                community_id=town.world.community.id,
                data={},
                now=town.clock.now,
            )
        town.notifier.intake()
    assert ["支付差错" in shown.text for shown in town.wechat.shown] == [True]
    assert town.messages() == [("alert", "sent", None), ("alert", "failed", "no_transport")]


def test_an_alert_closed_in_time_is_not_told(town: Town) -> None:
    staff_member(town)
    with town.world.database.transaction() as session:
        raise_alert(
            session,
            AlertKind.CHECK_FAILED,
            key="check",
            community_id=None,
            data={},
            now=town.clock.now,
        )
        session.flush()
        session.execute(update(Alert).values(closed_at=town.clock.now))
    town.notifier.intake()
    assert town.notices() == [("alert", "suppressed", "gone")]


def test_a_part_paid_bill_is_told_with_what_is_left(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    town.pay(ZHANG, zhang)
    publish_december(town)
    town.pay(ZHANG, zhang, share=Money(1))
    left = town.owed(ZHANG)
    town.notifier.intake()
    told = [shown.data["amount3"] for shown in town.wechat.shown if "amount3" in shown.data]
    assert told == [f"{left.yuan}元"]


def test_a_receipt_never_speaks_of_the_bill_that_happens_to_have_the_payments_number(
    town: Town, world: World
) -> None:
    payer = town.bind("1-1-302", "Li")
    town.bind("3-2-501", "Zhang")
    run_bills(
        world.database,
        world.community,
        Period("2026-12"),
        today=date(2026, 12, 1),
        now=town.clock.now,
        publish=True,
    )
    with world.database.transaction() as session:
        unit = world.unit("3-2-501")
        bill = list_unpaid(session, unit.community_id, [unit.id])[-1]
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text(f"ALTER TABLE payment ALTER COLUMN id RESTART WITH {bill.id}"))
    amount = town.pay("1-1-302", payer)
    town.notifier.intake()
    [receipt] = [shown for shown in town.wechat.shown if "character_string4" in shown.data]
    assert receipt.data["amount2"] == f"{amount.yuan}元"
    assert "3-2-501" not in str(receipt.data)
    assert "/o/history/" in receipt.url


def test_somebody_who_pays_for_another_home_gets_a_masked_receipt(town: Town) -> None:
    town.bind("3-2-501", "Zhang")
    with town.world.database.transaction() as session:
        helper = see_follower(session, "oHelper", town.clock.now)
    amount = town.pay("3-2-501", helper)
    town.notifier.intake()
    shown = {shown.openid: shown for shown in town.wechat.shown}
    assert shown["oHelper"].data["amount2"] == f"{amount.yuan}元"
    assert shown["oHelper"].data["thing1"] == "3-2-**1"
    assert "/o/home/" in shown["oHelper"].url
    assert shown["oZhang"].data["thing1"] == "3-2-501"
