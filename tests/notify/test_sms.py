"""SMS, against the sandbox's Aliyun on a real socket, whose reports come to our real callback."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from prometheus_client import CollectorRegistry
from sqlalchemy import select, update
from werkzeug.serving import BaseWSGIServer, make_server

from billing.alerts import Alert
from billing.people import Follower, Occupancy, Resident
from billing.privacy import Vault
from billing.property import Community
from bot.demo.templates import PRODUCT_TEMPLATES
from handlers.callbacks import sms_reports
from handlers.services import Services
from notify import jobs
from notify.aliyun_sms import AliyunKeys, AliyunSms, canonical_query, signature_of
from notify.catalog import NOTICES, Transport
from notify.outbox import Delivery
from notify.reports import SmsReport, record_sms
from notify.sms import SmsLine, SmsRefused, SmsUnreachable, fill
from sandbox import config as sandbox_config
from sandbox.app import Sandbox, make_app
from sandbox.clock import SHANGHAI
from sandbox.clock import Clock as SandboxClock
from tests.notify.conftest import Clock, Town

ZHANG = "3-2-501"
SIGN = "花园小区物业"
BY_SMS = {kind for kind in NOTICES if Transport.SMS in NOTICES[kind].transports}
KEYS = AliyunKeys(
    "LTAI-test",
    "secret-of-sms",
    SIGN,
    {
        kind.value: f"SMS_{kind.value}"
        for kind in NOTICES
        if Transport.SMS in NOTICES[kind].transports
    },
)


class TownsClock(SandboxClock):
    """The sandbox lives at the hour of the town."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(60)
        self._clock = clock

    def now(self) -> datetime:
        return self._clock().astimezone(SHANGHAI)


