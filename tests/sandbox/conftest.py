"""One sandbox and one service per test; keys once per session."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_world import Api, Keys, Service, World, new_keys, world


@pytest.fixture(scope="session")
def platform() -> Keys:
    return new_keys()


@pytest.fixture
def here(tmp_path: Path, platform: Keys) -> Iterator[World]:
    with world(tmp_path, platform, Service()) as running_world:
        yield running_world


@pytest.fixture
def api(here: World) -> Api:
    return here.api


@pytest.fixture
def service(here: World) -> Service:
    return here.service
