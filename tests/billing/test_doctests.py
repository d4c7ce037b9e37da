"""The worked examples in docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import billing

MODULES = [
    found.name for found in pkgutil.walk_packages(billing.__path__, "billing.") if not found.ispkg
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
