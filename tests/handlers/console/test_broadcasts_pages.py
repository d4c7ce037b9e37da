"""群发 in the console: drafted by fields, shown and counted, confirmed, approved, taken back."""

import html
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from billing.bindings import see_follower
from billing.home_tags import add_tag
from billing.people import Binding, BindingState, ResidentRole, StaffRole, get_staff
from bot.program import Program
from notify import broadcasts
from notify.broadcast_sending import send_due
from notify.broadcast_tables import Broadcast, BroadcastState
from notify.catalog import NoticeKind, Transport
from notify.outbox import Message, MessageState, Notice, NoticeState, Reason
from notify.template_tables import NoticeRoute, NoticeTemplate
from tests.conftest import World
from tests.handlers.application import Clock
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]
WORDS = "明天上午 9:00 停水，请储水 <b>&"
ROOMS = ("3-2-501", "3-2-502", "1-1-302")


@pytest.fixture
def readers(program: Program, world: World, clock: Clock) -> None:
    """Three homes are bound; the last one's owner did not write to us lately."""
    with program.services.database.transaction() as session:
        for room in ROOMS:
            unit = world.unit(room)
            follower = see_follower(session, f"o{room}", clock.now)
            follower.last_message_at = None if room == ROOMS[-1] else clock.now
            session.add(
                Binding(
                    community_id=unit.community_id,
                    unit_id=unit.id,
                    follower_id=follower.id,
                    role=ResidentRole.OWNER,
                    state=BindingState.ACTIVE,
                    requested_at=clock.now,
                    decided_at=clock.now,
                )
            )


def drafted(clerk: Clerk, **fields: object) -> int:
    """Draft one by the form; its number."""
    answer = clerk.post("/HY/broadcasts/new", **({"body": WORDS} | fields))
    assert answer.status_code == 303, answer.text
    return int(answer.headers["Location"].rpartition("/")[2])


def kept(program: Program, world: World, number: int) -> Broadcast:
    with program.services.database.transaction() as session:
        return session.get_one(Broadcast, (world.community.id, number))


@pytest.mark.parametrize(
    ("fields", "audience"),
    [
        ({}, "all"),
        ({"buildings": ["3", "1"]}, "building:3,1"),
        ({"entrance": "3-2"}, "unit:3-2"),
        ({"rooms": "3-2-501，3栋2单元502\n1-1-302 3-2-501"}, "room:3-2-501,3-2-502,1-1-302"),
        ({"roles": ["owner", "tenant"], "parking": "1"}, "parking&role:owner,tenant"),
        ({"days": "30", "owed": "120.50"}, "overdue&days:30&owed:12050"),
        (
            {"fees": ["property"], "first": "2026-08", "last": "2026-10"},
            "overdue&fee:property&period:2026-08/2026-10",
        ),
    ],
)
def test_the_fields_say_whom_it_is_for(
    clerk: MakeClerk, program: Program, world: World, fields: dict[str, object], audience: str
) -> None:
    desk = clerk(StaffRole.SERVICE)
    assert kept(program, world, drafted(desk, **fields)).audience == audience


def test_another_one_begins_with_the_fields_of_an_earlier_one(clerk: MakeClerk) -> None:
    desk = clerk(StaffRole.SERVICE)
    number = drafted(desk, buildings=["3", "1"], roles="owner", owed="120.50", per_minute="7")
    page = desk.get(f"/HY/broadcasts/new?like={number}").text
    for part in (
        'name="buildings" value="3" checked',
        'name="buildings" value="1" checked',
        'name="roles" value="owner" checked',
        'name="overdue" value="1" checked',
        'value="120.50"',
        'value="7"',
        "明天上午 9:00 停水",
    ):
        assert part in page


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"body": " "}, "请填写"),
        ({"body": "字" * 401}, "正文有 401 字，最多发 400 字"),
        ({"rooms": "3-2-501 9-9-999"}, "没有这些房号：9-9-999"),
        ({"rooms": "3-2-501", "buildings": "3"}, "只能填一种"),
        ({"buildings": "77"}, "没有这个范围：77"),
        ({"entrance": "3"}, "没有这个范围：3-"),
        ({"fees": "gold"}, "没有这个选项"),
        ({"days": "99999"}, "天数太大了"),
        ({"days": "0"}, "须大于 0"),
        ({"owed": "0.00"}, "须大于 0"),
        ({"owed": "x"}, "请填写金额"),
        ({"first": "2026-10", "last": "2026-08"}, "起始月不晚于截止月"),
        ({"first": "2026-10"}, "请填写月份"),
        ({"send_at": "tomorrow"}, "请填写时间"),
        ({"send_at": "2020-01-01T09:00"}, "这个时间已经过去了"),
        ({"send_at": "2029-01-01T09:00"}, "最多提前 60 天"),
        ({"per_minute": "0"}, "每分钟 1 到 10000 条"),
        ({"tags": "没有的"}, "没有这个范围：没有的"),
        ({"tags": "&all"}, "没有这个范围"),
    ],
)
def test_what_cannot_be_sent_is_said_at_its_field_and_nothing_typed_is_lost(
    clerk: MakeClerk, program: Program, fields: dict[str, str], words: str
) -> None:
    answer = clerk(StaffRole.SERVICE).post(
        "/HY/broadcasts/new", **({"body": "明天停水", "roles": "tenant"} | fields)
    )
    assert answer.status_code == 422
    assert words in answer.text
    assert 'name="roles" value="tenant" checked' in answer.text
    with program.services.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Broadcast)) == 0


