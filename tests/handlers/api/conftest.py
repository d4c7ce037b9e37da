"""The API as it is served, on the world's database; other systems call it with their tokens."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from billing.api_access import ApiScope, add_token
from billing.api_tables import ApiCall
from tests.conftest import NOW, World

EVERYTHING = tuple(ApiScope)


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
