"""Broadcasts: who is meant, who says yes, and that they go out once, a minute later."""

from datetime import datetime

import pytest
from sqlalchemy import update

from billing.bill_lines import list_lines
from billing.bills import list_unpaid
from billing.errors import Conflict, InvalidInput
from billing.home_tags import add_tag
from billing.money import Money
from billing.people import Binding, ResidentRole, Staff, get_staff
from billing.privacy import Vault
from billing.reports.arrears import list_arrears
from billing.reports.scope import Scope
from billing.tariffs import FeeKind
from billing.ticket_tables import TicketKind
from billing.tickets import Matter, open_ticket
from notify import broadcasts
from notify.audiences import Audience
from notify.broadcast_tables import Broadcast, BroadcastState
from notify.broadcasts import (
    TAKEN_BACK_WITHIN,
    cancel_broadcast,
    clean_body,
    confirm_broadcast,
    draft_broadcast,
    get_broadcast,
    presses_unlawfully,
)
from notify.recipients import count_readers
from tests.notify.conftest import Town

BODY = "周三上午检修电梯，请走楼梯。"
BEHIND, IN_TIME = "1-1-302", "3-2-501"
"""李 owes on bills past their due date; 张 only the current one."""


NARROWER = ("days:0", "days:x", "owed:-5", "role:guest", "tag:", "tag:一", "tag:a b", "room:1,,2")


def draft(town: Town, audience: str = "all", by: str = "zhao", body: str = BODY) -> Broadcast:
    with town.world.database.transaction() as session:
        return draft_broadcast(
            session,
            community_id=town.world.community.id,
            audience=Audience.parse(audience),
            body=body,
            by=get_staff(session, by),
            now=town.clock.now,
        )


def confirm(town: Town, one: Broadcast, by: str = "zhao") -> Broadcast:
    with town.world.database.transaction() as session:
        staff = get_staff(session, by)
        return confirm_broadcast(session, one.community_id, one.id, by=staff, now=town.clock.now)


def cancel(town: Town, one: Broadcast, by: str = "zhao") -> Broadcast:
    with town.world.database.transaction() as session:
        staff = get_staff(session, by)
        return cancel_broadcast(session, one.community_id, one.id, by=staff, now=town.clock.now)


def again(town: Town, one: Broadcast) -> Broadcast:
    with town.world.database.transaction() as session:
        return get_broadcast(session, one.community_id, one.id)


def count(town: Town, audience: str) -> int:
    with town.world.database.transaction() as session:
        return count_readers(
            session, town.world.community.id, Audience.parse(audience), town.clock.now
        ).people


def dispute_everything(town: Town, vault: Vault, room: str, follower_id: int) -> None:
    unit = town.world.unit(room)
    with town.world.database.transaction() as session:
        bills = list_unpaid(session, unit.community_id, [unit.id])
        for line in list_lines(session, unit.community_id, [bill.id for bill in bills]):
            matter = Matter(unit.community_id, follower_id, TicketKind.DISPUTE, unit.id, line)
            open_ticket(session, vault, matter, "不对", town.clock.now)


@pytest.mark.parametrize(
    "written",
    [
        "all",
        "building:3,5&overdue",
        "unit:4-1",
        "room:3-2-501",
        "parking",
        "building:9&overdue&parking&fee:property,water&period:2026-10/2026-11",
        "room:3-2-501,3-2-502&role:owner,tenant&tag:独居老人,装修中",
        "overdue&days:90&owed:50000",
    ],
)
def test_an_audience_reads_back_as_it_is_written(written: str) -> None:
    assert str(Audience.parse(written)) == written


@pytest.mark.parametrize(
    "written", ["", "building:", "unit:4", "unit:-1", "fee:gold", "everybody", *NARROWER]
)
def test_what_is_no_audience_is_refused_and_never_means_all(written: str) -> None:
    with pytest.raises(InvalidInput, match="audience"):
        Audience.parse(written)


def test_each_follower_counts_once_and_only_while_he_follows_and_is_bound(town: Town) -> None:
    zhang, li = town.bind(IN_TIME, "Zhang"), town.bind(BEHIND, "Li")
    town.bind("3-2-502", "Zhang")
    assert (count(town, "all"), count(town, "building:3"), count(town, "unit:3-2")) == (2, 1, 1)
    assert (count(town, f"room:{BEHIND}"), count(town, "building:2")) == (1, 0)
    town.change(li, unfollowed_at=town.clock.now)
    assert count(town, "all") == 1
    town.unbind(zhang)
    assert count(town, "all") == 0