def test_a_draft_is_shown_as_it_will_be_read_with_how_many_read_it(
    clerk: MakeClerk, readers: None
) -> None:
    desk = clerk(StaffRole.SERVICE)
    page = desk.get(f"/HY/broadcasts/{drafted(desk)}").text
    assert "【花园小区 物业通知】\n明天上午 9:00 停水，请储水 &lt;b&gt;&amp;" in page
    assert "确认发送给 3 人" in page
    assert "又没有可用的模板消息" in page  # the silent one gets nothing: no template is approved
    assert "全体业主" in page


@pytest.mark.parametrize(
    ("fields", "ways", "in_chat", "others", "card"),
    [
        ({"thing1": "body", "time2": "sent_at"}, None, 2, 1, True),
        ({"thing1": "body", "time2": "sent_at"}, ["service"], 2, 1, False),
        ({"thing1": "body", "time2": "sent_at"}, ["template"], 0, 3, True),
        ({"thing1": "body", "time2": "sent_at"}, ["template", "service"], 0, 3, True),
        ({"thing1": "no_such_word"}, ["template", "service"], 2, 1, False),
    ],
)
def test_the_preview_goes_by_the_ways_staff_set(
    clerk: MakeClerk,
    readers: None,
    program: Program,
    clock: Clock,
    fields: dict[str, str],
    ways: list[str] | None,
    in_chat: int,
    others: int,
    card: bool,
) -> None:
    desk = clerk(StaffRole.SERVICE)
    said = {"kind": NoticeKind.BROADCAST, "set_by": desk.staff_id, "set_at": clock.now}
    with program.services.database.transaction() as session:
        template = {"transport": Transport.TEMPLATE, "template_id": "T1", "fields": fields}
        session.add(NoticeTemplate(**said, **template))
        if ways is not None:
            session.add(NoticeRoute(**said, transports=ways))
    page = desk.get(f"/HY/broadcasts/{drafted(desk)}").text
    tiles = re.findall(r'<div class="card[^"]*"><small>([^<]*)</small><b>(\d+)</b>', page)
    assert tiles[2:] == [
        ("对话里直接看到全文", str(in_chat)),
        ("收到模板消息，点开看全文" if card else "收不到", str(others)),
    ]
    assert ("2026-11-23 10:31" in page) is card
    assert "点开看全文</p>" in page or not card


def test_at_night_page_and_words_name_the_same_hour_before_and_after(
    clerk: MakeClerk, readers: None, program: Program, world: World, clock: Clock
) -> None:
    desk = clerk(StaffRole.SERVICE)
    with program.services.database.transaction() as session:
        session.add(
            NoticeTemplate(
                kind=NoticeKind.BROADCAST,
                transport=Transport.TEMPLATE,
                template_id="T1",
                fields={"time2": "sent_at"},
                set_by=desk.staff_id,
                set_at=clock.now,
            )
        )
    number = drafted(desk)
    clock.later(hours=11, minutes=45)  # 22:15
    desk = clerk(StaffRole.SERVICE)
    desk.post(f"/HY/broadcasts/{number}/confirm", state="draft")
    clock.later(minutes=2)
    with program.services.database.transaction() as session:
        assert send_due(session, clock.now) == 0
    card = '<div class="phone"><p>2026-11-24 09:00</p>'
    page = desk.get(f"/HY/broadcasts/{number}").text
    assert card in page
    assert "2026-11-24 09:00 开始发送，到时重新统计人数" in page
    clock.later(hours=10, minutes=43)
    with program.services.database.transaction() as session:
        assert send_due(session, clock.now) == 1
    page = clerk(StaffRole.SERVICE).get(f"/HY/broadcasts/{number}").text
    assert card in page
    assert "2026-11-24 09:00 开始" in page


