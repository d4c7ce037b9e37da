"""`doctor`: every misconfiguration is a line with its cure; a healthy installation has no error."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
import requests
from cryptography.fernet import Fernet
from flask import Flask
from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy import text
from werkzeug.serving import make_server

from billing.privacy import Vault
from bot.app import create_app
from bot.cron import Cron
from bot.demo.templates import PRODUCT_TEMPLATES
from bot.doctor import CHECKS, examine
from bot.doctor.findings import Patient, Status
from bot.menu import menu
from bot.program import Program, build, utc_now
from bot.settings import Settings
from notify.catalog import Transport
from notify.gate import FAILURES_MAX, Gate
from tests.billing.channels.provider import certificate_pem, merchant_keys
from tests.bot.cli.command_line import Mingzhang
from tests.conftest import HASH_KEY, NOW, World

STRONG = "Qx7-mK2_pLw9Zr4TbV6nYc8HdG3fJs5A"


@pytest.fixture
def installation(account: Mingzhang, tmp_path: Path) -> Iterator[Mingzhang]:
    """The account's, served where its settings say."""
    server = make_server("127.0.0.1", 0, Flask("unborn"), threaded=True)
    env = account.env | {
        "MINGZHANG_BASE_URL": f"http://127.0.0.1:{server.server_port}",
        "MINGZHANG_SECRET_KEY": STRONG,
        "MINGZHANG_VAR": str(tmp_path),
        "WECHAT_TOKEN": STRONG[:20].replace("-", "x").replace("_", "y"),
        "WECHAT_AES_KEY": "Qx7mK2pLw9Zr4TbV6nYc8HdG3fJs5AQx7mK2pLw9Zr4",
    }
    given = {name: value for name, value in env.items() if value is not None}
    program = build(Settings.from_env(given, utc_now()))
    server.app = create_app(program)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield Mingzhang(env)
    server.shutdown()
    thread.join()
    server.server_close()
    program.services.database.engine.dispose()


@pytest.fixture
def program(installation: Mingzhang) -> Iterator[Program]:
    given = {name: value for name, value in installation.env.items() if value is not None}
    program = build(Settings.from_env(given, utc_now()))
    yield program
    program.services.database.engine.dispose()