def test_the_overdue_are_those_who_owe_past_the_due_date(town: Town) -> None:
    town.bind(IN_TIME, "Zhang")
    li = town.bind(BEHIND, "Li")
    assert count(town, "overdue") == count(town, "building:1&overdue") == 1
    assert count(town, "building:3&overdue") == 0
    assert count(town, f"overdue&fee:{FeeKind.PROPERTY}&period:2026-08/2026-08") == 1
    assert count(town, "overdue&period:2026-11/2026-11") == 0
    town.pay(BEHIND, li)
    assert count(town, "overdue") == 0


def test_a_debt_counts_by_its_age_and_its_sum(town: Town) -> None:
    li = town.bind(BEHIND, "Li")
    owed = overdue(town)
    assert (count(town, "overdue&days:84"), count(town, "overdue&days:85")) == (1, 0)
    assert count(town, f"overdue&owed:{owed.fen}") == 1
    assert count(town, f"overdue&owed:{owed.fen + 1}") == 0
    town.pay(BEHIND, li, share=Money(1))
    assert count(town, f"overdue&owed:{owed.fen}") == 0


def overdue(town: Town) -> Money:
    """What the home that is behind owes past its due dates."""
    with town.world.database.transaction() as session:
        scope = Scope(town.world.community.id)
        [one] = [
            one for one in list_arrears(session, scope, town.world.today) if one.room == BEHIND
        ]
    return one.owed


def test_a_list_of_rooms_a_role_and_a_tag_narrow_it_together(town: Town) -> None:
    zhang = town.bind(IN_TIME, "Zhang")
    town.bind(BEHIND, "Li")
    town.bind("3-2-502", "Wang")
    with town.world.database.transaction() as session:
        session.execute(
            update(Binding).where(Binding.follower_id == zhang.id).values(role=ResidentRole.TENANT)
        )
        by = get_staff(session, "liu")
        units = [town.world.unit(IN_TIME), town.world.unit(BEHIND)]
        assert add_tag(session, units, "装修中", by=by, now=town.clock.now) == 2
    assert count(town, f"room:{IN_TIME},{BEHIND}") == 2
    assert (count(town, "role:tenant"), count(town, "role:owner")) == (1, 2)
    assert count(town, "tag:装修中") == 2
    assert count(town, "tag:装修中&building:3&role:tenant") == 1
    assert count(town, "tag:装修中&building:3&role:owner") == 0


def test_homes_and_whom_only_a_template_message_reaches_are_counted(town: Town) -> None:
    town.bind(IN_TIME, "Zhang")
    town.bind("3-2-502", "Zhang")
    town.bind(BEHIND, "Li", wrote=False)
    with town.world.database.transaction() as session:
        readers = count_readers(session, town.world.community.id, Audience(), town.clock.now)
    assert (readers.people, readers.homes, readers.silent) == (2, 3, 1)


def test_who_disputes_all_he_owes_is_not_pressed_for_it(town: Town, vault: Vault) -> None:
    li = town.bind(BEHIND, "Li")
    dispute_everything(town, vault, BEHIND, li.id)
    assert (count(town, "overdue"), count(town, "all")) == (0, 1)


def test_a_new_owner_is_not_pressed_for_the_debts_before_him(town: Town) -> None:
    town.bind(BEHIND, "New", sees_from=town.world.today)
    assert (count(town, "overdue"), count(town, "all")) == (0, 1)


def test_it_goes_out_a_minute_after_it_was_confirmed_and_once(town: Town) -> None:
    zhang, silent = town.bind(IN_TIME, "Zhang"), town.bind(BEHIND, "Li", wrote=False)
    one = confirm(town, draft(town))
    assert one.state is BroadcastState.QUEUED
    assert confirm(town, one).queued_at == one.queued_at
    town.clock.advance(seconds=59)
    assert town.notifier.intake()["broadcasts"] == 0
    town.clock.advance(seconds=1)
    assert town.notifier.intake()["broadcasts"] == 1
    town.notifier.intake()
    assert len(town.wechat.shown) == 2
    shown = {one.openid: one for one in town.wechat.shown}
    assert shown[zhang.openid].text == f"【花园小区 物业通知】\n{BODY}"
    assert shown[silent.openid].data["thing2"] == BODY
    assert town.notices() == [("broadcast", "merged", None)] * 2
    sent = again(town, one)
    assert (sent.state, sent.recipients) == (BroadcastState.SENT, 2)
    with pytest.raises(Conflict, match="is sent"):
        cancel(town, one)


