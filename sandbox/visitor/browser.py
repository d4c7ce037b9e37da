"""A visitor's browser: one cookie jar per visitor and browser, redirects followed."""

import threading
from urllib.parse import urljoin, urlsplit

from requests.cookies import RequestsCookieJar

from sandbox.config import SandboxConfig
from sandbox.phone.webview import HOPS_MAX, Loaded, Visit, WebError, fetch

USER_AGENTS = {
    "alipay": (
        "Mozilla/5.0 (Linux; U; Android 14; zh-CN; PJF110 Build/UKQ1.230924.001) "
        "AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/105.0.5195.148 UCBS/3.22.2 "
        "Mobile Safari/537.36 NebulaSDK/1.8.100112 Nebula AlipayDefined(nt:WIFI,ws:412|0|2.6) "
        "AliApp(AP/10.6.20.8000) AlipayClient/10.6.20.8000 Language/zh-Hans"
    ),
    "phone": (
        "Mozilla/5.0 (Linux; Android 15; PJF110) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Mobile Safari/537.36"
    ),
    "desktop": (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36"
    ),
}


class Browsers:
    """The browsers of all visitors. Cookies live as long as the sandbox's process."""

    def __init__(self, config: SandboxConfig):
        self._service_url = config.service_url
        self._known = {_origin(config.service_url), _origin(config.public_url)}
        self._jars: dict[tuple[str, str], RequestsCookieJar] = {}
        self._lock = threading.Lock()

    def open(self, name: str, browser: str, visit: Visit) -> Loaded:
        """Open an address, the service's where it has no host; raises WebError.

        Only the service and the sandbox's own cashiers exist; every other host is refused.
        """
        for _ in range(HOPS_MAX):
            url = urljoin(f"{self._service_url}/", visit.url)
            if _origin(url) not in self._known:
                raise WebError(f"{urlsplit(url).netloc} is not the service")
            visit = Visit(url, visit.method, visit.body, visit.headers)
            loaded = fetch(visit, self._jar(name, browser), USER_AGENTS[browser])
            if loaded.redirect is None:
                return loaded
            keeps_method = loaded.status in (307, 308)
            visit = (
                Visit(loaded.redirect, visit.method, visit.body, visit.headers)
                if keeps_method
                else Visit(loaded.redirect)
            )
        raise WebError(f"more than {HOPS_MAX} redirects from {visit.url}")

    def _jar(self, name: str, browser: str) -> RequestsCookieJar:
        with self._lock:
            return self._jars.setdefault((name, browser), RequestsCookieJar())


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
