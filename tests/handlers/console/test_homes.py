"""Homes and their accounts: found by anything, explained to the fen, corrected by two people."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from io import BytesIO

import pytest
from lxml import html
from python_calamine import CalamineWorkbook
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from billing.account_statements import read_statement
from billing.adjustment_tables import Adjustment, AdjustmentState, AfterVoid, BillShare
from billing.audit import AuditEntry
from billing.bill_lines import list_lines
from billing.bills import list_bills, list_unpaid
from billing.binding_requests import Claim, request_binding
from billing.bindings import issue_code, redeem_code, see_follower
from billing.concessions import AgreedPrice, DiscountGrant
from billing.deposits import list_deposits
from billing.ledger import FixedAccount, balance
from billing.money import ZERO, Money
from billing.people import (
    Binding,
    BindingState,
    Follower,
    Occupancy,
    Resident,
    ResidentRole,
    Staff,
    StaffRole,
)
from billing.prepayments import balance as prepaid
from billing.prepayments import list_auto_deduction
from billing.privacy import Vault
from billing.property import ParkingSpace
from billing.resident_keys import ResidentKey
from billing.residents import list_stays
from billing.sightings import Sighting
from billing.voids import void_bill
from bot.program import Program
from tests.billing.drawer import take
from tests.conftest import World
from tests.handlers.application import Clock
from tests.handlers.console.conftest import Clerk
from tests.places import add_community

MakeClerk = Callable[..., Clerk]
ROOM = "3-2-501"


@pytest.fixture
def home(world: World) -> int:
    """张秀英's home, with one unpaid bill."""
    return world.unit(ROOM).id


def text_of(answer: TestResponse) -> str:
    """What a person reads of a page."""
    return " ".join(html.fromstring(answer.text).text_content().split())


def rooms(answer: TestResponse) -> set[str]:
    return {cell.text_content() for cell in html.fromstring(answer.text).xpath("//tbody/tr/td[1]")}


def unpaid(world: World, home: int) -> tuple[int, list[tuple[int, Money]]]:
    """The unpaid bill of a home, and its lines with what is owed on them."""
    with world.database.transaction() as session:
        [bill] = list_unpaid(session, world.community.id, [home])
        lines = list_lines(session, world.community.id, [bill.id])
        return bill.id, [(line.id, line.outstanding) for line in lines]


@pytest.mark.parametrize(
    "said",
    [
        ROOM, "三号楼二单元501", "03 2 501", "张秀英", "秀英", "１００００００００２３",
    ],
)  # fmt: skip
def test_whatever_names_one_home_opens_it(
    clerk: MakeClerk, world: World, home: int, vault: Vault, said: str
) -> None:
    if said.startswith("１"):
        with world.database.transaction() as session:
            sealed = session.scalar(
                select(Resident.phone_sealed)
                .join(Occupancy, Occupancy.resident_id == Resident.id)
                .where(Occupancy.unit_id == home)
            )
        assert sealed is not None
        said = vault.open(sealed)
    answer = clerk(StaffRole.READER).get("/HY/homes", query_string={"q": said})
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith(f"/HY/homes/{home}")


def test_a_surname_a_door_a_phone_tail_and_a_plate_find_every_home_they_fit(
    clerk: MakeClerk, world: World, vault: Vault
) -> None:
    one = clerk(StaffRole.READER)
    with world.database.transaction() as session:
        units = session.execute(select(Occupancy.unit_id)).scalars().all()
        stays = list_stays(session, vault, world.community.id, units, in_full=True)
        plate = session.scalars(select(ParkingSpace.plate).order_by(ParkingSpace.id)).first()
    surname = {stay.unit_id for stay in stays if stay.name.startswith("李")}
    found = one.get("/HY/homes", query_string={"q": "李", "sort": "room"})
    assert len(rooms(found)) == len(surname) > 0
    doors = rooms(one.get("/HY/homes?q=501&sort=room"))
    assert ROOM in doors
    assert all(room.endswith("-501") for room in doors)
    tail = next(stay.phone[-4:] for stay in stays)
    assert rooms(one.get(f"/HY/homes?q={tail}&sort=room"))
    assert plate is not None
    assert len(rooms(one.get("/HY/homes", query_string={"q": plate, "sort": "room"}))) == 1
    nothing = one.get("/HY/homes", query_string={"q": "欧阳无人"})
    assert "没有找到" in nothing.text


