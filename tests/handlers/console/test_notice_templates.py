"""消息模板: what is in force, set against WeChat's own list, tried on oneself."""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry
from redis import Redis
from sqlalchemy import func, select

from billing.audit import AuditEntry
from billing.bindings import see_follower
from billing.people import Staff, StaffRole
from bot.app import create_app
from bot.demo.templates import SANDBOX_TEMPLATES
from bot.program import Program
from handlers.console.template_words import Word
from notify.approved import read_approved
from notify.catalog import NOTICES, NoticeKind, Transport
from notify.template_setting import offered_words, set_template
from notify.template_tables import NoticeRoute, NoticeTemplate
from notify.wechat import WeChat
from tests.handlers.console.conftest import Clerk
from tests.notify.pretend_wechat import APP_ID, APP_SECRET, Call, PretendWeChat

MakeClerk = Callable[..., Clerk]
KIND = NoticeKind.BILL_ISSUED
SHOW = f"/templates/kind?kind={KIND.value}"
FIELDS = f"/templates/fields?kind={KIND.value}&transport=template"
[TEMPLATE] = [
    one["template_id"] for one in SANDBOX_TEMPLATES if one["template_id"].startswith("TMBillIssued")
]


@pytest.fixture
def pretend() -> Iterator[PretendWeChat]:
    server = PretendWeChat()
    yield server
    server.stop()


@pytest.fixture
def program(program: Program, pretend: PretendWeChat, redis: Redis) -> Iterator[Program]:
    """The program with a WeChat that answers."""
    wechat = WeChat(APP_ID, APP_SECRET, pretend.base, pretend.base, pretend.base, redis)
    services = replace(program.services, wechat=wechat)
    yield replace(program, services=services, registry=CollectorRegistry())
    wechat.close()


@pytest.fixture
def app(program: Program) -> Flask:
    """What that program serves."""
    return create_app(program)


@pytest.fixture
def manager(clerk: MakeClerk) -> Clerk:
    """Of all communities, as templates are."""
    return clerk(StaffRole.MANAGER, community_id=None)


def seen(page: str, action: str) -> str:
    found = re.search(rf'action="/console{action}".*?name="seen" value="([^"]*)"', page, re.S)
    assert found is not None
    return html.unescape(found[1])


def row(program: Program) -> NoticeTemplate | None:
    with program.services.database.transaction() as session:
        return session.scalar(select(NoticeTemplate))


def test_every_word_of_every_kind_has_a_name_for_staff() -> None:
    words = {word for kind in NOTICES for way in Transport for word in offered_words(kind, way)}
    assert words <= {word.value for word in Word}


def test_a_template_is_chosen_from_wechats_list_mapped_and_cleared(
    manager: Clerk, program: Program
) -> None:
    assert "缺模板消息" in manager.get("/templates").text
    assert TEMPLATE in manager.get(FIELDS).text
    page = manager.get(f"{FIELDS}&template_id={TEMPLATE}").text
    assert "金额（275.80元）" in page
    wish = {
        "kind": KIND.value,
        "transport": "template",
        "template_id": TEMPLATE,
        "seen": seen(page, "/templates/fields"),
        "thing1": "room",
        "time2": "period",
        "amount3": "amount",
    }
    refused = manager.post("/templates/fields", **wish)
    assert refused.status_code == 422
    assert "这些字段还没有选内容：time4" in refused.text
    assert row(program) is None
    assert manager.post("/templates/fields", **wish, time4="due_on").status_code == 303
    kept = row(program)
    assert kept is not None
    assert kept.fields["time4"] == "due_on"
    assert "测试员 于" in manager.get(SHOW).text
    stale = manager.post("/templates/fields", **wish, time4="due_on")
    assert stale.status_code == 422
    assert f"模板 由 无 改为 {TEMPLATE}" in stale.text
    again = {"kind": KIND.value, "transport": "template"}
    old = manager.post("/templates/kind/clear", **again, seen=wish["seen"])
    assert old.status_code == 422
    assert f"模板 由 无 改为 {TEMPLATE}" in old.text
    kept = html.unescape(manager.get(SHOW).text.split("data-sure", 1)[1].split("</form>")[0])
    now = re.search(r'name="seen" value="(.*?)"><button', kept)
    assert now is not None
    cleared = manager.post("/templates/kind/clear", **again, seen=now[1])
    assert cleared.status_code == 303
    assert row(program) is None


