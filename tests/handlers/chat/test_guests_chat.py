"""Stories of family and tenants: let in by the owner, seen by him, turned out again."""

import re
from datetime import timedelta

from sqlalchemy import select

from billing.homes import list_homes
from billing.people import Binding, Occupancy, Resident, ResidentRole
from billing.property import Unit
from tests.phone import Phone
from tests.places import add_building, add_community, add_home
from tests.town import Town

HOME = "3-2-501"
CODE = re.compile(r"^[0-9A-Z]{10}$", re.MULTILINE)


def code_from(phone: Phone, sentence: str) -> str:
    """The code an owner is given."""
    found = CODE.search(phone.says(sentence).text)
    assert found is not None
    return found.group()


def join(town: Town, owner: Phone, sentence: str, openid: str) -> Phone:
    """Somebody the owner let in."""
    guest = town.phone(openid)
    guest.says(f"绑定 {code_from(owner, sentence)}").shows("绑定成功", HOME)
    town.now += timedelta(minutes=1)
    return guest


def owner_in_the_books(town: Town) -> tuple[str, str]:
    """Name and telephone number of the home's owner."""
    with town.world.database.transaction() as session:
        resident = session.scalars(
            select(Resident)
            .join(Occupancy, Occupancy.resident_id == Resident.id)
            .where(Occupancy.unit_id == town.world.unit(HOME).id)
        ).one()
        assert resident.phone_sealed is not None
        return town.vault.open(resident.name_sealed), town.vault.open(resident.phone_sealed)


def role_of(town: Town, phone: Phone) -> ResidentRole:
    follower = town.follower(phone)
    with town.world.database.transaction() as session:
        [home] = list_homes(session, follower.id)
        return home.role


def test_an_owner_lets_in_his_tenant_who_sees_and_pays_from_then_on(town: Town) -> None:
    zhang = town.owner(HOME)
    tenant = join(town, zhang, "给租客绑定", "o-tenant")
    assert role_of(town, tenant) is ResidentRole.TENANT
    tenant.says("账单").shows("待缴", "/o/home/")
    tenant.says("历史账单").shows("2026年11月").hides("2026年10月")
    zhang.says("历史账单").shows("2026年10月")


def test_a_code_for_the_family_says_what_it_is_for_and_how_long(town: Town) -> None:
    zhang = town.owner(HOME)
    heard = zhang.says("绑定 家人").shows("家庭成员", "转发", "2026-11-30 10:30 前有效", "一次")
    code = CODE.search(heard.text)
    assert code is not None
    town.now += timedelta(days=7)
    town.phone("o-wife").says(f"绑定 {code.group()}").shows("已过期")


def test_words_for_relatives_are_understood(town: Town) -> None:
    zhang = town.owner(HOME)
    for sentence in ("给家人绑定一下", "让我老婆也能看账单", "帮我爱人绑定3-2-501"):
        heard = zhang.says(sentence)
        heard = zhang.says("是的") if heard.offers == ["是的"] else heard
        heard.shows("家庭成员绑定码")


def test_another_owner_is_let_in_by_staff_alone(town: Town) -> None:
    town.owner(HOME).says("绑定 业主").shows("物业核实").hides("绑定码：")


def test_a_tenant_or_a_neighbour_gets_no_code(town: Town) -> None:
    tenant = join(town, town.owner(HOME), "绑定 租客", "o-tenant")
    assert CODE.search(tenant.says("绑定 租客").text) is None
    neighbour = town.owner("3-2-502")
    neighbour.says("给租客绑定3-2-501").shows("已收到", "审核")


def test_owners_see_how_many_others_are_bound_and_guests_do_not(town: Town) -> None:
    zhang = town.owner(HOME)
    zhang.says("我的房屋").hides("其他绑定")
    tenant = join(town, zhang, "绑定 租客", "o-tenant")
    join(town, zhang, "绑定 家人", "o-son")
    wife = join(town, zhang, "绑定 家人", "o-wife")
    zhang.says("我的房屋").shows("其他绑定：租户 1、家庭成员 2").hides("o-wife")
    for guest in (tenant, wife):
        guest.says("我的房屋").shows(HOME).hides("其他绑定")