def test_the_index_of_people_holds_nothing_that_could_be_read(world: World) -> None:
    with world.database.transaction() as session:
        keys = session.scalars(select(ResidentKey.fingerprint)).all()
    assert keys
    assert all(re.fullmatch("[0-9a-f]{32}", key) for key in keys)


def test_the_list_masks_people_and_sums_what_each_home_owes(
    clerk: MakeClerk, world: World, home: int
) -> None:
    one = clerk(StaffRole.READER)
    with one.get("/HY/homes?format=xlsx") as answer:
        book = CalamineWorkbook.from_filelike(BytesIO(answer.data))
    head, *rows = book.get_sheet_by_index(0).to_python()
    row = dict(zip(head, next(row for row in rows if row[0] == ROOM), strict=True))
    with world.database.transaction() as session:
        bills = list_unpaid(session, world.community.id, [home])
    owed = sum((bill.outstanding for bill in bills), ZERO)
    assert row["住户"] == "张**（业主）"
    assert Money.from_yuan(f"{row['待缴（元）']:.2f}") == owed > ZERO


def test_an_account_says_what_is_owed_and_how_it_was_worked_out(
    clerk: MakeClerk, world: World, home: int
) -> None:
    one = clerk(StaffRole.READER)
    shown = text_of(one.get(f"/HY/homes/{home}"))
    assert "98.50㎡ × 2.80元/㎡·月 = 275.80元" in shown
    assert "张**" in shown
    assert "张秀英" not in shown
    with world.database.transaction() as session:
        assert session.scalars(
            select(Sighting.what).where(Sighting.staff_id == one.staff_id, Sighting.unit_id == home)
        ).all()
    assert one.get("/HY/homes/999999").status_code == 404


def test_bills_are_narrowed_by_standing_month_and_item(
    clerk: MakeClerk, world: World, home: int
) -> None:
    one = clerk(StaffRole.READER)
    with world.database.transaction() as session:
        bills = list_bills(session, world.community.id, [home])
    path = f"/HY/homes/{home}/bills"
    owed = [bill for bill in bills if bill.outstanding]
    assert len(rooms(one.get(path))) == len(bills)
    assert rooms(one.get(f"{path}?standing=open")) == {str(bill.period) for bill in owed}
    assert len(rooms(one.get(f"{path}?standing=paid"))) == len(bills) - len(owed)
    assert rooms(one.get(f"{path}?period={bills[0].period}")) == {str(bills[0].period)}
    assert "没有符合条件的账单" in one.get(f"{path}?standing=void").text
    assert "账期请写成" in one.get(f"{path}?period=nonsense").text


def test_the_statement_ends_at_what_the_journal_says_and_adds_up(
    clerk: MakeClerk, world: World, home: int
) -> None:
    here = world.community.id
    with world.database.transaction() as session:
        whole = read_statement(
            session, here, home, start=world.today - timedelta(400), end=world.today
        )
        half = read_statement(
            session, here, home, start=world.today - timedelta(40), end=world.today
        )
        owed = balance(session, here, FixedAccount.RECEIVABLE, home) - prepaid(session, here, home)
    assert whole.opening == ZERO
    assert whole.closing == half.closing == owed
    assert half.opening + half.charged - half.credited == half.closing
    one = clerk(StaffRole.READER)
    assert owed.yuan in text_of(one.get(f"/HY/homes/{home}/statement"))
    with one.get(f"/HY/homes/{home}/statement?from=2020-01-01&format=xlsx") as answer:
        book = CalamineWorkbook.from_filelike(BytesIO(answer.data))
    rows = book.get_sheet_by_index(0).to_python()
    assert len(rows) == len(whole.bookings) + 1
    wrong = one.get(f"/HY/homes/{home}/statement?from=2026-11-20&to=2026-01-01")
    assert "截止日期须不早于起始日期" in wrong.text


