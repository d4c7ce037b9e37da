"""Sentences without a wish of their own change the wish before them, and nothing else does."""

import pytest

from bot.understanding import change, understand
from tests.bot.understanding.examples import TODAY


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("那上个月呢", {"period": "2026-10"}),
        ("十月的呢？", {"period": "2026-10"}),
        ("电费呢", {"fee": "electricity"}),
        ("那水费和燃气费呢", {"fee": ["water", "gas"]}),
        ("3-2-501", {"room": "3-2-501"}),
        ("不是，我说的是3号楼2单元501", {"room": "3-2-501"}),
        ("不是，是5栋", {"audience": "building:5"}),
        ("不是3栋，是5栋", {"audience": "building:5"}),
        ("不对，是9月的", {"period": "2026-09"}),
        ("说错了，是9月的", {"period": "2026-09"}),
        ("500块", {"amount": 50000}),
    ],
)
def test_a_sentence_that_only_names_something(text: str, changed: object) -> None:
    assert understand(text, today=TODAY, staff=False).follow_up == changed


@pytest.mark.parametrize(
    "text",
    [
        "账单",
        "上个月为什么这么贵",
        "帮我交水费",
        "你好",
        "谢谢",
        "是的",
        "上个月的发票开了吗",
        "不要",
        "停车费不对啊",
        "上个月的水费不对",
        "🙂",
    ],
)
def test_a_sentence_with_a_wish_of_its_own_or_none_at_all_changes_nothing(text: str) -> None:
    assert understand(text, today=TODAY, staff=False).follow_up is None


def test_a_building_corrects_the_building_of_the_room() -> None:
    wish = {"room": "3-2-501", "period": "2026-10"}
    assert change(wish, {"audience": "building:5"}) == {"room": "5-2-501", "period": "2026-10"}
    assert change({"period": "2026-10"}, {"audience": "building:5"}) == {
        "period": "2026-10",
        "audience": "building:5",
    }
