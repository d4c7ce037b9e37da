"""A page or an order of the console: its address, its right, its view."""

from collections.abc import Callable
from dataclasses import dataclass

from flask.typing import ResponseReturnValue

from handlers.console.desk import Outside
from handlers.console.permissions import Permission

View = Callable[..., ResponseReturnValue | Outside]


@dataclass(frozen=True, slots=True)
class Route:
    """A page or an order of the console.

    Attributes:
        rule: of the address; `<code>` is the community's.
        permission: what it takes; None: to be signed in.
        upload_bytes: how large its form may be where a file comes with it.
        asks_itself: a page asks it every few seconds, whether or not anybody sits before it; that
            keeps nobody signed in.
    """

    method: str
    rule: str
    view: View
    permission: Permission | None
    upload_bytes: int | None = None
    asks_itself: bool = False

    @property
    def name(self) -> str:
        """Name of the endpoint: module and function."""
        return f"{self.view.__module__.rpartition('.')[2]}_{self.view.__name__}"
