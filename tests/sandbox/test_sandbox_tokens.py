"""Access tokens: who gets one, how long it lives, what a dead one is answered."""

import pytest
from sandbox_world import Api, World

STALE = "invalid credential, access_token is invalid or not latest"


def is_alive(api: Api, token: str) -> int:
    """Use a token; 0 when it is good, else the error code."""
    answer = api.call("user/info", token=token, openid="oNobody")
    return 0 if answer["errcode"] == 40003 else int(answer["errcode"])


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"appid": "wxother"}, 40013),
        ({"appid": ""}, 41002),
        ({"secret": "wrong"}, 40125),
        ({"secret": ""}, 41004),
        ({"grant_type": "password"}, 40002),
    ],
)
def test_a_stranger_gets_no_token(changes: dict[str, str], errcode: int, shared: World) -> None:
    assert shared.api.token(**changes)["errcode"] == errcode
    assert shared.api.classic_token(**changes)["errcode"] == errcode


def test_a_refusal_is_worded_as_wechat_words_it(shared: World) -> None:
    answer = shared.api.call("user/info", token="made-up", openid="oNobody")
    assert answer["errcode"] == 40001
    text, _, rid = answer["errmsg"].partition(" rid: ")
    assert text == STALE
    assert [len(part) for part in rid.split("-")] == [8, 8, 8]


def test_a_call_without_a_token_is_refused(shared: World) -> None:
    assert shared.api.get("/cgi-bin/menu/get").json()["errcode"] == 41001


def test_an_unknown_call_is_refused(shared: World) -> None:
    assert shared.api.get("/cgi-bin/nothing").json()["errcode"] == 40066


def test_the_stable_token_stays_the_same_until_it_ends_soon(here: World) -> None:
    first = here.api.token()
    assert first["expires_in"] == 120  # 7200 s on a clock 60 times faster
    assert here.api.token()["access_token"] == first["access_token"]
    here.clock.turn(116)
    second = here.api.token()
    assert second["access_token"] != first["access_token"]
    assert is_alive(here.api, first["access_token"]) == 0
    here.clock.turn(6)
    assert is_alive(here.api, first["access_token"]) == 40001
    assert is_alive(here.api, second["access_token"]) == 0


def test_an_old_token_is_good_for_five_minutes_after_a_forced_refresh(here: World) -> None:
    old = here.api.token()["access_token"]
    new = here.api.token(force_refresh=True)["access_token"]
    assert new != old
    assert is_alive(here.api, old) == 0
    here.clock.turn(5.1)
    assert is_alive(here.api, old) == 40001
    assert is_alive(here.api, new) == 0


def test_forcing_twice_within_thirty_seconds_gives_the_same_token(here: World) -> None:
    here.api.token()
    new = here.api.token(force_refresh=True)["access_token"]
    assert here.api.token(force_refresh=True)["access_token"] == new


def test_the_twenty_first_forced_refresh_of_a_day_is_refused(here: World) -> None:
    here.api.token()
    for _ in range(20):
        assert "access_token" in here.api.token(force_refresh=True)
        here.clock.turn(1)
    assert here.api.token(force_refresh=True)["errcode"] == 45009


def test_a_token_nobody_replaced_expires(here: World) -> None:
    token = here.api.token()["access_token"]
    here.clock.turn(121)
    assert is_alive(here.api, token) == 42001


def test_classic_and_stable_tokens_do_not_replace_each_other(here: World) -> None:
    stable, classic = here.api.token()["access_token"], here.api.classic_token()["access_token"]
    newer = here.api.classic_token()["access_token"]
    assert len({stable, classic, newer}) == 3
    here.clock.turn(6)
    assert [is_alive(here.api, token) for token in (stable, classic, newer)] == [0, 40001, 0]


def test_a_planned_fault_refuses_exactly_the_next_token(here: World) -> None:
    here.api.post_raw("/faults", {"target": "token", "mode": "errcode", "errcode": 40164})
    assert here.api.token()["errcode"] == 40164
    assert "access_token" in here.api.token()
