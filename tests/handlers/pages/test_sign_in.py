"""Who looks: silent OAuth inside WeChat, a scanned code on a computer, and the ways to cheat."""

import secrets
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from handlers.sign_in import (
    REQUEST_SECONDS,
    SignInState,
    confirm,
    is_waiting,
    open_request,
    read_scene,
    refuse,
    scene,
    take,
)
from tests.handlers.pages.conftest import (
    IN_WECHAT,
    ON_COMPUTER,
    SNAPSHOT,
    Browser,
    House,
    make_app,
)


def first_redirect(browser: Browser, path: str) -> str:
    return browser.client.get(path, headers={"User-Agent": IN_WECHAT}).location


def nonce_of(house: House) -> str:
    nonce = read_scene(house.account.scenes[-1])
    assert nonce is not None
    return nonce


def test_inside_wechat_an_unknown_viewer_comes_back_to_his_page(
    house: House, owner: Browser
) -> None:
    assert first_redirect(owner, f"/o/history/{house.token}").startswith("https://wechat.test/")
    page = owner.get(f"/o/history/{house.token}")
    assert page.path == f"/o/history/{house.token}"
    assert page.status == 200


def test_the_state_is_good_for_one_return(house: House, owner: Browser) -> None:
    to = first_redirect(owner, f"/o/home/{house.token}")
    state = parse_qs(urlsplit(to).query)["state"][0]
    assert owner.get(f"/o/enter?code={owner.code()}&state={state}").status == 200
    again = owner.get(f"/o/enter?code={owner.code()}&state={state}")
    assert again.status == 400
    assert again.shows("请重新打开链接")


def test_a_return_that_another_browser_began_signs_nobody_in(
    house: House, owner: Browser, stranger: Browser
) -> None:
    to = first_redirect(stranger, f"/o/home/{house.token}")
    state = parse_qs(urlsplit(to).query)["state"][0]
    assert owner.get(f"/o/enter?code={stranger.code()}&state={state}").status == 400
    assert owner.get(f"/o/enter?code={stranger.code()}").status == 400
    assert owner.get("/o/enter").status == 400


def test_two_pages_opened_at_once_both_come_back(house: House, owner: Browser) -> None:
    paths = [f"/o/home/{house.token}", f"/o/tariffs/{house.token}"]
    states = [parse_qs(urlsplit(first_redirect(owner, path)).query)["state"][0] for path in paths]
    for path, state in zip(paths, states, strict=True):
        assert owner.get(f"/o/enter?code={owner.code()}&state={state}").path == path


def test_a_snapshot_visitor_is_shown_the_way_and_nothing_else(house: House) -> None:
    page = house.phone(SNAPSHOT).get(f"/o/home/{house.token}")
    assert page.status == 403
    assert page.shows("使用完整服务")
    assert page.hides("¥", "1-1")


def test_when_wechat_is_silent_the_page_says_so(house: House, owner: Browser) -> None:
    house.account.silent = True
    page = owner.get(f"/o/home/{house.token}")
    assert page.status == 503
    assert page.shows("微信暂时没有回应")
    house.account.silent = False
    assert owner.get(f"/o/home/{house.token}").status == 200


def test_a_session_ends_after_twelve_hours(house: House, owner: Browser) -> None:
    owner.get(f"/o/home/{house.token}")
    assert owner.client.get(f"/o/home/{house.token}").status_code == 200
    house.clock.forward(timedelta(hours=12, seconds=1))
    assert owner.client.get(f"/o/home/{house.token}").status_code == 302


def test_pages_are_kept_in_no_cache(house: House, owner: Browser) -> None:
    for path in (f"/o/home/{house.token}", "/o/enter", "/o/home/x"):
        assert owner.get(path).answer.headers["Cache-Control"] == "no-store"


def test_a_computer_shows_a_code_and_comes_back_to_its_page(house: House) -> None:
    computer = house.computer()
    page = computer.get(f"/o/history/{house.token}")
    assert page.path == "/o/sign-in"
    assert page.shows("微信扫码登录")
    assert page.attribute("//div[@class='scan']/img/@src").startswith("data:image/svg+xml")
    assert confirm(house.services.redis, nonce_of(house), "o-owner")
    page = computer.get("/o/sign-in")
    assert page.path == f"/o/history/{house.token}"
    assert page.status == 200


def test_the_script_learns_that_the_scan_was_confirmed(house: House) -> None:
    computer = house.computer()
    computer.get("/o/sign-in")
    assert computer.get("/o/sign-in/status").answer.json == {"state": "waiting", "next": None}
    confirm(house.services.redis, nonce_of(house), "o-owner")
    assert computer.get("/o/sign-in/status").answer.json == {"state": "confirmed", "next": "/o/"}
    assert computer.get("/o/").path == f"/o/home/{house.token}"


