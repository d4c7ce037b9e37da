"""What names a person or a home is hidden; what was wanted can still be read."""

import pytest

from billing.masking import mask_sentence

HIDDEN = [
    ("我叫张伟，10月水费多了", "我叫【姓名】，10月水费多了"),
    ("本人李华要求退费", "本人【姓名】要求退费"),
    ("王女士的账单", "【姓名】女士的账单"),
    ("户主：欧阳春梅，账单发我", "户主：【姓名】，账单发我"),
    ("绑定 3-2-501 张伟 13800001234", "绑定 【房号】 【姓名】 【电话】"),
    ("打138 0000 1234找我", "打【电话】找我"),
    ("１３８００００１２３４", "【电话】"),
    ("+86 13800001234", "【电话】"),
    ("座机010-55500100没人接", "座机【电话】没人接"),
    ("幺三八零零零零一二三四", "【号码】"),
    ("身份证11010119900307123X", "身份证【证件号】"),
    ("卡号6222 0200 0000 1234 567", "卡号【号码】"),
    ("车牌京A12345停了", "车牌【车牌】停了"),
    ("粤BD12345是我的", "【车牌】是我的"),
    ("发到zhang.wei@example.com", "发到【邮箱】"),
    ("oABCDEFG1234567890_abcd是谁", "【编号】是谁"),
    ("3-2-501水费", "【房号】水费"),
    ("三号楼2单元五零一室账单", "【房号】账单"),
    ("3栋501欠多少", "【房号】欠多少"),
    ("18层03室", "【房号】"),
    ("501室", "【房号】"),
    ("三杠二杠五零一的账单", "【房号】的账单"),
    ("嗯三栋嗯二单元嗯五零一", "嗯【房号】"),
    ("3棟2單元503", "【房号】"),
    ("B1-088车位", "【房号】车位"),
]

KEPT = [
    "3栋10月的收缴率",
    "2026-11-23的账单",
    "2026-01/2026-03",
    "10-11月的电费320.50元",
    "交五百块",
    "余额",
    "谢谢",
    "方便吗",
    "业主多少人",
    "我是业主，水费不对",
    "100多户没交",
    "我要投诉保安",
    "房东不交",
    "",
]


@pytest.mark.parametrize(("text", "masked"), HIDDEN)
def test_personal_data_is_hidden(text: str, masked: str) -> None:
    assert mask_sentence(text) == masked


@pytest.mark.parametrize("text", KEPT)
def test_what_was_wanted_is_kept(text: str) -> None:
    assert mask_sentence(text) == text


@pytest.mark.parametrize("text", [text for text, _ in HIDDEN])
def test_masking_twice_changes_nothing(text: str) -> None:
    assert mask_sentence(mask_sentence(text)) == mask_sentence(text)
