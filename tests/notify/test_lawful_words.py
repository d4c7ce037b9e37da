"""Every notice of every kind, read as its reader does: lawful, exact, with one thing to do next.

Civil Code 944 forbids to press for fees by cutting supplies. Threats with court, lists of debtors
or credit records are bad manners at best; naming debtors before others is unlawful (PIPL).
"""

import re
from pathlib import Path

import pytest

from billing.alerts import Alert, AlertKind
from billing.money import Money
from billing.people import EndReason
from notify.catalog import NOTICES, Audience, NoticeKind, Transport
from notify.render import sms_wording
from notify.timing_tables import Wording
from notify.wording import TEMPLATES, text_environment
from tests.conftest import NOW
from tests.notify.test_words import UNLAWFUL, bill, words

MARKETING = re.compile("优惠券|抽奖|红包|特价|促销|办卡|返现|限时")
"""WeChat blocks it in template messages."""

SAID: dict[NoticeKind, tuple[str, str]] = {
    # kind → what it is about, and what to do next: exactly one way leads on, or a telephone
    NoticeKind.BILL_ISSUED: (r"应缴 275\.80 元，缴费期限 2026年11月30日", "缴费："),
    NoticeKind.DUE_SOON: (r"275\.80 元.*2026年11月30日", "缴费："),
    NoticeKind.OVERDUE: (r"275\.80 元.*逾期 23 天", "缴费："),
    NoticeKind.PAYMENT_RECEIVED: (r"已收到缴费 1,234\.50 元", "查看缴费记录："),
    NoticeKind.PAYMENT_REVERSED: (r"缴费 1,234\.50 元已撤销", "查看缴费记录："),
    NoticeKind.FAPIAO_REQUESTED: (r"编号 17，1,234\.50 元", "mingzhang fapiao list"),
    NoticeKind.FAPIAO_ISSUED: (r"1,234\.50 元，号码 \d{20}", "查看、下载："),
    NoticeKind.FAPIAO_REJECTED: (r"1,234\.50 元发票没有开成：税号", "回复“开发票”"),
    NoticeKind.FAPIAO_REVERSED: (r"1,234\.50 元）已红冲", "回复“开发票”"),
    NoticeKind.REFUND_DONE: (r"已退款 50\.00 元", "查看："),
    NoticeKind.REFUND_FAILED: (r"50\.00 元的退款未能退回", "查看："),
    NoticeKind.DEBIT_PLANNED: (r"2026年11月26日.*尾号 2333 的账户扣缴 401\.80 元", "查看明细："),
    NoticeKind.DEBIT_FAILED: (r"401\.80 元没有扣成：账户余额不足", "缴费："),
    NoticeKind.PREPAYMENT_LOW: (r"还有 20\.50 元.*约 275\.80 元", "预存："),
    NoticeKind.HOME_LOOKED_UP: ("3-2-501\n有人.*查到了", "请致电物业 010-5550 0100"),
    NoticeKind.BINDING_ADDED: ("绑定申请已通过：花园小区 3-2-501", "点开："),
    NoticeKind.BINDING_REFUSED: ("绑定 花园小区 3-2-501 的申请未通过", "电话 010-5550 0100"),
    NoticeKind.BINDING_REQUESTED: ("· 3-2-501（租户", "mingzhang binding list"),
    NoticeKind.BINDING_JOINED: ("绑定了您的房屋 花园小区 3-2-501", "请回复“解绑 3-2-501 租户”"),
    NoticeKind.BINDING_ENDED: ("花园小区 3-2-501 的绑定已解除", "请致电物业 010-5550 0100"),
    NoticeKind.TICKET_OPENED: ("· 工单号 12", "mingzhang ticket answer"),
    NoticeKind.TICKET_ANSWERED: ("工单号 12）已有答复", "请回复“人工”"),
    NoticeKind.BROADCAST: ("花园小区 物业通知.*\n.*检修 3 栋电梯", ""),  # what staff wrote
    NoticeKind.BROADCAST_WAITING: ("有群发 5 号等您复核", "同意就点："),
    NoticeKind.ALERT: ("· 支付差错", "mingzhang alerts"),
    NoticeKind.DAILY_DIGEST: (r"今日到账 1,103\.20 元", "mingzhang alerts"),
}

TO_STAFF = (Audience.STAFF, Audience.APPROVERS)
TO_OWNERS = [kind for kind, rule in NOTICES.items() if rule.audience not in TO_STAFF]


