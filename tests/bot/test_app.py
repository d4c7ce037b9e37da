"""The application as it is served: how much one visitor may ask, and what stays open under load."""

import re
from collections.abc import Callable, Iterator
from threading import Event, Thread

import pytest
from flask import Flask
from redis import Redis

from bot.app import PAGES_AT_ONCE_MAX, create_app
from bot.program import REDIS_SECONDS_MAX, Program, build
from bot.settings import SettingsError
from tests.conftest import NOW, World
from tests.phone import settings_for

HERE = "192.0.2.7"
NEIGHBOUR = "192.0.2.8"
CSRF = re.compile('name="csrf_token" value="([^"]+)"')
NO_REDIS = "redis://127.0.0.1:1/0"
NO_WECHAT = {"WECHAT_API_BASE": "http://127.0.0.1:1", "WECHAT_OAUTH_BASE": "http://127.0.0.1:1"}


@pytest.fixture
def make_program(world: World, redis_url: str, redis: Redis) -> Iterator[Callable[..., Program]]:
    """The program on the world's database, with these settings."""
    programs: list[Program] = []

    def make(**settings: str) -> Program:
        given = {"REDIS_URL": redis_url, "DATABASE_URL": world.url, **NO_WECHAT, **settings}
        programs.append(build(settings_for(redis_url, **given), clock=lambda: NOW))
        return programs[-1]

    yield make
    for program in programs:
        program.services.redis.close()
        program.queues.connection.close()
        program.services.database.engine.dispose()


