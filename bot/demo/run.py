"""`make demo`: engines, schema, data, the other side of the wire and our own processes, in one
go.
"""

import json
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyotp
import requests
import structlog
from rq import Worker
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.bindings import issue_code
from billing.people import Occupancy, Resident, Staff
from billing.privacy import Vault
from billing.property import Unit, get_community
from billing.staff_access import keep_credential
from bot.cli.installation import DEMO_ENVIRONMENT
from bot.demo.cast import CAST
from bot.demo.keys import (
    ALIPAY_MERCHANT,
    MERCHANT,
    Addresses,
    kept_account,
    product_environment,
    sandbox_config,
    write_private,
)
from bot.demo.seed import COMMUNITY, Plan, seed_demo
from bot.demo.supervisor import Child, Supervisor
from bot.embedded import start_postgres, start_valkey
from bot.embedded.locks import try_lock
from bot.menu import menu
from bot.program import Program, build, utc_now
from bot.schema import migrate
from bot.settings import Settings
from notify.wechat import WeChatError, WeChatUnreachable

log = structlog.get_logger(__name__)

READY_SECONDS_MAX = 90
LOCK_FILE = "demo.lock"


class DemoError(Exception):
    """The demo cannot run; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What `mingzhang demo` was asked for."""

    plan: Plan
    var: Path
    port: int
    sandbox_port: int
    clock_rate: float


def run_demo(options: DemoOptions) -> None:
    """Run the demo in the foreground until SIGINT or SIGTERM; prints `ready: <url>` on stdout.

    Raises:
        DemoError: another demo runs on the same folder, or not everything came up.
    """
    options.var.mkdir(parents=True, exist_ok=True)
    lock = try_lock(options.var / LOCK_FILE)
    if lock is None:
        raise DemoError(
            f"another demo runs on {options.var}; stop it, or set MINGZHANG_VAR, MINGZHANG_PORT"
            " and MINGZHANG_SANDBOX_PORT to others"
        )
    try:
        _run(options)
    finally:
        os.close(lock)


def _run(options: DemoOptions) -> None:
    stopping = threading.Event()
    gave_up = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    addresses = Addresses(
        service=f"http://127.0.0.1:{options.port}",
        sandbox=f"http://127.0.0.1:{options.sandbox_port}",
    )
    account = kept_account(options.var)
    with _engines(options.var) as (urls, heal):
        environment = product_environment(account, addresses, options.var)
        write_private(options.var / DEMO_ENVIRONMENT, json.dumps(environment))
        full = {**os.environ, **environment, **urls}
        migrate(urls["DATABASE_URL"])
        program = build(Settings.from_env(full, utc_now()))
        started = time.monotonic()
        seeded = seed_demo(
            program.services.database,
            program.services.vault,
            options.plan,
            (MERCHANT, account["mchid"]),
            (ALIPAY_MERCHANT, account["alipay_seller_id"]),
        )
        log.info("demo_data", seeded=seeded, seconds=round(time.monotonic() - started, 1))
        demo_file = options.var / "demo.json"
        write_private(demo_file, json.dumps(_introduction(program), ensure_ascii=False))
        config_file = options.var / "sandbox.json"
        config = sandbox_config(account, addresses, options.var, demo_file, options.clock_rate)
        write_private(config_file, json.dumps(config, ensure_ascii=False))
        supervisor = Supervisor(_children(full, config_file, options), heal, stopping)
        supervisor.start()
        ready = threading.Thread(
            target=_announce, args=(program, addresses, stopping, gave_up, demo_file), daemon=True
        )
        ready.start()
        supervisor.watch()
    if gave_up.is_set():
        raise DemoError(f"not everything answered within {READY_SECONDS_MAX} s; see the log above")


@contextmanager
def _engines(var: Path) -> Iterator[tuple[dict[str, str], Callable[[], None]]]:
    """Given engines are used as they are; otherwise embedded ones, brought back when they die."""
    given = {name: os.environ.get(name) for name in ("DATABASE_URL", "REDIS_URL")}
    if given["DATABASE_URL"] and given["REDIS_URL"]:
        yield {name: str(url) for name, url in given.items()}, lambda: None
        return
    engines = _LivingEngines(var)
    try:
        yield (
            {
                "DATABASE_URL": given["DATABASE_URL"] or engines.postgres.url(),
                "REDIS_URL": given["REDIS_URL"] or engines.valkey.url,
            },
            engines.heal,
        )
    finally:
        engines.valkey.stop()
        engines.postgres.stop()


