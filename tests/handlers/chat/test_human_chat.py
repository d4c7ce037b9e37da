"""Who asks for a person gets one: an agent, or a ticket and the telephone."""

from datetime import datetime, time

from sqlalchemy import select, update

from billing.property import Community
from billing.ticket_tables import Ticket, TicketKind
from billing.tickets import list_sentences
from tests.town import Town

ZHANG = "3-2-501"
PHONE = "010-5550 0100"


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def tickets(town: Town) -> list[tuple[TicketKind, list[str]]]:
    """Kind and masked sentences of every ticket."""
    with town.world.database.transaction() as session:
        return [
            (ticket.kind, [one.masked for one in list_sentences(session, ticket)])
            for ticket in session.scalars(select(Ticket).order_by(Ticket.id))
        ]


def seat_agents(town: Town) -> None:
    with town.world.database.transaction() as session:
        session.execute(update(Community).values(has_agents=True, service_to=time(18)))


def test_in_service_hours_somebody_will_answer_here(town: Town) -> None:
    zhang = town.owner(ZHANG)
    zhang.says("我要找真人说话，我姓张，电话13800001234").shows("已转给工作人员", PHONE).hides(
        "下班"
    )
    assert tickets(town) == [(TicketKind.HUMAN, ["我要找真人说话，我姓张，电话【电话】"])]


def test_out_of_hours_it_says_when(town: Town) -> None:
    zhang = town.owner(ZHANG)
    town.now = beijing("2026-11-23T21:40")
    zhang.says("转人工").shows("下班时间", "2026-11-24 08:30", PHONE)
    town.now = beijing("2026-11-24T06:00")
    zhang.says("有没有人").shows("补充", "2026-11-24 08:30")


def test_a_repeated_cry_is_added_within_a_day_and_new_after_it(town: Town) -> None:
    zhang = town.owner(ZHANG)
    zhang.says("人工").shows("已转给工作人员", "人工 楼道的灯坏了")
    zhang.says("人工 楼道的灯坏了").shows("补充").hides("楼道的灯坏了")
    assert tickets(town) == [(TicketKind.HUMAN, ["人工", "人工 楼道的灯坏了"])]
    town.now = beijing("2026-11-24T10:31")
    zhang.says("人工").shows("已转给工作人员")
    assert len(tickets(town)) == 2


def test_a_complaint_is_one(town: Town) -> None:
    town.owner(ZHANG).says("我要投诉保安").shows("已转给工作人员")
    assert [kind for kind, _ in tickets(town)] == [TicketKind.COMPLAINT]


def test_the_number_alone_needs_no_ticket(town: Town) -> None:
    zhang = town.owner(ZHANG)
    zhang.says("物业电话多少").shows(PHONE).hides("工单号")
    assert tickets(town) == []
    zhang.says("给我回个电话").shows(PHONE, "工单号")


def test_a_stranger_can_leave_word_too(town: Town) -> None:
    town.phone("o-stranger").says("转人工").shows("已转给工作人员", PHONE)
    assert [kind for kind, _ in tickets(town)] == [TicketKind.HUMAN]


def test_agents_in_their_hours_take_over(town: Town) -> None:
    seat_agents(town)
    zhang = town.owner(ZHANG)
    assert zhang.says("转人工").is_transferred
    assert zhang.says("人工").is_transferred
    assert tickets(town) == []
    town.now = beijing("2026-11-23T18:00")
    assert not zhang.says("转人工").shows("下班时间", PHONE).is_transferred


def test_with_agents_the_telephone_is_still_in_the_menu(town: Town) -> None:
    seat_agents(town)
    zhang = town.owner(ZHANG)
    tapped = zhang.taps("human").shows(PHONE)
    assert tapped.offers == ["人工"]
    assert zhang.says(tapped.offers[0]).is_transferred
    zhang.says("物业电话多少").shows(PHONE)


def test_a_repeated_delivery_is_transferred_like_the_first(town: Town) -> None:
    seat_agents(town)
    zhang = town.owner(ZHANG)
    push = zhang.xml("text", Content="转人工", MsgId=1)
    assert zhang.pushes(push).is_transferred
    assert zhang.pushes(push).is_transferred
