"""What takes long and comes out the same in every test is done once per process."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pkgutil import resolve_name
from types import CodeType
from typing import Any

import pytest
from jinja2 import Environment

KEY_READER = "wechatpayv3.core.load_private_key"


@contextmanager
def private_keys_are_read_once() -> Iterator[None]:
    """Reading one checks its primes, which takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KEY_READER, cache(resolve_name(KEY_READER)))
        yield


@contextmanager
def templates_are_compiled_once() -> Iterator[None]:
    """Every application and every town has an environment of its own, but the same templates."""
    compiled: dict[tuple[object, ...], CodeType] = {}
    compile_anew = Environment.compile

    def compile_once(self: Environment, source: Any, *names: Any, **how: Any) -> Any:
        escapes = getattr(self.autoescape, "__qualname__", self.autoescape)
        kind = (type(self), escapes, self.trim_blocks, self.lstrip_blocks, *self.filters.values())
        key = (kind, source, names, *how.items())
        if key not in compiled:
            compiled[key] = compile_anew(self, source, *names, **how)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "compile", compile_once)
        yield
