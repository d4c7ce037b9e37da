"""One call of another system, as a view sees it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from billing.api_access import ApiScope
from billing.api_tables import ApiToken
from billing.errors import NotFound
from billing.property import Community
from handlers.services import Services

PAGE_DEFAULT = 50


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked, in the one open transaction of the request.

    Attributes:
        given: fields of the address and of the body, read and checked.
    """

    session: Session
    services: Services
    token: ApiToken
    now: datetime
    given: dict[str, Any]
    _community: Community | None = None

    @property
    def community(self) -> Community:
        """The one in the address.

        Raises:
            NotFound: the address names none.
        """
        if self._community is None:
            raise NotFound("this address is of no community")
        return self._community

    @property
    def community_id(self) -> int:
        """Its key."""
        return self.community.id

    @property
    def limit(self) -> int:
        """How many rows a page has."""
        found: int = self.given.get("limit", PAGE_DEFAULT)
        return found

    @property
    def after(self) -> int:
        """Behind which key the page begins."""
        found: int = self.given.get("after", 0)
        return found

    def may(self, scope: ApiScope) -> bool:
        """Whether the token is good for something."""
        return scope.value in self.token.scopes