def test_a_waiver_takes_two_people_and_can_be_taken_back(
    clerk: MakeClerk, world: World, home: int
) -> None:
    bill, lines = unpaid(world, home)
    line, owed = lines[0]
    cashier, manager = clerk(StaffRole.CASHIER), clerk(StaffRole.MANAGER)
    fields = {"line": str(line), "kind": "waiver", "amount": "5.00", "reason": "漏水"}
    assert cashier.post(f"/HY/bills/{bill}/adjust", **fields).status_code == 303
    assert "漏水" in manager.get("/HY/approvals").text
    with world.database.transaction() as session:
        number = session.scalars(select(Adjustment.id)).one()
    path = f"/HY/approvals/adjustments/{number}"
    assert cashier.post(path, decision="approve").status_code == 403
    assert manager.post(path, decision="approve").status_code == 303
    assert dict(unpaid(world, home)[1])[line] == owed - Money(500)
    again = manager.post(path, decision="approve")
    assert again.status_code == 422
    assert "刚刚已被批准" in again.text
    back = {"adjustment": str(number), "reason": "弄错了"}
    assert manager.post(f"/HY/bills/{bill}/reverse", **back).status_code == 303
    own = manager.post(f"/HY/approvals/adjustments/{number + 1}", decision="approve")
    assert "须由另一位同事审批" in own.text
    accountant = clerk(StaffRole.ACCOUNTANT)
    done = accountant.post(f"/HY/approvals/adjustments/{number + 1}", decision="approve")
    assert done.status_code == 303
    assert dict(unpaid(world, home)[1])[line] == owed
    assert "已撤回" in manager.get(f"/HY/bills/{bill}").text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": "100000"}, "这一项现在只欠"),
        ({"amount": "0"}, "须大于 0"),
        ({"amount": "abc"}, "请填写金额"),
        ({"reason": " "}, "请填写"),
        ({"line": "999999"}, "请选择这张账单上的一项收费"),
        ({"kind": "gift"}, "没有这个选项"),
        ({"seen": "1"}, "这张账单刚刚有变化"),
    ],
)
def test_a_request_that_cannot_be_is_refused_and_loses_nothing_that_was_typed(
    clerk: MakeClerk, world: World, home: int, changes: dict[str, str], words: str
) -> None:
    bill, lines = unpaid(world, home)
    fields = {"line": str(lines[0][0]), "kind": "waiver", "amount": "5", "reason": "电梯停运"}
    answer = clerk(StaffRole.SERVICE).post(f"/HY/bills/{bill}/adjust", **(fields | changes))
    assert answer.status_code == 422
    assert words in answer.text
    assert changes.get("reason", "电梯停运").strip() in answer.text
    with world.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Adjustment)) == 0


def test_a_void_bill_is_still_found_and_says_why(
    clerk: MakeClerk, world: World, home: int, clock: Clock
) -> None:
    bill, _ = unpaid(world, home)
    one = clerk(StaffRole.MANAGER)
    with world.database.transaction() as session:
        void_bill(
            session,
            world.community.id,
            bill,
            after=AfterVoid.EXCLUDE,
            reason="面积有误",
            by=session.get_one(Staff, one.staff_id),
            today=world.today,
            now=clock.now,
        )
    assert "面积有误" in one.get(f"/HY/bills/{bill}").text
    assert one.get(f"/HY/bills/{bill}/paper").status_code == 200
    assert len(rooms(one.get(f"/HY/homes/{home}/bills?standing=void"))) == 1
    answer = one.post(f"/HY/bills/{bill}/adjust", line="1", kind="waiver", amount="1", reason="x")
    assert answer.status_code == 422


