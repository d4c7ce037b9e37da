"""Where an address leads inside the phone: the service's pages live under the phone's prefix."""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from sandbox.account.oauth import AUTHORIZE_PATH


@dataclass(frozen=True)
class Addresses:
    """Translates between the service's addresses and those of one phone's in-app browser."""

    service_url: str
    openid: str

    @property
    def prefix(self) -> str:
        """Give the path under which this phone shows the service."""
        return f"/phone/{self.openid}/web"

    def is_service(self, url: str) -> bool:
        """Tell whether an absolute address is the service's."""
        ours, theirs = urlsplit(self.service_url), urlsplit(url)
        return (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)

    def inside(self, url: str) -> str:
        """Give the address to load in the phone instead of an absolute one."""
        if self.is_service(url):
            parts = urlsplit(url)
            tail = f"?{parts.query}" if parts.query else ""
            tail += f"#{parts.fragment}" if parts.fragment else ""
            return f"{self.prefix}{parts.path or '/'}{tail}"
        return f"/phone/{self.openid}/open?url={quote(url, safe='')}"

    def rewrite(self, value: str) -> str:
        """Give an HTML attribute's value as it must read inside the phone; most stay as is."""
        if value.startswith("/") and not value.startswith("//"):
            return self.prefix + value
        if self.is_service(value) or is_sign_in(value):
            return self.inside(value)
        return value

    def outside(self, path_and_query: str) -> str:
        """Give the service's address of a path requested under the prefix."""
        return f"{self.service_url}/{path_and_query.lstrip('/')}"


def is_sign_in(url: str) -> bool:
    """Tell whether an address is WeChat's sign-in link, on whichever host it is configured."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and parts.path == AUTHORIZE_PATH
