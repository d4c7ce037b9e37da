"""Stories of binding: by code, by scene, by request; and of leaving again."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from billing.binding_requests import decide_binding
from billing.bindings import Redeemed, new_code
from billing.facts import Fact, FactKind
from billing.people import Binding, BindingAttempt, BindingState, Staff
from handlers.chat.bind import find_code
from notify.wording import TEMPLATES
from tests.town import Town


def wrong_code() -> str:
    """A code that is well formed and belongs to nobody."""
    return new_code()


def test_a_stranger_learns_how_to_bind(town: Town) -> None:
    stranger = town.phone("o-stranger")
    stranger.follows().shows("欢迎关注", "绑定码", "绑定 3-2-501")
    stranger.says("账单").shows("还没有绑定").hides("待缴")
    stranger.says("绑定").shows("绑定码")


def test_a_home_is_bound_by_its_code_once(town: Town) -> None:
    zhang, code = town.phone("o-zhang"), town.code_for("3-2-501")
    zhang.says(f"绑定 {code}").shows("绑定成功", "花园小区 3-2-501", "业主")
    zhang.says("我的房屋").shows("3-2-501")
    zhang.says(f"绑定 {code}").shows("已经用过", "3-2-501")
    town.phone("o-li").says(f"绑定 {code}").shows("已被使用")
    town.phone("o-li").says("账单").shows("还没有绑定")


@pytest.mark.parametrize(
    "say", ["绑定{}", "绑定：{}", "绑定 {} 谢谢", "{}", "我的绑定码是{}", "绑定  {}。", "绑 定 {}"]
)
def test_a_code_is_found_in_any_sentence(town: Town, say: str) -> None:
    code = town.code_for("3-2-501")
    while not any(character.isalpha() for character in code):
        code = town.code_for("3-2-501")
    town.phone("o-zhang").says(say.format(code)).shows("绑定成功")


def test_lower_case_and_spaces_in_a_code_are_forgiven(town: Town) -> None:
    code = town.code_for("3-2-501").lower()
    town.phone("o-zhang").says(f"绑定 {code[:5]} {code[5:]}").shows("绑定成功")


def test_scanning_a_homes_code_follows_and_binds_in_one_step(town: Town) -> None:
    zhang = town.phone("o-zhang")
    zhang.follows(f"bind_{town.code_for('3-2-501')}").shows("欢迎关注", "绑定成功", "3-2-501")
    zhang.scans(f"bind_{town.code_for('3-2-502')}").shows("绑定成功", "3-2-502").hides("欢迎")
    zhang.says("我的房屋").shows("3-2-501", "3-2-502")


def test_a_mistyped_code_is_not_a_guess(town: Town) -> None:
    zhang = town.phone("o-zhang")
    code = town.code_for("3-2-501")
    mistyped = code[:-1] + ("0" if code[-1] != "0" else "1")
    for _ in range(7):
        zhang.says(f"绑定 {mistyped}").shows("输错")
    zhang.says(f"绑定 {code}").shows("绑定成功")


def test_five_wrong_codes_lock_for_an_hour_and_every_guess_is_counted(town: Town) -> None:
    guesser = town.phone("o-guesser")
    for _ in range(5):
        guesser.says(f"绑定 {wrong_code()}").shows("没有找到这个绑定码")
    code = town.code_for("3-2-501")
    guesser.says(f"绑定 {code}").shows("一小时后")
    guesser.scans(f"bind_{code}").shows("一小时后")
    with town.world.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(BindingAttempt)) == 5
    town.now += timedelta(hours=1, seconds=1)
    guesser.says(f"绑定 {code}").shows("绑定成功")


def test_an_old_code_has_expired(town: Town) -> None:
    code = town.code_for("3-2-501")
    town.now += timedelta(days=30)
    town.phone("o-zhang").says(f"绑定 {code}").shows("已过期")


def test_staff_bind_by_their_own_code(town: Town) -> None:
    zhao = town.phone("o-zhao")
    zhao.says(f"绑定 {town.staff_code()}").shows("员工身份绑定成功")
    follower = town.follower(zhao)
    with town.world.database.transaction() as session:
        assert session.scalar(select(Staff.login).where(Staff.follower_id == follower.id))
    zhao.says("账单").shows("还没有绑定")


def test_every_outcome_of_a_code_has_its_sentence() -> None:
    for outcome in Redeemed:
        assert (TEMPLATES / "chat" / "bind" / f"{outcome.value}.txt").exists()


def test_a_room_without_a_code_is_asked_of_staff(town: Town) -> None:
    zhang = town.phone("o-zhang")
    zhang.says("绑定 3-2-501").shows("已收到", "花园小区 3-2-501", "审核")
    zhang.says("绑定 3-2-501").shows("正在审核")
    zhang.says("账单").shows("还没有绑定")
    with town.world.database.transaction() as session:
        [fact] = session.scalars(select(Fact).where(Fact.kind == FactKind.BINDING_REQUESTED)).all()
        decide_binding(session, fact.community_id, fact.ref_id, approve=True, now=town.now)
    zhang.says("账单").shows("待缴")
    zhang.says("绑定 3-2-501").shows("已经绑定了")


def test_a_room_that_does_not_exist_cannot_be_asked_for(town: Town) -> None:
    town.phone("o-zhang").says("绑定 9-9-999").shows("没有找到房号 9-9-999")


def test_one_follower_cannot_flood_staff_with_requests(town: Town) -> None:
    flooder = town.phone("o-flooder")
    for room in ("3-2-501", "3-2-502", "3-1-303"):
        flooder.says(f"绑定 {room}").shows("已收到")
    flooder.says("绑定 1-1-302").shows("多个绑定申请在审核")


def test_unbinding_needs_a_second_word(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says("解绑").shows("3-2-501", "确认解绑")
    zhang.says("取消").shows("没有解绑")
    zhang.says("确认解绑").hides("已解绑")
    zhang.says("账单").shows("待缴")
    zhang.says("解绑").shows("确认解绑")
    zhang.says("“确认解绑”").shows("已解绑", "3-2-501")
    zhang.says("账单").shows("还没有绑定")


def test_another_sentence_closes_the_question(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says("解绑").shows("确认解绑")
    zhang.says("账单").shows("待缴")
    zhang.says("确认解绑").hides("已解绑")
    zhang.says("我的房屋").shows("3-2-501")


def test_of_several_homes_only_the_named_one_is_unbound(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says(f"绑定 {town.code_for('3-2-502')}").shows("绑定成功")
    zhang.says("解绑").shows("1. 3-2-501", "2. 3-2-502")
    zhang.says("解绑 3-2-502").shows("3-2-502", "确认解绑")
    zhang.says("确认解绑").shows("已解绑", "3-2-502")
    zhang.says("我的房屋").shows("3-2-501").hides("3-2-502")


def test_a_home_unbound_meanwhile_is_not_unbound_twice(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.says("解绑").shows("确认解绑")
    with town.world.database.transaction() as session:
        [binding] = session.scalars(
            select(Binding).where(Binding.state == BindingState.ACTIVE)
        ).all()
        binding.state = BindingState.ENDED
        binding.ended_at = town.now - timedelta(minutes=1)
    zhang.says("确认解绑").shows("不用再解绑")
    with town.world.database.transaction() as session:
        [again] = session.scalars(select(Binding)).all()
        assert again.ended_at == town.now - timedelta(minutes=1)


def test_leaving_and_coming_back_keeps_the_homes(town: Town) -> None:
    zhang = town.owner("3-2-501")
    zhang.unfollows()
    assert town.follower(zhang).unfollowed_at == town.now
    town.now += timedelta(days=1)
    zhang.follows().shows("欢迎回来", "3-2-501")
    follower = town.follower(zhang)
    assert follower.unfollowed_at is None
    assert follower.followed_at == town.now


def test_a_message_opens_the_service_window_and_proves_that_they_follow(town: Town) -> None:
    zhang = town.phone("o-zhang")
    zhang.follows()
    assert town.follower(zhang).last_message_at is None
    zhang.says("账单")
    assert town.follower(zhang).last_message_at == town.now
    zhang.unfollows()
    zhang.says("账单")
    assert town.follower(zhang).unfollowed_at is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("绑定 7K9QF2M8TX", "7K9QF2M8TX"),
        ("绑定7k9qf-2m8tx谢谢", "7k9qf-2m8tx"),
        ("绑定 ７Ｋ９ＱＦ２Ｍ８ＴＸ", "7K9QF2M8TX"),
        ("绑定 7K9QF2M8", "7K9QF2M8"),
        ("绑定 3-2-501", None),
        ("绑定", None),
        ("绑定 12栋3单元1105", None),
    ],
)
def test_what_a_person_may_have_meant_as_a_code(text: str, code: str | None) -> None:
    assert find_code(text) == code