def test_a_notice_on_paper_says_what_to_pay_and_how(
    clerk: MakeClerk, world: World, home: int
) -> None:
    bill, lines = unpaid(world, home)
    shown = clerk(StaffRole.READER).get(f"/HY/bills/{bill}/paper")
    assert sum((owed for _, owed in lines), ZERO).yuan in text_of(shown)
    assert "缴费二维码" in shown.text
    assert "张" not in text_of(shown).replace("一张", "").replace("纸张", "")


def test_a_deposit_is_taken_once_and_given_back_in_parts(
    clerk: MakeClerk, world: World, home: int
) -> None:
    one = clerk(StaffRole.CASHIER)
    taking = {"number": "YJ-1", "purpose": "装修押金", "amount": "2000"}
    for _ in range(2):  # pressed twice
        assert one.post(f"/HY/homes/{home}/deposits", **taking).status_code == 303
    with world.database.transaction() as session:
        [deposit] = list_deposits(session, world.community.id)
    assert deposit.held == Money(200_000)
    other = one.post(f"/HY/homes/{home}/deposits", **(taking | {"amount": "3000"}))
    assert "已用于另一笔押金" in other.text
    giving = {"deposit": str(deposit.id), "seen": "200000", "how": "return", "reason": "验收合格"}
    path = f"/HY/homes/{home}/deposits/give"
    assert one.post(path, **giving, amount="1500").status_code == 303
    stale = one.post(path, **giving, amount="500")
    assert stale.status_code == 422
    assert "刚刚有变化" in stale.text
    giving |= {"seen": "50000", "how": "forfeit"}
    assert "在押 500.00 元" in one.post(path, **giving, amount="600").text
    assert one.post(path, **giving, amount="500").status_code == 303
    with world.database.transaction() as session:
        assert balance(session, world.community.id, FixedAccount.DEPOSITS, home) == ZERO


def test_a_home_is_handed_over_to_somebody_new(
    clerk: MakeClerk, world: World, home: int, vault: Vault
) -> None:
    one = clerk(StaffRole.SERVICE)
    page = html.fromstring(one.get(f"/HY/homes/{home}/people").text)
    [seen] = page.xpath("//form[contains(@action, 'hand-over')]//input[@name='seen']/@value")
    fields = {
        "person_name": "欧阳新",
        "person_phone": "100 9999 0001",
        "on": world.today.isoformat(),
        "seen": seen,
    }
    assert (
        "请填写姓名"
        in one.post(f"/HY/homes/{home}/hand-over", **(fields | {"person_name": "x" * 60})).text
    )
    future = (world.today + timedelta(1)).isoformat()
    answer = one.post(f"/HY/homes/{home}/hand-over", **(fields | {"on": future}))
    assert "过户日不能在今天之后" in answer.text
    assert 'value="欧阳新"' in answer.text
    assert one.post(f"/HY/homes/{home}/hand-over", **fields).status_code == 303
    stale = one.post(f"/HY/homes/{home}/hand-over", **fields)
    assert "业主刚刚有变化" in stale.text
    found = one.get("/HY/homes", query_string={"q": "欧阳"})
    assert found.headers["Location"].endswith(f"/HY/homes/{home}")
    with world.database.transaction() as session:
        stays = list_stays(session, vault, world.community.id, [home], on=world.today, in_full=True)
        assert [(stay.name, stay.phone) for stay in stays] == [("欧阳新", "10099990001")]
        logged = session.scalars(select(AuditEntry.detail)).all()
    assert not any("欧阳新" in str(detail) or "9999" in str(detail) for detail in logged)


