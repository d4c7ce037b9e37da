"""A receipt and an answered dispute are rated in one tap, by those they are for."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing.bindings import see_follower
from billing.people import get_staff
from billing.rating_tables import RatedKind, Rating, Score
from billing.receipts import number_waiting
from billing.ticket_tables import Ticket, TicketKind
from billing.tickets import Matter, answer_ticket, open_ticket
from handlers.pages.tokens import payment_token
from notify.links import RatedRef
from tests.billing.drawer import take
from tests.handlers.pages.conftest import Browser, House

ROOM = "1-1-302"


def ratings(house: House) -> list[Rating]:
    with house.world.database.transaction() as session:
        return list(session.scalars(select(Rating).order_by(Rating.id)))


@pytest.fixture
def receipt(house: House) -> str:
    """Where the receipt of money taken in cash is."""
    with house.world.database.transaction() as session:
        payment = take(session, house.world, ROOM, "10.00")
        number_waiting(session, house.clock(), limit=100)
    with house.app.test_request_context():
        return f"/o/receipt/{payment_token(payment)}"


@pytest.fixture
def dispute(house: House) -> Ticket:
    """An answered dispute of the owner's."""
    unit = house.world.unit(ROOM)
    with house.world.database.transaction() as session:
        person = see_follower(session, "o-owner", house.clock())
        session.flush()
        matter = Matter(unit.community_id, person.id, TicketKind.DISPUTE, unit.id)
        ticket, _ = open_ticket(session, house.services.vault, matter, "水费不对", house.clock())
        return answer_ticket(
            session,
            unit.community_id,
            ticket.id,
            answer="表读错了，已更正。",
            by=get_staff(session, "liu"),
            now=house.clock(),
        )


def path_of(house: House, ticket: Ticket) -> str:
    ref = RatedRef(ticket.community_id, RatedKind.DISPUTE, ticket.id)
    return f"/o/rate/{house.services.links.rated_token(ref)}"


def test_a_receipt_is_rated_in_one_tap_and_changed_the_same_day(
    house: House, owner: Browser, receipt: str
) -> None:
    page = owner.get(receipt)
    assert page.shows("这次服务怎么样？", "满意", "一般", "不满意")
    action = page.attribute("//section[contains(@class,'rating')]/form/@action")
    form = page.form(action)
    said = owner.post(action, {**form, "score": "bad", "words": "<b>等</b>了半小时"})
    assert said.shows("已记下", "您的评价：不满意", "<b>等</b>了半小时", "很抱歉")
    owner.post(action, {**owner.get(receipt).form(action), "score": "good", "words": ""})
    [kept] = ratings(house)
    assert (kept.score, kept.words_sealed) == (Score.GOOD, None)


def test_the_next_day_it_stands(house: House, owner: Browser, receipt: str) -> None:
    house.clock.forward(timedelta(hours=11))
    late = house.phone()
    action = late.get(receipt).attribute("//section[contains(@class,'rating')]/form/@action")
    form = {**late.get(receipt).form(action), "score": "fair", "words": "还行"}
    late.post(action, form)
    house.clock.forward(timedelta(hours=1))
    assert late.get(receipt).has_form(action)  # half past ten at night
    house.clock.forward(timedelta(hours=2))
    page = late.get(receipt)
    assert page.shows("您的评价：一般", "还行", "之后不再改")
    assert not page.has_form(action)
    stale = late.post(action, {**form, "score": "bad"})
    assert stale.shows("当天之后不再改评价", "您的评价：一般")
    assert [one.score for one in ratings(house)] == [Score.FAIR]


def test_words_that_are_too_long_are_refused_and_not_lost(
    house: House, owner: Browser, receipt: str
) -> None:
    action = owner.get(receipt).attribute("//section[contains(@class,'rating')]/form/@action")
    form = owner.get(receipt).form(action)
    page = owner.post(action, {**form, "score": "good", "words": "长" * 201})
    assert page.status == 422
    assert page.shows("最多 200 个字", "长" * 201)
    assert ratings(house) == []
    assert owner.post(action, {**form, "score": "great"}).status == 400


def test_words_too_long_are_refused_at_once_on_a_day_on_which_the_home_was_not_looked_at_yet(
    house: House, dispute: Ticket
) -> None:
    """The look is written down twice, by what is refused and by the page that says so."""
    path = path_of(house, dispute)
    house.clock.forward(timedelta(hours=13, minutes=25))
    late = house.phone()
    form = late.get(path).form(path)
    house.clock.forward(timedelta(minutes=10))  # past midnight
    page = late.post(path, {**form, "score": "good", "words": "长" * 201})
    assert page.status == 422
    assert page.shows("最多 200 个字", "长" * 201)
    assert ratings(house) == []


def test_an_answered_dispute_is_read_and_rated_by_who_raised_it(
    house: House, owner: Browser, stranger: Browser, dispute: Ticket
) -> None:
    path = path_of(house, dispute)
    page = owner.get(path)
    assert page.shows("费用异议", "表读错了，已更正。", "这次服务怎么样？")
    owner.post(path, {**page.form(path), "score": "good"})
    [kept] = ratings(house)
    assert kept.kind is RatedKind.DISPUTE
    assert stranger.get(path).status == 403
    assert owner.get("/o/rate/none-of-ours").status == 404


def test_a_stranger_who_only_holds_the_receipt_is_asked_nothing(
    house: House, receipt: str, owner: Browser
) -> None:
    action = owner.get(receipt).attribute("//section[contains(@class,'rating')]/form/@action")
    other = house.phone("o-other")
    form = owner.get(receipt).form(action)
    assert other.post(action, {**form, "score": "bad"}).status in {400, 403}
    assert ratings(house) == []