def test_it_is_confirmed_followed_and_stopped_and_the_numbers_add_up(
    clerk: MakeClerk, readers: None, program: Program, world: World, clock: Clock
) -> None:
    desk = clerk(StaffRole.SERVICE)
    number = drafted(desk, buildings="3", per_minute="1")
    answer = desk.post(f"/HY/broadcasts/{number}/confirm", state="draft")
    assert answer.status_code == 303
    assert "一分钟后开始发送" in desk.get(f"/HY/broadcasts/{number}").text
    clock.later(minutes=1)
    with program.services.database.transaction() as session:
        assert send_due(session, clock.now) == 1
    live = desk.get(f"/HY/broadcasts/{number}/live").text
    assert "0/2 人已处理，还有 2 人在排队" in live
    assert "data-over" not in live
    assert "缴费的人数，发完后统计" in live
    assert "其中三天内缴费" not in live
    assert 'data-every="15"' in desk.get(f"/HY/broadcasts/{number}").text
    assert "data-over" in desk.get(f"/HY/broadcasts/{number}/live?state=queued").text
    assert desk.post(f"/HY/broadcasts/{number}/cancel", state="sent").status_code == 303
    page = desk.get(f"/HY/broadcasts/{number}").text
    assert "没有再发：群发已中止" in page
    assert "与发送时的人数一致" in page
    assert "其中三天内缴费" in page
    assert kept(program, world, number).state is BroadcastState.STOPPED
    with program.services.database.transaction() as session:
        assert session.scalars(select(Notice.state)).all() == ["suppressed"] * 2


def test_a_draft_is_confirmed_by_its_author_only(
    clerk: MakeClerk, readers: None, program: Program, world: World
) -> None:
    number = drafted(clerk(StaffRole.SERVICE))
    other = clerk(StaffRole.MANAGER)
    assert "由起草人 测试员 自己确认后才会发送" in other.get(f"/HY/broadcasts/{number}").text
    refused = other.post(f"/HY/broadcasts/{number}/confirm", state="draft")
    assert refused.status_code == 422
    assert "由起草人自己先确认" in refused.text
    assert kept(program, world, number).state is BroadcastState.DRAFT


def test_many_readers_take_a_second_person(
    clerk: MakeClerk,
    readers: None,
    program: Program,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broadcasts, "ALONE_MAX", 2)
    desk, other = clerk(StaffRole.SERVICE), clerk(StaffRole.MANAGER)
    number = drafted(desk)
    desk.post(f"/HY/broadcasts/{number}/confirm", state="draft")
    page = desk.get(f"/HY/broadcasts/{number}").text
    assert "等另一位经理或客服复核" in page
    assert "同意发送" not in page
    own = desk.post(f"/HY/broadcasts/{number}/confirm", state="waiting")
    assert "要由另一位同事复核" in own.text
    assert "同意发送" in other.get(f"/HY/broadcasts/{number}").text
    assert other.post(f"/HY/broadcasts/{number}/confirm", state="waiting").status_code == 303
    assert kept(program, world, number).approved_by == other.staff_id


def test_a_page_that_grew_old_is_told_so(
    clerk: MakeClerk, readers: None, program: Program, world: World
) -> None:
    desk = clerk(StaffRole.SERVICE)
    number = drafted(desk)
    desk.post(f"/HY/broadcasts/{number}/cancel", state="draft")
    for order in ("confirm", "cancel"):
        answer = desk.post(f"/HY/broadcasts/{number}/{order}", state="draft")
        assert answer.status_code == 422
        assert "刚刚被别人处理过" in answer.text
    assert kept(program, world, number).state is BroadcastState.CANCELLED
    ended = desk.post(f"/HY/broadcasts/{number}/confirm", state="cancelled")
    assert "已经取消或中止" in ended.text


def test_a_cut_off_is_read_again_before_it_goes_to_who_owes(
    clerk: MakeClerk, readers: None, program: Program, world: World
) -> None:
    desk = clerk(StaffRole.SERVICE)
    number = drafted(desk, overdue="1", body="再不缴费就停水")
    assert "《民法典》第944条" in desk.get(f"/HY/broadcasts/{number}").text
    refused = desk.post(f"/HY/broadcasts/{number}/confirm", state="draft")
    assert "请先再看一遍内容" in refused.text
    assert kept(program, world, number).state is BroadcastState.DRAFT
    sent = desk.post(f"/HY/broadcasts/{number}/confirm", state="draft", read_again="1")
    assert sent.status_code == 303


def test_nobody_to_read_it_is_said_and_not_sent(clerk: MakeClerk) -> None:
    desk = clerk(StaffRole.SERVICE)
    number = drafted(desk)
    assert "没有人能收到" in desk.get(f"/HY/broadcasts/{number}").text
    refused = desk.post(f"/HY/broadcasts/{number}/confirm", state="draft")
    assert refused.status_code == 422
    assert "没有已绑定并关注的住户" in refused.text