def readings(kind: NoticeKind) -> list[str]:
    """What may be read of a kind: by every transport, in every wording, with and without what is
    only said sometimes.
    """
    owed = [bill("3-2-501", 1 if kind is NoticeKind.OVERDUE else 0, 27580)]
    shown = []
    for changed in ({}, {"withheld": Money(4560)}, {"today": owed[0].due_on}):
        content = words(kind, owed, **changed)
        shown += [content.text, *content.fields.values()]
    folder = Path(TEMPLATES) / "notices" / kind.value
    return shown + [file.read_text(encoding="utf-8") for file in sorted(folder.iterdir())]


def test_nobody_forgot_a_kind() -> None:
    assert set(SAID) == set(NOTICES) == set(NoticeKind)


@pytest.mark.parametrize("kind", TO_OWNERS)
def test_no_owner_is_threatened_or_sold_anything(kind: NoticeKind) -> None:
    for shown in readings(kind):
        assert not UNLAWFUL.search(shown), UNLAWFUL.search(shown)
        assert not MARKETING.search(shown), MARKETING.search(shown)
        assert not re.search("[!！]{2}", shown), "nobody is shouted at"


@pytest.mark.parametrize(
    "threat",
    [
        "逾期将停水停电",
        "我们将停止供水",
        "将限制门禁",
        "列入黑名单",
        "影响您的征信",
        "在公告栏公布欠费名单",
        "我司将起诉",
        "请立即缴纳",
        "否则后果自负",
        "必须在三日内缴清",
        "关闭电梯权限，停电梯",
    ],
)
def test_threats_as_they_are_made_would_be_found(threat: str) -> None:
    assert UNLAWFUL.search(threat)


@pytest.mark.parametrize("kind", NOTICES)
def test_every_notice_says_what_it_is_about_and_one_thing_to_do_next(kind: NoticeKind) -> None:
    fact, next_step = SAID[kind]
    owed = [bill("3-2-501", 1 if kind is NoticeKind.OVERDUE else 0, 27580)]
    wordings = [None, *([Wording.WARM] if kind in WARM else [])]
    for wording in wordings:
        text = words(kind, owed, wording=wording).text
        assert re.search(fact, text, re.DOTALL), text
        assert next_step in text
        assert text.count("http") <= 1, "more than one link leads nowhere"
        if "http" in text and next_step.endswith("："):
            assert re.search(f"{re.escape(next_step)}\n?http", text), "the link says where it leads"


WARM = (NoticeKind.DUE_SOON, NoticeKind.OVERDUE)


@pytest.mark.parametrize("kind", TO_OWNERS)
def test_an_owner_is_addressed_politely_and_knows_for_which_home(kind: NoticeKind) -> None:
    text = words(kind).text
    assert "你" not in text.replace("您", ""), text
    assert "花园小区" in text
    if kind is not NoticeKind.BROADCAST:
        assert "3-2-501" in text
    assert not re.search(r"(?<![\d,.])\d{4,}\.\d\d 元", text), "long amounts have commas"
    assert "None" not in text


@pytest.mark.parametrize(
    "kind", [kind for kind, rule in NOTICES.items() if Transport.SMS in rule.transports]
)
def test_an_sms_names_the_home_the_amount_and_whom_to_ask_or_where_to_look(
    kind: NoticeKind,
) -> None:
    wording = sms_wording(kind.value, text_environment())
    assert {"${room}", "${amount}"} <= set(re.findall(r"\$\{\w+\}", wording))
    assert "${phone}" in wording or "公众号" in wording
    assert not UNLAWFUL.search(wording)


@pytest.mark.parametrize("kind", WARM)
def test_a_disputed_part_is_said_to_be_held_back(kind: NoticeKind) -> None:
    for wording in Wording:
        text = words(kind, withheld=Money(4560), total=Money(23020), wording=wording).text
        assert "230.20 元" in text
        assert "提出异议的 45.60 元正在核实，不计在内" in text


def test_a_binding_that_ended_says_by_whose_wish() -> None:
    assert EndReason.OWNER.label in words(NoticeKind.BINDING_ENDED).text


def test_staff_read_of_an_old_debt_which_and_until_when() -> None:
    debt = {"room": "3-2-501", "period": "2024-05", "owed": "300.00", "lapses_on": "2027-06-10"}
    alert = Alert(kind=AlertKind.LIMITATION, raised_at=NOW, data=debt)
    text = words(NoticeKind.ALERT, alerts=(alert, Alert(kind=AlertKind.DISCREPANCY, raised_at=NOW)))
    assert "3-2-501 2024-05 账单欠 300.00 元，2027-06-10 满三年" in text.text
    alert.data = debt | {"lapses_on": "2026-01-01"}
    assert "2026-01-01 已满三年" in words(NoticeKind.ALERT, alerts=(alert,)).text
