"""The JSON API for other systems under /api/v1: one table of routes, from which the description
is made too.
"""

from handlers.api.blueprint import api, caller
from handlers.api.problems import problem

__all__ = ["api", "caller", "problem"]
