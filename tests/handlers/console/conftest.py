"""The console as it is served, on the world's database; staff sign in as they would."""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from billing.ledger import ensure_accounts
from billing.meters import Meter, MeterReading
from billing.people import Staff, StaffRole
from billing.property import SubjectKind
from billing.staff_access import Login as Typed
from billing.staff_access import begin_session
from billing.staff_tables import StaffCredential
from billing.tariffs import ChargeItem, FeeKind
from bot.program import Program
from handlers.console.sign_in import TOKEN
from handlers.services import Services
from tests.conftest import World

PASSWORD = "correct horse battery"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


class Clerk:
    """Somebody at a browser, signed in or not."""

    def __init__(self, client: FlaskClient, staff_id: int | None = None) -> None:
        self.client = client
        self.staff_id = staff_id

    def get(self, path: str, **options: Any) -> TestResponse:
        """Open a page of the console."""
        return self.client.get(f"/console{path}", **options)

    def post(self, path: str, /, **fields: Any) -> TestResponse:
        """Send a form that was opened before, so with its token."""
        token = CSRF.search(self.get("/account" if self.staff_id else "/sign-in").text)
        assert token is not None
        return self.client.post(f"/console{path}", data={"csrf_token": token[1], **fields})


@cache
def hashed() -> str:
    """The tests' password as it is kept: made once, it is dear on purpose."""
    return PasswordHasher().hash(PASSWORD)


def member(services: Services, role: StaffRole, community_id: int | None, login: str) -> int:
    """Somebody who works here, with the tests' password and code; his number."""
    with services.database.transaction() as session:
        found = session.scalar(select(Staff).where(Staff.login == login))
        if found is None:
            found = Staff(login=login, name="测试员", role=role, community_id=community_id)
            session.add(found)
            session.flush()
        session.merge(
            StaffCredential(
                staff_id=found.id,
                password_hash=hashed(),
                is_temporary=False,
                totp_sealed=services.vault.seal(SECRET),
                totp_step=None,
                failures=0,
                locked_until=None,
                changed_at=services.clock() - timedelta(days=1),
            )
        )
        return found.id


def typed(login: str, now: datetime, *, password: str = PASSWORD, code: str = "") -> Typed:
    """What somebody sends to sign in; the right code unless another is given."""
    return Typed(login, password, code or pyotp.TOTP(SECRET).at(now), "192.0.2.7", "a browser")


@pytest.fixture
def clerk(app: Flask, program: Program, world: World) -> Callable[..., Clerk]:
    """Somebody of a role, signed in; of another community with `elsewhere`."""

    def make(role: StaffRole, *, community_id: int | None = world.community.id) -> Clerk:
        services = program.services
        staff_id = member(services, role, community_id, f"t.{role.value}")
        now = services.clock()
        with services.database.transaction() as session:
            staff = session.get_one(Staff, staff_id)
            _, token = begin_session(session, staff, typed(staff.login, now), now)
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie[TOKEN] = token
        return Clerk(client, staff_id)

    return make


@pytest.fixture
def stranger(app: Flask) -> Clerk:
    """外人: nobody signed in."""
    return Clerk(app.test_client())


@pytest.fixture
def water(program: Program, world: World) -> Meter:
    """A meter of 1-1-302 with two readings: 100 on 1 October, 130 on 1 November."""
    unit = world.unit("1-1-302")
    with program.services.database.transaction() as session:
        item = ChargeItem(
            community_id=unit.community_id,
            code="cold_water",
            name="冷水费",
            fee=FeeKind.WATER,
            subject_kind=SubjectKind.HOME,
            cycle_months=1,
            active_from=date(2026, 1, 1),
        )
        session.add(item)
        session.flush()
        ensure_accounts(session, unit.community_id, {item.code: item.name})
        meter = Meter(
            community_id=unit.community_id,
            subject_id=unit.id,
            item_id=item.id,
            code="CW-1",
            multiplier=Decimal(1),
        )
        session.add(meter)
        session.flush()
        for day, value in ((date(2026, 10, 1), 100), (date(2026, 11, 1), 130)):
            session.add(
                MeterReading(
                    community_id=unit.community_id,
                    meter_id=meter.id,
                    read_on=day,
                    value=Decimal(value),
                    recorded_at=world.now,
                )
            )
        return meter
