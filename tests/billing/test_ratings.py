"""One rating of one thing by one person: who took the money, of which month; counted once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.bill_lines import list_lines
from billing.bills import list_unpaid
from billing.bindings import see_follower
from billing.counter import cancel_payment
from billing.errors import Conflict, InvalidInput, NotFound
from billing.people import get_staff
from billing.privacy import Vault
from billing.rating_tables import RatedKind, Rating, Score
from billing.ratings import Rateable, find_rateable, find_rating, rate
from billing.reports.satisfaction import (
    RatedBy,
    answered,
    rated_things,
    satisfaction,
    whole_of,
)
from billing.reports.waiting import count_waiting
from billing.ticket_tables import Ticket, TicketKind
from billing.tickets import Matter, answer_ticket, close_ticket, open_ticket
from tests.billing.drawer import take
from tests.conftest import NOW, TODAY, World

LI = "1-1-302"
DAY = timedelta(days=1)
DAYS = (TODAY, TODAY + DAY)


def follower(session: Session, openid: str = "o-li") -> int:
    person = see_follower(session, openid, NOW)
    session.flush()
    return person.id


def paid(session: Session, world: World) -> Rateable:
    """What the home owes, taken in cash by 周收银."""
    unit = world.unit(LI)
    owed = list_unpaid(session, unit.community_id, [unit.id])
    amount = sum((bill.outstanding.fen for bill in owed[1:]), owed[0].outstanding.fen)
    payment = take(session, world, LI, f"{amount // 100}.{amount % 100:02}")
    return find_rateable(session, payment.community_id, RatedKind.RECEIPT, payment.id)


def ticket(session: Session, world: World, vault: Vault, kind: TicketKind) -> Ticket:
    """On the first line of the oldest unpaid bill, if it is a dispute."""
    unit = world.unit(LI)
    line = None
    if kind is TicketKind.DISPUTE:
        [bill, *_] = list_unpaid(session, unit.community_id, [unit.id])
        line = list_lines(session, unit.community_id, [bill.id])[0]
    matter = Matter(unit.community_id, follower(session), kind, unit.id, line)
    return open_ticket(session, vault, matter, "不对", NOW)[0]


def test_a_tap_is_kept_with_who_took_the_money_and_the_latest_month(
    world: World, vault: Vault
) -> None:
    with world.database.transaction() as session:
        thing = paid(session, world)
        rating = rate(
            session, vault, thing, follower(session), Score.BAD, words="找13800001234 太慢", now=NOW
        )
        assert rating.staff_id == get_staff(session, "zhou").id
        assert str(rating.period) == "2026-11"
        assert rating.item_id is None  # it paid several items
        assert "1380000" not in str(rating.words_sealed)
        assert vault.open(str(rating.words_sealed)) == "找13800001234 太慢"


def test_another_tap_changes_it_that_day_and_is_refused_afterwards(
    world: World, vault: Vault
) -> None:
    with world.database.transaction() as session:
        thing, li = paid(session, world), follower(session)
        rate(session, vault, thing, li, Score.BAD, words="慢", now=NOW)
        again = rate(
            session, vault, thing, li, Score.GOOD, words=None, now=NOW + timedelta(hours=1)
        )
        assert (again.score, vault.open(str(again.words_sealed))) == (Score.GOOD, "慢")
        assert again.at == NOW + timedelta(hours=1)
        with pytest.raises(Conflict, match="on a day before"):
            rate(session, vault, thing, li, Score.FAIR, words=None, now=NOW + DAY)
        kept = find_rating(session, thing, li)
        assert kept is not None
        assert kept.score is Score.GOOD
        cleared = rate(session, vault, thing, li, Score.GOOD, words=" ", now=NOW)
        assert cleared.words_sealed is None
        with pytest.raises(InvalidInput, match="at most 200"):
            rate(session, vault, thing, li, Score.GOOD, words="长" * 201, now=NOW)


def test_taps_at_once_leave_one_rating(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        thing, li = paid(session, world), follower(session)

    def tap(score: Score) -> None:
        with world.database.transaction() as session:
            rate(session, vault, thing, li, score, words=None, now=NOW)

    with ThreadPoolExecutor(3) as taps:
        list(taps.map(tap, Score))
    with world.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Rating)) == 1


def test_what_is_not_done_or_was_taken_back_cannot_be_rated(world: World, vault: Vault) -> None:
    with world.database.transaction() as session:
        here = world.community.id
        opened = ticket(session, world, vault, TicketKind.DISPUTE)
        with pytest.raises(NotFound):
            find_rateable(session, here, RatedKind.DISPUTE, opened.id)
        liu = get_staff(session, "liu")
        answer_ticket(session, here, opened.id, answer="已核对。", by=liu, now=NOW)
        found = find_rateable(session, here, RatedKind.DISPUTE, opened.id)
        assert (found.staff_id, found.item_id is None, found.period is None) == (
            liu.id,
            False,
            False,
        )
        with pytest.raises(NotFound):
            find_rateable(session, here, RatedKind.TICKET, opened.id)
        thing = paid(session, world)
        payment = take(session, world, LI, "5.00", "S2")
        zhou = get_staff(session, "zhou")
        cancel_payment(session, payment, by=zhou, reason="多收", now=NOW)
        with pytest.raises(NotFound):
            find_rateable(session, here, RatedKind.RECEIPT, payment.id)
        assert thing.kind is RatedKind.RECEIPT


def test_the_parts_of_every_division_sum_to_the_whole(world: World, vault: Vault) -> None:
    here = world.community.id
    with world.database.transaction() as session:
        liu = get_staff(session, "liu")
        dispute = ticket(session, world, vault, TicketKind.DISPUTE)
        human = ticket(session, world, vault, TicketKind.HUMAN)
        answer_ticket(session, here, dispute.id, answer="已核对。", by=liu, now=NOW)
        close_ticket(session, here, human.id, by=liu, now=NOW)
        li, spouse = follower(session), follower(session, "o-spouse")
        receipt = paid(session, world)
        other = find_rateable(session, here, RatedKind.DISPUTE, dispute.id)
        last = find_rateable(session, here, RatedKind.TICKET, human.id)
        for thing, who, score, on in (
            (receipt, li, Score.GOOD, NOW),
            (receipt, spouse, Score.FAIR, NOW),
            (other, li, Score.BAD, NOW),
            (last, li, Score.GOOD, NOW - DAY),  # not of these days
        ):
            rate(session, vault, thing, who, score, words=None, now=on)
        whole = whole_of(satisfaction(session, RatedBy.KIND, here, *DAYS))
        assert (whole.good, whole.fair, whole.bad, whole.count) == (1, 1, 1, 3)
        assert str(whole.rate) == "1/3"
        for division in RatedBy:
            parts = satisfaction(session, division, here, *DAYS)
            assert whole_of(parts) == whole
            for part in parts:
                rows = rated_things(here, *DAYS, part=(division, part.part))
                assert len(session.execute(rows).all()) == part.count
        shares = {one.kind: (one.asked, one.rated) for one in answered(session, here, *DAYS)}
        assert shares[RatedKind.DISPUTE] == (1, 1)
        assert shares[RatedKind.TICKET] == (1, 1)
        assert shares[RatedKind.RECEIPT][1] == 1
        assert count_waiting(session, here, TODAY).unhappy == 1
        assert count_waiting(session, here, TODAY + 6 * DAY).unhappy == 1
        assert count_waiting(session, here, TODAY + 7 * DAY).unhappy == 0