def test_within_the_minute_it_is_taken_back(town: Town) -> None:
    town.bind(IN_TIME, "Zhang")
    one = confirm(town, draft(town))
    assert cancel(town, one, by="liu").state is BroadcastState.CANCELLED
    assert cancel(town, one).cancelled_by != one.drafted_by
    town.clock.now += TAKEN_BACK_WITHIN
    assert town.notifier.intake()["broadcasts"] == 0
    assert town.wechat.shown == []
    with pytest.raises(Conflict, match="was cancelled"):
        confirm(town, one)


def test_nobody_is_woken_by_it(town: Town) -> None:
    town.bind(IN_TIME, "Zhang")
    town.clock.now = datetime.fromisoformat("2026-11-23T21:30:00+08:00")
    confirm(town, draft(town))
    town.clock.now += TAKEN_BACK_WITHIN
    assert town.notifier.intake()["broadcasts"] == 0
    assert town.wechat.shown == []
    town.clock.now = datetime.fromisoformat("2026-11-24T09:00:00+08:00")
    town.notifier.intake()
    assert len(town.wechat.shown) == 1


def test_who_moved_out_while_it_waited_is_not_told(town: Town) -> None:
    with town.world.database.transaction() as session:
        session.merge(town.world.community).broadcasts_per_minute = 1
    town.bind(IN_TIME, "Zhang")
    second = town.bind(BEHIND, "Li")
    confirm(town, draft(town))
    town.clock.now += TAKEN_BACK_WITHIN
    town.notifier.intake()
    town.unbind(second)
    town.clock.advance(minutes=1)
    town.notifier.intake()
    assert town.notices() == [("broadcast", "merged", None), ("broadcast", "suppressed", "unbound")]


def test_above_the_limit_a_second_person_approves_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasts, "ALONE_MAX", 1)
    town.bind(IN_TIME, "Zhang")
    town.bind(BEHIND, "Li")
    one = confirm(town, draft(town))
    assert (one.needs_second, one.state) == (True, BroadcastState.WAITING)
    with pytest.raises(InvalidInput, match="zhao wrote it"):
        confirm(town, one)
    town.clock.advance(minutes=5)
    assert town.notifier.intake()["broadcasts"] == 0
    approved = confirm(town, one, by="liu")
    assert (approved.state, approved.queued_at) == (BroadcastState.QUEUED, town.clock.now)
    town.clock.advance(seconds=60)
    assert town.notifier.intake()["broadcasts"] == 1


def test_only_managers_and_the_service_desk_of_the_community_broadcast(town: Town) -> None:
    town.bind(IN_TIME, "Zhang")
    with pytest.raises(InvalidInput, match="zhou is cashier"):
        draft(town, by="zhou")
    one = draft(town, by="liu")
    with pytest.raises(InvalidInput, match="zhao did not write it"):
        confirm(town, one)
    with pytest.raises(InvalidInput, match="zhou is cashier"):
        cancel(town, one, by="zhou")
    with town.world.database.transaction() as session:
        session.add(Staff(login="far", name="远", role="manager", community_id=None))
    assert draft(town, by="far").recipients == 1


def test_a_place_that_does_not_exist_is_refused(town: Town) -> None:
    for audience in ("building:3,99", "unit:3-9", f"room:{IN_TIME},9-9-909", "tag:装修中"):
        with pytest.raises(InvalidInput, match="there is no"):
            draft(town, audience)


def test_nobody_to_read_it_means_nothing_is_queued(town: Town) -> None:
    one = draft(town, "building:3")
    assert one.recipients == 0
    with pytest.raises(Conflict, match="reach nobody"):
        confirm(town, one)


def test_the_words_are_cleaned_and_neither_empty_nor_too_long() -> None:
    assert clean_body(" 停水\r\n\r\n\r\n\r\n请储水\u202e\u200b\x00 ") == "停水\n\n请储水"
    assert clean_body("👨\u200d👩\u200d👧 好") == "👨\u200d👩\u200d👧 好"
    for body in ("", " \u200b\n", "长" * 401):
        with pytest.raises(InvalidInput, match="body"):
            clean_body(body)


def test_a_cut_off_may_not_be_what_presses_for_payment() -> None:
    assert presses_unlawfully(Audience(overdue=True), "再不缴就停水")
    assert not presses_unlawfully(Audience(), "明天停水检修")
    assert not presses_unlawfully(Audience(overdue=True), "请尽快缴清")
