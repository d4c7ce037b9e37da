"""What a manager decides for a community: in force from then on, and never over somebody else."""

import html
import re
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from billing.late_fee_policy import list_policies, set_policy
from billing.late_fee_tables import LateFeeCap
from billing.money import Money
from billing.people import Staff, StaffRole
from billing.property import Community
from bot.program import Program
from notify.habits import switch_community
from notify.holidays import read_holidays
from notify.ladder import Ladder
from notify.ladders import get_ladder
from notify.timing_tables import CommunityTiming
from tests.conftest import World
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]
SETTINGS = "/HY/settings"
LATE_FEE = f"{SETTINGS}/late-fee"
REMINDERS = f"{SETTINGS}/reminders"
CLAUSE = {"from": "2027-01-01", "grace_days": "5", "cap": "principal", "document": "合同第八条"}


def seen(clerk: Clerk, action: str, path: str = SETTINGS) -> str:
    """What the form that leads to `action` showed when it was drawn."""
    page = clerk.get(path).text
    form = page.split(f'method="post" action="/console{action}"', 1)[1].split("</form>")[0]
    found = re.search(r'name="seen" value="([^"]*)"', form)
    assert found is not None
    return html.unescape(found[1])


def save(clerk: Clerk, section: str, **fields: str) -> tuple[int, str]:
    """Save a section of the page as it stands now; status and page."""
    action = f"{SETTINGS}/{section}"
    answer = clerk.post(action, **{"seen": seen(clerk, action), **fields})
    return answer.status_code, html.unescape(answer.text)


@pytest.fixture
def manager(clerk: MakeClerk) -> Clerk:
    return clerk(StaffRole.MANAGER)


def community(program: Program, world: World) -> Community:
    with program.services.database.transaction() as session:
        return session.get_one(Community, world.community.id)


def test_every_section_is_saved_by_itself(manager: Clerk, program: Program, world: World) -> None:
    desk = {"phone": "010-8888 6666", "opens": "09:00", "closes": "18:00", "agents": "1"}
    for section, fields in {
        "billing": {"billing_day": "5", "publishing": "staff"},
        "due": {"due_day": "20", "due_month_offset": "1"},
        "refunds": {"limit": "500.50"},
        "desk": desk,
        "sending": {"sms_unfollowed": "1", "per_minute": "600"},
    }.items():
        assert save(manager, section, **fields)[0] == 303, section
    now = community(program, world)
    assert (now.billing_day, now.publishes_itself) == (5, False)
    assert (now.due_day, now.due_month_offset) == (20, 1)
    assert now.refund_limit == Money(50050)
    assert now.service_phone == "010-8888 6666"
    assert (now.service_from, now.service_to) == (time(9), time(18))
    assert (now.service_weekends, now.has_agents) == (False, True)
    assert (now.sms_unfollowed, now.broadcasts_per_minute) == (True, 600)
    assert save(manager, "sending", per_minute="")[0] == 303
    assert community(program, world).broadcasts_per_minute is None


REFUSED = [
    ("billing", {"billing_day": "29", "publishing": "staff"}, "出账日须为 1–28 日"),
    ("billing", {"billing_day": "5", "publishing": "maybe"}, "没有这个选项"),
    ("due", {"due_day": "0", "due_month_offset": "0"}, "31 表示月底"),
    ("due", {"due_day": "1", "due_month_offset": "13"}, "宽限月数须为 0–12"),
    ("refunds", {"limit": "-1"}, "限额不能小于 0"),
    ("desk", {"phone": "1", "opens": "09:00", "closes": "18:00"}, "电话号码不对"),
    ("desk", {"phone": "010-5550 0100", "opens": "nine", "closes": "18:00"}, "请填写时间"),
    ("desk", {"phone": "010-5550 0100", "opens": "08:30Z", "closes": "18:00"}, "请填写时间"),
    ("desk", {"phone": "010-5550 0100", "opens": "08:30", "closes": "18:00Z"}, "请填写时间"),
    ("desk", {"phone": "010-5550 0100", "opens": "18:00", "closes": "09:00"}, "须晚于"),
    ("sending", {"per_minute": "0"}, "每分钟 1 到 10000 条"),
]


def test_what_cannot_be_is_refused_at_its_field_and_changes_nothing(
    manager: Clerk, program: Program, world: World
) -> None:
    def columns() -> dict[str, object]:
        kept = community(program, world)
        return {column.key: getattr(kept, column.key) for column in Community.__table__.columns}

    before = columns()
    for section, fields, words in REFUSED:
        status, page = save(manager, section, **fields)
        assert status == 422, fields
        assert words in page, fields
        assert all(f'value="{typed}"' in page for typed in fields.values() if typed.isdigit())
    assert columns() == before