def test_a_hand_over_that_is_refused_forgets_no_tick(
    clerk: MakeClerk, world: World, home: int, vault: Vault, clock: Clock
) -> None:
    with world.database.transaction() as session:
        for openid in ("o-former", "o-buyer"):
            code = issue_code(
                session, vault, community_id=world.community.id, unit_id=home, now=clock.now
            )
            session.flush()
            redeem_code(session, vault, see_follower(session, openid, clock.now), code, clock.now)
        buyers = session.scalars(select(Binding.id).order_by(Binding.id)).all()[1]
    ticked = {f"own-{buyers}": "1", "keep_tenants": "1"}
    future = (world.today + timedelta(1)).isoformat()
    fields = {"person_name": "欧阳新", "on": future, **ticked}
    answer = clerk(StaffRole.SERVICE).post(f"/HY/homes/{home}/hand-over", **fields)
    assert answer.status_code == 422
    kept = html.fromstring(answer.text).xpath("//input[@type='checkbox'][@checked]/@name")
    assert set(kept) == set(ticked)


def test_before_a_hand_over_staff_read_what_stays_with_the_home(
    clerk: MakeClerk, world: World, home: int
) -> None:
    one, path = clerk(StaffRole.MANAGER), f"/HY/homes/{home}"

    def left() -> tuple[str, set[str]]:
        page = html.fromstring(one.get(f"{path}/people").text)
        [form] = page.xpath("//form[contains(@action, 'hand-over')]")
        links = {link.rpartition("/")[2] for link in form.xpath(".//li//a/@href")}
        return " ".join(form.text_content().split()), links

    assert "仍留在这套房屋名下" not in left()[0]
    begins = {"what": f"property:{ROOM}", "from_on": "2027-01-01"}
    discount = {"reason": "agreed", "off": "percent", "value": "30"}
    for door, fields in (
        ("deposits", {"number": "YJ-1", "purpose": "装修押金", "amount": "2000"}),
        ("discount", begins | discount),
        ("price", begins | {"unit_price": "2.5"}),
    ):
        assert one.post(f"{path}/{door}", **fields).status_code == 303
    with world.database.transaction() as session:
        take(session, world, ROOM, "500.00", designated={})
    said, links = left()
    for words in ("预存余额 500.00 元", "装修押金 2,000.00 元", "减 30%", "约定单价", "2.5 元"):
        assert words in said
    assert links == {str(home), "deposits", "terms"}
    with world.database.transaction() as session:
        grant = session.scalars(select(DiscountGrant)).one()
        grant.from_on, grant.to_on = date(2026, 1, 1), world.today
    assert "减 30%" not in left()[0]


def test_a_tenant_moves_in_and_out(clerk: MakeClerk, world: World, home: int) -> None:
    one = clerk(StaffRole.SERVICE)
    today = world.today.isoformat()
    path = f"/HY/homes/{home}/people"
    fields = {"role": "tenant", "person_name": "租户甲", "person_phone": "", "from_on": today}
    assert one.post(path, **(fields | {"person_phone": "123"})).status_code == 422
    assert "这套房屋已有业主" in one.post(path, **(fields | {"role": "owner"})).text
    assert one.post(path, **fields).status_code == 303
    with world.database.transaction() as session:
        stay = session.scalars(select(Occupancy).order_by(Occupancy.id.desc())).first()
        assert stay is not None
    leaving = {"stay": str(stay.id)}
    assert "须晚于第一天" in one.post(f"{path}/leave", **leaving, on=today).text
    later = (world.today + timedelta(30)).isoformat()
    assert one.post(f"{path}/leave", **leaving, on=later).status_code == 303
    with world.database.transaction() as session:
        after = session.get_one(Occupancy, (stay.community_id, stay.id))
        assert after.to_on == world.today + timedelta(30)
        owner = session.scalars(
            select(Occupancy.id).where(
                Occupancy.unit_id == home, Occupancy.role == ResidentRole.OWNER
            )
        ).first()
    answer = one.post(f"{path}/leave", stay=str(owner), on=later)
    assert "业主不能登记迁出" in answer.text


