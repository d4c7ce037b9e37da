"""群发 as a conversation: asked for, previewed, confirmed, taken back; by those who may."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from billing.home_tags import add_tag
from billing.people import Staff, StaffRole, get_staff
from notify import broadcasts
from notify.approved import Approved
from notify.broadcast_sending import send_due
from notify.broadcast_tables import Broadcast
from notify.broadcasts import confirm_broadcast
from notify.catalog import NoticeKind, Transport, Urgency
from notify.freeze import Press
from notify.intake import take_facts
from notify.outbox import Message, MessageState
from notify.template_tables import NoticeRoute, NoticeTemplate
from tests.phone import Phone
from tests.town import Town
from tests.waiting import wait_until_somebody_waits

BODY = "明天上午9:00停水，请储水"


@pytest.fixture
def manager(town: Town) -> Phone:
    """赵经理's phone; two homes of the third building and one of the first are bound."""
    for room in ("3-2-501", "3-2-502", "1-1-302"):
        town.owner(room)
    phone = town.phone("o-manager")
    phone.says(f"绑定 {town.staff_code()}").shows("绑定成功")
    return phone


@pytest.fixture
def service(town: Town) -> Phone:
    """刘客服's phone."""
    phone = town.phone("o-service")
    phone.says(f"绑定 {town.staff_code('liu')}").shows("绑定成功")
    return phone


def kept(town: Town) -> list[tuple[str, str, str]]:
    """(audience, body, state) of every broadcast, in order."""
    with town.world.database.transaction() as session:
        found = session.scalars(select(Broadcast).order_by(Broadcast.id))
        return [(one.audience, one.body, one.state.value) for one in found]


def test_one_sentence_is_previewed_confirmed_and_taken_back(town: Town, manager: Phone) -> None:
    preview = manager.says(f"群发 3栋：{BODY}")
    preview.shows("还没有发送", "花园小区 3栋业主", "共 2 人", f"【花园小区 物业通知】\n{BODY}")
    assert preview.offers == ["确认群发"]
    assert kept(town) == [("building:3", BODY, "draft")]
    queued = manager.says("1").shows("一分钟后发出", "共 2 人")
    assert queued.offers == ["取消群发"]
    assert kept(town) == [("building:3", BODY, "queued")]
    manager.says("取消群发").shows("已取消，没有人收到")
    assert kept(town) == [("building:3", BODY, "cancelled")]


def test_what_is_missing_is_asked_for(town: Town, manager: Phone) -> None:
    asked = manager.says("群发").shows("要发给谁")
    assert asked.offers == ["全体业主", "欠费业主", "有车位的业主"]
    manager.says("2").shows("逾期未缴的业主", "下一条消息就是正文")
    manager.says("好的").shows("下一条消息就是正文")
    manager.says("请您抽空核对账单").shows("逾期未缴的业主", "共 1 人", "请您抽空核对账单")
    assert kept(town) == [("overdue", "请您抽空核对账单", "draft")]


def test_the_word_alone_never_means_everybody(town: Town, manager: Phone) -> None:
    manager.says(f"发通知：{BODY}").shows("要发给谁")
    manager.says("全体业主").shows("全体业主", "共 3 人", BODY)


def test_another_audience_is_another_preview_of_the_same_words(town: Town, manager: Phone) -> None:
    manager.says(f"给3栋发通知：{BODY}").shows("3栋业主", "共 2 人")
    manager.says("不是，是1栋").shows("1栋业主", "共 1 人", BODY)
    manager.says("确认群发").shows("一分钟后发出", "共 1 人")
    assert [state for _, _, state in kept(town)] == ["draft", "queued"]


def test_a_building_in_the_words_is_no_audience(town: Town, manager: Phone) -> None:
    manager.says("群发 全体业主：1栋电梯周三检修").shows("发给：花园小区 全体业主", "共 3 人")


@pytest.mark.parametrize("no", ["取消", "算了", "不用了", "取消群发"])
def test_a_no_sends_nothing(town: Town, manager: Phone, no: str) -> None:
    manager.says(f"群发 3栋：{BODY}").shows("还没有发送")
    manager.says(no).hides("发出，")
    assert kept(town) == [("building:3", BODY, "cancelled")]
    manager.says("确认群发").shows("没有可以操作的群发")


def test_a_preview_that_was_left_cannot_be_confirmed(town: Town, manager: Phone) -> None:
    manager.says(f"群发 3栋：{BODY}")
    manager.says("收缴率").shows("应收")
    manager.says("确认群发").shows("没有可以操作的群发")
    assert kept(town) == [("building:3", BODY, "draft")]


def test_unknown_places_and_empty_ones_are_said(town: Town, manager: Phone) -> None:
    manager.says(f"群发 3栋和9栋：{BODY}").shows("没有找到 9栋")
    manager.says("4栋1单元").shows("没有找到 4栋1单元")
    manager.says("2栋").shows("2栋业主", "没有人能收到")
    manager.says("确认群发").shows("没有可以操作的群发")


