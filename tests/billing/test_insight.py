"""What is odd is found, what merely looks so is not, and nobody is told twice."""

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from benchmarks.insight import compare
from billing.adjustment_tables import AdjustmentKind
from billing.adjustments import approve_adjustment, request_adjustment, reverse_adjustment
from billing.alerts import (
    Alert,
    AlertKind,
    Severity,
    close_alert,
    raise_alert,
    snooze_alert,
    take_alert,
)
from billing.db import Database
from billing.errors import Conflict, InvalidInput
from billing.facts import Fact, FactKind
from billing.insight.conduct import find_patterns
from billing.insight.nightly import look
from billing.insight.usage import Used, judge, season
from billing.money import Money
from billing.people import get_staff
from tests.billing.corrections import BEHIND, bill_of, lines_of
from tests.billing.drawer import take
from tests.conftest import NOW, TODAY, World

PRECISION_MIN, RECALL_MIN = 0.9, 0.9


@pytest.fixture
def alert_id(world: World) -> int:
    """An open alert of the world."""
    with world.database.transaction() as session:
        raise_alert(
            session,
            AlertKind.RATE_DROP,
            key="k",
            community_id=world.community.id,
            data={},
            now=NOW,
            severity=Severity.MEDIUM,
        )
        return session.scalars(select(Alert.id)).one()


def test_what_was_planted_is_found_and_little_else(database: Database) -> None:
    result = compare(database, households=240, seed=3)
    assert result["precision"] >= PRECISION_MIN, result
    assert result["recall"] >= RECALL_MIN, result
    assert [kind for kind, one in result["kinds"].items() if not one["recall"]] == []


def meter(*per_day: float) -> Used:
    """A meter of home 1."""
    return Used(1, 1, "1-1-101", "水费", 2, TODAY, per_day)


def test_a_season_that_moves_all_neighbours_alike_is_not_odd() -> None:
    neighbours = [meter(5, 5.2, 4.9, 5.1, 15.2) for _ in range(5)]
    assert season(neighbours) > 2.9
    assert judge(neighbours[0], season(neighbours)) is None
    jumped = judge(neighbours[0], 1.0)
    assert jumped is not None
    assert jumped.kind is AlertKind.USAGE_JUMP
    assert jumped.data["now"] == "15.20"


def test_a_home_that_is_often_empty_may_use_nothing() -> None:
    assert judge(meter(5, 0, 4, 0, 5, 0), 1.0) is None
    stopped = judge(meter(5, 5, 4, 6, 5, 0), 1.0)
    assert stopped is not None
    assert stopped.kind is AlertKind.USAGE_ZERO


def test_the_round_tells_each_thing_once_even_after_it_was_closed(world: World) -> None:
    with world.database.transaction() as session:
        for number in range(4):
            take(session, world, "1-1-101", f"{number + 1}.00", f"S{number}")
    for expected in ({"paid_in_parts": 1}, {}):
        with world.database.transaction() as session:
            raised = look(session, world.community.id, TODAY, NOW)
            assert {k: v for k, v in raised.items() if k == "paid_in_parts"} == expected
        with world.database.transaction() as session:
            for alert in session.scalars(select(Alert)):
                close_alert(session, alert.id, NOW, by=get_staff(session, "zhao"), reason="看过")
    with world.database.transaction() as session:
        [alert] = session.scalars(select(Alert).where(Alert.kind == AlertKind.PAID_IN_PARTS))
        assert alert.data["parts"] == 4
        assert alert.unit_id == world.unit("1-1-101").id
        assert alert.close_reason == "看过"
        told = session.scalar(
            select(func.count()).where(Fact.kind == FactKind.ALERT_RAISED, Fact.ref_id == alert.id)
        )
        assert told == 0  # a low one waits for whoever looks


def test_an_alert_is_taken_passed_on_snoozed_and_closed(world: World, alert_id: int) -> None:
    with world.database.transaction() as session:
        liu, zhao = get_staff(session, "liu"), get_staff(session, "zhao")
        take_alert(session, alert_id, liu)
        assert take_alert(session, alert_id, zhao).owner_id == zhao.id
        until = TODAY + timedelta(days=3)
        assert snooze_alert(session, alert_id, until, TODAY).snoozed_until == until
        close_alert(session, alert_id, NOW, by=zhao, reason="已联系住户")
        with pytest.raises(Conflict):
            take_alert(session, alert_id, liu)


@pytest.mark.parametrize("until", [TODAY, date(2020, 1, 1), date(2999, 1, 1)])
def test_an_alert_sleeps_for_a_while_not_for_ever(world: World, alert_id: int, until: date) -> None:
    with pytest.raises(InvalidInput, match="within the next"), world.database.transaction() as s:
        snooze_alert(s, alert_id, until, TODAY)


def waived(world: World, *, takes_back: bool) -> None:
    """liu asks for a fen less on a line, the manager agrees; if it was wrong, once more for it to
    be owed again.
    """
    here, [line, *_] = world.community.id, lines_of(world, bill_of(world, BEHIND, "2026-10"))
    with world.database.transaction() as session:
        liu, zhao = get_staff(session, "liu"), get_staff(session, "zhao")
        asked = request_adjustment(
            session,
            here,
            line.id,
            kind=AdjustmentKind.WAIVER,
            amount=Money(-1),
            reason="漏水",
            by=liu,
            now=NOW,
        )
        approve_adjustment(session, here, asked.id, by=zhao, today=TODAY, now=NOW)
        if takes_back:
            back = reverse_adjustment(session, here, asked.id, reason="录错", by=liu, now=NOW)
            approve_adjustment(session, here, back.id, by=zhao, today=TODAY, now=NOW)


def test_who_takes_a_wrong_waiver_back_has_not_waived_once_more(world: World) -> None:
    for _ in range(3):
        waived(world, takes_back=True)
    with world.database.transaction() as session:
        assert find_patterns(session, world.community.id, TODAY) == []
    for _ in range(2):
        waived(world, takes_back=False)
    with world.database.transaction() as session:
        [found] = find_patterns(session, world.community.id, TODAY)
    assert (found.data["act"], found.data["times"]) == ("waiver", 5)