def test_a_template_set_while_wechat_was_asked_is_not_overwritten_and_nothing_is_logged(
    manager: Clerk, program: Program, pretend: PretendWeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = manager.get(f"{FIELDS}&template_id={TEMPLATE}").text
    real = pretend.answer

    def answer(call: Call) -> tuple[int, dict[str, Any]] | None:
        if call.path == "/cgi-bin/template/get_all_private_template" and row(program) is None:
            with program.services.database.transaction() as session:
                by = session.get_one(Staff, manager.staff_id)
                set_template(
                    session,
                    KIND,
                    Transport.TEMPLATE,
                    "TMOther",
                    {"thing1": "room"},
                    by=by,
                    now=program.services.clock(),
                )
        return real(call)

    def logged() -> int:
        with program.services.database.transaction() as session:
            mine = AuditEntry.action == "notice_templates_save"
            return session.scalar(select(func.count()).where(mine)) or 0

    monkeypatch.setattr(pretend, "answer", answer)
    wish = {"kind": KIND.value, "transport": "template", "template_id": TEMPLATE}
    fields = {"thing1": "room", "time2": "period", "amount3": "amount", "time4": "due_on"}
    shown = seen(page, "/templates/fields")
    refused = manager.post("/templates/fields", **wish, **fields, seen=shown)
    assert refused.status_code == 422
    assert "核对期间别人改了模板，现在是 TMOther" in refused.text
    kept = row(program)
    assert kept is not None
    assert kept.template_id == "TMOther"
    assert logged() == 0
    looked = seen(refused.text, "/templates/fields")
    assert manager.post("/templates/fields", **wish, **fields, seen=looked).status_code == 303
    assert logged() == 1


def test_when_wechat_does_not_answer_the_page_says_so(
    manager: Clerk, pretend: PretendWeChat
) -> None:
    pretend.always["/cgi-bin/template/get_all_private_template"] = 48001
    page = manager.get(FIELDS)
    assert page.status_code == 200
    assert "微信拒绝给出模板列表（错误码 48001）" in page.text


def test_the_order_of_transports_is_set_and_goes_back(manager: Clerk, program: Program) -> None:
    shown = seen(manager.get(SHOW).text, "/templates/kind/order")
    wish = {"kind": KIND.value, "seen": shown, "way0": "service", "way1": "template"}
    twice = manager.post("/templates/kind/order", **{**wish, "way1": "service"})
    assert twice.status_code == 422
    assert "每种只能选一次" in twice.text
    assert manager.post("/templates/kind/order", **wish).status_code == 303
    with program.services.database.transaction() as session:
        route = read_approved(session, program.services.approved).route(KIND)
    assert route == (Transport.SERVICE, Transport.TEMPLATE)
    assert "改为 客服消息,模板消息" in manager.post("/templates/kind/order", **wish).text
    assert manager.post("/templates/kind/clear", kind=KIND.value, seen=shown).status_code == 422
    now = seen(manager.get(SHOW).text, "/templates/kind/clear")
    cleared = manager.post("/templates/kind/clear", kind=KIND.value, seen=now)
    assert cleared.status_code == 303
    assert "系统默认" in manager.get(SHOW).text


def test_a_code_of_sms_is_checked(manager: Clerk, program: Program) -> None:
    shown = '{"fields": "", "template": ""}'
    assert shown in html.unescape(manager.get(SHOW).text)
    wish = {"kind": KIND.value, "transport": "sms", "seen": shown}
    refused = manager.post("/templates/fields", **wish, template_id="12")
    assert refused.status_code == 422
    assert "SMS_123456789" in refused.text
    assert manager.post("/templates/fields", **wish, template_id="SMS_1").status_code == 303
    kept = row(program)
    assert kept is not None
    assert (kept.transport, kept.template_id) == (Transport.SMS, "SMS_1")
    stale = manager.post("/templates/fields", **wish, template_id="SMS_2")
    assert stale.status_code == 422
    assert "模板 由 无 改为 SMS_1" in stale.text
    no_line = manager.post("/templates/kind/test", **wish, person_phone="13800001234")
    assert "服务器还没有配置短信平台" in no_line.text
    assert "请填写手机号" in manager.post("/templates/kind/test", **wish, person_phone="12").text


def test_a_trial_goes_to_oneself_and_the_answer_is_shown(
    manager: Clerk, program: Program, pretend: PretendWeChat
) -> None:
    wish = {"kind": KIND.value, "transport": "service"}
    assert "您还没有绑定微信" in manager.post("/templates/kind/test", **wish).text
    with program.services.database.transaction() as session:
        follower = see_follower(session, "oManager", program.services.clock())
        session.get_one(Staff, manager.staff_id).follower_id = follower.id
    pretend.followers.add("oManager")
    assert "对方已接收" in manager.post("/templates/kind/test", **wish).text
    assert pretend.shown[-1].openid == "oManager"
    pretend.next_answers["/cgi-bin/message/custom/send"].append(45015)
    assert "错误码 <code>45015</code>" in manager.post("/templates/kind/test", **wish).text
    pretend.next_answers["/cgi-bin/message/custom/send"].append("http")
    page = manager.post("/templates/kind/test", **wish).text
    assert "没有收到可用的回答：对方回答 HTTP 502，内容看不懂" in page


def test_a_kind_or_transport_that_is_none_is_not_found(manager: Clerk) -> None:
    for path in (
        "/templates/kind?kind=nonsense",
        "/templates/fields?kind=bill_issued&transport=service",
        "/templates/fields?kind=alert&transport=template",
    ):
        assert manager.get(path).status_code == 404
    assert manager.post("/templates/kind/order", kind="nonsense").status_code == 404


def test_staff_get_a_code_that_binds_their_wechat(manager: Clerk) -> None:
    page = manager.post(f"/staff/{manager.staff_id}/code")
    assert page.status_code == 200
    assert re.search("<code>[0-9A-Z]{5} [0-9A-Z]+</code>", page.text)
    assert "还没有绑定" in manager.get(f"/staff/{manager.staff_id}").text


def test_a_manager_of_one_community_reads_templates_and_sets_none(
    clerk: MakeClerk, program: Program, pretend: PretendWeChat
) -> None:
    one = clerk(StaffRole.MANAGER)
    page = one.get(SHOW).text
    assert "请负责全部小区的经理来设置" in page
    assert "客服消息" in page
    assert all(
        f'action="/console/templates/{action}"' not in page
        for action in ("kind/order", "kind/clear", "fields")
    )
    assert one.get(FIELDS).headers["Location"].endswith(SHOW)
    for path, fields in (
        ("kind/order", {"seen": "{}", "way0": "service"}),
        ("kind/clear", {}),
        ("kind/clear", {"transport": "template"}),
        ("fields", {"transport": "sms", "template_id": "SMS_1"}),
        ("fields", {"transport": "template", "template_id": TEMPLATE, "seen": "{}"}),
    ):
        answer = one.post(f"/templates/{path}", kind=KIND.value, **fields)
        assert answer.status_code == 422, (path, fields)
        assert 'class="problem"' in answer.text, (path, fields)
        assert "消息模板对所有小区生效，请负责全部小区的经理来设置<" in answer.text, (path, fields)
    assert row(program) is None
    with program.services.database.transaction() as session:
        assert session.scalar(select(NoticeRoute)) is None


def test_a_manager_of_one_community_tries_messages_on_himself_alone(
    clerk: MakeClerk, program: Program, pretend: PretendWeChat
) -> None:
    one = clerk(StaffRole.MANAGER)
    with program.services.database.transaction() as session:
        follower = see_follower(session, "oManager", program.services.clock())
        session.get_one(Staff, one.staff_id).follower_id = follower.id
    pretend.followers.add("oManager")
    assert 'aria-label="测试客服消息"' in one.get(SHOW).text
    wish = {"kind": KIND.value, "transport": "service"}
    assert "对方已接收" in one.post("/templates/kind/test", **wish).text
    wish = {"kind": KIND.value, "transport": "sms", "person_phone": "13800001234"}
    refused = one.post("/templates/kind/test", **wish)
    assert refused.status_code == 422
    assert "请负责全部小区的经理来发" in refused.text
