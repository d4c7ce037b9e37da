"""The in-app browser: the service's pages under the phone's own prefix."""

from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Response, make_response, redirect, request
from sandbox_world import APP_ID, Keys, Service, World, html, world

from sandbox.phone.pages import frameable
from sandbox.phone.rewrite import BRIDGE, rewrite_page

ANN = "oAnn"


def web(here: World, path: str, openid: str = ANN, **options: Any) -> requests.Response:
    """Load a page in the phone's browser, without following redirects."""
    url = f"{here.api.url}/phone/{openid}/web{path}"
    method = "POST" if "data" in options else "GET"
    return requests.request(method, url, allow_redirects=False, timeout=30, **options)


def test_links_stay_inside_and_the_page_gets_the_bridge(shared: World) -> None:
    service = shared.service
    shared.service.pages["links"] = lambda: html(
        f'<a href="/o/1?a=1&amp;b=2">甲</a><img src="/static/x.png" alt="/">'
        f'<a href="{service.url}/o/2#top">乙</a><a href="//cdn.example/x">丙</a>'
        f'<a href="https://a.example/">丁</a><form action="/pay"></form><a href="next">戊</a>'
        f'<div data-return="/o/3" data-jsapi=\'{{"a": "/b"}}\'>"/text" &amp; &#39;</div>'
    )
    page = web(shared, "/links").text
    prefix = f"/phone/{ANN}/web"
    assert f'<a href="{prefix}/o/1?a=1&amp;b=2">' in page
    assert f'src="{prefix}/static/x.png"' in page
    assert f'<a href="{prefix}/o/2#top">' in page
    assert '<a href="//cdn.example/x">' in page
    assert '<a href="https://a.example/">' in page
    assert f'<form action="{prefix}/pay">' in page
    assert '<a href="next">' in page
    assert f'data-return="{prefix}/o/3"' in page
    assert '"/text" &amp; &#39;</div>' in page
    assert page.index(BRIDGE) < page.index("</head>")
    assert page.count(BRIDGE) == 1


def test_a_page_that_needs_no_change_keeps_every_letter() -> None:
    page = (
        "<!DOCTYPE html>\n<!-- 注释 --><html><HEAD><title>&lt;a&gt;</title></head>"
        "<body class=x data-y><script>if (a < 1 && '</p>') {}</script><br/>&nbsp;文字</body></html>"
    )
    assert rewrite_page(page, lambda value: value) == page.replace("</head>", f"{BRIDGE}</head>")


def test_a_page_without_a_head_gets_the_bridge_in_front() -> None:
    assert rewrite_page("<p>好</p>", lambda value: value) == f"{BRIDGE}<p>好</p>"


def test_the_service_sees_wechats_browser_and_no_proxy(shared: World) -> None:
    shared.service.pages["seen"] = lambda: html("")
    headers = {
        "User-Agent": "desktop",
        "X-Forwarded-For": "192.0.2.1",
        "X-CSRFToken": "t",
        "Referer": f"{shared.api.url}/phone/oFresh/web/from?x=1",
        "Origin": shared.api.url,
        "Cookie": "own=1",
    }
    web(shared, "/seen", "oFresh", headers=headers)
    seen = shared.service.visits[-1]
    assert "MicroMessenger" in seen["user-agent"]
    assert not any(name.startswith("x-forwarded") for name in seen)
    assert seen["x-csrftoken"] == "t"
    assert seen["referer"] == f"{shared.service.url}/from?x=1"
    assert seen["origin"] == shared.service.url
    assert "cookie" not in seen
    assert seen["host"] == shared.service.url.removeprefix("http://")


def test_cookies_stay_with_the_phone_and_never_reach_the_browser(shared: World) -> None:
    def page() -> Response:
        answer = make_response(html(f"<p>{request.cookies.get('who', '谁')}</p>"))
        answer.set_cookie("who", "oAnn", httponly=True, samesite="Lax")
        return answer

    shared.service.pages["cookie"] = page
    first, second = web(shared, "/cookie"), web(shared, "/cookie")
    assert "Set-Cookie" not in first.headers
    assert "<p>谁</p>" in first.text
    assert "<p>oAnn</p>" in second.text
    assert "<p>谁</p>" in web(shared, "/cookie", "oBen").text


def test_the_address_reaches_the_service_as_it_was_written(shared: World) -> None:
    shared.service.pages["o/甲"] = lambda: html(str(request.environ["RAW_URI"]))
    assert "<body>/o/%E7%94%B2?x=%2F&y</body>" in web(shared, "/o/%E7%94%B2?x=%2F&y").text


