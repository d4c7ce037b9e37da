"""What is disputed is not pressed for; staff hear of tickets, owners of their answers."""

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import update

from billing.bill_lines import LineState, list_lines
from billing.bills import list_unpaid
from billing.money import Money
from billing.people import Follower, Staff, get_staff
from billing.privacy import Vault
from billing.ticket_tables import Ticket, TicketKind
from billing.tickets import Matter, answer_ticket, close_ticket, open_ticket
from notify.catalog import Urgency
from notify.freeze import Press
from tests.notify.conftest import Town

ZHANG = "3-2-501"
OVERDUE = date(2026, 12, 1)
"""The day after 张's only bill fell due."""


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def lines(town: Town) -> list[LineState]:
    unit = town.world.unit(ZHANG)
    with town.world.database.transaction() as session:
        bills = [bill.id for bill in list_unpaid(session, unit.community_id, [unit.id])]
        return list_lines(session, unit.community_id, bills)


def dispute(town: Town, vault: Vault, follower: Follower, line: LineState) -> Ticket:
    unit = town.world.unit(ZHANG)
    matter = Matter(unit.community_id, follower.id, TicketKind.DISPUTE, unit.id, line)
    with town.world.database.transaction() as session:
        said = f"{line.item_name}不对，找13800001234"
        return open_ticket(session, vault, matter, said, town.clock.now)[0]


def answer(town: Town, ticket: Ticket) -> None:
    with town.world.database.transaction() as session:
        by = get_staff(session, "liu")
        answer_ticket(
            session, ticket.community_id, ticket.id, answer="已更正", by=by, now=town.clock.now
        )


def walk(town: Town) -> dict[str, object]:
    """The walk of the first day overdue, and its messages sent."""
    town.clock.now = beijing("2026-12-01T09:05")
    summary = town.remind(OVERDUE)
    town.notifier.deliver()
    return summary


@pytest.fixture
def zhang(town: Town) -> Follower:
    return town.bind(ZHANG, "Zhang")


def test_a_bill_that_is_wholly_disputed_gets_no_overdue_notice(
    town: Town, vault: Vault, zhang: Follower
) -> None:
    for line in lines(town):
        dispute(town, vault, zhang, line)
    summary = walk(town)
    assert summary["overdue"] == 0
    assert summary["suppressed"]["disputed"] == 1  # type: ignore[index]
    assert town.wechat.shown == []


def test_of_a_bill_that_is_partly_disputed_the_rest_is_asked_for(
    town: Town, vault: Vault, zhang: Follower
) -> None:
    [first, *others] = lines(town)
    dispute(town, vault, zhang, first)
    assert walk(town)["overdue"] == 1
    rest = Money(sum(line.outstanding.fen for line in others))
    [shown] = town.wechat.shown
    assert shown.data["amount2"] == f"{rest.yuan}元"
    assert shown.data["thing4"] == "已逾期1天，异议部分不计"


def test_disputed_between_the_walk_and_the_sending_is_not_pressed_for(
    town: Town, vault: Vault, zhang: Follower
) -> None:
    town.clock.now = beijing("2026-12-01T09:05")
    assert town.remind(OVERDUE)["overdue"] == 1
    for line in lines(town):
        dispute(town, vault, zhang, line)
    town.notifier.deliver()
    assert town.notices() == [("overdue", "suppressed", "disputed")]


def test_disputed_between_the_freezing_and_the_sending_is_written_anew(
    town: Town, vault: Vault, zhang: Follower
) -> None:
    town.clock.now = beijing("2026-12-01T09:05")
    town.remind(OVERDUE)
    notifier = town.notifier
    press = Press(notifier.links, notifier.text, notifier.defaults)
    with town.world.database.transaction() as session:
        assert press.freeze_due(session, town.clock.now, 100, Urgency.TODAY) == 1
    [first, *others] = lines(town)
    dispute(town, vault, zhang, first)
    town.notifier.deliver()
    town.notifier.deliver()
    rest = Money(sum(line.outstanding.fen for line in others))
    assert [shown.data["amount2"] for shown in town.wechat.shown] == [f"{rest.yuan}元"]
    assert ("overdue", "suppressed", "superseded") in town.messages()


def test_after_the_answer_dunning_goes_on(town: Town, vault: Vault, zhang: Follower) -> None:
    for line in lines(town):
        answer(town, dispute(town, vault, zhang, line))
    assert walk(town)["overdue"] == 1


def test_what_is_paid_of_a_disputed_bill_is_still_paid(
    town: Town, vault: Vault, zhang: Follower
) -> None:
    [first, *_] = lines(town)
    dispute(town, vault, zhang, first)
    town.pay(ZHANG, zhang)
    summary = walk(town)
    assert (summary["overdue"], "disputed" in summary["suppressed"]) == (0, False)  # type: ignore[operator]


def test_staff_read_of_a_ticket_at_once_without_personal_data(
    town: Town, vault: Vault, zhang: Follower
) -> None:
    liu = town.bind("3-2-502", "Liu")
    with town.world.database.transaction() as session:
        session.execute(update(Staff).where(Staff.login == "liu").values(follower_id=liu.id))
    [first, second, *_] = lines(town)
    opened = [dispute(town, vault, zhang, line) for line in (first, second)]
    town.notifier.intake()
    [shown] = town.wechat.shown
    assert shown.openid == liu.openid
    for ticket in opened:
        assert f"工单号 {ticket.id}" in shown.text
    assert f"{first.item_name}不对，找【电话】" in shown.text
    assert "1380000" not in shown.text


def test_a_ticket_answered_meanwhile_is_no_news_to_staff(
    town: Town, vault: Vault, zhang: Follower
) -> None:
    liu = town.bind("3-2-502", "Liu")
    with town.world.database.transaction() as session:
        session.execute(update(Staff).where(Staff.login == "liu").values(follower_id=liu.id))
    answer(town, dispute(town, vault, zhang, lines(town)[0]))
    town.notifier.intake()
    assert ("ticket_opened", "suppressed", "gone") in town.notices()


def test_an_answer_is_told_in_the_chat_also_when_it_is_closed(
    town: Town, vault: Vault, zhang: Follower
) -> None:
    ticket = dispute(town, vault, zhang, lines(town)[0])
    answer(town, ticket)
    with town.world.database.transaction() as session:
        by = get_staff(session, "liu")
        close_ticket(session, ticket.community_id, ticket.id, by=by, now=town.clock.now)
    town.notifier.intake()
    [shown] = town.wechat.shown
    assert "已更正" in shown.text
    assert f"工单号 {ticket.id}" in shown.text


def test_who_was_silent_for_long_is_told_by_template(
    town: Town, vault: Vault, zhang: Follower
) -> None:
    ticket = dispute(town, vault, zhang, lines(town)[0])
    town.clock.now += timedelta(days=3)
    answer(town, ticket)
    town.notifier.intake()
    [shown] = town.wechat.shown
    assert shown.data["thing3"] == "已更正"
    assert shown.data["character_string2"] == str(ticket.id)
