"""A signed POST to an outside system, and never to a machine inside our own network.

The address is looked up once and that address is called, so that a name cannot mean another machine
a moment later; redirections are not followed.
"""

import hashlib
import hmac
import ipaddress
import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_match_hostname import CertificateError

from billing.errors import InvalidInput

SECONDS_TO_ANSWER, SECONDS_IN_ALL = 10, 15
URL_CHARACTERS_MAX = 500


class Refused(Exception):
    """It was not accepted, or must not be sent there; the message says why."""


def mask_url(url: str) -> str:
    """An address as it may be shown and written down: its query often holds a secret.

    >>> mask_url("https://erp.example.test/hook?key=secret"), mask_url("https://erp.example.test/")
    ('https://erp.example.test/hook?…', 'https://erp.example.test/')
    """
    shown, mark, _ = url.partition("?")
    return f"{shown}?…" if mark else shown


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send to, taken apart."""

    scheme: str
    host: str
    port: int
    path: str
    loopback: bool


def read_url(url: str, *, loopback: bool) -> Target:
    """An address that may be sent to, as far as it can be told without looking it up.

    Raises:
        InvalidInput: no https address, or one with a name or password in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput("url", "is not an address") from None
    schemes = ("https", "http") if loopback else ("https",)
    fits = len(url) <= URL_CHARACTERS_MAX and url.isascii() and url.isprintable()
    if not fits or " " in url or parts.scheme not in schemes or not parts.hostname:
        raise InvalidInput("url", f"must be {schemes[0]}://host[:port]/path in ASCII")
    if parts.username is not None or parts.fragment:
        raise InvalidInput("url", "must have no user, password or fragment")
    path = parts.path or "/"
    return Target(
        parts.scheme,
        parts.hostname,
        port or (443 if parts.scheme == "https" else 80),
        f"{path}?{parts.query}" if parts.query else path,
        loopback,
    )


def sign(
    body: Mapping[str, Any], number: str, secret: str, now: datetime
) -> tuple[bytes, dict[str, str]]:
    """The bytes to send and their headers.

    `Mingzhang-Signature` is `t=<seconds>,v1=<hex>`: HMAC-SHA256 with the secret over the seconds, a
    full stop and the bytes of the body. A receiver refuses seconds that are long past.
    """
    data = json.dumps({"id": number, **body}, ensure_ascii=False, sort_keys=True).encode()
    seconds = str(int(now.timestamp()))
    mac = hmac.new(secret.encode(), seconds.encode() + b"." + data, hashlib.sha256).hexdigest()
    return data, {
        "Content-Type": "application/json",
        "User-Agent": "Mingzhang-Webhook/1",
        "Mingzhang-Delivery": number,
        "Mingzhang-Signature": f"t={seconds},v1={mac}",
    }


def post(target: Target, body: bytes, headers: Mapping[str, str]) -> None:
    """Send, once. Only an answer of 2xx accepts.

    Raises:
        Refused: with what happened instead.
    """
    connection = _connection(target, _look_up(target))
    hang_up = Timer(SECONDS_IN_ALL, _hang_up, [connection])
    hang_up.start()
    try:
        connection.request(
            "POST", target.path, body, {**headers, "Host": _host(target)}, preload_content=False
        )
        status = connection.getresponse().status
    except (HTTPError, HTTPException, OSError, CertificateError) as error:
        # A certificate of another name is a bare ValueError, because urllib3 compares names itself.
        raise Refused(f"no answer: {type(error).__name__}") from error
    finally:
        hang_up.cancel()
        connection.close()
    if not 200 <= status < 300:
        raise Refused(f"answered {status}")


def _hang_up(connection: HTTPConnection) -> None:
    """Who sends a byte now and then is not waited for."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _host(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    usual = 443 if target.scheme == "https" else 80
    return host if target.port == usual else f"{host}:{target.port}"


def _connection(target: Target, address: str) -> HTTPConnection:
    if target.scheme == "http":
        return HTTPConnection(address, target.port, timeout=SECONDS_TO_ANSWER)
    return HTTPSConnection(
        address,
        target.port,
        timeout=SECONDS_TO_ANSWER,
        server_hostname=target.host,
        assert_hostname=target.host,
        cert_reqs="CERT_REQUIRED",
        ca_certs=certifi.where(),
    )


def _look_up(target: Target) -> str:
    """One of its addresses; all must be allowed, as any may be called.

    Raises:
        Refused: it has none, or one that is not on the public internet.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Refused("its name is not known") from None
    addresses = [str(place[0]) for *_, place in found]
    for address in addresses:
        if not may_be_called(address, loopback=target.loopback):
            raise Refused("its address is not on the public internet")
    if target.scheme == "http" and not ipaddress.ip_address(addresses[0]).is_loopback:
        raise Refused("only https leaves this machine")
    return addresses[0]


def may_be_called(address: str, *, loopback: bool) -> bool:
    """Whether an address is a public one, also seen through IPv6's ways of writing IPv4.

    >>> may_be_called("10.0.0.1", loopback=False), may_be_called("8.8.8.8", loopback=False)
    (False, True)
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        within = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
        in_nat64 = found in ipaddress.ip_network("64:ff9b::/96")
        if in_nat64:
            within = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if within:
            return may_be_called(str(within), loopback=loopback)
    if found.is_loopback:
        return loopback
    return found.is_global and not found.is_multicast
