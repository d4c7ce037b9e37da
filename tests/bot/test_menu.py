"""The menu keeps WeChat's limits, and every button is answered."""

from collections.abc import Iterator
from typing import Any

from bot.menu import menu
from handlers.chat.routes import ROUTES
from handlers.chat.topics import Topic
from tests.town import Town


def buttons() -> Iterator[dict[str, Any]]:
    for button in menu()["button"]:
        yield from button.get("sub_button", [button])


def test_the_menu_keeps_wechats_limits() -> None:
    top = menu()["button"]
    assert 1 <= len(top) <= 3
    for button in top:
        assert len(button["name"].encode()) <= 16
        assert len(button["name"]) <= 4, "more than four characters are not shown"
        assert len(button.get("sub_button", [])) <= 5
    for button in buttons():
        assert set(button) == {"type", "name", "key"}
        assert button["type"] == "click"
        assert len(button["name"].encode()) <= 60
        assert len(button["name"]) <= 8, "more than eight characters are not shown"
        assert len(button["key"].encode()) <= 128


def test_no_button_is_there_twice_and_each_leads_somewhere() -> None:
    keys = [button["key"] for button in buttons()]
    assert len(keys) == len(set(keys))
    assert set(keys) <= {topic.value for topic in Topic} & set(ROUTES)


def test_every_button_is_answered(town: Town) -> None:
    phone = town.owner("3-2-501")
    for button in buttons():
        heard = phone.taps(button["key"])
        assert heard.status == 200
        assert heard.text, button["name"]
        heard.hides("编号", "答不上来")