def test_what_is_all_sent_cannot_be_taken_back(
    clerk: MakeClerk, readers: None, program: Program, clock: Clock
) -> None:
    desk = clerk(StaffRole.SERVICE)
    number = drafted(desk)
    desk.post(f"/HY/broadcasts/{number}/confirm", state="draft")
    clock.later(minutes=1)
    with program.services.database.transaction() as session:
        send_due(session, clock.now)
        session.execute(update(Notice).values(state="suppressed", reason="expired"))
    refused = desk.post(f"/HY/broadcasts/{number}/cancel", state="sent")
    assert "已经全部发出" in refused.text


def test_whom_it_did_not_reach_is_found_from_it_alone_and_months_later(
    clerk: MakeClerk, readers: None, program: Program, world: World, clock: Clock
) -> None:
    desk = clerk(StaffRole.SERVICE)
    numbers = [drafted(desk, rooms=room) for room in ROOMS[:2]]
    for number in numbers:
        desk.post(f"/HY/broadcasts/{number}/confirm", state="draft")
    clock.later(minutes=1)
    with program.services.database.transaction() as session:
        assert [send_due(session, clock.now) for _ in numbers] == [1, 1]
        told = session.scalars(select(Notice).where(Notice.kind == NoticeKind.BROADCAST)).all()
        for notice in told:
            message = Message(
                community_id=notice.community_id,
                follower_id=notice.follower_id,
                kind=notice.kind,
                urgency=notice.urgency,
                transport=Transport.SERVICE,
                content={"text": "停水", "fields": {}},
                client_msg_id=f"m{notice.id}",
                state=MessageState.FAILED,
                reason=Reason.NO_TRANSPORT,
                created_at=clock.now,
                expires_at=notice.expires_at,
                next_attempt_at=clock.now,
                attempts=0,
            )
            session.add(message)
            session.flush()
            notice.state, notice.message_id = NoticeState.MERGED, message.id
    clock.later(days=60)
    desk = clerk(StaffRole.SERVICE)
    page = desk.get(f"/HY/broadcasts/{numbers[0]}").text
    link = re.search(r'href="/console([^"]+)">看没有发成的是哪些人', page)
    assert link is not None
    found = desk.get(html.unescape(link[1])).text
    rows = found.partition("<tbody>")[2]
    assert ROOMS[0] in rows
    assert ROOMS[1] not in rows
    assert f'name="broadcast" value="{numbers[0]}"' in found
    assert "一次最多看 31 天" not in found
    assert "请填写数字" in desk.get("/HY/notices?broadcast=x").text


def test_the_list_shows_them_by_state_and_tags_of_homes_can_be_chosen(
    clerk: MakeClerk, readers: None, program: Program, world: World, clock: Clock
) -> None:
    with program.services.database.transaction() as session:
        add_tag(
            session, [world.unit(ROOMS[0])], "独居老人", by=get_staff(session, "liu"), now=clock.now
        )
    desk = clerk(StaffRole.SERVICE)
    assert "独居老人" in desk.get("/HY/broadcasts/new").text
    number = drafted(desk, tags="独居老人")
    assert "确认发送给 1 人" in desk.get(f"/HY/broadcasts/{number}").text
    assert "标签为独居老人的业主" in desk.get("/HY/broadcasts?state=draft").text
    assert "没有这样的群发" in desk.get("/HY/broadcasts?state=sent").text
    with desk.get("/HY/broadcasts?format=xlsx") as answer:
        assert answer.data.startswith(b"PK")


def test_a_scheduled_one_says_when_and_can_be_cancelled(
    clerk: MakeClerk, readers: None, program: Program, world: World, clock: Clock
) -> None:
    desk = clerk(StaffRole.SERVICE)
    at = clock.now + timedelta(days=1)
    number = drafted(desk, send_at=f"{at:%Y-%m-%d}T10:00")
    desk.post(f"/HY/broadcasts/{number}/confirm", state="draft")
    page = desk.get(f"/HY/broadcasts/{number}").text
    assert "到时间自动发送" in page
    assert f"{at:%Y-%m-%d} 10:00" in page
    desk.post(f"/HY/broadcasts/{number}/cancel", state="queued")
    assert kept(program, world, number).state is BroadcastState.CANCELLED


def test_there_is_none_of_another_number(clerk: MakeClerk) -> None:
    desk = clerk(StaffRole.MANAGER)
    for path in ("", "/live"):
        assert desk.get(f"/HY/broadcasts/999999{path}").status_code == 404
    assert desk.get("/HY/broadcasts/new?like=999999").status_code == 404
    assert desk.get("/HY/broadcasts/new?like=x").status_code == 200
