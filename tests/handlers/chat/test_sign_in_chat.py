"""Signing in on a computer: the phone scans, is asked, and decides."""

from datetime import timedelta

from handlers.sign_in import SignInState, open_request, scene, take
from tests.town import Town


def test_scanning_asks_and_the_word_lets_the_browser_in(town: Town) -> None:
    zhang, nonce = town.owner("3-2-501"), open_request(town.services.redis)
    zhang.scans(scene(nonce)).shows("确认登录", "取消")
    assert take(town.services.redis, nonce).state is SignInState.WAITING
    zhang.says("确认登录").shows("已确认")
    signed_in = take(town.services.redis, nonce)
    assert (signed_in.state, signed_in.openid) == (SignInState.CONFIRMED, zhang.openid)


def test_following_by_the_code_asks_too(town: Town) -> None:
    stranger, nonce = town.phone("o-stranger"), open_request(town.services.redis)
    stranger.follows(scene(nonce)).shows("确认登录")
    assert town.follower(stranger).followed_at == town.now


def test_a_no_turns_the_browser_away(town: Town) -> None:
    zhang, nonce = town.owner("3-2-501"), open_request(town.services.redis)
    zhang.scans(scene(nonce))
    zhang.says("不是我").shows("已拒绝")
    assert take(town.services.redis, nonce).state is SignInState.REFUSED
    zhang.says("确认登录").hides("已确认")


def test_any_other_sentence_lets_nobody_in(town: Town) -> None:
    zhang, nonce = town.owner("3-2-501"), open_request(town.services.redis)
    zhang.scans(scene(nonce))
    zhang.says("账单").shows("待缴")
    zhang.says("确认登录").hides("已确认")
    assert take(town.services.redis, nonce).state is SignInState.WAITING


def test_the_word_alone_lets_nobody_in(town: Town) -> None:
    town.owner("3-2-501").says("确认登录").hides("已确认")


def test_an_old_code_has_expired(town: Town) -> None:
    zhang, nonce = town.owner("3-2-501"), open_request(town.services.redis)
    zhang.scans(scene(nonce)).shows("确认登录")
    town.services.redis.delete(f"signin:{nonce}")
    zhang.says("确认登录").shows("已过期")
    zhang.scans(scene(nonce)).shows("已过期")


def test_the_same_scan_delivered_twice_asks_once_more_and_confirms_once(town: Town) -> None:
    zhang, nonce = town.owner("3-2-501"), open_request(town.services.redis)
    zhang.scans(scene(nonce)).shows("确认登录")
    town.now += timedelta(seconds=1)
    zhang.scans(scene(nonce)).shows("确认登录")
    zhang.says("确认登录").shows("已确认")
    zhang.says("确认登录").hides("已确认")
