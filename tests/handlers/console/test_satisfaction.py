"""What people thought, divided so that the parts are the whole; each rating with its words."""

from collections.abc import Callable
from io import BytesIO

import pytest
from python_calamine import CalamineWorkbook

from billing.bindings import see_follower
from billing.people import StaffRole, get_staff
from billing.rating_tables import RatedKind, Score
from billing.ratings import find_rateable, rate
from billing.ticket_tables import TicketKind
from billing.tickets import Matter, answer_ticket, open_ticket
from bot.program import Program
from tests.conftest import World
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]


@pytest.fixture
def ticket(program: Program, world: World) -> int:
    """A dispute 刘客服 answered, and whoever raised it was not content."""
    services, here = program.services, world.community.id
    with services.database.transaction() as session:
        follower = see_follower(session, "oZhang", services.clock())
        session.flush()
        matter = Matter(here, follower.id, TicketKind.DISPUTE, world.unit("3-2-501").id)
        opened, _ = open_ticket(session, services.vault, matter, "水费不对", services.clock())
        liu = get_staff(session, "liu")
        answer_ticket(session, here, opened.id, answer="无误", by=liu, now=services.clock())
        rate(
            session,
            services.vault,
            find_rateable(session, here, RatedKind.DISPUTE, opened.id),
            follower.id,
            Score.BAD,
            words="=等了三天，电话13800001234",
            now=services.clock(),
        )
        return opened.id


def test_the_report_divides_them_and_leads_to_the_things_with_their_words(
    clerk: MakeClerk, ticket: int
) -> None:
    page = clerk(StaffRole.MANAGER).get("/HY/reports/satisfaction").text
    assert "刘客服" in page
    assert "等了三天，电话【电话】" in page
    assert "1380000" not in page
    assert f"/console/HY/tickets/{ticket}" in page
    reader = clerk(StaffRole.READER).get("/HY/reports/satisfaction").text
    assert f"/console/HY/tickets/{ticket}" not in reader  # he may not open it


def test_it_is_narrowed_by_score_and_part_and_exported(clerk: MakeClerk, ticket: int) -> None:
    desk = clerk(StaffRole.ACCOUNTANT)
    assert "等了三天" not in desk.get("/HY/reports/satisfaction?score=good").text
    assert "等了三天" in desk.get("/HY/reports/satisfaction?by=kind&part=dispute").text
    assert "等了三天" not in desk.get("/HY/reports/satisfaction?by=kind&part=receipt").text
    assert desk.get("/HY/reports/satisfaction?by=item&part=x'&score=no").status_code == 200
    wrong = desk.get("/HY/reports/satisfaction?from=2026-11-23&to=2026-11-01").text
    assert "截止日期须不早于起始日期" in wrong
    with desk.get("/HY/reports/satisfaction?format=xlsx") as answer:
        book = CalamineWorkbook.from_filelike(BytesIO(answer.data))
    [head, row] = book.get_sheet_by_index(0).to_python()
    assert head[1] == "评价"
    assert row[1] == "不满意"
    assert row[2] == "=等了三天，电话【电话】"


def test_an_unhappy_one_waits_on_the_dashboard_for_a_week(
    clerk: MakeClerk, ticket: int, program: Program
) -> None:
    page = clerk(StaffRole.MANAGER).get("/HY/").text
    assert "七天内不满意评价" in page
    assert "score=bad#things" in page
    assert "satisfaction" not in clerk(StaffRole.SERVICE).get("/HY/").text  # he has no reports
