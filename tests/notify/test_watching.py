"""What nobody does but time brings: prepayments running low, debts about to lapse, a new year."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from billing.alerts import Alert, AlertKind, close_alert
from billing.dunning import record_call
from billing.dunning_tables import DunningWay
from billing.money import Money
from billing.people import get_staff
from billing.prepayments import set_auto_deduction
from billing.privacy import Vault
from notify.holidays import load_holidays
from notify.outbox import Message, MessageState
from notify.preferences import Preference, keep_preference
from tests.billing.paper import Line, pay, sell, write_bill
from tests.notify.conftest import Town
from tests.notify.test_telling import staff_member

ZHANG = "3-2-501"
NEW = "1-1-101"
DUE = date(2026, 12, 10)


def prepay(town: Town, yuan: str) -> None:
    """Money beyond what the home owes, with all its items paid from it."""
    with town.world.database.transaction() as session:
        owed = town.owed(ZHANG)
        unit = town.world.unit(ZHANG)
        set_auto_deduction(session, unit.community_id, unit.id, ["property"])
        pay(session, town.world, ZHANG, (owed + Money.from_yuan(yuan)).yuan, town.world.today)


def watch(town: Town) -> dict[str, int]:
    """A day later, in the morning."""
    town.clock.advance(days=1)
    done = town.notifier.watch(town.clock.now.date())
    town.notifier.intake()
    return done


def told(town: Town) -> list[tuple[str, str, str | None]]:
    return [notice for notice in town.notices() if notice[0] == "prepayment_low"]


def test_a_prepayment_that_does_not_cover_the_next_bill_is_told_once(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    prepay(town, "20.50")
    assert watch(town)["prepayment_low"] == 1
    assert watch(town)["prepayment_low"] == 0
    [(kind, state, _)] = told(town)
    assert (kind, state) == ("prepayment_low", "merged")
    [shown] = [one for one in town.wechat.shown if "amount3" in one.data]
    assert (shown.data["thing1"], shown.data["amount2"]) == (ZHANG, "20.50元")
    assert "/o/prepayment/" in shown.url


def test_it_is_told_again_only_after_money_came(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    prepay(town, "20.50")
    watch(town)
    prepay(town, "1.00")  # came, and is not enough
    assert watch(town)["prepayment_low"] == 1
    prepay(town, "5000.00")
    assert watch(town)["prepayment_low"] == 0
    assert len(told(town)) == 2


def test_money_that_came_before_it_was_told_calls_it_off(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    prepay(town, "20.50")
    town.clock.advance(hours=12)  # at night it waits
    assert town.notifier.watch(town.clock.now.date())["prepayment_low"] == 1
    prepay(town, "5000.00")
    town.clock.advance(hours=12)
    town.notifier.intake()
    assert told(town) == [("prepayment_low", "suppressed", "gone")]


def test_who_pays_nothing_from_it_or_switched_reminders_off_is_not_told(town: Town) -> None:
    zhang = town.bind(ZHANG, "Zhang")
    assert watch(town)["prepayment_low"] == 0
    prepay(town, "20.50")
    with town.world.database.transaction() as session:
        keep_preference(session, zhang.id, Preference(is_off=True), town.clock.now)
    assert watch(town)["prepayment_low"] == 0


def test_who_sold_the_home_is_not_told_what_is_left(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    prepay(town, "20.50")
    town.clock.advance(hours=12)
    town.notifier.watch(town.clock.now.date())
    with town.world.database.transaction() as session:
        sell(session, town.world, ZHANG, town.world.today)
    town.clock.advance(hours=12)
    town.notifier.intake()
    assert told(town) == [("prepayment_low", "suppressed", "unbound")]


# --- debts about to lapse ---------------------------------------------------------------------


def old_bill(town: Town, room: str = ZHANG, due: date = date(2024, 6, 10)) -> int:
    """Issued in spring, due in June 2024: lapses on 10 June 2027, and staff hear of it in December
    2026.
    """
    with town.world.database.transaction() as session:
        return write_bill(
            session,
            town.world,
            room,
            [Line("300.00", days=(date(2024, 5, 1), date(2024, 6, 1)))],
            issued_on=date(2024, 5, 1),
            due=due,
        )


def alerted(town: Town, today: date) -> list[str]:
    """When the debts lapse of which there is an alert after this day's walk."""
    with town.world.database.transaction() as session:
        load_holidays(session, {date(2027, 1, 1): "元旦"})
    town.notifier.watch(today)
    with town.world.database.transaction() as session:
        found = session.scalars(
            select(Alert).where(Alert.kind == AlertKind.LIMITATION).order_by(Alert.id)
        )
        return [alert.data["lapses_on"] for alert in found if alert.data["period"] == "2024-05"]


