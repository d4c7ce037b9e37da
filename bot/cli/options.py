"""Options and parameter types that several groups of commands take."""

import json
from typing import Any, TypeVar

import click

from billing.labels import LabelEnum
from bot.cli.installation import DateParameter

Choice = TypeVar("Choice", bound=LabelEnum)


class JsonParameter(click.ParamType[Any]):
    """JSON of any shape; what it means is checked where it is used."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse, or fail naming the option."""
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            self.fail(f"{value[:40]!r} is not JSON", param, ctx)


class CodeParameter(click.ParamType[Choice]):
    """A member of an enum, by its code."""

    name = "code"

    def __init__(self, options: type[Choice]) -> None:
        self._options = options

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Choice:
        """Look up, or fail naming the option."""
        codes = [option.value for option in self._options]
        if value not in codes:
            self.fail(f"{value!r} is not one of: {', '.join(codes)}", param, ctx)
        return self._options(value)


community_option = click.option("--community", "code", required=True, help="Code of the community.")
item_option = click.option("--item", "item_code", required=True, help="Code of the charge item.")
by_option = click.option("--by", "login", required=True, help="Login of who decides.")
from_option = click.option("--from", "from_on", type=DateParameter(), required=True)
to_option = click.option("--to", "to_on", type=DateParameter(), help="First day without.")
