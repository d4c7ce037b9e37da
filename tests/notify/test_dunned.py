"""Reminders are demands: kept whether delivered or not, and told apart."""

from datetime import date, timedelta

from billing.bills import list_unpaid
from billing.dunning_tables import DunningWay
from billing.last_dunned import LastDemand, last_dunned
from notify.dunned import list_told
from notify.outbox import MessageState
from notify.reports import record_result
from tests.notify.conftest import Town

BEHIND = "1-1-101"


def test_a_reminder_is_a_demand_that_reached_once_wechat_says_so(town: Town) -> None:
    town.clock.now += timedelta(days=8)
    today = date(2026, 12, 1)
    town.bind(BEHIND, "Li", wrote=False)
    unit = town.world.unit(BEHIND)
    with town.world.database.transaction() as session:
        owed = list_unpaid(session, unit.community_id, [unit.id])
        bills = [bill.id for bill in owed if bill.due_on < today]
    assert town.remind(today)["overdue"]
    with town.world.database.transaction() as session:
        assert last_dunned(session, unit.community_id, bills) == {}
        assert list_told(session, unit.community_id, bills) == []
    town.notifier.intake()
    sent = LastDemand(DunningWay.MESSAGE, "template", today)
    with town.world.database.transaction() as session:
        before = last_dunned(session, unit.community_id, bills)
        assert before
        assert {(one.reached, one.other) for one in before.values()} == {(None, sent)}
        record_result(session, town.wechat.shown[-1].msgid, "success", town.clock.now)
    with town.world.database.transaction() as session:
        after = last_dunned(session, unit.community_id, bills)
        assert {(one.reached, one.other) for one in after.values()} == {(sent, None)}
        [told] = list_told(session, unit.community_id, bills)
        assert told.state is MessageState.DELIVERED