def test_an_owner_turns_out_the_only_tenant_after_a_second_word(town: Town) -> None:
    zhang = town.owner(HOME)
    tenant = join(town, zhang, "绑定 租客", "o-tenant")
    zhang.says("把租客解绑").shows("租户", "确认解绑")
    zhang.says("取消").shows("没有解绑")
    tenant.says("账单").shows("待缴")
    zhang.says("解绑 租客").shows("确认解绑")
    zhang.says("确认解绑").shows("已解绑", "对方")
    tenant.says("账单").shows("还没有绑定")
    zhang.says("账单").shows("待缴")
    zhang.says("解绑 租客").shows("没有您可以解绑的租户")


def test_of_several_guests_the_chosen_one_goes(town: Town) -> None:
    zhang = town.owner(HOME)
    son = join(town, zhang, "绑定 家人", "o-son")
    wife = join(town, zhang, "绑定 家人", "o-wife")
    heard = zhang.says("解绑 家人").shows("家庭成员 1", "家庭成员 2", "2026-11-23 10:31")
    assert heard.offers == [f"解绑 {HOME} 家庭成员 1", f"解绑 {HOME} 家庭成员 2"]
    zhang.says("2").shows("2026-11-23 10:31", "确认解绑")
    zhang.says("确认解绑").shows("已解绑")
    wife.says("账单").shows("还没有绑定")
    son.says("账单").shows("待缴")


def test_a_guest_who_left_meanwhile_is_gone(town: Town) -> None:
    zhang = town.owner(HOME)
    tenant = join(town, zhang, "绑定 租客", "o-tenant")
    zhang.says("解绑 租客").shows("确认解绑")
    tenant.says("解绑").shows("确认解绑")
    tenant.says("确认解绑").shows("已解绑")
    zhang.says("确认解绑").shows("已经不在")


def test_a_guest_turns_nobody_out_and_may_leave(town: Town) -> None:
    zhang = town.owner(HOME)
    tenant = join(town, zhang, "绑定 租客", "o-tenant")
    join(town, zhang, "绑定 家人", "o-wife")
    tenant.says("解绑 家人").shows("只有业主")
    tenant.says("我是租客，退租了，解绑").shows("您将不再收到", "确认解绑")
    tenant.says("确认解绑").shows("已解绑")
    zhang.says("我的房屋").shows("家庭成员 1").hides("租户 1")


def test_who_was_bound_later_does_not_turn_out_who_was_before(town: Town) -> None:
    zhang = town.owner(HOME)
    town.now += timedelta(minutes=1)
    thief = town.owner(HOME, "o-thief")
    thief.says("解绑 业主").shows("物业核实")
    zhang.says("解绑 3-2-501 业主").shows("确认解绑")
    zhang.says("确认解绑").shows("已解绑")
    thief.says("账单").shows("还没有绑定")


def test_a_guest_asks_for_fapiao_for_what_he_paid_alone(town: Town) -> None:
    zhang = town.owner(HOME)
    wife = join(town, zhang, "绑定 家人", "o-payer")
    son = join(town, zhang, "绑定 家人", "o-son")
    town.pay_everything(HOME)  # by o-payer
    son.says("开发票").shows("业主", "您自己付的").hides("开票金额")
    wife.says("开发票").shows("开票金额")
    zhang.says("开发票").shows("开票金额")


def test_an_owner_of_several_homes_is_asked_which(town: Town) -> None:
    zhang = town.owner(HOME)
    zhang.says(f"绑定 {town.code_for('3-2-502')}").shows("绑定成功")
    heard = zhang.says("绑定 租客").shows("哪一套")
    assert heard.offers == [HOME, "3-2-502"]
    zhang.says("2").shows("3-2-502", "租户绑定码")


