"""The wire to WeChat: one token for all, one retry, two kinds of failure, nothing secret said."""

import threading

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from notify.wechat import Action, WeChat, WeChatError, WeChatUnreachable
from tests.notify.pretend_wechat import APP_ID, APP_SECRET, PretendWeChat

SEND = "/cgi-bin/message/template/send"
TOKEN = "/cgi-bin/stable_token"


def send(wechat: WeChat, client_msg_id: str = "m1") -> str:
    return wechat.send_template("oReader", "TM1", "http://u", {"thing1": "3-2-501"}, client_msg_id)


def test_all_processes_share_one_token(
    wechat: WeChat, pretend: PretendWeChat, redis: Redis
) -> None:
    other = WeChat(APP_ID, APP_SECRET, pretend.base, pretend.base, pretend.base, redis)
    send(wechat, "m1")
    send(other, "m2")
    other.close()
    assert pretend.count(TOKEN) == 1
    assert len(pretend.shown) == 2


def test_many_at_once_fetch_one_token(wechat: WeChat, pretend: PretendWeChat) -> None:
    threads = [threading.Thread(target=send, args=(wechat, f"m{n}")) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pretend.shown) == 8
    assert pretend.count(TOKEN) == 1


def test_a_replaced_token_is_fetched_once_and_the_call_made_once_more(
    wechat: WeChat, pretend: PretendWeChat
) -> None:
    send(wechat, "m1")
    pretend.token_number += 1  # somebody else forced a new one
    send(wechat, "m2")
    assert pretend.paths()[2:] == [SEND, TOKEN, SEND]
    assert pretend.calls[-2].body["force_refresh"] is False


def test_a_new_token_is_forced_only_when_the_plain_call_gives_the_refused_one(
    wechat: WeChat, pretend: PretendWeChat
) -> None:
    send(wechat, "m1")
    pretend.next_answers[SEND].append(42001)
    send(wechat, "m2")
    forced = [call.body["force_refresh"] for call in pretend.calls if call.path == TOKEN]
    assert forced == [False, False, True]


def test_a_token_that_is_refused_for_ever_ends_after_two_calls(
    wechat: WeChat, pretend: PretendWeChat
) -> None:
    pretend.always[SEND] = 40001
    with pytest.raises(WeChatError) as refused:
        send(wechat)
    assert refused.value.action is Action.REFRESH_TOKEN
    assert pretend.count(SEND) == 2


@pytest.mark.parametrize(
    ("errcode", "action"),
    [
        (-1, Action.RETRY),
        (43004, Action.NOT_FOLLOWING),
        (43101, Action.NEXT_TRANSPORT),
        (45009, Action.PAUSE_DAY),
        (43116, Action.STOP_TEMPLATE),
        (48001, Action.STOP),
        (99999, Action.RETRY),
    ],
)
def test_an_error_code_says_what_to_do(
    wechat: WeChat, pretend: PretendWeChat, errcode: int, action: Action
) -> None:
    pretend.next_answers[SEND].append(errcode)
    with pytest.raises(WeChatError) as refused:
        send(wechat)
    assert (refused.value.errcode, refused.value.action) == (errcode, action)


@pytest.mark.parametrize("answer", ["silence", "http"])
def test_a_lost_answer_may_have_been_done(
    wechat: WeChat, pretend: PretendWeChat, answer: str
) -> None:
    pretend.next_answers[SEND].append(answer)
    with pytest.raises(WeChatUnreachable) as lost:
        send(wechat)
    assert lost.value.maybe_done


def test_a_call_that_never_left_was_not_done(redis: Redis, pretend: PretendWeChat) -> None:
    nowhere = "http://127.0.0.1:9"
    redis.set(f"wechat:{APP_ID}:access_token", "TOKEN-1")
    wechat = WeChat(APP_ID, APP_SECRET, nowhere, nowhere, nowhere, redis)
    with pytest.raises(WeChatUnreachable) as lost:
        send(wechat)
    assert not lost.value.maybe_done
    wechat.close()


def test_a_token_that_cannot_be_fetched_means_nothing_was_done(
    wechat: WeChat, pretend: PretendWeChat
) -> None:
    pretend.next_answers[TOKEN].append("silence")
    with pytest.raises(WeChatUnreachable) as lost:
        send(wechat)
    assert not lost.value.maybe_done


def test_without_redis_no_token_is_fetched(pretend: PretendWeChat) -> None:
    down = Redis(host="127.0.0.1", port=9, retry=Retry(NoBackoff(), 0))
    wechat = WeChat(APP_ID, APP_SECRET, pretend.base, pretend.base, pretend.base, down)
    with pytest.raises(WeChatUnreachable):
        send(wechat)
    wechat.close()
    down.close()
    assert pretend.calls == []


def test_failures_name_neither_token_nor_openid(wechat: WeChat, pretend: PretendWeChat) -> None:
    pretend.next_answers[SEND].extend(["silence", "http", 43004])
    for _ in range(3):
        with pytest.raises((WeChatError, WeChatUnreachable)) as failed:
            send(wechat)
        said = f"{failed.value!s} {failed.value!r}"
        assert "TOKEN" not in said
        assert "oReader" not in said


def test_a_menu_that_does_not_exist_is_empty(wechat: WeChat, pretend: PretendWeChat) -> None:
    assert wechat.get_menu() == {}
    wechat.create_menu({"button": [{"name": "账单", "type": "click", "key": "bills.due"}]})
    assert wechat.get_menu()["menu"]["button"][0]["name"] == "账单"


def test_a_scene_code_has_a_picture_and_what_it_says(
    wechat: WeChat, pretend: PretendWeChat
) -> None:
    qr = wechat.create_scene_qr("bind:abc", 600)
    assert qr.scan_url == "http://q/bind:abc"
    assert qr.image_url == f"{pretend.base}/cgi-bin/showqrcode?ticket=t%3D%2Fbind%3Aabc"


def test_silent_sign_in_sends_the_browser_to_wechat_and_back(wechat: WeChat) -> None:
    url = wechat.oauth_url("http://pay.example/o/enter", "s1")
    assert url.endswith("&response_type=code&scope=snsapi_base&state=s1#wechat_redirect")
    assert "redirect_uri=http%3A%2F%2Fpay.example%2Fo%2Fenter" in url


@pytest.mark.parametrize("is_snapshot", [False, True])
def test_a_snapshot_visitor_is_recognised(
    wechat: WeChat, pretend: PretendWeChat, is_snapshot: bool
) -> None:
    pretend.is_snapshot = is_snapshot
    identity = wechat.oauth_identity("code-1")
    assert (identity.openid, identity.is_snapshot) == ("oVisitor", is_snapshot)
    assert "oVisitor" not in repr(identity)


def test_whether_somebody_follows(wechat: WeChat, pretend: PretendWeChat) -> None:
    pretend.followers.add("oReader")
    assert wechat.user_follows("oReader")
    assert not wechat.user_follows("oStranger")