def test_a_single_home_is_found_by_its_short_number(town: Town, manager: Phone) -> None:
    manager.says("群发给3-501：请来前台领钥匙").shows("3-2-501 业主", "共 1 人")
    manager.says("群发给3-9909：请来前台领钥匙").shows("没有找到 3-9909")


def test_too_long_a_text_is_asked_for_again(town: Town, manager: Phone) -> None:
    manager.says("群发 3栋").shows("下一条消息就是正文")
    manager.says("长" * 401).shows("最多 400 字")
    manager.says(BODY).shows("还没有发送", BODY)


def test_at_night_it_is_said_when_it_goes_out(town: Town, manager: Phone) -> None:
    town.now = datetime.fromisoformat("2026-11-23T21:30:00+08:00")
    manager.says(f"群发 3栋：{BODY}").shows("确认后 2026-11-24 09:00 发出")
    manager.says("确认群发").shows("将在 2026-11-24 09:00 发出")


def test_dunning_by_cutting_off_is_pointed_out(manager: Phone) -> None:
    manager.says("群发 欠费业主：再不缴就停水").shows("第944条")
    manager.says("群发 欠费业主：请您抽空核对").hides("第944条")


def test_many_readers_take_a_second_person(
    town: Town, manager: Phone, service: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasts, "ALONE_MAX", 2)
    manager.says(f"群发 全体业主：{BODY}").shows("共 3 人", "还要另一位同事同意")
    manager.says("确认群发").shows("要另一位经理或客服同意")
    [number] = [str(one) for one in numbers(town)]
    manager.says(f"同意群发 {number}").shows("要另一位经理或客服同意")
    service.says(f"同意群发{number}").shows("需要您复核", BODY)
    service.says("取消").shows("没有发送")
    assert kept(town)[0][2] == "waiting"
    service.says(f"同意群发 {number}").shows("需要您复核")
    service.says("确认群发").shows("一分钟后发出", "共 3 人")
    manager.says("取消群发").shows("已取消")
    service.says(f"同意群发 {number}").shows("已取消")


def numbers(town: Town) -> list[int]:
    with town.world.database.transaction() as session:
        return list(session.scalars(select(Broadcast.id)))


def leave(town: Town) -> None:
    """Its minute is over, and its notices are written."""
    town.now += timedelta(minutes=2)
    with town.world.database.transaction() as session:
        assert send_due(session, town.now) == 1


def arrive(town: Town, readers: int) -> None:
    """So many of the notices became messages that were sent."""
    with town.world.database.transaction() as session:
        press = Press(town.services.links, town.services.text, Approved())
        assert press.freeze_due(session, town.now, readers, Urgency.BULK) == readers
        sent = {"state": MessageState.SENT, "first_sent_at": town.now}
        session.execute(update(Message).values(**sent))


def test_on_its_way_it_is_stopped_and_what_was_sent_is_said(town: Town, manager: Phone) -> None:
    manager.says(f"群发 全体业主：{BODY}")
    manager.says("确认群发")
    leave(town)
    arrive(town, 1)
    running = manager.says("群发进度").shows("已发出 1 人", "还有 2 人在排队")
    assert running.offers == ["取消群发 1"]
    manager.says("1").shows("已中止：1 人的已经发出", "其余 2 人不再发送")
    manager.says("刚才的通知发得怎么样").shows("已中止", "没有再发 2 人：群发已中止")
    manager.says("取消群发").shows("已中止")


def test_what_is_sent_cannot_be_taken_back(town: Town, manager: Phone) -> None:
    manager.says(f"群发 3栋：{BODY}")
    manager.says("确认群发").shows("一分钟后发出")
    manager.says("群发进度").shows("待发送", "到时重新统计人数")
    leave(town)
    arrive(town, 2)
    manager.says("取消群发").shows("已发出", "2 人", "收不回来")
    manager.says("群发进度 1").shows("已发出 2 人", "点开全文 0 人").hides("排队")
    manager.says("群发进度 77").shows("没有找到 77 号群发")


def test_several_rooms_are_named_or_pasted(town: Town, manager: Phone) -> None:
    manager.says("群发给3-501、1-1-302：请来前台领钥匙").shows(
        "3-2-501、1-1-302 业主", "共 2 人，2 户"
    )
    manager.says("群发\n3-2-501\n3-2-502\n1-1-302\n请来前台领钥匙").shows("共 3 人", "请来前台")
    before = kept(town)
    manager.says("群发给3-501、3-9909、7-701：请来前台领钥匙").shows("没有找到 3-9909、7-701")
    assert kept(town) == before


def test_debts_roles_and_tags_narrow_it(town: Town, manager: Phone) -> None:
    manager.says("群发 欠费超过60天的：请您抽空核对账单").shows("逾期满 61 天未缴的业主", "共 1 人")
    manager.says("群发 欠99999元以上的业主：请您抽空核对账单").shows(
        "逾期未缴满 99,999.00 元的业主", "没有人能收到"
    )
    manager.says("群发 3栋租户：请您抽空登记").shows("3栋租户", "没有人能收到")
    manager.says("群发 3栋业主本人：请您抽空登记").shows("3栋业主本人", "共 2 人")
    with town.world.database.transaction() as session:
        by = get_staff(session, "zhao")
        add_tag(session, [town.world.unit("3-2-501")], "装修中", by=by, now=town.now)
    manager.says("群发 装修中的业主：周末请勿施工").shows("标签为装修中的业主", "共 1 人")