def test_the_address_that_fits_several_homes_is_chosen_and_the_claim_kept(town: Town) -> None:
    with town.world.database.transaction() as session:
        sunny = add_community(session, "YG", "阳光花园小区")
        third = add_building(session, sunny, "3", "3号楼")
        for room in (HOME, "3-1-501"):
            add_home(session, third, room)
    newcomer = town.phone("o-new")
    heard = newcomer.says("绑定 3栋501 王小明 13800001234").shows("不止一套")
    assert heard.offers == [
        "绑定 花园小区 3-2-501", "绑定 阳光花园小区 3-1-501", "绑定 阳光花园小区 3-2-501",
    ]  # fmt: skip
    stored = town.services.redis.get("chat:memory:o-new")
    assert isinstance(stored, bytes)
    assert b"13800001234" not in stored
    newcomer.says("2").shows("已收到", "阳光花园小区 3-1-501", "核对姓名和手机号")
    with town.world.database.transaction() as session:
        [(binding, room)] = session.execute(
            select(Binding, Unit.room).join(Unit, Unit.id == Binding.unit_id)
        ).all()
    assert (room, binding.claim_fits) == ("3-1-501", False)


def test_homes_of_one_number_in_two_communities_are_told_apart(town: Town) -> None:
    zhang = town.owner(HOME)
    follower = town.follower(zhang)
    with town.world.database.transaction() as session:
        sunny = add_community(session, "YG", "阳光花园小区")
        home = add_home(session, add_building(session, sunny, "3", "3号楼"), HOME)
        session.add(
            Binding(
                community_id=sunny.id,
                unit_id=home.id,
                follower_id=follower.id,
                role=ResidentRole.OWNER,
                state="active",
                requested_at=town.now,
                decided_at=town.now,
            )
        )
    town.forget(zhang)
    heard = zhang.says("明细")
    assert heard.offers == ["明细 花园小区 3-2-501", "明细 阳光花园小区 3-2-501"]
    zhang.says("1").shows("物业费")


def test_who_one_is_is_not_lost_when_the_bot_asks_what_was_meant(town: Town) -> None:
    name, phone = owner_in_the_books(town)
    newcomer = town.phone("o-new")
    sentence = f"{HOME}是俺家哦，那个，我叫{name}，号码{phone}，在吗在吗，给弄一下认证认证"
    heard = newcomer.says(sentence)
    if heard.offers == ["是的"]:
        stored = town.services.redis.get("chat:memory:o-new")
        assert isinstance(stored, bytes)
        assert phone.encode() not in stored
        heard = newcomer.says("是的")
    heard.shows("已收到", HOME, "核对姓名和手机号")
    with town.world.database.transaction() as session:
        assert session.scalars(select(Binding.claim_fits)).all() == [True]


def test_the_same_answer_whether_or_not_the_name_fits(town: Town) -> None:
    right, wrong = town.phone("o-1"), town.phone("o-2")
    name, phone = owner_in_the_books(town)
    answers = {
        right.says(f"绑定 {HOME} {name} {phone}").text,
        wrong.says(f"绑定 {HOME} 王小明 13800001234").text,
    }
    assert len(answers) == 1
    right.says("账单").shows("还没有绑定")


def test_a_follower_who_tries_names_is_locked_like_one_who_tries_codes(town: Town) -> None:
    guesser = town.phone("o-guesser")
    for number in range(5):
        guesser.says(f"绑定 {HOME} 王小明 1380000123{number}").hides("一小时")
    guesser.says(f"绑定 {HOME} 王小明 13800001239").shows("一小时后")
    town.now += timedelta(hours=1, seconds=1)
    guesser.says(f"绑定 {HOME} 王小明 13800001239").shows("正在审核")
