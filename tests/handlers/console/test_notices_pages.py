"""通知 in the console: found by day, kind, state and home; read in full; counted by kind."""

from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import select

from billing.bindings import see_follower
from billing.people import Binding, BindingState, ResidentRole, StaffRole
from billing.sightings import Sighting
from bot.program import Program
from handlers.console.notice_words import advice, without_links
from notify.catalog import NoticeKind, Transport, Urgency
from notify.outbox import (
    Delivery,
    Message,
    MessageOpen,
    MessageState,
    Notice,
    NoticeState,
    Outcome,
    Reason,
)
from notify.sent import made_within
from tests.conftest import World
from tests.handlers.application import Clock
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]
Tell = Callable[..., int]
LINK = "http://pay.example/o/bill/secret"
TEXT = f"3-2-501 本月物业费 <b>275.80</b> 元\n点开缴费：{LINK}?m=1"


@pytest.fixture
def tell(program: Program, world: World, clock: Clock) -> Tell:
    """Write a message to the owner of a home down; returns its number."""

    def make(
        room: str = "3-2-501",
        kind: NoticeKind = NoticeKind.BILL_ISSUED,
        state: MessageState = MessageState.SENT,
        reason: Reason | None = None,
        at: datetime | None = None,
    ) -> int:
        made = at or clock.now
        unit = world.unit(room)
        with program.services.database.transaction() as session:
            follower = see_follower(session, f"oOwnerOf{room}", made)
            bound = select(Binding).where(Binding.follower_id == follower.id)
            if session.scalar(bound) is None:
                session.add(
                    Binding(
                        community_id=unit.community_id,
                        unit_id=unit.id,
                        follower_id=follower.id,
                        role=ResidentRole.OWNER,
                        state=BindingState.ACTIVE,
                        requested_at=made,
                        decided_at=made,
                    )
                )
            common: dict[str, Any] = {
                "community_id": unit.community_id,
                "follower_id": follower.id,
                "kind": kind,
                "urgency": Urgency.TODAY,
                "created_at": made,
                "expires_at": made + timedelta(days=5),
            }
            message = Message(
                **common,
                transport=Transport.TEMPLATE,
                content={
                    "template_id": "T",
                    "fields": {"thing1": "物业费", "thing2": f"点开 {LINK}"},
                    "url": LINK,
                    "text": TEXT,
                    "total_fen": 27580,
                },
                client_msg_id=f"c{room}{made.timestamp()}{kind.value}",
                state=state,
                reason=reason,
                next_attempt_at=made,
                attempts=1,
                first_sent_at=made,
                settled_at=made,
            )
            session.add(message)
            session.flush()
            session.add(
                Notice(
                    **common,
                    fact_key=f"bill:{message.id}",
                    unit_id=None if kind is NoticeKind.BROADCAST else unit.id,
                    ref_id=message.id,
                    data={},
                    state=NoticeState.MERGED,
                    not_before=made,
                    message_id=message.id,
                )
            )
            return message.id

    return make


def test_the_list_is_of_the_last_week_and_names_home_and_masked_reader(
    clerk: MakeClerk, tell: Tell, clock: Clock
) -> None:
    tell(at=clock.now - timedelta(days=7))
    tell("1-1-302")
    page = clerk(StaffRole.SERVICE).get("/HY/notices").text
    assert "共 1 条" in page
    assert "1-1-302" in page
    assert "oOwnerOf1-1-302" not in page
    assert "账单通知" in page


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ("kind=overdue", 1),
        ("state=failed", 1),
        ("state=failed&kind=overdue", 0),
        ("room=3栋2单元501", 2),
        ("room=1-1-302", 2),
        ("room=9-9-999", 0),
        ("since=2026-11-01&until=2026-11-20", 1),
        ("kind=nonsense&state=nonsense", 4),
    ],
)
def test_it_is_narrowed_by_kind_state_home_and_days(
    clerk: MakeClerk, tell: Tell, clock: Clock, asked: str, count: int
) -> None:
    tell(at=datetime.fromisoformat("2026-11-20T23:30+08:00"))
    tell(kind=NoticeKind.OVERDUE)
    tell("1-1-302", state=MessageState.FAILED, reason=Reason.USER_BLOCK)
    tell("1-1-302", kind=NoticeKind.BROADCAST)
    page = clerk(StaffRole.MANAGER).get(f"/HY/notices?{asked}").text
    assert f"共 {count} 条" in page


def test_what_is_wrong_with_a_filter_is_said(clerk: MakeClerk) -> None:
    desk = clerk(StaffRole.SERVICE)
    for asked, words in [
        ("since=2026-11-20&until=2026-11-19", "截止日期须不早于"),
        ("since=2026-01-01&until=2026-11-19", "一次最多看 31 天"),
        ("since=x", "请填写日期"),
        ("room=9-9-999", "没有这个房号"),
    ]:
        assert words in desk.get(f"/HY/notices?{asked}").text


def test_of_what_failed_the_reasons_come_with_what_to_do(
    clerk: MakeClerk, tell: Tell, clock: Clock
) -> None:
    tell(state=MessageState.FAILED, reason=Reason.USER_BLOCK)
    tell("1-1-302", state=MessageState.FAILED, reason=Reason.NO_TRANSPORT)
    page = clerk(StaffRole.SERVICE).get("/HY/notices?state=failed").text
    assert "为什么没有发成" in page
    assert advice(Reason.USER_BLOCK) in page
    assert advice(Reason.NO_TRANSPORT) in page
    assert "为什么没有发成" not in clerk(StaffRole.MANAGER).get("/HY/notices").text


def test_every_reason_has_its_advice() -> None:
    assert all(advice(reason) for reason in Reason)


