"""The world's bank."""

import pytest

from tests.billing.statements.banks import Bank
from tests.conftest import World


@pytest.fixture
def bank(world: World) -> Bank:
    """A bank account of the world's community."""
    return Bank(world)
