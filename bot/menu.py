"""The official account's menu as code, published by `mingzhang wechat menu`.

Limits (developers.weixin.qq.com, 自定义菜单): 3 buttons, 5 sub-buttons each; names up to 16 bytes
above and 60 below, of which 4 and 8 Chinese characters are shown.
"""

from typing import Any

from billing.labels import LabelEnum
from handlers.chat.topics import Topic


class Button(LabelEnum):
    """Buttons whose words are not the name of a topic."""

    MY_BILLS = "my_bills", "我的账单"
    MORE = "more", "更多"


BILLS = (Topic.DUE, Topic.DETAIL, Topic.HISTORY, Topic.PAYMENTS, Topic.BALANCE)
MORE = (Topic.TARIFF, Topic.BIND, Topic.ROOMS, Topic.HUMAN, Topic.HELP)


def menu() -> dict[str, Any]:
    """The menu as `menu/create` takes it; the key of every button is a topic of the chat."""
    return {
        "button": [
            _group(Button.MY_BILLS, BILLS),
            _click(Topic.PAY),
            _group(Button.MORE, MORE),
        ]
    }


def _click(topic: Topic) -> dict[str, Any]:
    return {"type": "click", "name": topic.label, "key": topic.value}


def _group(button: Button, topics: tuple[Topic, ...]) -> dict[str, Any]:
    return {"name": button.label, "sub_button": [_click(topic) for topic in topics]}