def test_full_names_are_shown_on_request_and_that_is_written_down(
    clerk: MakeClerk, world: World, home: int
) -> None:
    one = clerk(StaffRole.SERVICE)
    assert "张秀英" not in one.get(f"/HY/homes/{home}/people").text
    assert "张秀英" in one.post(f"/HY/homes/{home}/people/reveal").text
    with world.database.transaction() as session:
        entry = session.scalars(select(AuditEntry)).one()
    assert (entry.action, entry.staff_id) == ("homes_people_reveal", one.staff_id)
    assert clerk(StaffRole.READER).post(f"/HY/homes/{home}/people/reveal").status_code == 403


@pytest.fixture
def asker(world: World, vault: Vault, home: int, clock: Clock) -> int:
    """Somebody who asks to be bound and says he is somebody else; the binding's number."""
    with world.database.transaction() as session:
        follower = see_follower(session, "o-asker-00000001", clock.now)
        unit = world.unit(ROOM)
        request_binding(
            session, vault, follower, unit, clock.now, claim=Claim("张三丰", "10012345678")
        )
        session.flush()
        return session.scalars(
            select(Binding.id).where(Binding.state == BindingState.REQUESTED)
        ).one()


def test_a_request_shows_what_does_not_fit_masked_and_is_refused_with_a_reason(
    clerk: MakeClerk, world: World, asker: int
) -> None:
    one = clerk(StaffRole.SERVICE)
    shown = text_of(one.get("/HY/approvals"))
    assert "与登记不一致" in shown
    assert "张** 100****5678" in shown
    assert "张三丰" not in shown
    path = f"/HY/approvals/bindings/{asker}"
    assert one.post(path, decision="refuse").status_code == 422
    assert one.post(path, decision="maybe").status_code == 422
    assert one.post(path, decision="refuse", reason="不是业主").status_code == 303
    assert "刚刚已被处理" in one.post(path, decision="approve").text
    with world.database.transaction() as session:
        binding = session.get_one(Binding, (world.community.id, asker))
        assert (binding.state, binding.claim_sealed) == (BindingState.REFUSED, None)


def test_an_approved_follower_is_bound_and_can_be_unbound(
    clerk: MakeClerk, world: World, home: int, asker: int
) -> None:
    one = clerk(StaffRole.SERVICE)
    assert one.post(f"/HY/approvals/bindings/{asker}", decision="approve").status_code == 303
    elsewhere = world.unit("1-1-302").id
    unbind = {"binding": str(asker)}
    assert one.post(f"/HY/homes/{elsewhere}/unbind", **unbind).status_code == 404
    assert one.post(f"/HY/homes/{home}/unbind", **unbind).status_code == 303
    with world.database.transaction() as session:
        binding = session.get_one(Binding, (world.community.id, asker))
        assert binding.state is BindingState.ENDED


def test_a_sheet_of_codes_binds_each_home_that_has_nobody(
    clerk: MakeClerk, world: World, program: Program, home: int, clock: Clock
) -> None:
    one = clerk(StaffRole.SERVICE)
    with world.database.transaction() as session:
        follower = see_follower(session, "o-bound-000000001", clock.now)
        vault = program.services.vault
        code = issue_code(
            session, vault, community_id=world.community.id, unit_id=home, now=clock.now
        )
        session.flush()
        redeem_code(session, vault, follower, code, clock.now)
        building = world.unit(ROOM).building_id
    page = one.post("/HY/codes", building=str(building), only_unbound="1")
    assert page.status_code == 200
    slips = html.fromstring(page.text).xpath("//ul[@class='slips']/li")
    shown = {slip.xpath(".//b")[0].text_content().split()[1]: slip for slip in slips}
    assert ROOM not in shown
    assert "3-2-502" in shown
    typed = shown["3-2-502"].xpath(".//code")[0].text_content()
    with world.database.transaction() as session:
        other = see_follower(session, "o-other-000000001", clock.now)
        redeem_code(session, vault, other, typed, clock.now)
        bound = session.scalar(
            select(Binding.unit_id).join(Follower).where(Follower.id == other.id)
        )
    assert bound == world.unit("3-2-502").id
    assert "请选择楼栋" in one.post("/HY/codes", building="999999").text
    assert "请选择楼栋" in one.post("/HY/codes").text


