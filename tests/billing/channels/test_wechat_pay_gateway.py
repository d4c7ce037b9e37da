"""A merchant's keys, and which of WeChat Pay's keys are asked for and believed."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from billing.channels.base import ChannelRefused, ChannelUnreachable, ProviderState
from billing.channels.wechat_pay import WeChatPayChannel
from billing.channels.wechat_pay_gateway import valid_gateway
from tests.billing.channels.provider import (
    CERTIFICATE_SERIAL,
    PUBLIC_KEY_ID,
    Provider,
    answering,
    by_certificate,
    by_either,
    certificate_pem,
    key_pair,
    merchant_keys,
    order_request,
    real_now,
    running_provider,
    signed,
)
from tests.conftest import NOW


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with running_provider(tmp_path_factory.mktemp("pay")) as running:
        yield running


Changes = Callable[[], dict[str, Any]]
FAULTS: list[tuple[Changes, str | None]] = [
    (dict, None),
    (by_certificate, None),
    (by_either, None),
    (lambda: {"h5": True}, None),
    (lambda: {"api_v3_key": "short"}, "api_v3_key must be 32 bytes"),
    (lambda: {"mchid": ""}, "mchid must be a text that is not empty"),
    (lambda: {"serial_no": 5}, "serial_no must be a text that is not empty"),
    (lambda: {"private_key": "secret rubbish"}, "private_key is not a key in PEM"),
    (lambda: {"private_key": key_pair("merchant").public}, "private_key is not a key in PEM"),
    (lambda: {"public_key": "secret rubbish"}, "public_key is not a key in PEM"),
    (lambda: {"public_key": 5}, "public_key is not a key in PEM"),
    (lambda: {"public_key_id": ""}, "public_key_id must be a text that is not empty"),
    (
        lambda: {"public_key": None},
        "public_key_id and public_key go together; give both or neither",
    ),
    (
        lambda: {"public_key": None, "public_key_id": None},
        "public_key (with public_key_id) or platform_certificates must be given",
    ),
    (
        lambda: {"platform_certificates": certificate_pem()},
        "platform_certificates must be a list of certificates in PEM",
    ),
    (
        lambda: {"platform_certificates": (certificate_pem(), "secret rubbish")},
        "platform_certificates holds something that is no certificate in PEM",
    ),
    (
        lambda: {"platform_certificates": (5,)},
        "platform_certificates holds something that is no certificate in PEM",
    ),
    (lambda: {"h5": "yes"}, "h5 must be true or false"),
]


@pytest.mark.parametrize(("changes", "fault"), FAULTS, ids=range(len(FAULTS)))
def test_keys_say_what_is_wrong_with_them(changes: Changes, fault: str | None) -> None:
    assert merchant_keys(**changes()).find_fault(NOW) == fault


def test_a_certificate_is_refused_from_the_moment_it_ends() -> None:
    alone = by_certificate() | {"platform_certificates": (certificate_pem(days=2),)}
    keys = merchant_keys(**alone)
    ends = NOW + timedelta(days=1)
    assert keys.find_fault(ends - timedelta(seconds=1)) is None
    assert keys.find_fault(ends) == (
        f"platform_certificates holds {CERTIFICATE_SERIAL}, which ended on {ends:%Y-%m-%d}; "
        "take it out and add the next one, or change to public_key"
    )


def test_an_ended_certificate_beside_something_that_lasts_is_left_out_and_stops_nothing() -> None:
    ended, lasting = certificate_pem(days=2), certificate_pem(days=1800)
    later = NOW + timedelta(days=30)
    beside_key = merchant_keys(platform_certificates=(ended,))
    assert beside_key.find_fault(later) is None
    assert beside_key.without_ended(later) == merchant_keys()
    renewed = merchant_keys(**by_certificate() | {"platform_certificates": (ended, lasting)})
    assert renewed.find_fault(later) is None
    assert renewed.without_ended(later).platform_certificates == (lasting,)
    assert renewed.without_ended(NOW) == renewed


def test_the_one_of_several_ended_certificates_that_ended_last_is_named() -> None:
    pems = (certificate_pem(days=5), certificate_pem(days=2))
    keys = merchant_keys(**by_certificate() | {"platform_certificates": pems})
    fault = keys.find_fault(NOW + timedelta(days=30))
    assert fault is not None
    assert f"which ended on {NOW + timedelta(days=4):%Y-%m-%d}; take it out" in fault


@pytest.mark.parametrize(
    ("changes", "serial"),
    [(dict, PUBLIC_KEY_ID), (by_certificate, CERTIFICATE_SERIAL), (by_either, PUBLIC_KEY_ID)],
    ids=["public key", "certificate", "both"],
)
def test_an_account_works_in_either_key_mode_and_asks_nobody_for_keys(
    provider: Provider, changes: Changes, serial: str
) -> None:
    asked: list[str] = []
    answers = provider.book.keys.for_answer

    def note(caller: Any, asked_serial: str) -> Any:
        asked.append(asked_serial)
        return answers(caller, asked_serial)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provider.book.keys, "for_answer", note)
        channel = provider.channel(**changes())
        number = f"MZ-keys-{serial[:10]}-{len(changes())}"
        channel.order(order_request(number), real_now())
        assert channel.query(number).state is ProviderState.WAITING
    assert asked == [serial] * 2


def test_an_answer_signed_with_the_old_key_is_believed_while_both_are_given() -> None:
    body = b'{"prepay_id": "wx1"}'
    headers = {"Content-Type": "application/json"} | signed(body, real_now(), key="certificate")
    with answering(lambda: (200, headers, body)) as url:
        moving = WeChatPayChannel(merchant_keys(**by_either()), url)
        assert moving.order(order_request(), real_now())["package"] == "prepay_id=wx1"
        moved = WeChatPayChannel(merchant_keys(), url)
        with pytest.raises(ChannelUnreachable, match="untrusted answer"):
            moved.order(order_request(), real_now())


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "NOT_ENOUGH", ChannelRefused),
        (403, "RULE_LIMIT", ChannelRefused),
        (400, "INVALID_REQUEST", ChannelRefused),
        (429, "FREQUENCY_LIMITED", ChannelUnreachable),
        (403, "FREQUENCY_LIMITED", ChannelUnreachable),
        (400, "SYSTEM_ERROR", ChannelUnreachable),
        (500, "SYSTEM_ERROR", ChannelUnreachable),
        (500, "NOT_ENOUGH", ChannelUnreachable),
    ],
)
def test_only_a_refusal_for_good_is_a_refusal(
    status: int, code: str, error: type[Exception]
) -> None:
    body = f'{{"code": "{code}", "message": ""}}'.encode()
    answer = (status, {"Content-Type": "application/json"}, body)
    with answering(lambda: answer) as url, pytest.raises(error, match=code):
        WeChatPayChannel(merchant_keys(), url).query("MZ20261123A01")


@pytest.mark.parametrize(
    ("url", "valid"),
    [
        ("https://api.mch.weixin.qq.com", True),
        ("http://127.0.0.1:8100/", True),
        ("https://api.mch.weixin.qq.com/v3", False),
        ("https://api.mch.weixin.qq.com?a=b", False),
        ("https://api.mch.weixin.qq.com#top", False),
        ("https://", False),
        ("https://[", False),
        ("http://host:port", False),
        ("ftp://api.mch.weixin.qq.com", False),
        ("api.mch.weixin.qq.com", False),
    ],
)
def test_a_gateway_is_a_scheme_and_a_host(url: str, valid: bool) -> None:
    assert valid_gateway(url) is valid
