"""What a conversation shows of a home is written down once a day."""

from datetime import timedelta

from sqlalchemy import select

from billing.people import Follower, Staff
from billing.property import Unit
from billing.sightings import Sighting
from tests.town import Town


def seen(town: Town) -> list[tuple[str, str, str]]:
    """(openid, room, what) in the order it was seen."""
    with town.world.database.transaction() as session:
        rows = session.execute(
            select(Follower.openid, Unit.room, Sighting.what)
            .join(Follower, Follower.id == Sighting.follower_id)
            .join(
                Unit, (Unit.community_id == Sighting.community_id) & (Unit.id == Sighting.unit_id)
            )
            .order_by(Sighting.id)
        )
        return [(openid, room, what.value) for openid, room, what in rows]


def test_a_bill_that_was_shown_is_noted_once_a_day(town: Town) -> None:
    zhang = town.owner("3-2-501", "o-zhang")
    assert seen(town) == []
    for sentence in ("账单", "账单", "明细", "缴费"):
        zhang.says(sentence)
    assert seen(town) == [("o-zhang", "3-2-501", "bills")]
    zhang.says("历史账单")
    assert seen(town)[1:] == [("o-zhang", "3-2-501", "history")]
    town.now += timedelta(days=1)
    zhang.says("账单").shows("待缴")
    assert seen(town)[2:] == [("o-zhang", "3-2-501", "bills")]


def test_of_several_homes_those_that_were_shown_are_noted(town: Town) -> None:
    zhang = town.owner("3-2-501", "o-zhang")
    zhang.says(f"绑定 {town.code_for('3-2-502')}")
    town.forget(zhang)
    zhang.says("明细").shows("哪一套")
    assert seen(town) == []
    zhang.says("2").shows("3-2-502")
    assert seen(town) == [("o-zhang", "3-2-502", "bills")]
    zhang.says("账单").shows("3-2-501", "3-2-502")
    assert {room for _, room, _ in seen(town)} == {"3-2-501", "3-2-502"}


def test_a_room_that_staff_look_up_is_noted_with_their_login(town: Town) -> None:
    manager = town.phone("o-manager")
    manager.says(f"绑定 {town.staff_code()}").shows("绑定成功")
    manager.says("查房 1-1-302").shows("待缴")
    manager.says("查房 9-9-909").shows("没有找到")
    with town.world.database.transaction() as session:
        [(login, follower_id, room)] = session.execute(
            select(Staff.login, Sighting.follower_id, Unit.room)
            .join(Staff, Staff.id == Sighting.staff_id)
            .join(Unit, Unit.id == Sighting.unit_id)
        ).all()
    assert (bool(login), follower_id, room) == (True, None, "1-1-302")


def test_what_was_refused_or_shows_no_money_is_not_noted(town: Town) -> None:
    zhang = town.owner("3-2-501", "o-zhang")
    for sentence in ("账单 1-1-302", "帮助", "我的房屋", "收费标准", "人工"):
        zhang.says(sentence)
    town.phone("o-stranger").says("账单").shows("还没有绑定")
    assert seen(town) == []
