"""The daily digest: what the day was, once, and only when there is something to say."""

from sqlalchemy import update

from billing.alerts import AlertKind, raise_alert
from billing.bindings import see_follower
from billing.money import Money
from billing.people import Staff
from billing.property import Community
from notify.digest import read_day
from notify.schedule import SCHEDULE
from tests.billing.drawer import take
from tests.notify.conftest import Town
from tests.notify.test_telling import staff_member

ZHANG = "3-2-501"


def work(town: Town) -> None:
    """A payment, an open alert."""
    with town.world.database.transaction() as session:
        take(session, town.world, ZHANG, "100.00", now=town.clock.now)
        raise_alert(
            session,
            AlertKind.DISCREPANCY,
            key="a difference",
            community_id=town.world.community.id,
            data={},
            now=town.clock.now,
        )


def digests(town: Town) -> list[str]:
    return [shown.text for shown in town.wechat.shown if "每日简报" in shown.text]


def evening(town: Town) -> int:
    written = town.notifier.digest()["digests"]
    town.notifier.intake()
    return written


def test_staff_are_told_of_their_day(town: Town) -> None:
    staff_member(town)
    work(town)
    with town.world.database.transaction() as session:
        day = read_day(session, town.world.community, town.clock.now)
    assert evening(town) == 1
    [text] = digests(town)
    assert text.splitlines() == [
        "2026年11月23日 每日简报",
        "",
        "花园小区",
        "· 今日到账 100.00 元：现金 1 笔 100.00 元",
        f"· 逾期未缴 {day.homes} 户，共 {int(day.overdue.yuan[:-3]):,}{day.overdue.yuan[-3:]} 元",
        "· 待处理：异常 1 条，工单 0 件；今日发送失败的通知 0 条",
        "",
        "在工作台查看和处理。",
    ]
    assert day.homes > 0


def test_a_day_is_told_once_and_the_next_anew(town: Town) -> None:
    staff_member(town)
    work(town)
    assert [evening(town), evening(town)] == [1, 0]
    town.clock.advance(days=1)
    with town.world.database.transaction() as session:
        see_follower(session, "oChen", town.clock.now).last_message_at = town.clock.now
    assert evening(town) == 1
    assert "今日到账 0.00 元\n" in digests(town)[-1]


def test_who_left_is_told_nothing_though_his_wechat_is_still_written_down(town: Town) -> None:
    staff_member(town)
    work(town)
    with town.world.database.transaction() as session:
        session.execute(update(Staff).where(Staff.login == "chen").values(left_at=town.clock.now))
    assert evening(town) == 0
    assert town.messages() == [], "nor of the alert"


def test_a_day_on_which_nothing_happened_is_not_told(town: Town) -> None:
    staff_member(town)
    with town.world.database.transaction() as session:
        day = read_day(session, town.world.community, town.clock.now)
    assert (day.is_quiet, day.overdue > Money(0)) == (True, True), "arrears alone are no news"
    assert evening(town) == 0


def test_who_works_for_every_community_gets_one_message_of_all(town: Town) -> None:
    staff_member(town)
    work(town)
    with town.world.database.transaction() as session:
        session.execute(update(Staff).where(Staff.login == "chen").values(community_id=None))
        first = session.get_one(Community, town.world.community.id)
        values = {
            column.name: getattr(first, column.name)
            for column in Community.__table__.columns
            if column.name not in ("id", "code", "name")
        }
        session.add(Community(code="BY", name="碧云小区", **values))
        session.flush()
        raise_alert(
            session, AlertKind.CHECK_FAILED, key="all", community_id=None, data={},
            now=town.clock.now,
        )  # fmt: skip
    assert evening(town) == 1
    [text] = digests(town)
    assert "\n花园小区\n" in text
    assert "\n碧云小区\n· 今日到账 0.00 元\n· 逾期未缴 0 户" in text


def test_it_comes_at_six_in_the_evening() -> None:
    assert [one.cron for one in SCHEDULE if one.job.__name__ == "run_digest"] == ["0 18 * * *"]