def test_reloading_shows_the_same_code(house: House) -> None:
    computer = house.computer()
    first, second = computer.get("/o/sign-in"), computer.get("/o/sign-in")
    image = "//div[@class='scan']/img/@src"
    assert first.attribute(image) == second.attribute(image)
    assert len(house.account.scenes) == 1


def test_only_the_browser_that_shows_the_code_is_signed_in(house: House) -> None:
    computer, other = house.computer(), house.computer()
    computer.get("/o/sign-in")
    confirm(house.services.redis, nonce_of(house), "o-owner")
    assert other.get("/o/sign-in/status").answer.json == {"state": "expired", "next": None}
    assert other.get("/o/").path == "/o/sign-in"
    assert computer.get("/o/sign-in/status").answer.json["state"] == "confirmed"


def test_a_scan_that_was_turned_down_says_so_once(house: House) -> None:
    computer = house.computer()
    computer.get("/o/sign-in")
    refuse(house.services.redis, nonce_of(house))
    assert computer.get("/o/sign-in/status").answer.json["state"] == "refused"
    assert computer.get("/o/sign-in").shows("没有登录")
    assert computer.get("/o/sign-in").shows("微信扫码登录")


def test_an_expired_code_waits_for_somebody_to_ask_for_another(house: House) -> None:
    computer = house.computer()
    computer.get("/o/sign-in")
    house.services.redis.flushdb()
    assert computer.get("/o/sign-in").shows("二维码过期了")
    assert len(house.account.scenes) == 1
    computer.get("/o/sign-in")
    assert len(house.account.scenes) == 2


def test_signing_out_forgets_the_viewer(house: House) -> None:
    computer = house.signed_in_computer()
    form = computer.get(f"/o/home/{house.token}").form("/o/sign-out")
    assert computer.post("/o/sign-out", form).shows("已退出登录")
    assert computer.get(f"/o/home/{house.token}").path == "/o/sign-in"


def test_signing_out_needs_its_form(house: House) -> None:
    computer = house.signed_in_computer()
    assert computer.post("/o/sign-out", {}).status == 400
    assert computer.get(f"/o/home/{house.token}").status == 200


def test_somebody_else_on_a_computer_is_still_somebody_else(house: House) -> None:
    page = house.signed_in_computer("o-stranger").get(f"/o/home/{house.token}")
    assert page.shows("为该房屋缴费")
    assert page.hides("1-1-302")


def test_a_request_is_answered_once(redis: Redis) -> None:
    nonce = open_request(redis)
    assert len(nonce) == 24
    assert read_scene(scene(nonce)) == nonce
    assert is_waiting(redis, nonce)
    assert take(redis, nonce).state is SignInState.WAITING
    assert confirm(redis, nonce, "o-owner")
    assert not confirm(redis, nonce, "o-stranger")
    assert not refuse(redis, nonce)
    assert take(redis, nonce).openid == "o-owner"
    assert take(redis, nonce).state is SignInState.EXPIRED


def test_an_answer_does_not_prolong_the_request(redis: Redis) -> None:
    nonce = open_request(redis)
    redis.expire(f"signin:{nonce}", 7)
    confirm(redis, nonce, "o-owner")
    assert 0 < redis.ttl(f"signin:{nonce}") <= 7 < REQUEST_SECONDS


def test_an_unknown_request_cannot_be_answered(redis: Redis) -> None:
    assert not confirm(redis, "made-up", "o-stranger")
    assert read_scene("bind_made-up") is None
    assert take(redis, "made-up").state is SignInState.EXPIRED


def test_a_link_with_a_line_break_in_it_is_a_broken_link(owner: Browser) -> None:
    page = owner.get("/o/home/x%0D%0ASet-Cookie:a=b")
    assert page.status == 404
    assert page.shows("这个链接打不开")


def test_what_a_messenger_adds_to_a_link_does_not_bloat_the_cookie(
    house: House, owner: Browser
) -> None:
    answer = owner.client.get(
        f"/o/home/{house.token}?from={secrets.token_hex(3000)}", headers={"User-Agent": IN_WECHAT}
    )
    assert answer.status_code == 302
    assert len(answer.headers["Set-Cookie"]) < 1000


def test_a_form_that_is_opened_as_a_page_leads_home(house: House, owner: Browser) -> None:
    """A phone that restores its browser asks for the cashier's address with GET."""
    page = owner.get("/o/pay")
    assert page.status == 200
    assert page.path == f"/o/home/{house.token}"


def test_without_redis_nobody_can_sign_in_by_scanning_and_is_told_so(house: House) -> None:
    away = Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))
    app = make_app(replace(house.services, redis=away))
    page = Browser(app.test_client(), "", ON_COMPUTER).get("/o/sign-in")
    assert page.status == 503
    assert page.shows("现在登录不了", "手机微信")