class _LivingEngines:
    """Embedded engines that are started again, at the same address, when somebody kills them."""

    def __init__(self, var: Path) -> None:
        self._var = var
        self.postgres = start_postgres(var)
        self.postgres.create_database()
        self.valkey = start_valkey(var)

    def heal(self) -> None:
        """Start again what is gone."""
        if not _lives(self.postgres.pid):
            log.warning("ended", process="postgres")
            self.postgres.stop()
            self.postgres = start_postgres(self._var)
        if not _lives(self.valkey.pid):
            log.warning("ended", process="valkey")
            self.valkey.stop()
            self.valkey = start_valkey(self._var)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _children(environment: dict[str, str], config: Path, options: DemoOptions) -> list[Child]:
    mingzhang = [sys.executable, "-m", "bot"]
    sandbox = [sys.executable, "-m", "sandbox", "--config", str(config)]
    return [
        Child("sandbox", [*sandbox, "--port", str(options.sandbox_port)], os.environ),
        Child("web", [*mingzhang, "serve"], environment),
        Child("worker", [*mingzhang, "worker"], environment),
        Child("cron", [*mingzhang, "cron"], environment),
    ]


def _introduction(program: Program) -> dict[str, Any]:
    """Sign-ins and fresh binding codes, for the sandbox's `/demo.json` and for the terminal."""
    now = program.services.clock()
    vault = program.services.vault
    with program.services.database.transaction() as session:
        community = get_community(session, COMMUNITY)
        codes = []
        for character in CAST:
            unit = session.scalar(
                select(Unit).where(Unit.community_id == community.id, Unit.room == character.room)
            )
            if unit is not None:
                code = issue_code(
                    session,
                    vault,
                    community_id=community.id,
                    unit_id=unit.id,
                    role=character.role,
                    now=now,
                )
                phone = vault.open(_phone_of(session, unit))
                codes.append({"room": unit.room, "code": code, "phone": phone})
        staff = [
            {
                "name": member.name,
                "role": member.role.value,
                "login": member.login,
                **_sign_in_of(session, vault, member, now),
                "code": issue_code(
                    session, vault, community_id=community.id, staff_id=member.id, now=now
                ),
            }
            for member in session.scalars(select(Staff).order_by(Staff.id))
        ]
    return {
        "community": COMMUNITY,
        "staff": staff,
        "bind": codes,
        "phones": [
            {"openid": f"o{index:02d}-demo-phone", "name": character.name}
            for index, character in enumerate(CAST, start=1)
        ],
    }


def _sign_in_of(session: Session, vault: Vault, member: Staff, now: datetime) -> dict[str, str]:
    """Fresh for every start of the demo; nobody is asked to change a password he just read."""
    password, secret = secrets.token_urlsafe(9), pyotp.random_base32()
    keep_credential(session, vault, member, password, secret, now, is_temporary=False)
    return {"password": password, "totp_secret": secret}


def _phone_of(session: Session, unit: Unit) -> str:
    sealed = session.scalars(
        select(Resident.phone_sealed)
        .join(
            Occupancy,
            (Occupancy.community_id == Resident.community_id)
            & (Occupancy.resident_id == Resident.id),
        )
        .where(Occupancy.community_id == unit.community_id, Occupancy.unit_id == unit.id)
    ).one()
    return sealed or ""


def _announce(
    program: Program,
    addresses: Addresses,
    stopping: threading.Event,
    gave_up: threading.Event,
    demo_file: Path,
) -> None:
    """Wait until everything answers, publish the menu, then say so."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while not stopping.is_set():
        if _all_answer(program, addresses) and _menu_is_published(program):
            break
        if time.monotonic() > deadline:
            log.error("not_ready", seconds=READY_SECONDS_MAX)
            gave_up.set()
            stopping.set()
            return
        stopping.wait(0.2)
    introduction = json.loads(demo_file.read_text(encoding="utf-8"))
    for home in introduction["bind"]:
        _tell(f"bind {home['room']}: {home['code']}")
    for member in introduction["staff"]:
        _tell(f"staff {member['name']} ({member['role']}): {member['code']} in the chat")
        _tell(
            f"  console: {member['login']} {member['password']} TOTP {member['totp_secret']}"
            f" → {addresses.service}/console/"
        )
    _tell(f"phone: {addresses.sandbox}/phone/")
    sys.stdout.write(f"ready: {addresses.service}\n")
    sys.stdout.flush()


def _menu_is_published(program: Program) -> bool:
    try:
        program.services.wechat.create_menu(menu())
    except (WeChatError, WeChatUnreachable) as error:
        log.warning("menu_not_published", reason=str(error))
        return False
    return True


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")


def _all_answer(program: Program, addresses: Addresses) -> bool:
    try:
        return (
            requests.get(f"{addresses.service}/healthz", timeout=2).ok
            and requests.get(f"{addresses.sandbox}/healthz", timeout=2).ok
            and bool(Worker.all(connection=program.queues.connection))
        )
    except requests.RequestException:
        return False