def test_a_code_for_one_home_is_shown_once(clerk: MakeClerk, home: int) -> None:
    one = clerk(StaffRole.SERVICE)
    made = one.post(f"/HY/homes/{home}/code", role="tenant")
    assert "只显示这一次" in made.text
    assert "只显示这一次" not in one.get(f"/HY/homes/{home}/people").text


def test_late_fees_are_frozen_and_counted_again(clerk: MakeClerk, world: World, home: int) -> None:
    one, today = clerk(StaffRole.ACCOUNTANT), world.today
    path = f"/HY/homes/{home}"
    fields = {"from_on": today.isoformat(), "reason": "争议处理"}
    assert one.post(f"{path}/freeze", from_on=today.isoformat()).status_code == 422
    assert one.post(f"{path}/freeze", **fields).status_code == 303
    shown = one.get(f"{path}/terms")
    [number] = html.fromstring(shown.text).xpath("//input[@name='freeze']/@value")
    tomorrow = (today + timedelta(1)).isoformat()
    lifting = {"freeze": number, "on": tomorrow, "reason": "已答复"}
    other = world.unit("1-1-302").id
    assert one.post(f"/HY/homes/{other}/unfreeze", **lifting).status_code == 404
    assert one.post(f"{path}/unfreeze", **lifting).status_code == 303
    assert "已答复" in one.get(f"{path}/terms").text


def test_who_may_grant_nothing_is_shown_no_form_to(
    clerk: MakeClerk, world: World, home: int
) -> None:
    path = f"/HY/homes/{home}"
    manager, accountant = clerk(StaffRole.MANAGER), clerk(StaffRole.ACCOUNTANT)
    begins = {"what": f"property:{ROOM}", "from_on": "2027-01-01"}
    manager.post(f"{path}/discount", **begins, reason="agreed", off="percent", value="30")
    forms = ("/discount", "/price", "/terms/end")
    shown = manager.get(f"{path}/terms").text
    assert [f'{path}{form}"' in shown for form in forms] == [True] * 3
    shown = accountant.get(f"{path}/terms").text
    assert [f'{path}{form}"' in shown for form in forms] == [False] * 3
    assert "优惠由经理办理" in shown
    assert "约定单价由经理办理" in shown
    assert "30%" in shown


def test_a_manager_grants_a_discount_and_agrees_a_price_and_ends_them(
    clerk: MakeClerk, world: World, home: int
) -> None:
    one, path = clerk(StaffRole.MANAGER), f"/HY/homes/{home}"
    begins = {"what": f"property:{ROOM}", "from_on": "2027-01-01"}
    discount = {"reason": "agreed", "off": "percent", "value": "30"}
    assert "须为" not in one.post(f"{path}/discount", **begins, **discount).text
    price = one.post(f"{path}/price", **begins, unit_price="2.50")
    assert price.status_code == 303
    with world.database.transaction() as session:
        grant = session.scalars(select(DiscountGrant)).one()
        agreed = session.scalars(select(AgreedPrice)).one()
    assert "30%" in one.get(f"{path}/terms").text
    again = one.post(f"{path}/discount", **begins, **discount)
    assert "已有同样的约定" in again.text
    billed = one.post(f"{path}/price", **(begins | {"from_on": "2026-11-01"}), unit_price="2.50")
    assert "已出账到" in billed.text
    for kind, found in (("discount", grant.id), ("price", agreed.id)):
        ending = {"agreement": kind, "id": str(found), "on": "2027-01-01"}
        assert one.post(f"{path}/terms/end", **ending).status_code == 303
    with world.database.transaction() as session:
        assert session.scalar(select(DiscountGrant.id)) is None
        assert session.scalar(select(AgreedPrice.id)) is None
    accountant = clerk(StaffRole.ACCOUNTANT)
    refused = accountant.post(f"{path}/discount", **begins, **discount)
    assert "您的角色不能做这一步" in refused.text
    assert one.post(f"{path}/discount", **(begins | {"what": "x:y"}), **discount).status_code == 404