@dataclass
class Provider:
    """The sandbox's SMS service."""

    url: str
    sender: AliyunSms

    def plan(self, target: str, mode: str, count: int = 1) -> None:
        plan = {"target": target, "mode": mode, "count": count}
        assert requests.post(f"{self.url}/faults", json=plan, timeout=30).status_code == 200

    def inbox(self, number: str) -> list[str]:
        answer = requests.get(f"{self.url}/phone/{number}/inbox", timeout=30).json()
        return [one["text"] for one in answer["messages"] if one["kind"] == "sms"]

    def sent(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = requests.get(f"{self.url}/sent", timeout=30).json()[
            "messages"
        ]
        return found


@contextmanager
def running(app: Flask) -> Iterator[BaseWSGIServer]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def wordings() -> dict[str, str]:
    folder = Path(__file__).resolve().parents[2] / "templates" / "notices"
    return {
        code: (folder / kind / "sms.txt").read_text(encoding="utf-8").strip()
        for kind, code in KEYS.templates.items()
    }


@pytest.fixture
def provider(town: Town, vault: Vault, tmp_path: Path) -> Iterator[Provider]:
    """The town's notifier sends SMS through it; its reports come back by HTTP."""
    ours = Flask("ours")
    services = Services(
        database=town.world.database,
        redis=town.notifier.redis,
        wechat=town.notifier.wechat,
        vault=vault,
        channels={},
        links=town.notifier.links,
        text=town.notifier.text,
        clock=town.clock,
        base_url="http://pay.example",
    )
    ours.register_blueprint(sms_reports(services, CollectorRegistry()), url_prefix="/callbacks")
    with running(ours) as product, running(Flask("unborn")) as server:
        base = f"http://127.0.0.1:{server.server_port}"
        config = sandbox_config.read(
            {
                "service_url": f"http://127.0.0.1:{product.server_port}",
                "public_url": base,
                "state_file": str(tmp_path / "sandbox.sqlite"),
                "account": {
                    "app_id": "wx0123456789abcdef",
                    "app_secret": "f" * 32,
                    "token": "sandboxtoken",
                    "aes_key": "a" * 43,
                    "mode": "plain",
                    "name": "明账物业",
                },
                "templates": [],
                "merchants": [],
                "platform": {"public_key_id": "PUB", "private_key_pem": new_key()},
                "sms": {
                    "access_key_id": KEYS.access_key_id,
                    "access_key_secret": KEYS.access_key_secret,
                    "sign_name": SIGN,
                    "templates": wordings(),
                },
            },
            tmp_path,
        )
        sandbox = Sandbox(config, TownsClock(town.clock))
        server.app = make_app(sandbox)
        sender = AliyunSms(KEYS, base, town.clock, (3, 30))
        object.__setattr__(town.notifier, "sms", SmsLine(sender, vault, KEYS.templates))
        object.__setattr__(town.notifier, "templates", {})
        try:
            yield Provider(base, sender)
        finally:
            sender.close()
            sandbox.stop()


@pytest.fixture
def zhang(town: Town, provider: Provider) -> Follower:
    """Zhang is bound and has written to nobody: only SMS reaches him."""
    return town.bind(ZHANG, "Zhang", wrote=False)


def number_of(town: Town, vault: Vault, room: str) -> str:
    unit = town.world.unit(room)
    with town.world.database.transaction() as session:
        sealed = session.scalars(
            select(Resident.phone_sealed)
            .join(Occupancy, Occupancy.resident_id == Resident.id)
            .where(Occupancy.unit_id == unit.id)
        ).one()
    assert sealed is not None
    return vault.open(sealed)


def owe(town: Town) -> None:
    """The day after the due date."""
    town.remind(town.world.today + timedelta(days=8))


def eventually(town: Town, *states: tuple[str, str, str | None]) -> None:
    """Another thread brings the report."""
    deadline = time.monotonic() + 30
    while town.messages() != list(states):
        assert time.monotonic() < deadline, town.messages()
        time.sleep(0.005)


def test_when_nothing_else_reaches_the_owner_he_gets_an_sms_once(
    town: Town, provider: Provider, zhang: Follower, vault: Vault
) -> None:
    owe(town)
    town.notifier.deliver()
    town.notifier.deliver()
    (text,) = provider.inbox(number_of(town, vault, ZHANG))
    assert text.startswith(f"【{SIGN}】{ZHANG}有{town.owed(ZHANG).yuan}元未缴")
    (sent,) = provider.sent()
    with town.world.database.transaction() as session:
        (message,) = town.rows(session)
    assert sent["client_msg_id"] == message.client_msg_id
    eventually(town, ("overdue", "delivered", None))


def test_sms_is_the_last_way(town: Town, provider: Provider) -> None:
    town.bind(ZHANG, "Zhang")
    owe(town)
    town.notifier.deliver()
    assert provider.sent() == []
    assert town.messages() == [("overdue", "sent", None)]


def test_receipts_never_go_by_sms(town: Town, provider: Provider, zhang: Follower) -> None:
    town.pay(ZHANG, zhang)
    town.notifier.intake()
    assert provider.sent() == []
    assert town.messages() == [("payment_received", "failed", "no_transport")]


@pytest.mark.parametrize("is_on", [False, True])
def test_who_stopped_following_is_told_where_the_community_wants_it(
    town: Town, provider: Provider, zhang: Follower, *, is_on: bool
) -> None:
    with town.world.database.transaction() as session:
        session.execute(update(Community).values(sms_unfollowed=is_on))
    town.change(zhang, unfollowed_at=town.clock.now)
    town.remind(town.world.today + timedelta(days=7))  # due soon: never
    owe(town)
    town.notifier.deliver()
    assert len(provider.sent()) == is_on
    assert [kind for kind, _, _ in town.notices()] == ["overdue"] * is_on


def test_whom_wechat_says_does_not_follow_gets_an_sms_where_the_community_wants_it(
    town: Town, provider: Provider, zhang: Follower
) -> None:
    object.__setattr__(town.notifier, "templates", PRODUCT_TEMPLATES)
    with town.world.database.transaction() as session:
        session.execute(update(Community).values(sms_unfollowed=True))
    town.wechat.next_answers["/cgi-bin/message/template/send"].append(43004)
    owe(town)
    town.notifier.deliver()
    town.notifier.deliver()
    assert len(provider.sent()) == 1
    assert town.follower(zhang).unfollowed_at is not None


def test_while_somebody_of_the_home_follows_the_others_get_no_sms(
    town: Town, provider: Provider, zhang: Follower
) -> None:
    with town.world.database.transaction() as session:
        session.execute(update(Community).values(sms_unfollowed=True))
    town.change(zhang, unfollowed_at=town.clock.now)
    town.bind(ZHANG, "Partner")
    owe(town)
    town.notifier.deliver()
    assert provider.sent() == []
    assert len(town.wechat.shown) == 1


def test_one_owner_with_a_number_gets_one_sms_however_many_are_bound(
    town: Town, provider: Provider, zhang: Follower
) -> None:
    town.bind(ZHANG, "Partner", wrote=False)
    owe(town)
    town.notifier.deliver()
    assert len(provider.sent()) == 1
    assert sorted(state for _, state, _ in town.messages())[-1] in {"sent", "failed"}


def test_an_sms_that_did_not_arrive_leaves_its_reader_unreachable(
    town: Town, provider: Provider, zhang: Follower
) -> None:
    provider.plan("sms_report", "undelivered")
    owe(town)
    town.notifier.deliver()
    eventually(town, ("overdue", "failed", "not_delivered"))
    assert town.follower(zhang).unreachable_at == town.clock.now


def test_a_report_that_comes_twice_changes_nothing(
    town: Town, provider: Provider, zhang: Follower
) -> None:
    provider.plan("sms_report", "duplicate")
    owe(town)
    town.notifier.deliver()
    eventually(town, ("overdue", "delivered", None))


@pytest.mark.parametrize("report", ["drop", None])
def test_a_lost_answer_is_settled_by_report_or_by_asking_and_never_repeated(
    town: Town, provider: Provider, zhang: Follower, report: str | None
) -> None:
    provider.plan("sms_send", "lost")
    if report:
        provider.plan("sms_report", report)
    owe(town)
    town.notifier.deliver()
    town.clock.advance(minutes=2)
    town.notifier.intake()
    town.notifier.settle_unknown()
    eventually(town, ("overdue", "delivered", None))
    assert len(provider.sent()) == 1


def test_who_is_not_known_to_the_provider_does_not_keep_others_from_being_asked_about(
    town: Town, provider: Provider, zhang: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "QUESTIONS_PER_SWEEP", 1)
    provider.plan("sms_send", "drop")
    owe(town)
    town.notifier.deliver()
    town.clock.advance(seconds=1)
    town.bind("1-1-302", "Li", wrote=False)
    provider.plan("sms_send", "lost")
    provider.plan("sms_report", "drop")
    owe(town)
    town.notifier.deliver()
    town.clock.advance(minutes=2)
    town.notifier.intake()
    assert [town.notifier.settle_unknown() for _ in range(2)] == [0, 1]
    assert sorted(town.messages()) == [
        ("overdue", "delivered", None),
        ("overdue", "unknown", "no_answer"),
    ]


@pytest.mark.parametrize("fault", ["drop", "system_error"])
def test_what_the_provider_does_not_know_is_given_up_after_half_an_hour(
    town: Town, provider: Provider, zhang: Follower, fault: str
) -> None:
    provider.plan("sms_send", fault)
    owe(town)
    town.notifier.deliver()
    town.clock.advance(minutes=2)
    assert town.notifier.settle_unknown() == 0
    town.clock.advance(minutes=29)
    assert town.notifier.settle_unknown() == 1
    town.notifier.intake()
    town.notifier.settle_unknown()
    assert town.messages() == [("overdue", "unknown", "no_answer")]
    assert provider.sent() == []


def test_the_providers_limit_delays_by_hours(
    town: Town, provider: Provider, zhang: Follower
) -> None:
    provider.plan("sms_send", "limit")
    owe(town)
    town.notifier.deliver()
    assert town.messages() == [("overdue", "queued", None)]
    town.clock.advance(hours=3)
    town.notifier.deliver()
    assert len(provider.sent()) == 1


def test_our_caps_hold_before_the_provider_says_so(
    town: Town, provider: Provider, zhang: Follower, vault: Vault
) -> None:
    number = number_of(town, vault, ZHANG)
    with town.world.database.transaction() as session:
        session.execute(  # all the town has one number
            update(Resident).values(phone_sealed=vault.seal(number))
        )
    town.bind("1-1-302", "Li", wrote=False)
    owe(town)
    town.notifier.deliver()
    assert len(provider.sent()) == 1
    with town.world.database.transaction() as session:
        outcomes = session.scalars(select(Delivery.outcome)).all()
    assert sorted(one.value for one in outcomes if one) == ["accepted", "not_tried"]
    town.clock.advance(seconds=61)
    town.notifier.deliver()
    assert len(provider.sent()) == 2


def test_a_wrong_key_stops_sms_and_nothing_else(
    town: Town, provider: Provider, zhang: Follower
) -> None:
    line = town.notifier.sms
    assert line is not None
    wrong = AliyunSms(replace(KEYS, access_key_secret="other"), provider.url, town.clock)
    object.__setattr__(town.notifier, "sms", replace(line, sender=wrong))
    town.bind("1-1-302", "Li")
    owe(town)
    town.notifier.deliver()
    assert sorted(state for _, state, _ in town.messages()) == ["queued", "sent"]
    with town.world.database.transaction() as session:
        (alert,) = session.scalars(select(Alert.key))
    assert alert == "sending stopped: transport:sms"
    wrong.close()


def test_while_the_account_is_stopped_sms_goes_on(
    town: Town, provider: Provider, zhang: Follower
) -> None:
    provider.plan("sms_send", "limit")
    owe(town)
    town.notifier.deliver()
    town.notifier.redis.set("sending:closed:account", "48001", ex=60)
    town.clock.advance(hours=3)
    town.notifier.deliver()
    assert len(provider.sent()) == 1


def test_a_strangers_report_changes_nothing(
    town: Town, provider: Provider, zhang: Follower
) -> None:
    provider.plan("sms_report", "drop")
    owe(town)
    town.notifier.deliver()
    with town.world.database.transaction() as session:
        report = SmsReport("0" * 32, "1", is_delivered=False, status="X")
        assert not record_sms(session, report, town.clock.now)
    assert town.messages() == [("overdue", "sent", None)]


def test_the_number_is_nowhere_but_on_the_wire(
    town: Town, provider: Provider, zhang: Follower, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    number = number_of(town, vault, ZHANG)
    with caplog.at_level(logging.INFO):
        for call in (
            lambda: AliyunSms(KEYS, "http://127.0.0.1:1", town.clock).send(
                number, "SMS_1", {}, "1"
            ),
            lambda: provider.sender.send(number, "SMS_unknown", {}, "1"),
        ):
            with pytest.raises((SmsUnreachable, SmsRefused)) as raised:
                call()
            assert number not in repr(raised.value) + str(raised.value)
            assert raised.value.__cause__ is None
        owe(town)
        town.notifier.deliver()
    ours = [one.getMessage() for one in caplog.records if one.name != "werkzeug"]  # its server
    assert not [line for line in ours if number in line]
    with town.world.database.transaction() as session:
        for message in town.rows(session):
            assert number not in json.dumps(message.content, ensure_ascii=False)


@pytest.mark.parametrize(
    "number", ["", "0571-88886666", "+1 212 555 0100", "852 5550 0100", "1380000123"]
)
def test_a_number_of_elsewhere_is_refused_unsent(provider: Provider, number: str) -> None:
    with pytest.raises(SmsRefused, match="MOBILE_NUMBER_ILLEGAL"):
        provider.sender.send(number, "SMS_overdue", {}, "1")


def test_the_signature_is_that_of_aliyuns_own_example() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    query = {
        "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
        "RegionId": "cn-shanghai",
    }
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": empty,
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    signature = signature_of(
        "YourAccessKeySecret", "POST", "/", canonical_query(query), headers, empty
    )
    assert signature == "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"


def test_values_are_cut_and_carry_no_links() -> None:
    values, text = fill("${room}欠${amount}", {"room": "一" * 40, "amount": "见 http://a.b/c"})
    assert values == {"room": "一" * 34 + "…", "amount": "见"}
    assert text == "一" * 34 + "…欠见"
    assert fill("${room}", {"room": "【】"})[0] == {"room": "-"}


def test_every_kind_that_goes_by_sms_has_a_short_wording() -> None:
    typical = {
        "room": "3-2-1501",
        "amount": "1234.50元",
        "due_on": "2026年11月30日",
        "debit_on": "2026年11月30日",
        "reason": "银行未查到有效的扣款授权",
        "phone": "010-55500100",
    }
    assert len(wordings()) == len(BY_SMS) == 7
    for code, wording in wordings().items():
        _, text = fill(wording, typical)
        assert len(f"【{SIGN}】{text}") <= 70, code
        assert "http" not in text