def test_the_first_page_counts_the_same_failures_and_leads_to_them(
    clerk: MakeClerk, tell: Tell, clock: Clock
) -> None:
    tell(state=MessageState.FAILED, reason=Reason.REFUSED)
    tell(state=MessageState.FAILED, reason=Reason.REFUSED, at=clock.now - timedelta(days=6))
    tell(state=MessageState.FAILED, reason=Reason.REFUSED, at=clock.now - timedelta(days=7))
    desk = clerk(StaffRole.SERVICE)
    page = desk.get("/HY/").text
    link = '<a href="/console/HY/notices?state=failed">七天内未送达通知</a><b class="some">2</b>'
    assert link in page
    assert "共 2 条" in desk.get("/HY/notices?state=failed").text
    assert "notices?state=failed" not in clerk(StaffRole.ACCOUNTANT).get("/HY/").text


def test_one_is_read_in_full_without_the_link_that_opens_for_its_reader(
    clerk: MakeClerk, tell: Tell, program: Program, world: World, clock: Clock
) -> None:
    number = tell(state=MessageState.FAILED, reason=Reason.USER_BLOCK)
    with program.services.database.transaction() as session:
        key = {"community_id": world.community.id, "message_id": number}
        session.add(MessageOpen(**key, opened_at=clock.now))
        session.add(
            Delivery(
                **key,
                attempt=1,
                transport=Transport.TEMPLATE,
                started_at=clock.now,
                finished_at=clock.now,
                outcome=Outcome.REFUSED,
                errcode=43004,
                errmsg="require subscribe",
            )
        )
    desk = clerk(StaffRole.SERVICE)
    page = desk.get(f"/HY/notices/{number}").text
    assert "&lt;b&gt;275.80&lt;/b&gt;" in page
    assert "secret" not in page
    assert page.count("〔业主专属链接〕") == 2
    assert "43004 require subscribe" in page
    assert advice(Reason.USER_BLOCK) in page
    with program.services.database.transaction() as session:
        assert session.scalar(select(Sighting.staff_id)) == desk.staff_id
    assert desk.get("/HY/notices/999999").status_code == 404


def test_a_link_ends_where_words_go_on() -> None:
    assert without_links("看 https://a.b/c?d=1。然后") == "看 〔业主专属链接〕。然后"


def test_a_home_shows_what_its_people_were_told_and_what_was_kept_from_them(
    clerk: MakeClerk, tell: Tell, program: Program, world: World
) -> None:
    number = tell()
    tell(kind=NoticeKind.BROADCAST)
    tell("1-1-302", kind=NoticeKind.OVERDUE)
    with program.services.database.transaction() as session:
        [first, *_] = session.scalars(select(Notice).order_by(Notice.id))
        kept = {c.name: getattr(first, c.name) for c in Notice.__table__.columns if c.name != "id"}
        kept |= {"kind": NoticeKind.DUE_SOON, "fact_key": "bill:x", "message_id": None}
        kept |= {"state": NoticeState.SUPPRESSED, "reason": Reason.PAID}
        session.add(Notice(**kept))
    desk = clerk(StaffRole.SERVICE)
    home = world.unit("3-2-501").id
    page = desk.get(f"/HY/homes/{home}/notices").text
    assert "共 3 条" in page
    assert f'href="/console/HY/notices/{number}"' in page
    assert "已缴清" in page
    assert "逾期提醒" not in page
    assert ">通知</a>" in desk.get(f"/HY/homes/{home}").text
    reader = clerk(StaffRole.READER)
    assert reader.get(f"/HY/homes/{home}/notices").status_code == 403
    assert f"/homes/{home}/notices" not in reader.get(f"/HY/homes/{home}").text
    assert desk.get("/HY/homes/999999/notices").status_code == 404


def test_figures_by_kind_are_the_same_on_the_page_and_in_the_file(
    clerk: MakeClerk, tell: Tell, clock: Clock
) -> None:
    desk = clerk(StaffRole.SERVICE)
    assert "没有发出通知" in desk.get("/HY/notices/outcomes").text
    tell()
    tell("1-1-302", state=MessageState.FAILED, reason=Reason.REFUSED)
    tell(kind=NoticeKind.OVERDUE, at=clock.now - timedelta(days=7))
    page = desk.get("/HY/notices/outcomes").text
    assert "账单通知" in page
    assert "逾期提醒" not in page
    assert "逾期提醒" in desk.get("/HY/notices/outcomes?days=30").text
    with desk.get("/HY/notices/outcomes?format=xlsx") as answer:
        book = CalamineWorkbook.from_filelike(BytesIO(answer.data))
    head, row = book.get_sheet_by_index(0).to_python()
    counted = dict(zip(head, row, strict=True))
    assert (counted["通知"], counted["已发出"], counted["发送失败"]) == ("账单通知", 1, 1)


def test_days_are_found_among_numbers_that_are_a_little_out_of_order(
    tell: Tell, program: Program, world: World, clock: Clock
) -> None:
    """Two workers number what they make at once as it comes; gaps are no stop either."""
    minutes = [0, 30, 20, 50, 44, 70, 69, 100, 90, 130]
    made = [clock.now + timedelta(minutes=minute) for minute in minutes]
    numbers = {tell(at=at): at for at in made}
    begins, ends = clock.now + timedelta(minutes=44), clock.now + timedelta(minutes=100)
    with program.services.database.transaction() as session:
        fits = made_within(session, world.community.id, begins, ends)
        found = set(session.scalars(select(Message.id).where(fits)))
        nothing = made_within(session, world.community.id + 1, begins, ends)
        assert session.scalars(select(Message.id).where(nothing)).all() == []
    assert found == {number for number, at in numbers.items() if begins <= at < ends}
    assert len(found) == 5