def get(app: Flask, path: str, address: str = HERE, forwarded: str = "") -> tuple[int, str]:
    """Status and text of a page, as somebody from this address gets it."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    answer = app.test_client().get(path, headers=headers, environ_base={"REMOTE_ADDR": address})
    return answer.status_code, answer.text


def statuses(app: Flask, path: str, times: int, **visitor: str) -> set[int]:
    return {get(app, path, **visitor)[0] for _ in range(times)}


def test_signing_in_is_limited_to_twenty_codes_a_minute(
    make_program: Callable[..., Program],
) -> None:
    app = create_app(make_program())
    assert 429 not in statuses(app, "/o/sign-in", 20)
    status, text = get(app, "/o/sign-in")
    assert status == 429
    assert "请歇一歇" in text
    assert get(app, "/o/sign-in", NEIGHBOUR)[0] != 429


def test_signed_in_viewers_behind_one_address_do_not_share_a_limit(
    make_program: Callable[..., Program],
) -> None:
    app = create_app(make_program())
    assert 429 in statuses(app, "/o/", 301)
    viewer = app.test_client()
    with viewer.session_transaction(base_url="http://localhost") as kept:
        kept["openid"] = "o-neighbour"
    assert viewer.get("/o/", environ_base={"REMOTE_ADDR": HERE}).status_code != 429


def test_all_pages_together_are_limited_to_three_hundred_a_minute(
    make_program: Callable[..., Program],
) -> None:
    app = create_app(make_program())
    assert 429 not in statuses(app, "/o/", 150) | statuses(app, "/o/sign-in/status", 150)
    assert get(app, "/o/")[0] == 429
    assert get(app, "/o/sign-in/status")[0] == 429
    assert get(app, "/healthz")[0] == 200
    assert get(app, "/o/", NEIGHBOUR)[0] != 429


def test_counts_of_visitors_expire(make_program: Callable[..., Program], redis: Redis) -> None:
    get(create_app(make_program()), "/o/sign-in/status")
    ages = [redis.ttl(key) for key in redis.keys("*rate*")]
    assert ages
    assert all(0 < age <= 61 for age in ages)


def test_without_redis_visitors_are_counted_here(make_program: Callable[..., Program]) -> None:
    app = create_app(make_program(REDIS_URL=NO_REDIS))
    assert 429 not in statuses(app, "/o/", 300)
    assert get(app, "/o/")[0] == 429
    assert get(app, "/o/", NEIGHBOUR)[0] == 302


def test_without_a_proxy_nobody_names_his_own_address(
    make_program: Callable[..., Program],
) -> None:
    app = create_app(make_program())
    for number in range(20):
        get(app, "/o/sign-in", forwarded=f"198.51.100.{number}")
    assert get(app, "/o/sign-in", forwarded="198.51.100.99")[0] == 429


def test_behind_a_proxy_visitors_are_told_apart_by_what_it_saw(
    make_program: Callable[..., Program],
) -> None:
    app = create_app(make_program(MINGZHANG_PROXIES="1"))
    for number in range(20):
        get(app, "/o/sign-in", forwarded=f"198.51.100.{number}, {HERE}")
    assert get(app, "/o/sign-in", forwarded=f"198.51.100.99, {HERE}")[0] == 429
    assert get(app, "/o/sign-in", forwarded=NEIGHBOUR)[0] != 429


def test_whoever_has_a_network_of_ipv6_addresses_is_one_visitor(
    make_program: Callable[..., Program],
) -> None:
    app = create_app(make_program())
    for number in range(20):
        get(app, "/o/sign-in", f"2001:db8:0:1::{number:x}")
    assert get(app, "/o/sign-in", "2001:db8:0:1:ffff::1")[0] == 429
    assert get(app, "/o/sign-in", "2001:db8:0:2::1")[0] != 429


def test_an_ipv4_address_written_as_ipv6_is_itself(make_program: Callable[..., Program]) -> None:
    app = create_app(make_program())
    for _ in range(20):
        get(app, "/o/sign-in", f"::ffff:{HERE}")
    assert get(app, "/o/sign-in", HERE)[0] == 429
    assert get(app, "/o/sign-in", f"::ffff:{NEIGHBOUR}")[0] != 429


def test_who_forgets_his_cookie_for_every_try_at_a_home_is_counted_by_his_address(
    make_program: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.app.FIND_RATE", "3/hour")
    app = create_app(make_program())

    def guess(address: str, openid: str | None = None) -> int:
        browser = app.test_client()
        if openid is not None:
            with browser.session_transaction(base_url="http://localhost") as kept:
                kept["openid"], kept["since"] = openid, int(NOW.timestamp())
        here = {"REMOTE_ADDR": address}
        token = CSRF.search(browser.get("/o/find", environ_base=here).text)
        assert token is not None
        form = {"csrf_token": token[1], "community": "HY", "room": "9-9-999", "digits": "1234"}
        return browser.post("/o/find", data=form, environ_base=here).status_code

    assert [guess(HERE) for _ in range(4)] == [422, 422, 422, 429]
    assert guess(HERE, "o-neighbour") == 422
    assert guess(NEIGHBOUR) == 422


def test_slow_pages_leave_room_for_wechat(make_program: Callable[..., Program]) -> None:
    """Twelve pages that wait for a payment provider must not keep the pushes waiting."""
    app = create_app(make_program())
    go, waiting = Event(), []

    def slow(**_: str) -> str:
        waiting.append(1)
        assert go.wait(20)
        return "done"

    app.view_functions["pages.home"] = slow
    visitors = [
        Thread(target=get, args=(app, "/o/home/x", f"203.0.113.{number}"))
        for number in range(PAGES_AT_ONCE_MAX)
    ]
    for visitor in visitors:
        visitor.start()
    try:
        while len(waiting) < PAGES_AT_ONCE_MAX:
            go.wait(0.01)
        status, text = get(app, "/o/")
        assert status == 503
        assert "现在有点忙" in text
        assert "编号" not in text
        assert get(app, "/healthz")[0] == 200
        assert get(app, "/wechat")[0] == 403
    finally:
        go.set()
        for visitor in visitors:
            visitor.join(20)
    assert get(app, "/o/")[0] == 302


def test_handlers_give_up_on_redis_long_before_wechat_gives_up_on_us(
    make_program: Callable[..., Program],
) -> None:
    program = make_program()
    asked = program.services.redis.connection_pool.connection_kwargs
    assert asked["socket_timeout"] == asked["socket_connect_timeout"] == REDIS_SECONDS_MAX
    assert asked["retry"].get_retries() == 0


def test_jobs_are_waited_for_on_a_connection_of_their_own(
    make_program: Callable[..., Program],
) -> None:
    program = make_program()
    pool = program.queues.connection.connection_pool
    assert pool is not program.services.redis.connection_pool
    assert pool.connection_kwargs.get("socket_timeout") != REDIS_SECONDS_MAX


def test_no_sibling_site_can_plant_a_session(make_program: Callable[..., Program]) -> None:
    """Browsers take a `__Host-` cookie from this host over https only, never from a subdomain."""
    app = create_app(make_program(MINGZHANG_BASE_URL="https://pay.example.test"))
    cookie = app.test_client().get("/o/").headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


@pytest.mark.parametrize("value", ["-1", "10", "one", "²"])
def test_the_number_of_proxies_is_a_small_number(value: str) -> None:
    with pytest.raises(SettingsError, match="MINGZHANG_PROXIES must be a number from 0 to 9"):
        settings_for(NO_REDIS, MINGZHANG_PROXIES=value)