def test_a_form_is_posted_as_it_is(shared: World) -> None:
    shared.service.pages["form"] = lambda: html(request.form["text"])
    assert "甲&乙" in web(shared, "/form", data={"text": "甲&乙"}).text


def test_a_download_passes_unchanged(shared: World) -> None:
    shared.service.pages["file"] = lambda: Response(
        b"\x00/x", headers={"Content-Type": "text/csv", "Content-Disposition": "attachment"}
    )
    answer = web(shared, "/file")
    assert answer.content == b"\x00/x"
    assert answer.headers["Content-Disposition"] == "attachment"


@pytest.mark.parametrize(
    ("target", "inside"),
    [
        ("/o/1?x=1", f"/phone/{ANN}/web/o/1?x=1"),
        ("1", f"/phone/{ANN}/web/sub/1"),
        ("https://a.example/x", f"/phone/{ANN}/open?url=https%3A%2F%2Fa.example%2Fx"),
    ],
)
def test_a_redirect_stays_inside(target: str, inside: str, shared: World) -> None:
    shared.service.pages["sub/go"] = lambda: redirect(target)
    answer = web(shared, "/sub/go")
    assert (answer.status_code, answer.headers["Location"]) == (302, inside)


def test_a_redirect_to_sign_in_comes_back_with_this_persons_code(shared: World) -> None:
    back = f"{shared.service.url}/back"
    query = f"appid={APP_ID}&redirect_uri={back}&response_type=code&scope=snsapi_base&state=s"
    for base in (shared.api.url, "https://open.weixin.qq.com"):
        shared.service.pages["go"] = lambda base=base: redirect(
            f"{base}/connect/oauth2/authorize?{query}#wechat_redirect"
        )
        location = web(shared, "/go").headers["Location"]
        assert location.startswith(f"/phone/{ANN}/web/back?code=")
        assert location.endswith("&state=s")


@pytest.mark.parametrize(
    "changed",
    [
        "appid=other",
        "scope=snsapi_userinfo",
        "redirect_uri=http://evil.example/",
        "response_type=x",
    ],
)
def test_a_wrong_sign_in_link_says_what_is_wrong(changed: str, shared: World) -> None:
    query = {
        "appid": APP_ID,
        "redirect_uri": f"{shared.service.url}/back",
        "response_type": "code",
        "scope": "snsapi_base",
    }
    name, _, value = changed.partition("=")
    request_ = requests.Request(
        "GET", "http://w/connect/oauth2/authorize", params=query | {name: value}
    )
    url = str(request_.prepare().url)
    answer = shared.api.get(f"/phone/{ANN}/open", params={"url": url})
    assert answer.status_code == 502
    assert name in answer.text


def test_an_address_elsewhere_is_not_opened(shared: World) -> None:
    answer = shared.api.get(f"/phone/{ANN}/open", params={"url": "http://a.example/<b>"})
    assert "沙箱里的手机只打开本服务的网页" in answer.text
    assert "<b>" not in answer.text


def test_an_address_of_the_service_is_opened(shared: World) -> None:
    shared.service.pages["o/1"] = lambda: html("到了")
    answer = shared.api.get(f"/phone/{ANN}/open", params={"url": f"{shared.service.url}/o/1?x=1"})
    assert "到了" in answer.text


def test_the_policy_of_a_page_holds_but_for_the_frame(shared: World) -> None:
    def page() -> Response:
        answer = make_response(html(""))
        answer.headers["X-Frame-Options"] = "DENY"
        answer.headers["Content-Security-Policy"] = "default-src 'self'; frame-ancestors 'none'"
        return answer

    shared.service.pages["policy"] = page
    headers = web(shared, "/policy").headers
    assert headers["Content-Security-Policy"] == "default-src 'self'"
    assert "X-Frame-Options" not in headers


def test_only_what_forbids_the_frame_is_taken_from_a_policy() -> None:
    policy = "default-src 'self';Frame-Ancestors 'none'; upgrade-insecure-requests ;img-src data:"
    assert frameable(policy) == "default-src 'self'; img-src data:"


def test_a_service_that_is_down_is_said_kindly(tmp_path: Path, platform: Keys) -> None:
    with world(tmp_path, platform, Service(), service_url="http://127.0.0.1:9") as here:
        answer = web(here, "/")
    assert answer.status_code == 502
    assert "网页打不开" in answer.text