def test_it_is_scheduled_and_slowed_down_in_a_sentence(town: Town, manager: Phone) -> None:
    manager.says(f"群发 3栋，明天上午9点发，每分钟100条：{BODY}").shows(
        "3栋业主", "定时 2026-11-24 09:00 发出", "每分钟最多发 100 条", BODY
    )
    manager.says("改到后天晚上11点发").shows(
        "定时 2026-11-26 09:00 发出", "每分钟最多发 100 条", BODY
    )
    manager.says("确认群发").shows("将在 2026-11-26 09:00 发出")
    manager.says("群发进度").shows("2026-11-26 09:00 发出")
    manager.says(f"群发 3栋，今天早上8点发：{BODY}").shows("2026-11-23 08:00 发不了")


def test_who_is_reached_by_a_template_alone_is_counted(town: Town, manager: Phone) -> None:
    town.now += timedelta(days=3)
    town.phone("o-3-2-501").says("账单")
    manager.says(f"群发 3栋：{BODY}").shows("其中 1 人 48 小时内没来过公众号，现在收不到")


def test_the_preview_goes_by_the_ways_staff_set(town: Town, manager: Phone) -> None:
    with town.world.database.transaction() as session:
        said = {
            "kind": NoticeKind.BROADCAST,
            "set_by": get_staff(session, "zhao").id,
            "set_at": town.now,
        }
        template = {"transport": Transport.TEMPLATE, "template_id": "T1"}
        session.add(NoticeTemplate(**said, **template, fields={"thing1": "body"}))
        session.add(NoticeRoute(**said, transports=["template"]))
    manager.says(f"群发 3栋：{BODY}").shows("都发模板消息，点开看全文")
    with town.world.database.transaction() as session:
        session.execute(update(NoticeRoute).values(transports=["service"]))
    town.now += timedelta(days=3)
    town.phone("o-3-2-501").says("账单")
    manager.says(f"群发 3栋：{BODY}").shows("其中 1 人 48 小时内没来过公众号，现在收不到")


def test_who_was_told_of_it_approves_with_one_word(
    town: Town, manager: Phone, service: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasts, "ALONE_MAX", 2)
    manager.says(f"群发 全体业主：{BODY}")
    manager.says("确认群发").shows("已经通知有权复核的同事")
    with town.world.database.transaction() as session:
        take_facts(session, town.now, 100, at_once=True)
        Press(town.services.links, town.services.text, Approved()).freeze_due(
            session, town.now, 100, Urgency.AT_ONCE
        )
        session.execute(
            update(Message)
            .where(Message.kind == NoticeKind.BROADCAST_WAITING)
            .values(state=MessageState.SENT, first_sent_at=town.now)
        )
    service.says("同意群发").shows("一分钟后发出", "共 3 人")
    assert kept(town)[0][2] == "queued"


def test_who_approves_what_another_just_approved_is_told(
    town: Town, manager: Phone, service: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasts, "ALONE_MAX", 2)
    manager.says(f"群发 全体业主：{BODY}")
    manager.says("确认群发")
    service.says("同意群发").shows("需要您复核")
    with ThreadPoolExecutor(1) as pool:
        with town.world.database.transaction() as session:
            [one] = session.scalars(select(Broadcast))
            other = Staff(login="sun", name="孙", role=StaffRole.SERVICE)
            session.add(other)
            session.flush()
            confirm_broadcast(session, one.community_id, one.id, by=other, now=town.now)
            session.flush()
            late = pool.submit(service.says, "确认群发")
            wait_until_somebody_waits(town.world)
        late.result(timeout=30).shows("已经有人确认过", "待发送")
    with town.world.database.transaction() as session:
        [one] = session.scalars(select(Broadcast))
        assert one.approved_by == get_staff(session, "sun").id


def test_other_roles_and_owners_are_refused_kindly(town: Town, manager: Phone) -> None:
    accountant = town.phone("o-accountant")
    accountant.says(f"绑定 {town.staff_code('chen')}").shows("绑定成功")
    for asked in (f"群发 3栋：{BODY}", "同意群发 1", "取消群发"):
        accountant.says(asked).shows("您的角色是会计")
    owner = town.phone("o-3-2-501")
    for asked in (f"群发 3栋：{BODY}", "同意群发 1", "取消群发", "通知全体业主明天开会"):
        owner.says(asked).shows("只对物业工作人员开放")
    assert kept(town) == []


def test_a_guess_is_asked_back_and_keeps_the_words(town: Town, manager: Phone) -> None:
    heard = manager.says("催9栋欠停车费的：请尽快办理手续")
    if heard.offers == ["是的"]:
        heard = manager.says("是的")
    heard.shows("没有找到 9栋")
    manager.says("欠停车费的").shows("逾期未缴停车费的业主")
