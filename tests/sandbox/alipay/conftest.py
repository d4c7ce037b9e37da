"""A sandbox with an application at Alipay, and its merchant."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alipay_world import Listener, Merchant, alipay_config
from flask import Response
from sandbox_world import Keys, Service, World, new_keys, world


@pytest.fixture(scope="session")
def app_keys() -> Keys:
    return new_keys()


@pytest.fixture(scope="session")
def alipay_keys() -> Keys:
    return new_keys()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def here(
    tmp_path: Path, platform: Keys, app_keys: Keys, alipay_keys: Keys, listener: Listener
) -> Iterator[World]:
    service = Service()
    service.pages["notify"] = listener.take
    service.pages["back"] = lambda: Response("<h1>已缴费</h1>", content_type="text/html")
    config = [alipay_config(app_keys, alipay_keys)]
    with world(tmp_path, platform, service, alipay=config) as running:
        yield running


@pytest.fixture
def merchant(here: World, app_keys: Keys, alipay_keys: Keys) -> Merchant:
    return Merchant(here, app_keys, alipay_keys)