def test_staff_hear_of_a_debt_half_a_year_before_it_lapses(town: Town) -> None:
    staff_member(town)
    old_bill(town)
    assert alerted(town, date(2026, 12, 9)) == []
    assert alerted(town, date(2026, 12, 10)) == ["2027-06-10"]
    town.notifier.intake()
    [shown] = [one for one in town.wechat.shown if "诉讼时效" in one.text]
    assert (
        f"· 诉讼时效将满：{ZHANG} 2024-05 账单欠 300.00 元，2027-06-10 满三年，"
        "请书面催缴并保留送达凭证" in shown.text
    )


def test_they_hear_of_it_once_even_after_they_closed_the_alert(town: Town) -> None:
    old_bill(town)
    for _ in range(2):
        assert alerted(town, date(2026, 12, 10)) == ["2027-06-10"]
        with town.world.database.transaction() as session:
            [alert_id] = session.scalars(select(Alert.id))
            close_alert(session, alert_id, town.clock.now)


def test_what_is_paid_does_not_lapse_and_a_part_payment_begins_anew(town: Town) -> None:
    bills = [old_bill(town), old_bill(town, NEW)]
    with town.world.database.transaction() as session:
        pay(session, town.world, ZHANG, "300.00", date(2026, 1, 5), bills[0])
        pay(session, town.world, NEW, "100.00", date(2026, 1, 5), bills[1])
    assert alerted(town, date(2027, 6, 10)) == []
    assert alerted(town, date(2028, 7, 5)) == ["2029-01-05"]


@pytest.mark.parametrize(
    ("state", "lapses"),
    [(MessageState.DELIVERED, "2029-11-23"), (MessageState.SENT, "2027-06-10")],
)
def test_a_demand_that_was_received_begins_anew_and_one_that_may_not_have_been_does_not(
    town: Town, state: MessageState, lapses: str
) -> None:
    old_bill(town)
    town.bind(ZHANG, "Zhang")
    town.remind(town.world.today)
    town.notifier.deliver()
    with town.world.database.transaction() as session:
        session.execute(update(Message).where(Message.kind == "overdue").values(state=state))
    assert alerted(town, date(2029, 6, 1))[:1] == [lapses]
    if state is MessageState.SENT:
        assert alerted(town, date(2026, 12, 10))[:1] == [lapses]


def test_a_visit_that_was_recorded_begins_anew(town: Town, vault: Vault) -> None:
    old_bill(town)
    unit = town.world.unit(ZHANG)
    with town.world.database.transaction() as session:
        record_call(
            session,
            vault,
            unit.community_id,
            unit.id,
            way=DunningWay.VISIT,
            on=town.world.today,
            note="当面说明了欠费",
            by=get_staff(session, "liu"),
            today=town.world.today,
            now=town.clock.now,
        )
    assert alerted(town, date(2026, 12, 10)) == []
    assert alerted(town, date(2029, 6, 1)) == ["2029-11-23"]


# --- a year of which nothing is known ---------------------------------------------------------


def test_in_december_staff_hear_that_next_year_s_holidays_are_missing(town: Town) -> None:
    known = {date(2031, 1, 1) + timedelta(days=step): "元旦" for step in range(3)}
    walks = [
        town.notifier.watch(day)["holidays_unknown"]
        for day in (date(2030, 11, 30), date(2030, 12, 1), date(2030, 12, 2))
    ]
    assert walks == [0, 1, 1]
    with town.world.database.transaction() as session:
        [alert] = session.scalars(select(Alert).where(Alert.kind == AlertKind.HOLIDAYS_UNKNOWN))
        assert alert.data == {"year": 2031}
        load_holidays(session, known)
    assert town.notifier.watch(date(2030, 12, 3))["holidays_unknown"] == 0
