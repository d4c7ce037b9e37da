"""The routes of the console: one table, a block for each kind of work."""

from handlers.console.routes.billing import BILLING
from handlers.console.routes.homes import HOMES
from handlers.console.routes.money import MONEY
from handlers.console.routes.numbers import NUMBERS
from handlers.console.routes.own import OWN
from handlers.console.routes.route import Route
from handlers.console.routes.settings import SETTINGS
from handlers.console.routes.telling import TELLING

ROUTES: tuple[Route, ...] = (
    *OWN,
    *NUMBERS,
    *HOMES,
    *BILLING,
    *MONEY,
    *TELLING,
    *SETTINGS,
)

__all__ = ["ROUTES", "Route"]
