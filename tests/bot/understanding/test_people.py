"""Who is spoken of, and who somebody says he is: read exactly or not at all."""

import pytest

from bot.understanding import read_person, read_relation


@pytest.mark.parametrize(
    "said",
    [
        "绑定 3-2-501 张伟 13800001234",
        "绑定3栋2单元501 张伟13800001234",
        "绑定3-2-501张伟13800001234",
        "绑定3-2-501 13800001234 张伟",
        "我是3-2-501的张伟，电话13800001234，帮我绑定",
        "绑定 3-2-501，我叫张伟，手机号是138 0000 1234",
        "姓名：张伟 房号3-2-501 电话：138-0000-1234",
        "帮我绑定3-2-501 我是业主张伟 13800001234",
        "绑定 3-2-501 电话１３８００００１２３４ 姓名张伟",
        "綁定 3-2-501 張偉 13800001234",
    ],
)
def test_a_name_and_a_number_are_read_as_people_write_them(said: str) -> None:
    assert read_person(said) == ("张伟", "13800001234")


@pytest.mark.parametrize(
    "said",
    [
        "绑定 3-2-501",
        "绑定 花园小区 3-2-501 13800001234",
        "绑定 3-2-501 张伟",
        "绑定 3-2-501 张伟 13800001234 13800001235",
        "绑定 3-2-501 张伟 138000012345",
        "绑定 3-2-501 张伟 1380000123",
        "帮我绑定 13800001234 谢谢",
    ],
)
def test_without_both_nobody_is_named(said: str) -> None:
    assert read_person(said) is None


def test_names_of_four_characters_and_of_minorities_are_whole() -> None:
    assert read_person("绑定 3-2-501 欧阳娜娜 13800001234") == ("欧阳娜娜", "13800001234")
    said = "绑定 3-2-501 买买提·热合曼 13800001234"
    assert read_person(said) == ("买买提·热合曼", "13800001234")


@pytest.mark.parametrize(
    ("said", "relation"),
    [
        ("给租客绑定", {"guest": "tenant"}),
        ("绑定 房客", {"guest": "tenant"}),
        ("让我老婆也能看账单", {"guest": "member"}),
        ("帮我爸绑定3-2-501", {"guest": "member"}),
        ("我是租客，绑定3-2-501", {"as": "tenant"}),
        ("我们是新来的租户想绑定", {"as": "tenant"}),
        ("我是业主 绑定3-2-501", {"as": "owner"}),
        ("解绑 3-2-501 租户 2", {"guest": "tenant", "which": "2"}),
        ("解绑 家庭成员1", {"guest": "member", "which": "1"}),
        ("绑定 3-2-501", {}),
        ("我租的房子要解绑", {}),
    ],
)
def test_who_is_spoken_of(said: str, relation: dict[str, str]) -> None:
    assert read_relation(said) == relation
