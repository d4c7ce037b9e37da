"""The words: exact, polite, lawful, and short enough for WeChat."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from billing.alerts import Alert, AlertKind
from billing.bills import BillState
from billing.fapiao_tables import Fapiao, TitleKind
from billing.money import ZERO, Money
from billing.payment_tables import PaymentChannel
from billing.people import Binding, EndReason, ResidentRole
from billing.period import Period
from billing.property import Community
from billing.refund_tables import RefundStage
from billing.tariffs import FeeKind
from billing.ticket_tables import Ticket, TicketKind
from bot.demo.templates import PRODUCT_TEMPLATES
from notify.broadcast_tables import Broadcast
from notify.catalog import NOTICES, NoticeKind, Transport
from notify.digest import Day, Taken
from notify.merge import Telling
from notify.paid import Debit, EndedRefund, PaidPayment
from notify.prepaid import LowPrepayment
from notify.render import Content, render
from notify.timing_tables import Wording
from notify.wording import text_environment
from sandbox.account.fields import refusal
from tests.conftest import NOW

BROADCAST = Broadcast(
    id=5,
    audience="all",
    recipients=1200,
    body="周三上午检修 3 栋电梯，请走楼梯。\n谢谢配合！",
    sent_at=NOW,
)
TODAY = date(2026, 11, 23)
UNLAWFUL = re.compile(
    "|".join(
        (
            "[停断限]{1,2}(止|用|供)?(水|电|气|暖|热|网|梯|电梯)|(停|断)(止)?供|门禁|禁止(出入|通行)|锁车",
            "黑名单|失信|征信|信用(记录|污点|受损)|曝光|张贴|公示|公布|公告栏|通报|老赖",
            "起诉|诉讼|法院|法律|律师|仲裁|强制|执行|报警|公安|派出所",
            "后果|否则|如不|若不|逾期不|拒不|严肃|最后(通牒|期限|一次)|立即(缴|支付|付款)|必须|务必|上门|追究|恶意",
        )
    )
)
"""In what owners read. Nobody is told what happens to him if he does not pay."""


def bill(room: str, months_ago: int, fen: int) -> BillState:
    period = Period("2026-11")
    for _ in range(months_ago):
        period = period.previous()
    return BillState(
        community_id=1,
        id=100 + months_ago,
        unit_id=7,
        room=room,
        period=period,
        issued_on=period.start,
        due_on=period.end - timedelta(days=1),
        amount=Money(fen),
        adjusted=ZERO,
        paid=ZERO,
    )


FAPIAO = Fapiao(
    id=17,
    amount=Money(123450),
    title_kind=TitleKind.COMPANY,
    number="26112000000000000017",
    end_reason="税号与抬头不符",
)


BINDING = Binding(role=ResidentRole.TENANT, decided_at=NOW, end_reason=EndReason.OWNER)


TICKET = Ticket(
    id=12,
    kind=TicketKind.DISPUTE,
    fee=FeeKind.WATER,
    answer="水表已复核，抄表员多抄了 4 吨，差额 13.80 元已从账单中扣除，给您添麻烦了。",
    answered_at=NOW,
)


DEBIT = Debit(Money(40180), date(2026, 11, 26), "2333", True, "账户余额不足", Money(40180))
DAY = Day(
    name="花园小区",
    taken=(
        Taken(PaymentChannel.WECHAT_JSAPI, 3, Money(82740)),
        Taken(PaymentChannel.CASH, 1, Money(27580)),
    ),
    homes=4,
    overdue=Money(148520),
    alerts=1,
    tickets=2,
    failed=0,
)


def telling(kind: NoticeKind, bills: list[BillState], rooms: tuple[str, ...]) -> Telling:
    return Telling(
        kind=kind,
        community=Community(name="花园小区", service_phone="010-5550 0100"),
        rooms=rooms,
        bills=tuple(bills),
        total=sum((one.outstanding for one in bills), ZERO),
        span=(bills[0].period.start, bills[-1].period.end - timedelta(days=1)) if bills else None,
        payment=PaidPayment(Money(123450), NOW, "2026-000017", is_cancelled=False),
        fapiao=(FAPIAO,),
        refund=EndedRefund(
            Money(5000), NOW, RefundStage.DONE, PaymentChannel.WECHAT_JSAPI, Money(5000)
        ),
        bindings=tuple((room, BINDING) for room in rooms),
        alerts=(Alert(kind=AlertKind.DISCREPANCY, raised_at=NOW),),
        withheld=ZERO,
        deducted=(),
        tickets=((TICKET, "水费多了二十块，【电话】"),) * 12,
        broadcast=BROADCAST,
        debit=DEBIT,
        prepayment=LowPrepayment(Money(2050), Money(27580)),
        days=(DAY,),
        today=TODAY,
        url="http://pay.example/o/bill/x",
    )


def words(
    kind: NoticeKind,
    bills: list[BillState] | None = None,
    wording: Wording | None = None,
    **changed: Any,
) -> Content:
    owed = [bill("3-2-501", 0, 27580)] if bills is None else bills
    told = replace(telling(kind, owed, ("3-2-501",)), **changed)
    return render(told, text_environment(), PRODUCT_TEMPLATES, wording=wording)


@pytest.mark.parametrize("kind", [NoticeKind.DUE_SOON, NoticeKind.OVERDUE])
def test_the_other_wording_is_polite_and_says_the_same(kind: NoticeKind) -> None:
    many = [bill("3-2-501", months, 99_999_999) for months in range(30, -1, -1)]
    for bills in ([bill("3-2-501", 1, 27580)], many):
        content = render(
            telling(kind, bills, ("3-2-501",)),
            text_environment(),
            PRODUCT_TEMPLATES,
            wording=Wording.WARM,
        )
        assert content.wording == "warm"
        assert not UNLAWFUL.search(content.text + str(content.fields))
        assert f"{content.total_fen:,}".replace(",", "")[:-2] in content.text.replace(",", "")
        assert "如已缴费，请忽略" in content.text
        assert "http://pay.example/o/bill/x" in content.text
        assert [refusal(name, value) for name, value in content.fields.items() if value] == [
            None
        ] * len(content.fields)
        assert len(content.text.encode()) <= 2048


@pytest.mark.parametrize("kind", NOTICES)
def test_every_kind_fits_into_a_message(kind: NoticeKind) -> None:
    assert 0 < len(words(kind).text.encode()) <= 2048


@pytest.mark.parametrize(
    "kind", [kind for kind, rule in NOTICES.items() if Transport.TEMPLATE in rule.transports]
)
def test_wechat_takes_every_field_even_of_many_homes_and_months(kind: NoticeKind) -> None:
    many = [bill("3-2-501", months, 99_999_999) for months in range(30, -1, -1)]
    for bills, rooms in (([bill("3-2-501", 0, 1)], ("3-2-501",)), (many, ("10-2-1501",) * 12)):
        content = words(kind, bills, rooms=rooms)
        refused = [refusal(name, value) for name, value in content.fields.items()]
        assert content.fields
        assert refused == [None] * len(refused)
        assert len(content.text.encode()) <= 2048


def test_a_bill_says_what_is_owed_until_when_and_where_to_pay() -> None:
    content = words(NoticeKind.BILL_ISSUED)
    assert content.fields == {
        "thing1": "3-2-501",
        "time2": "2026年11月1日~2026年11月30日",
        "amount3": "275.80元",
        "time4": "2026年11月30日",
    }
    assert content.text.splitlines() == [
        "花园小区 3-2-501",
        "账单已出：应缴 275.80 元，缴费期限 2026年11月30日。",
        "· 3-2-501 2026年11月 275.80 元",
        "",
        "查看明细、缴费：",
        "http://pay.example/o/bill/x",
    ]


def test_a_bill_the_prepayment_paid_says_so_and_asks_for_nothing() -> None:
    paid = replace(bill("3-2-501", 0, 27580), paid=Money(27580))
    told = replace(
        telling(NoticeKind.BILL_ISSUED, [paid], ("3-2-501",)), deducted=((paid, Money(123450)),)
    )
    fields = {"thing1": "room", "amount3": "amount", "thing5": "remark"}
    templates = {"bill_issued": {"template_id": "T", "fields": fields}}
    content = render(told, text_environment(), templates, sms={"bill_issued": "SMS_1"})
    assert content.fields == {
        "thing1": "3-2-501 预存已抵扣",
        "amount3": "0.00元",
        "thing5": "已从预存抵扣，余额1234.50元",
    }
    assert content.text.splitlines() == [
        "花园小区 3-2-501",
        "账单已出，已全部从预存款抵扣，不用再缴费。",
        "· 3-2-501 2026年11月 275.80 元，已从预存款抵扣，预存款还有 1,234.50 元",
        "查看明细：",
        "http://pay.example/o/bill/x",
    ]
    assert content.sms is None, "its approved wording asks for money"
    assert not UNLAWFUL.search(content.text)


def test_a_receipt_contains_the_paid_amount_and_its_number() -> None:
    content = words(NoticeKind.PAYMENT_RECEIVED)
    assert content.fields["amount2"] == "1234.50元"
    assert content.fields["character_string4"] == "2026-000017"
    assert "1,234.50 元" in content.text


def test_an_overdue_reminder_says_how_long() -> None:
    content = words(NoticeKind.OVERDUE, [bill("3-2-501", 1, 27580)])
    assert content.fields["thing4"] == "已逾期23天，如已缴费请忽略"
    assert "已逾期 23 天" in content.text


def test_a_kind_without_an_approved_template_has_no_fields() -> None:
    told = telling(NoticeKind.OVERDUE, [bill("3-2-501", 1, 27580)], ("3-2-501",))
    content = render(told, text_environment(), {})
    assert (content.template_id, content.fields) == (None, {})


def test_a_template_that_wants_a_word_we_do_not_offer_is_not_used() -> None:
    told = telling(NoticeKind.OVERDUE, [bill("3-2-501", 1, 27580)], ("3-2-501",))
    wrong = {"overdue": {"template_id": "TM9", "fields": {"thing1": "roomm"}}}
    assert render(told, text_environment(), wrong).template_id is None


def test_what_is_frozen_reads_back_the_same() -> None:
    content = words(NoticeKind.DUE_SOON)
    assert Content.from_json(content.as_json()) == content


def test_a_reminder_says_what_is_not_counted_because_it_is_disputed() -> None:
    content = words(NoticeKind.OVERDUE, total=Money(23020), withheld=Money(4560))
    assert "230.20 元尚未缴纳" in content.text
    assert "您提出异议的 45.60 元正在核实，不计在内。" in content.text
    assert content.fields["amount2"] == "230.20元"
    assert content.fields["thing4"] == "已到期，异议部分不计"


def test_staff_read_of_a_ticket_what_kind_it_is_and_the_masked_sentence() -> None:
    content = words(NoticeKind.TICKET_OPENED)
    assert "· 工单号 12，费用异议（水费）：水费多了二十块，【电话】" in content.text
    assert "另有 4 件" in content.text


def test_an_answer_is_told_whole_in_the_chat_and_as_far_as_it_goes_in_a_field() -> None:
    content = words(NoticeKind.TICKET_ANSWERED)
    assert str(TICKET.answer) in content.text
    assert "水费问题（工单号 12）" in content.text
    assert content.fields["thing1"] == "水费"
    assert str(TICKET.answer).startswith(content.fields["thing3"].removesuffix("…"))


@pytest.mark.parametrize(
    "kind", [kind for kind in NOTICES if Transport.SMS in NOTICES[kind].transports]
)
def test_an_sms_is_filled_polite_and_without_a_link(kind: NoticeKind) -> None:
    said = telling(kind, [bill("3-2-501", 1, 27580)], ("3-2-501",))
    content = render(said, text_environment(), {}, {}, {kind.value: "SMS_1"})
    assert content.sms is not None
    assert "3-2-501" in content.sms.text
    assert "元" in content.sms.text
    assert not re.search(r"\$\{|http", content.sms.text)
    assert not UNLAWFUL.search(content.sms.text)
    assert Content.from_json(content.as_json()) == content


def test_what_was_frozen_by_an_earlier_version_is_still_read() -> None:
    stored = {"template_id": None, "fields": {}, "url": None, "text": "x", "total_fen": None}
    assert Content.from_json(stored).sms is None
