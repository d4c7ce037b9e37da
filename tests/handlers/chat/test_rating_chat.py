"""In the chat: three words to tap below what was asked for, and nothing sent for their sake."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing.money import Money
from billing.people import get_staff
from billing.rating_tables import RatedKind, Rating, Score
from billing.ticket_tables import Ticket
from billing.tickets import answer_ticket
from tests.phone import Phone
from tests.town import Town

ZHANG = "3-2-501"


def ratings(town: Town) -> list[Rating]:
    with town.world.database.transaction() as session:
        return list(session.scalars(select(Rating).order_by(Rating.id)))


@pytest.fixture
def zhang(town: Town) -> Phone:
    """张女士, who disputed a line and was answered."""
    phone = town.owner(ZHANG)
    phone.says("停车费收错了").shows("已记下您的异议")
    phone.says("异议").hides("满意")  # nothing was done yet
    with town.world.database.transaction() as session:
        [ticket] = session.scalars(select(Ticket))
        answer_ticket(
            session,
            ticket.community_id,
            ticket.id,
            answer="已更正。",
            by=get_staff(session, "liu"),
            now=town.now,
        )
    return phone


def test_an_answer_is_rated_by_a_tap(town: Town, zhang: Phone) -> None:
    asked = zhang.says("异议")
    asked.shows("已更正。", "满意吗")
    assert asked.offers[-3:] == ["满意", "一般", "不满意"]
    zhang.says("不满意").shows("已记下：不满意", "很抱歉", "/o/rate/")
    [kept] = ratings(town)
    assert (kept.kind, kept.score) == (RatedKind.DISPUTE, Score.BAD)
    zhang.says("异议").hides("满意吗")  # he said it


def test_the_number_of_a_word_is_the_word_and_the_word_alone_means_nothing(
    town: Town, zhang: Phone
) -> None:
    zhang.says("满意").hides("已记下")
    zhang.says("异议")
    zhang.says("2").shows("已记下：一般")
    assert [one.score for one in ratings(town)] == [Score.FAIR]


def test_a_payment_is_rated_below_the_list_of_payments(town: Town, zhang: Phone) -> None:
    town.pay(ZHANG, Money(1000))
    zhang.says("缴费记录").shows("10.00", "最近这次缴费", "满意")
    zhang.says("满意。").shows("已记下：满意", "谢谢")
    assert [one.kind for one in ratings(town)] == [RatedKind.RECEIPT]


def test_it_can_be_left_and_another_question_is_answered(town: Town, zhang: Phone) -> None:
    zhang.says("异议")
    zhang.says("算了").shows("没关系")
    zhang.says("异议")
    zhang.says("账单").shows("待缴")
    assert ratings(town) == []


def test_what_is_long_past_is_not_asked_about(town: Town, zhang: Phone) -> None:
    town.now += timedelta(days=8)
    zhang.says("异议").shows("已更正。").hides("满意吗")
