"""A conversation: what was said before counts, is corrected, chosen from, and left."""

from tests.town import Town


def test_another_month_asks_for_the_same_again(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says("明细").shows("2026年11月账单")
    zhang.says("那上个月呢").shows("2026年10月账单")
    zhang.says("9月的").shows("2026年9月账单")


def test_a_correction_changes_what_was_named_and_keeps_the_wish(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says(f"绑定 {town.code_for('1-1-302')}").shows("绑定成功")
    zhang.says("明细 3-2-501 10月").shows("3-2-501", "2026年10月账单")
    zhang.says("不是，我说的是1栋1单元302").shows("1-1-302", "2026年10月账单")
    zhang.says("说错了，是9月").shows("1-1-302", "2026年9月账单")


def test_a_building_corrects_the_building(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says("账单 3栋2单元501").shows("3-2-501")
    zhang.says("不是，是1栋").shows("没有绑定 1-2-501")


def test_a_fee_behind_what_has_no_fees_begins_anew(town: Town) -> None:
    zhang = town.owner("3-2-501")  # bound just now
    zhang.says("物业费").hides("绑定码")
    zhang.says("提醒设置").shows("到期前提醒")
    zhang.says("上个月的").hides("到期前提醒")


def test_a_choice_is_taken_by_its_number_or_its_words(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says(f"绑定 {town.code_for('1-1-302')}").shows("绑定成功")
    town.forget(zhang)
    asked = zhang.says("10月明细").shows("哪一套", "1. 3-2-501", "2. 1-1-302")
    assert asked.offers == ["3-2-501", "1-1-302"]
    zhang.says("第1个").shows("3-2-501", "2026年10月账单")
    town.forget(zhang)
    zhang.says("10月明细").shows("哪一套")
    zhang.says("1-1-302").shows("1-1-302", "2026年10月账单")


def test_a_number_nobody_offered_chooses_nothing(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says("账单").shows("待缴")
    zhang.says("7").hides("3-2-501")


def test_a_guess_of_ours_is_done_at_the_next_word(town: Town) -> None:
    zhang = town.owner("3-2-501")
    guessed = zhang.says(UNCLEAR)
    guessed.shows("您是想问")
    zhang.says("对的").shows("3-2-501").hides("您是想问")
    zhang.says(UNCLEAR).shows("您是想问")
    zhang.says("不是").shows("理解错了")
    zhang.says("是的").hides("3-2-501")


def test_cancel_always_leaves(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says("取消").shows("没有正在办理")
    zhang.says("解绑").shows("确认解绑")
    zhang.says("算了").hides("已解绑")
    zhang.says("确认解绑").hides("已解绑")
    zhang.says("10月明细").shows("2026年10月账单")
    zhang.says("取消").shows("没有正在办理")
    zhang.says("9月的").hides("9月账单 ")


UNCLEAR = "钱的事"
