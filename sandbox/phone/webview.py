"""WeChat's in-app browser: one per phone, with its own cookies, signed in without a question."""

import threading
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests
from requests.cookies import RequestsCookieJar

from sandbox.account.oauth import AuthorizeError, check_authorize, issue_code, return_url
from sandbox.clock import Clock
from sandbox.config import SandboxConfig
from sandbox.phone.addresses import Addresses, is_sign_in
from sandbox.phone.people import get_phone
from sandbox.store import Store

USER_AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.60(0x18003c2f) "
    "NetType/WIFI Language/zh_CN"
)
LOADS_WITHIN_S = 30
HOPS_MAX = 10
REDIRECTS = (301, 302, 303, 307, 308)
_PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class WebError(Exception):
    """A page cannot be opened; the message says why."""


@dataclass(frozen=True)
class Visit:
    """A request as the phone makes it; `url` is absolute."""

    url: str
    method: str = "GET"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Loaded:
    """What came back from an address; redirects are not followed here."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def redirect(self) -> str | None:
        """Give the absolute address this answer sends the phone to."""
        location = self.headers.get("location")
        return urljoin(self.url, location) if location and self.status in REDIRECTS else None

    @property
    def is_html(self) -> bool:
        """Tell whether it is a page."""
        return self.headers.get("content-type", "").startswith("text/html")

    @property
    def text(self) -> str:
        """Give the body of a page; the service writes UTF-8."""
        return self.body.decode(errors="replace")


def fetch(visit: Visit, jar: RequestsCookieJar, user_agent: str) -> Loaded:
    """Make one request as the browser of that name, with its cookies; raises WebError."""
    with requests.Session() as session:
        session.trust_env = False
        session.cookies = jar
        session.headers.clear()
        headers = {"Accept": _PAGE, "Accept-Language": "zh-CN,zh-Hans;q=0.9", **visit.headers}
        try:
            answer = session.request(
                visit.method,
                visit.url,
                data=visit.body,
                headers=headers | {"User-Agent": user_agent},
                timeout=LOADS_WITHIN_S,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise WebError(f"the service gives no answer ({type(error).__name__})") from None
    kept = {name.lower(): value for name, value in answer.headers.items()}
    return Loaded(visit.url, answer.status_code, kept, answer.content)


class WebView:
    """The browsers of all phones. Cookies live as long as the sandbox's process."""

    def __init__(self, config: SandboxConfig, store: Store, clock: Clock):
        self._config = config
        self._store = store
        self._clock = clock
        self._jars: dict[str, RequestsCookieJar] = {}
        self._lock = threading.Lock()

    def addresses(self, openid: str) -> Addresses:
        """Give the address book of this phone's browser."""
        return Addresses(self._config.service_url, openid)

    def load(self, openid: str, visit: Visit) -> Loaded:
        """Make one request to the service; raises WebError for other hosts and no answer."""
        if not self.addresses(openid).is_service(visit.url):
            raise WebError(f"{urlsplit(visit.url).netloc} is not the service")
        return fetch(visit, self._jar(openid), USER_AGENT)

    def browse(self, openid: str, visit: Visit) -> Loaded:
        """Open an address as a person does: sign-in and redirects are followed. Raises WebError."""
        for _ in range(HOPS_MAX):
            if is_sign_in(visit.url):
                visit = Visit(self.sign_in(openid, visit.url))
            loaded = self.load(openid, visit)
            target = loaded.redirect
            if target is None:
                return loaded
            keeps_method = loaded.status in (307, 308)
            visit = (
                Visit(target, visit.method, visit.body, visit.headers)
                if keeps_method
                else Visit(target)
            )
        raise WebError(f"more than {HOPS_MAX} redirects from {visit.url}")

    def sign_in(self, openid: str, url: str) -> str:
        """Give the address a sign-in link returns to with this person's code; raises WebError."""
        query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        account = self._config.account
        try:
            back = check_authorize(query, account.app_id, self._config.service_url)
        except AuthorizeError as error:
            raise WebError(f"sign-in refused: {error}") from None
        with self._store.transaction() as db:
            code = issue_code(db, get_phone(db, openid), self._clock.now().timestamp())
        return return_url(back, code, query.get("state", ""))

    def _jar(self, openid: str) -> RequestsCookieJar:
        with self._lock:
            return self._jars.setdefault(openid, RequestsCookieJar())