def test_items_are_paid_from_the_prepayment_by_themselves_when_ticked(
    clerk: MakeClerk, world: World, home: int
) -> None:
    one = clerk(StaffRole.CASHIER)
    assert one.post(f"/HY/homes/{home}/deduction", items="property").status_code == 303
    with world.database.transaction() as session:
        assert list_auto_deduction(session, world.community.id, home) == ["property"]
    assert one.post(f"/HY/homes/{home}/deduction").status_code == 303
    with world.database.transaction() as session:
        assert list_auto_deduction(session, world.community.id, home) == []


def test_a_bill_is_shared_among_those_who_live_there(
    clerk: MakeClerk, world: World, home: int, vault: Vault
) -> None:
    one, today = clerk(StaffRole.SERVICE), world.today.isoformat()
    moving = {"role": "tenant", "person_name": "租户甲", "person_phone": "", "from_on": today}
    assert one.post(f"/HY/homes/{home}/people", **moving).status_code == 303
    bill, lines = unpaid(world, home)
    with world.database.transaction() as session:
        people = [
            stay.resident_id for stay in list_stays(session, vault, world.community.id, [home])
        ]
    weights = {f"weight-{one_of}": "1" for one_of in people}
    wrong = one.post(f"/HY/bills/{bill}/share", **(weights | {f"weight-{people[0]}": "x"}))
    assert "请填写份额" in wrong.text
    assert "请至少为一个人填写份额" in one.post(f"/HY/bills/{bill}/share").text
    assert one.post(f"/HY/bills/{bill}/share", **weights).status_code == 303
    with world.database.transaction() as session:
        shares = session.scalars(select(BillShare)).all()
    assert sum((share.amount for share in shares), ZERO) == sum((owed for _, owed in lines), ZERO)


def test_nothing_of_a_home_is_reached_through_another_community(
    clerk: MakeClerk, world: World, home: int, program: Program
) -> None:
    bill, lines = unpaid(world, home)
    with program.services.database.transaction() as session:
        other = add_community(session, "XL", "邻家小区")
        session.flush()
        other_id = other.id
    one = clerk(StaffRole.MANAGER, community_id=other_id)
    for path in (f"homes/{home}", f"homes/{home}/people", f"bills/{bill}", f"bills/{bill}/paper"):
        assert one.get(f"/XL/{path}").status_code == 404
        assert one.get(f"/HY/{path}").status_code == 404
    fields = {"line": str(lines[0][0]), "kind": "waiver", "amount": "5", "reason": "x"}
    assert one.post(f"/XL/bills/{bill}/adjust", **fields).status_code == 404
    assert one.get("/XL/homes", query_string={"q": "张秀英"}).status_code == 200


def test_a_decision_nobody_took_is_not_taken(clerk: MakeClerk, world: World, home: int) -> None:
    bill, lines = unpaid(world, home)
    fields = {"line": str(lines[0][0]), "kind": "waiver", "amount": "5", "reason": "x"}
    clerk(StaffRole.SERVICE).post(f"/HY/bills/{bill}/adjust", **fields)
    with world.database.transaction() as session:
        number = session.scalars(select(Adjustment.id)).one()
    one = clerk(StaffRole.MANAGER)
    assert one.post(f"/HY/approvals/adjustments/{number}").status_code == 422
    refused = one.post(f"/HY/approvals/adjustments/{number}", decision="refuse")
    assert refused.status_code == 303
    with world.database.transaction() as session:
        assert session.scalars(select(Adjustment.state)).one() is AdjustmentState.REFUSED
