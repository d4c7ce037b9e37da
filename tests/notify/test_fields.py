"""Whatever the words are, WeChat takes the fields: checked by the sandbox's own strict rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.fields import fit
from sandbox.account.fields import refusal


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("thing1", "3-2-501 等2户", "3-2-501 等2户"),
        (
            "thing1",
            "花园小区一期东区三号楼二单元五零一室及地下车位",
            "花园小区一期东区三号楼二单元五零一室及…",
        ),
        ("thing1", "已缴清🎉\n谢谢", "已缴清 谢谢"),
        ("thing1", "①", "-"),
        ("character_string4", "2026-000017", "2026-000017"),
        ("character_string4", "收据 2026-000017 号", "2026-000017"),
        ("character_string4", "x" * 40, "x" * 32),
        ("amount2", "1234.50元", "1234.50元"),
        ("amount2", "1,234.50 元", "1234.50元"),
        ("time3", "2026年11月1日~2026年11月30日", "2026年11月1日~2026年11月30日"),
        ("time3", "2026-11-23 09:05", "2026-11-23 09:05"),
        ("phrase1", "已经逾期了很久", "已经逾期了"),
    ],
)
def test_a_value_is_cut_to_what_the_field_takes(field: str, value: str, shown: str) -> None:
    assert fit(field, value) == shown
    assert refusal(field, shown) is None


@given(st.text(max_size=60))
def test_no_text_makes_a_field_be_refused(text: str) -> None:
    for field in ("thing1", "character_string2"):
        assert refusal(field, fit(field, text)) is None
