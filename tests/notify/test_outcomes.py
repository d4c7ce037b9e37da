"""What came of messages: counted from rows, by kind."""

from datetime import timedelta

from billing.money import Money
from notify.links import OPENED
from notify.opens import note_open
from notify.outcomes import count_unreachable, list_outcomes
from notify.reports import record_result
from tests.notify.conftest import Town

ZHANG, WU = "3-2-501", "3-2-502"


def counts(town: Town) -> dict[str, dict[str, int]]:
    with town.world.database.transaction() as session:
        found = list_outcomes(session, town.world.community.id, town.clock.now - timedelta(days=30))
    names = ("sent", "delivered", "opened", "paid", "unknown", "failed", "suppressed")
    return {
        one.kind.value: {name: getattr(one, name) for name in names if getattr(one, name)}
        for one in found
    }


def open_link(town: Town, url: str, openid: str) -> None:
    ref = town.notifier.links.read_message(url.partition(f"{OPENED}=")[2])
    assert ref is not None
    with town.world.database.transaction() as session:
        note_open(session, ref, openid, town.clock.now)


def test_each_kind_is_counted_from_its_sending_to_the_payment(town: Town) -> None:
    zhang, wu = town.bind(ZHANG, "Zhang"), town.bind(WU, "Wu", wrote=False)
    town.remind(town.world.today + timedelta(days=7))
    town.notifier.deliver()
    assert counts(town)["due_soon"] == {"sent": 2}
    shown = {one.openid: one for one in town.wechat.shown}
    with town.world.database.transaction() as session:
        record_result(session, shown["oZhang"].msgid, "success", town.clock.now)
        record_result(session, shown["oWu"].msgid, "failed:user block", town.clock.now)
    town.notifier.deliver()
    open_link(town, shown["oZhang"].url, "oZhang")
    open_link(town, shown["oZhang"].url, "oZhang")
    town.clock.advance(days=1)
    town.pay(ZHANG, zhang, share=Money(100))
    assert counts(town)["due_soon"] == {
        "sent": 1,
        "delivered": 1,
        "opened": 1,
        "paid": 1,
        "failed": 1,
    }
    with town.world.database.transaction() as session:
        assert count_unreachable(session, town.world.community.id) == 1
    assert town.follower(wu).unreachable_at is not None


def test_what_is_paid_later_than_three_days_is_not_counted(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    town.remind(town.world.today + timedelta(days=7))
    town.notifier.deliver()
    town.clock.advance(days=3)
    town.pay(ZHANG, zhang)
    assert counts(town)["due_soon"] == {"sent": 1}


def test_only_its_reader_opens_a_message(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    town.remind(town.world.today + timedelta(days=7))
    town.notifier.deliver()
    (shown,) = town.wechat.shown
    open_link(town, shown.url, "oSomebodyElse")
    assert counts(town)["due_soon"] == {"sent": 1}


def test_a_link_nobody_of_us_made_names_no_message(town: Town) -> None:
    links = town.notifier.links
    for named in ("", "1-1", "1-1.forged", "x" * 5000, "\u4e00-1.AA"):
        assert links.read_message(named) is None
