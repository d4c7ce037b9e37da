"""Why an alert was raised is a sentence with its figures and what to do; never nothing, never a
fault, whatever an alert of before lacks.
"""

import re
from typing import Any

import pytest

from billing.alerts import Alert, AlertKind
from billing.checks import ALL_CHECKS
from bot.schedule import SCHEDULE
from handlers.console.money.background import COMPARING
from notify.catalog import NoticeKind, Transport
from notify.gate import ACCOUNT, transport_line
from notify.queues import LANE_JOB
from notify.wording import text_environment
from tests.conftest import NOW
from tests.notify.test_words import words

REFUND = {"refund": 7, "out_refund_no": "RF7", "out_trade_no": "MZ1", "amount_fen": 123450}

SAID: list[tuple[AlertKind, dict[str, Any], tuple[str, ...]]] = [
    (
        AlertKind.DISCREPANCY,
        {
            "kind": "wrong_amount",
            "merchant": "HYPM",
            "out_trade_no": "MZ1",
            "provider_fen": 1,
            "booked_fen": 123450,
        },
        ("金额不符", "HYPM", "MZ1", "支付机构 0.01 元", "账上 1,234.50 元", "对账差错"),
    ),
    (
        AlertKind.DISCREPANCY,
        {"kind": "unknown_order", "out_trade_no": "MZ1", "provider_fen": None, "booked_fen": None},
        ("订单不存在", "MZ1"),
    ),
    (AlertKind.DISCREPANCY, {"kind": "funds", "received": {"funds_fen": 1}}, ("资金汇总不符",)),
    (
        AlertKind.DISCREPANCY,
        {"merchant": "HYPM", "date": "2026-11-22", "found": 3},
        ("2026-11-22", "HYPM", "3 处差错"),
    ),
    (
        AlertKind.REFUND_FAILED,
        {**REFUND, "failure": "closed by the provider"},
        ("1,234.50 元", "RF7", "支付机构关闭了这笔退款", "转回该户预存"),
    ),
    (AlertKind.REFUND_FAILED, {**REFUND, "failure": None}, ("1,234.50 元", "RF7")),
    (AlertKind.REFUND_ABNORMAL, {**REFUND, "failure": None}, ("1,234.50 元", "RF7", "商户平台")),
    (
        AlertKind.NOT_RECONCILED,
        {"merchant": "HYPM", "date": "2026-11-22"},
        ("2026-11-22", "HYPM", "按天对账"),
    ),
    (AlertKind.CODE_GUESSING, {"wrong_codes_last_hour": 51}, ("51 次", "绑定申请")),
    (
        AlertKind.SENDING_STOPPED,
        {"line": ACCOUNT, "errcode": 48001, "errmsg": "api unauthorized"},
        ("公众号的全部消息已暂停发送", "48001 api unauthorized", "微信公众平台"),
    ),
    (
        AlertKind.SENDING_STOPPED,
        {"line": "template:TM1", "errcode": None, "errmsg": None},
        ("使用模板 TM1 的消息已暂停发送",),
    ),
    *(
        (AlertKind.SENDING_STOPPED, {"line": transport_line(one)}, (f"{one.label}已暂停发送",))
        for one in Transport
    ),
    (
        AlertKind.CHECK_FAILED,
        {"check": "a bill is the sum of its lines", "violations": 2, "first": ["1", "2"]},
        ("账单等于各项明细之和", "至少 2 处", "编号 1、2", "mingzhang check"),
    ),
    (AlertKind.CHECK_FAILED, {"check": "a new rule", "violations": 1}, ("“a new rule”", "1 处")),
    (
        AlertKind.WEBHOOK_FAILED,
        {"webhook": "ERP", "outcome": "answered 500"},
        ("“ERP”", "HTTP 500", "外部接口"),
    ),
    (AlertKind.WEBHOOK_FAILED, {"webhook": "ERP", "outcome": None}, ("“ERP”",)),
    (AlertKind.JOB_FAILED, {"job": "bot.jobs.run_billing"}, ("按出账日出账", "mingzhang doctor")),
    (AlertKind.JOB_FAILED, {"job": "bot.jobs.run_old"}, ("“bot.jobs.run_old”",)),
    (AlertKind.HOLIDAYS_UNKNOWN, {"year": 2027}, ("2027 年", "催缴提醒")),
    (
        AlertKind.CHARGES_PARKED,
        {"period": "2026-12", "charges": 3},
        ("2026-12", "3 笔费用", "再起草一次"),
    ),
]


def evidence(kind: AlertKind, data: dict[str, Any] | None) -> str:
    """The sentence, as it is read in the chat."""
    source = '{% from "notices/_evidence.txt" import evidence %}{{ evidence(alert) }}'
    alert = Alert(kind=kind, raised_at=NOW, data=data)
    return text_environment().from_string(source).render(alert=alert)


@pytest.mark.parametrize(("kind", "data", "words"), SAID)
def test_an_alert_says_its_figures_and_what_to_do(
    kind: AlertKind, data: dict[str, Any], words: tuple[str, ...]
) -> None:
    said = evidence(kind, data)
    assert [one for one in words if one not in said] == [], said
    assert said != kind.label
    assert "None" not in said
    assert not re.search(r"\s\s|\n|^\s|\s$", said), repr(said)


def test_every_kind_that_carries_no_finding_is_said_above() -> None:
    """The findings of `billing.insight` and old debts have tests of their own."""
    of_findings = set(list(AlertKind)[list(AlertKind).index(AlertKind.USAGE_JUMP) :])
    assert {kind for kind, _, _ in SAID} == set(AlertKind) - of_findings - {AlertKind.LIMITATION}


@pytest.mark.parametrize("data", [None, {}, {"odd": 1}])
@pytest.mark.parametrize("kind", AlertKind)
def test_an_alert_without_its_figures_is_said_by_its_name(
    kind: AlertKind, data: dict[str, Any] | None
) -> None:
    assert evidence(kind, data) == kind.label


def test_many_long_alerts_fit_into_one_message() -> None:
    longest = {
        "kind": "missing_there",
        "merchant": "HUAYUAN-WXPAY-01",
        "out_trade_no": "M" * 32,
        "out_refund_no": "R" * 32,
        "provider_fen": 12345678900,
        "booked_fen": 12345678900,
    }
    failed = {**REFUND, "out_refund_no": "R" * 32, "failure": "余额不足，" * 100}
    for kind, data in ((AlertKind.DISCREPANCY, longest), (AlertKind.REFUND_FAILED, failed)):
        alerts = (Alert(kind=kind, raised_at=NOW, data=data),) * 30
        text = words(NoticeKind.ALERT, alerts=alerts).text
        assert "另有 25 条" in text
        assert len(text.encode()) <= 2048


def test_every_check_and_every_job_has_a_chinese_name() -> None:
    names: Any = text_environment().get_template("notices/_names.txt").module
    planned = {f"{one.job.__module__}.{one.job.__name__}" for one in SCHEDULE}
    assert set(names.CHECKS) == {one.name for one in ALL_CHECKS}
    assert set(names.JOBS) == planned | {LANE_JOB, COMPARING}
