"""A sandbox with its service: one per module for calls that leave no trace, or one per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_world import Api, Keys, Service, World, new_keys, world


@pytest.fixture(scope="session")
def platform() -> Keys:
    return new_keys()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, platform: Keys) -> Iterator[World]:
    """One world for a whole module, whose tests use phones of their own."""
    with world(tmp_path_factory.mktemp("sandbox"), platform, Service()) as running_world:
        yield running_world


@pytest.fixture
def here(tmp_path: Path, platform: Keys) -> Iterator[World]:
    """A world of this test's own."""
    with world(tmp_path, platform, Service()) as running_world:
        yield running_world


@pytest.fixture
def api(here: World) -> Api:
    return here.api


@pytest.fixture
def service(here: World) -> Service:
    return here.service