def findings(mingzhang: Mingzhang) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Exit code, and the lines of every check."""
    result = mingzhang.run("doctor")
    by_check: dict[str, list[dict[str, Any]]] = {}
    for line in result.stdout.splitlines():
        found = json.loads(line)
        assert set(found) == {"check", "status", "what", "cure"}
        assert (found["cure"] is None) == (found["status"] == "ok")
        by_check.setdefault(found["check"], []).append(found)
    return result.exit_code, by_check


def wrong(program: Program, check: str, **moved: float) -> list[tuple[str, str]]:
    """Status and sentence of what one check finds."""
    patient = Patient(program, utc_now() + timedelta(**moved))
    return [(found.status.value, found.what) for found in dict(CHECKS)[check](patient)]


def test_a_healthy_installation_has_no_error(
    installation: Mingzhang, program: Program, world: World
) -> None:
    program.services.wechat.create_menu(menu())
    with world.database.transaction() as session:
        session.execute(text("DELETE FROM community_merchant"))
        session.execute(text("DELETE FROM merchant_account"))
    queues = program.queues
    worker = SimpleWorker(queues.in_order, connection=queues.connection, serializer=JSONSerializer)
    worker.register_birth()
    cron = Cron(program)
    cron.register_birth()
    code, by_check = findings(installation)
    errors = [one for found in by_check.values() for one in found if one["status"] == "error"]
    assert errors == []
    assert code == 0
    assert set(by_check) == {"settings", *dict(CHECKS)}
    fine = {name for name, found in by_check.items() if found[0]["status"] == "ok"}
    assert fine >= {
        "settings", "database", "schema", "keys", "token", "clock", "menu", "callback", "workers",
        "cron",
    }  # fmt: skip


def test_what_is_missing_is_an_error_with_its_cure(mingzhang: Mingzhang) -> None:
    code, by_check = findings(mingzhang)
    assert code == 1
    for check, cure in (
        ("secrets", "token_urlsafe"),
        ("token", "WECHAT_API_BASE"),
        ("callback", "mingzhang serve"),
        ("merchants", "HYPM"),
        ("workers", "mingzhang worker"),
        ("cron", "mingzhang cron"),
        ("staff", "binding code"),
    ):
        assert any(cure in str(one["cure"]) for one in by_check[check]), by_check[check]


def test_settings_that_are_wrong_are_a_finding_too(mingzhang: Mingzhang) -> None:
    result = mingzhang.run("doctor", WECHAT_TOKEN=None)
    found = json.loads(result.stdout)
    assert (result.exit_code, found["check"], found["status"]) == (1, "settings", "error")
    assert "WECHAT_TOKEN" in found["what"]


def test_templates_wechat_has_not_or_otherwise_are_named(program: Program, sandbox: str) -> None:
    object.__setattr__(
        program.notifier,
        "templates",
        PRODUCT_TEMPLATES
        | {
            "overdue": {"template_id": "TMgone", "fields": {"thing1": "room"}},
            "due_soon": {**PRODUCT_TEMPLATES["due_soon"], "fields": {"thing1": "room"}},
        },
    )
    said = wrong(program, "templates")
    found = {what.partition(",")[0]: (status, what) for status, what in said}
    assert "no template 'TMgone'" in found["overdue"][1]
    assert "goes by service" in found["overdue"][1]
    assert "map amount2, time3 as well" in found["due_soon"][1]
    requests.post(
        f"{sandbox}/faults",
        json={"target": "token", "mode": "errcode", "errcode": 40125, "count": 99},
        timeout=30,
    )
    program.services.redis.flushdb()
    assert "WECHAT_APP_SECRET is wrong" in wrong(program, "token")[0][1]


def test_what_holds_messages_up_is_shown(program: Program, redis: Redis) -> None:
    gate = Gate(redis)
    gate.close("template:TM1", 60, "40037")
    for _ in range(FAILURES_MAX):
        gate.note_failure(Transport.SMS, utc_now())
    [(status, line)] = wrong(program, "lines")
    assert (status, "the account has no such template" in line) == ("warning", True)
    [(status, breaker)] = wrong(program, "breakers")
    assert (status, breaker[:18]) == ("error", "sms failed 5 times")


def test_a_clock_that_is_off_is_said(program: Program) -> None:
    assert wrong(program, "clock") == []
    [(status, what)] = wrong(program, "clock", minutes=4)
    assert (status, "clock is 2" in what) == ("error", True)


@pytest.mark.parametrize(
    ("change", "check", "said"),
    [
        ("UPDATE alembic_version SET version_num = '0001'", "schema", "the schema is 0001"),
        ("DELETE FROM tariff", "communities", "HY has no tariff in force"),
        ("UPDATE community SET due_day = billing_day", "communities", "0 days after"),
        ("UPDATE staff SET role = 'reader'", "communities", "no manager"),
        ("UPDATE staff SET left_at = now()", "communities", "no manager"),
    ],
)
def test_what_the_books_lack_is_said(
    program: Program, world: World, change: LiteralString, check: str, said: str
) -> None:
    address = world.url.replace("+psycopg", "")
    with psycopg.connect(address) as connection:  # as the owner, on a connection of its own
        connection.execute("SET session_replication_role = replica")
        connection.execute(change)
    assert any(said in what for _, what in wrong(program, check))


def test_keys_that_are_not_those_of_the_books_are_errors(program: Program, world: World) -> None:
    def found(data_keys: tuple[str, ...], hash_key: str) -> list[str]:
        other = replace(program.services, vault=Vault(data_keys, hash_key))
        patient = Patient(replace(program, services=other), utc_now())
        said = list(dict(CHECKS)["keys"](patient))
        assert all(one.status is Status.ERROR for one in said)
        assert all("put the old" in str(one.cure) for one in said)
        return [one.what.partition(" does not ")[0] for one in said]

    [right], wrong_one = program.settings.data_keys, Fernet.generate_key().decode()
    assert found((right,), HASH_KEY) == []
    assert found((wrong_one, right), HASH_KEY) == []
    assert found((wrong_one,), HASH_KEY) == ["MINGZHANG_DATA_KEYS"]
    assert found((right,), STRONG) == ["MINGZHANG_HASH_KEY"]
    with world.database.transaction() as session:
        written = Vault((wrong_one,), HASH_KEY).seal("后来的")
        session.execute(
            text("UPDATE resident SET name_sealed = :it WHERE id = (SELECT max(id) FROM resident)"),
            {"it": written},
        )
    assert found((right,), HASH_KEY) == ["MINGZHANG_DATA_KEYS"]


def test_books_without_people_ask_for_no_keys(
    blank_url: str, elsewhere: Callable[[str], Mingzhang]
) -> None:
    _, by_check = findings(elsewhere(blank_url))
    assert [one["status"] for one in by_check["keys"]] == ["ok"]


def test_who_left_need_not_bind_his_wechat(program: Program, world: World) -> None:
    assert wrong(program, "staff") != []
    with world.database.transaction() as session:
        session.execute(text("UPDATE staff SET left_at = now()"))
    assert wrong(program, "staff") == []


def test_platform_certificates_that_end_or_ended_are_named(program: Program) -> None:
    """One that ended stops nothing beside what lasts; he who runs the program clears it away."""
    keys = merchant_keys(platform_certificates=(certificate_pem(days=60),))
    object.__setattr__(program, "settings", replace(program.settings, merchants={"HYPM": keys}))
    ends = NOW + timedelta(days=59)
    said = {}
    for days in (60, 29, 0):
        patient = Patient(program, ends - timedelta(days=days))
        said[days] = [one.what for one in dict(CHECKS)["certificates"](patient)]
    assert said == {
        60: [],
        29: [f"HYPM: a platform certificate ends on {ends:%Y-%m-%d}"],
        0: [f"HYPM: a platform certificate ended on {ends:%Y-%m-%d}; it is left out"],
    }


def test_a_check_that_breaks_down_is_a_finding(program: Program) -> None:
    program.services.database.engine.dispose()
    broken = Patient(program, utc_now())
    object.__setattr__(program, "queues", None)
    named = {found.check: found for found in examine(broken)}
    assert "could not be made" in named["workers"].what
