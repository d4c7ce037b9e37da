"""The page with all words of a broadcast, for those it was sent to."""

from datetime import timedelta

from sqlalchemy import select

from billing.people import get_staff
from notify.approved import Approved
from notify.audiences import Audience
from notify.broadcast_sending import send_due
from notify.broadcasts import confirm_broadcast, draft_broadcast
from notify.catalog import Urgency
from notify.freeze import Press
from notify.outbox import Message, MessageOpen
from tests.handlers.pages.conftest import House
from tests.handlers.pages.test_arrears import employ

BODY = "尊敬的业主：\n周三上午9:00至11:30检修1栋电梯，<请>走楼梯。给您带来不便，敬请谅解！"


def sent(house: House) -> str:
    """Path of the link in the message of a broadcast to the building of `o-owner`."""
    now = house.clock()
    with house.world.database.transaction() as session:
        zhao = get_staff(session, "zhao")
        one = draft_broadcast(
            session,
            community_id=house.world.community.id,
            audience=Audience(buildings=("1",)),
            body=BODY,
            by=zhao,
            now=now,
        )
        confirm_broadcast(session, one.community_id, one.id, by=zhao, now=now)
        assert send_due(session, now + timedelta(minutes=1)) == 1
        press = Press(house.services.links, house.services.text, Approved())
        press.freeze_due(session, now + timedelta(minutes=1), 10, Urgency.BULK)
        message = session.scalars(select(Message)).one()
    return str(message.content["url"]).removeprefix("http://pages.test")


def test_its_reader_sees_all_its_words_and_has_read_it(house: House) -> None:
    page = house.phone("o-owner").get(sent(house))
    assert page.status == 200
    assert page.shows(
        "花园小区", "物业通知", "周三上午9:00至11:30检修1栋电梯，<请>走楼梯。", "敬请谅解"
    )
    with house.world.database.transaction() as session:
        assert len(session.scalars(select(MessageOpen)).all()) == 1


def test_staff_see_it_and_it_counts_as_no_reading(house: House) -> None:
    employ(house, "o-zhao")
    assert house.phone("o-zhao").get(sent(house)).shows("周三上午9:00")
    with house.world.database.transaction() as session:
        assert session.scalars(select(MessageOpen)).all() == []


def test_nobody_else_opens_it(house: House) -> None:
    path = sent(house)
    refused = house.phone("o-stranger").get(path)
    assert refused.status == 403
    assert refused.shows("不是发给您的")
    assert refused.hides("电梯")
    assert house.phone("o-owner").get("/o/notice/none").status == 404
    assert house.computer().get(path).path == "/o/sign-in"
