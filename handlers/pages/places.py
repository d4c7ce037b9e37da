"""Where the browser is that asks for a page, by what it says of itself."""

import re

from flask import request

from billing.payment_channels import Place

WECHAT_BROWSER = "MicroMessenger"
ALIPAY_BROWSER = "AlipayClient"
MOBILE = re.compile(r"Mobile|Android|iPhone|iPad|HarmonyOS|OpenHarmony")


def place_of(user_agent: str) -> Place:
    """The place of a browser that names itself so.

    >>> place_of("Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0.50")
    <Place.WECHAT: 'wechat'>
    >>> place_of("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/142")
    <Place.DESKTOP: 'desktop'>
    """
    if WECHAT_BROWSER in user_agent:
        return Place.WECHAT
    if ALIPAY_BROWSER in user_agent:
        return Place.ALIPAY
    return Place.PHONE if MOBILE.search(user_agent) else Place.DESKTOP


def here() -> Place:
    """The place of the browser that asks now."""
    return place_of(request.headers.get("User-Agent", ""))
