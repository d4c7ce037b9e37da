"""The API as it is served, on the world's database; other systems call it with their tokens."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import select
from werkzeug.test import TestResponse

from billing.api_access import ApiScope, add_token
from billing.api_tables import ApiCall
from bot.app import create_app
from bot.program import Program, build
from tests.conftest import HASH_KEY, NOW, World
from tests.phone import settings_for

EVERYTHING = tuple(ApiScope)


@pytest.fixture
def program(world: World, redis_url: str, redis: Redis) -> Iterator[Program]:
    """The program on the world's database, with the keys of its people."""

    given = {
        "REDIS_URL": redis_url,
        "DATABASE_URL": world.url,
        "MINGZHANG_DATA_KEYS": os.environ["MZ_TEST_DATA_KEY"],
        "MINGZHANG_HASH_KEY": HASH_KEY,
    }
    program = build(settings_for(redis_url, **given), clock=lambda: NOW)
    yield program
    program.services.redis.close()
    program.queues.connection.close()
    program.services.database.engine.dispose()


@pytest.fixture
def app(program: Program) -> Flask:
    """The whole application, the API in it."""
    return create_app(program)


@dataclass
class System:
    """Another system with a token, or without one."""

    client: FlaskClient
    token: str

    def get(self, path: str, **query: Any) -> TestResponse:
        """Ask."""
        return self.client.get(
            f"/api/v1{path}", query_string=query or None, headers=self._headers()
        )

    def post(self, path: str, body: Any) -> TestResponse:
        """Send JSON."""
        return self.client.post(f"/api/v1{path}", json=body, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


@pytest.fixture
def system(app: Flask, world: World) -> Callable[..., System]:
    """A system with these scopes, all by default."""

    def make(
        *scopes: ApiScope, community_id: int | None = world.community.id, name: str = "ERP"
    ) -> System:
        with world.database.transaction() as session:
            _, secret = add_token(
                session,
                name=name,
                scopes=scopes or EVERYTHING,
                community_id=community_id,
                now=NOW,
            )
        return System(app.test_client(), secret)

    return make


@pytest.fixture
def calls(world: World) -> Callable[[], list[tuple[str, str, int]]]:
    """What was written down: method, address and answer."""

    def read() -> list[tuple[str, str, int]]:
        with world.database.transaction() as session:
            rows = session.scalars(select(ApiCall).order_by(ApiCall.id))
            return [(row.method, row.subject, row.status) for row in rows]

    return read