def test_a_page_that_grew_old_is_told_what_changed_and_saved_when_looked_at(
    manager: Clerk, program: Program, world: World
) -> None:
    action = f"{SETTINGS}/billing"
    old = seen(manager, action)
    assert save(manager, "billing", billing_day="5", publishing="staff")[0] == 303
    fields = {"billing_day": "9", "publishing": "staff"}
    answer = manager.post(action, seen=old, **fields)
    assert answer.status_code == 422
    assert "出账日 由 1 改为 5" in answer.text
    assert community(program, world).billing_day == 5
    shown = re.search(
        rf'action="/console{action}".*?name="seen" value="([^"]*)"', answer.text, re.S
    )
    assert shown is not None
    assert manager.post(action, seen=html.unescape(shown[1]), **fields).status_code == 303
    assert community(program, world).billing_day == 9
    assert manager.post(action, seen="no json", **fields).status_code == 422


def test_a_late_fee_clause_is_added_and_what_is_unusual_is_said(
    manager: Clerk, program: Program, world: World
) -> None:
    with program.services.database.transaction() as session:
        before = list_policies(session, world.community.id)
    latest = str(before[-1].id) if before else "0"
    answer = manager.post(LATE_FEE, latest=latest, daily_rate="0.1", **CLAUSE)
    assert answer.status_code == 303
    page = manager.get(LATE_FEE).text
    assert "法院可能调减" in page
    assert "每日 0.1%（欠 1,000 元一天 1.00 元），逾期 5 天后起算" in page
    with program.services.database.transaction() as session:
        added = list_policies(session, world.community.id)[-1]
    assert (added.daily_rate, added.effective_from) == (Decimal("0.001"), date(2027, 1, 1))
    stale = manager.post(LATE_FEE, latest=latest, daily_rate="0.2", **CLAUSE)
    assert stale.status_code == 422
    assert "2027-01-01 起，每日 0.1%" in stale.text


def test_a_clause_added_meanwhile_is_noticed_also_when_a_later_one_was_known(
    manager: Clerk, program: Program, world: World
) -> None:
    def add(begins: date, rate: str) -> None:
        with program.services.database.transaction() as session:
            set_policy(
                session,
                world.community.id,
                effective_from=begins,
                daily_rate=Decimal(rate),
                grace_days=0,
                cap=LateFeeCap.PRINCIPAL,
                document="合同第八条",
            )

    add(date(2028, 1, 1), "0.0003")
    found = re.search(r'name="latest" value="([0-9]+)"', manager.get(LATE_FEE).text)
    assert found is not None
    add(date(2026, 12, 15), "0.0001")
    stale = manager.post(LATE_FEE, latest=found[1], daily_rate="0.05", **CLAUSE)
    assert stale.status_code == 422
    assert "2026-12-15 起，每日 0.01%" in stale.text
    again = re.search(r'name="latest" value="([0-9]+)"', stale.text)
    assert again is not None
    assert manager.post(LATE_FEE, latest=again[1], daily_rate="0.05", **CLAUSE).status_code == 303


def test_a_clause_that_cannot_be_is_refused(manager: Clerk, program: Program, world: World) -> None:
    with program.services.database.transaction() as session:
        before = list_policies(session, world.community.id)
    latest = str(before[-1].id) if before else "0"
    for changes, words in (
        ({"daily_rate": "much"}, "请填写数字"),
        ({"daily_rate": "1e9999999"}, "请填写数字"),
        ({"daily_rate": "1e-9999999"}, "请填写数字"),
        ({"daily_rate": "1_0"}, "请填写数字"),
        ({"daily_rate": "101"}, "每日费率须为"),
        ({"daily_rate": "0.00000001"}, "小数位太多"),
        ({"daily_rate": "0.05", "grace_days": "9999"}, "天数须为 0–3650"),
        ({"daily_rate": "0.05", "document": " "}, "请填写"),
    ):
        answer = manager.post(LATE_FEE, **{"latest": latest, **CLAUSE, **changes})
        assert answer.status_code == 422, changes
        assert words in answer.text, changes
    with program.services.database.transaction() as session:
        assert len(list_policies(session, world.community.id)) == len(before)


def test_what_money_pays_first_is_chosen(manager: Clerk, program: Program, world: World) -> None:
    action = f"{LATE_FEE}/order"
    shown = seen(manager, action, LATE_FEE)
    assert manager.post(action, seen=shown, first="fees").status_code == 303
    assert community(program, world).late_fee_first
    assert manager.post(action, seen=shown, first="debts").status_code == 422
    assert community(program, world).late_fee_first


