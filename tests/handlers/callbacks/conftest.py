"""The door for callbacks on a real till."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry
from redis import Redis
from werkzeug.test import TestResponse

from billing.privacy import Vault
from handlers.callbacks import callbacks
from handlers.services import Services
from tests.billing.channels.provider import Provider, callback, running_provider, serving
from tests.conftest import World
from tests.handlers.callbacks.till import Till, open_till

PATH = "/callbacks/wechat_pay/HYPM"


@dataclass
class Door:
    """The callback address of the service."""

    till: Till
    app: Flask
    client: FlaskClient
    registry: CollectorRegistry

    def told(self, said: object, **how: str) -> TestResponse:
        """WeChat Pay says this, signed just now."""
        headers, body = callback(self.till.now, said, **how)
        return self.client.post(PATH, headers=headers, data=body)

    def counted(self, outcome: str) -> float:
        """How many callbacks ended so."""
        name = "mingzhang_payment_callbacks_total"
        labels = {"provider": "wechat_pay", "outcome": outcome}
        return self.registry.get_sample_value(name, labels) or 0


def make_door(till: Till, services: Services | None = None) -> Door:
    """A small application that is nothing but the door."""
    registry = CollectorRegistry()
    app = Flask("door")
    app.register_blueprint(callbacks(services or till.services, registry), url_prefix="/callbacks")
    return Door(till, app, app.test_client(), registry)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """One for all tests, which order under numbers of their own. It calls again after 0.125 s."""
    with running_provider(tmp_path_factory.mktemp("pay"), clock_rate=120) as running:
        yield running


@pytest.fixture
def till(world: World, redis: Redis, vault: Vault, provider: Provider) -> Till:
    return open_till(world, redis, vault, provider)


@pytest.fixture
def door(till: Till) -> Door:
    return make_door(till)


@pytest.fixture
def served() -> Iterator[Callable[[Door], str]]:
    """Open a door on a real socket; gives its callback address."""
    with ExitStack() as servers:
        yield lambda door: servers.enter_context(serving(door.app)) + PATH