def test_a_ladder_is_looked_at_with_its_dates_before_it_is_climbed(
    manager: Clerk, program: Program, world: World
) -> None:
    page = manager.get(f"{REMINDERS}?due_soon=5&overdue=3,，10")
    assert "逾期 3 天" in page.text
    assert "从今天起按这个阶梯提醒" in page.text
    shown = seen(manager, REMINDERS, f"{REMINDERS}?due_soon=5&overdue=3,10")
    fields = {"due_soon": "5", "overdue": "3,10", "monthly": ""}
    assert manager.post(REMINDERS, seen=shown, **fields).status_code == 303
    with program.services.database.transaction() as session:
        found = get_ladder(session, world.community.id)
    assert (found.due_soon, found.overdue, found.is_monthly) == ((5,), (3, 10), False)
    assert "这就是现在用的阶梯" in manager.get(REMINDERS).text
    stale = manager.post(REMINDERS, seen=shown, due_soon="1", overdue="", monthly="")
    assert stale.status_code == 422
    assert "逾期后提醒 由 1,7,15,30 改为 3,10" in stale.text
    assert "之后每月提醒 由 是 改为 否" in stale.text


def test_a_ladder_that_cannot_be_climbed_is_explained(
    manager: Clerk, program: Program, world: World
) -> None:
    for query, words in (
        ("due_soon=soon&overdue=1", "请填写天数"),
        ("due_soon=31&overdue=1", "天数须为 0–30"),
        ("due_soon=3,3&overdue=1", "3 写了两次"),
        ("due_soon=&overdue=1,2,3,4,5,6,7,8,9", "9 次太打扰业主了"),
        ("due_soon=3&overdue=&monthly=1", "请先填写逾期天数"),
        ("due_soon=&overdue=", "一次也不会提醒"),
    ):
        assert words in manager.get(f"{REMINDERS}?{query}").text, query
    with program.services.database.transaction() as session:
        assert get_ladder(session, world.community.id) == Ladder()


def test_learned_hours_are_switched_and_forgotten(
    manager: Clerk, program: Program, world: World
) -> None:
    services = program.services
    with services.database.transaction() as session:
        switch_community(session, world.community.id, services.clock(), on=True)
        timing = session.get_one(CommunityTiming, world.community.id)
        timing.weekday_hour, timing.weekend_hour = 19, 9
    page = manager.get(REMINDERS).text
    assert "工作日晚上 7 点" in page
    assert "周末上午 9 点" in page
    assert manager.post(f"{REMINDERS}/hours", on="").status_code == 303
    assert manager.post(f"{REMINDERS}/forget").status_code == 303
    with services.database.transaction() as session:
        timing = session.get_one(CommunityTiming, world.community.id)
        assert (timing.is_on, timing.weekday_hour) == (False, None)
    assert "没有打开" in manager.get(REMINDERS).text


def test_holidays_are_loaded_by_who_works_for_every_community(
    clerk: MakeClerk, program: Program
) -> None:
    lines = "2031-01-01,元旦\n2031-01-02，元旦"
    refused = clerk(StaffRole.MANAGER).post(f"{REMINDERS}/holidays", days=lines)
    assert "请负责全部小区的经理来导入" in refused.text
    with program.services.database.transaction() as session:
        assert date(2031, 1, 1) not in read_holidays(session)
        session.execute(update(Staff).values(community_id=None))
    manager = clerk(StaffRole.MANAGER)
    bad = manager.post(f"{REMINDERS}/holidays", days="2031-01-01,元旦\nno day")
    assert "第 2 行开头不是日期" in bad.text
    assert manager.post(f"{REMINDERS}/holidays", days="2031-01-01,元旦").status_code == 303
    with program.services.database.transaction() as session:
        assert read_holidays(session)[date(2031, 1, 1)] == "元旦"


def test_the_effect_of_rungs_opens_and_says_so_when_there_is_nothing_to_compare(
    manager: Clerk,
) -> None:
    page = manager.get(f"{SETTINGS}/effects")
    assert page.status_code == 200
    assert "哪一级" in page.text or "还没有可比较的提醒" in page.text


def test_another_communitys_settings_are_not_there(clerk: MakeClerk, program: Program) -> None:
    with program.services.database.transaction() as session:
        there = session.scalars(select(Community).where(Community.code == "HY")).one()
        values = {
            column.key: getattr(there, column.key)
            for column in Community.__table__.columns
            if column.key != "id"
        }
        other = Community(**values | {"code": "ZJ", "name": "竹园"})
        session.add(other)
        session.flush()
        elsewhere = other.id
    manager = clerk(StaffRole.MANAGER, community_id=elsewhere)
    assert manager.get("/ZJ/settings").status_code == 200
    for path in ("/HY/settings", "/HY/setup", "/HY/settings/reminders", "/HY/mandates"):
        assert manager.get(path).status_code == 404
    assert manager.post("/HY/settings/billing", billing_day="5").status_code == 404
