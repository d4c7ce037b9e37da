"""Refunds by two people, fapiao, closing a day and a month, what waits for a decision."""

from collections.abc import Callable
from io import BytesIO

from lxml import html
from sqlalchemy import select

from billing.fapiao import request_fapiao
from billing.fapiao_papers import read_title
from billing.fapiao_tables import Fapiao, TitleKind
from billing.money import Money
from billing.people import Follower, StaffRole
from billing.refund_tables import Refund
from billing.refunds import new_out_refund_no
from billing.sightings import Sight, list_sightings
from bot.program import Program
from tests.billing.drawer import take
from tests.conftest import World
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]
ROOM = "1-1-302"


def paid(world: World, yuan: str = "9000") -> tuple[int, int]:
    """Cash for a home; the numbers of the payment and of the home."""
    with world.database.transaction() as session:
        payment = take(session, world, ROOM, yuan, "S1")
        return payment.id, payment.unit_id


def asked(clerk: Clerk, payment_id: int, **fields: str) -> str:
    """The page of a refund that was asked for."""
    wishes = {"amount": "20", "reason": "多收", "key": new_out_refund_no()} | fields
    answer = clerk.post(f"/HY/payments/{payment_id}/refund", **wishes)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"].removeprefix("/console")


def seen(clerk: Clerk, path: str) -> str:
    """The state somebody saw before he decided."""
    return clerk.get(path).text.split('name="seen" value="')[1].split('"')[0]


def test_a_refund_is_approved_by_another_and_paid_out_of_the_drawer(
    clerk: MakeClerk, world: World
) -> None:
    payment_id, _ = paid(world)
    cashier, accountant = clerk(StaffRole.CASHIER), clerk(StaffRole.ACCOUNTANT)
    path = asked(cashier, payment_id)
    assert cashier.post(f"{path}/approve").status_code == 403
    at = seen(accountant, path)
    assert accountant.post(f"{path}/approve", seen=at).status_code == 303
    stale = accountant.post(f"{path}/approve", seen=at)
    assert stale.status_code == 422
    assert "刚刚被别人处理过" in stale.text
    at = seen(cashier, path)
    assert cashier.post(f"{path}/pay", reference="", seen=at).status_code == 422
    assert cashier.post(f"{path}/pay", reference="TK-1", seen=at).status_code == 303
    assert "已退款" in cashier.get(path).text
    assert "退款" in cashier.get(f"/HY/payments/{payment_id}").text


def test_nobody_approves_what_he_asked_for_and_much_takes_two(
    clerk: MakeClerk, world: World
) -> None:
    payment_id, _ = paid(world)
    limit = world.community.refund_limit + Money(1)
    accountant, manager = clerk(StaffRole.ACCOUNTANT), clerk(StaffRole.MANAGER)
    cashier = clerk(StaffRole.CASHIER)
    own = asked(accountant, payment_id, amount="1")
    mine = accountant.post(f"{own}/approve", seen="requested/")
    assert "您申请的退款要由别人审批" in mine.text
    much = asked(cashier, payment_id, amount=limit.yuan, release="1")
    assert accountant.post(f"{much}/approve", seen="requested/").status_code == 303
    assert "还差一人" in accountant.get("/HY/decisions").text
    again = accountant.post(f"{much}/approve", seen=f"requested/{accountant.staff_id}")
    assert "需要第二个人审批" in again.text
    done = manager.post(f"{much}/approve", seen=f"requested/{accountant.staff_id}")
    assert done.status_code == 303
    assert "待退款" in manager.get(much).text


def test_a_refund_form_says_what_is_wrong_and_sent_twice_asks_once(
    clerk: MakeClerk, world: World
) -> None:
    payment_id, _ = paid(world, "50")
    cashier = clerk(StaffRole.CASHIER)
    path, key = f"/HY/payments/{payment_id}/refund", new_out_refund_no()
    for wrong, words in [
        ({"amount": "51"}, "最多还能退 50.00 元"),
        ({"amount": "0"}, "须大于 0"),
        ({"reason": ""}, "请填写"),
    ]:
        fields = {"amount": "10", "reason": "多收", "key": key} | wrong
        answer = cashier.post(path, **fields)
        assert answer.status_code == 422
        assert words in answer.text
    assert asked(cashier, payment_id, key=key, release="1") == asked(
        cashier, payment_id, key=key, release="1"
    )
    with world.database.transaction() as session:
        assert len(session.scalars(select(Refund.id)).all()) == 1
    refused = clerk(StaffRole.ACCOUNTANT).post(
        "/HY/refunds/1/reject", seen="requested/", reason="不属实"
    )
    assert refused.status_code in (303, 404)


def fapiao_of(world: World, program: Program) -> int:
    """A fapiao an owner asked for."""
    payment_id, unit_id = paid(world)
    with world.database.transaction() as session:
        follower = Follower(openid="o-fapiao", first_seen_at=world.now)
        session.add(follower)
        session.flush()
        made = request_fapiao(
            session,
            program.services.vault,
            community_id=world.community.id,
            unit_id=unit_id,
            payment_ids=[payment_id],
            title=read_title(TitleKind.PERSONAL, "王小明", None, "wang@example.com"),
            follower_id=follower.id,
            now=world.now,
        )
        return made.id


def test_a_cashier_looks_at_a_fapiao_and_is_offered_nothing_he_may_not_do(
    clerk: MakeClerk, world: World, program: Program
) -> None:
    path = f"/HY/fapiao/{fapiao_of(world, program)}"
    shown = clerk(StaffRole.CASHIER).get(path).text
    assert "由会计或经理开具" in shown
    assert f"/console{path}/issue" not in shown
    assert f"/console{path}/issue" in clerk(StaffRole.ACCOUNTANT).get(path).text


def test_a_fapiao_is_issued_with_its_file_and_reversed(
    clerk: MakeClerk, world: World, program: Program
) -> None:
    number = fapiao_of(world, program)
    accountant, path = clerk(StaffRole.ACCOUNTANT), f"/HY/fapiao/{number}"
    assert "王小明" not in accountant.get(path).text
    assert "王小明" in accountant.post(f"{path}/reveal").text
    assert "fapiao_reveal" in accountant.get("/audit").text
    printed = "26117000000000000001"
    assert "20 位或 8 位" in accountant.post(f"{path}/issue", printed="12").text
    bad = accountant.post(f"{path}/issue", printed=printed, file=(BytesIO(b"MZ"), "a.exe"))
    assert "只接受 PDF" in bad.text
    pdf = (BytesIO(b"%PDF-1.4 x"), "a.pdf")
    assert accountant.post(f"{path}/issue", printed=printed, file=pdf).status_code == 303
    with accountant.get(f"{path}/file") as file:
        assert file.data.startswith(b"%PDF")
    late = accountant.post(f"{path}/reject", reason="重复")
    assert "刚刚被别人处理过" in late.text
    red = accountant.post(f"{path}/reverse", red="26117000000000000002", reason="抬头错了")
    assert red.status_code == 303
    assert "已红冲" in accountant.get("/HY/fapiao?state=reversed").text


def test_who_saw_a_fapiao_its_full_name_and_its_file_is_written_down(
    clerk: MakeClerk, world: World, program: Program
) -> None:
    number = fapiao_of(world, program)
    accountant, path = clerk(StaffRole.ACCOUNTANT), f"/HY/fapiao/{number}"
    pdf = (BytesIO(b"%PDF-1.4 x"), "a.pdf")
    accountant.post(f"{path}/issue", printed="26117000000000000001", file=pdf)
    looking, asking, fetching = (
        clerk(role) for role in (StaffRole.CASHIER, StaffRole.MANAGER, StaffRole.ACCOUNTANT)
    )
    assert looking.get(path).status_code == 200
    assert asking.post(f"{path}/reveal").status_code == 200
    with fetching.get(f"{path}/file") as file:
        assert file.status_code == 200
    with world.database.transaction() as session:
        seen = list_sightings(
            session, world.community.id, world.unit(ROOM).id, days=1, today=world.today
        )
    assert {(one.login, one.what) for one in seen if one.login} == {
        ("t.cashier", Sight.FAPIAO),
        ("t.manager", Sight.FAPIAO),
        ("t.manager", Sight.PERSONAL),
        ("t.accountant", Sight.FAPIAO),
        ("t.accountant", Sight.PERSONAL),
    }
    log = html.fromstring(asking.get(f"/HY/homes/{world.unit(ROOM).id}/people").text)
    rows = [row.text_content() for row in log.xpath("//ul[@class='rows']/li")]
    for login, what in (
        ("t.cashier", Sight.FAPIAO),
        ("t.accountant", Sight.FAPIAO),
        ("t.accountant", Sight.PERSONAL),
    ):
        assert any(row.endswith(f"员工 {login}{what.label}") for row in rows), rows


def test_a_cashier_sees_fapiao_and_issues_none(
    clerk: MakeClerk, world: World, program: Program
) -> None:
    number = fapiao_of(world, program)
    answer = clerk(StaffRole.CASHIER).post(f"/HY/fapiao/{number}/reject", reason="不开")
    assert answer.status_code == 422
    assert "您的角色不能做这一步" in answer.text
    with world.database.transaction() as session:
        assert session.get_one(Fapiao, (world.community.id, number)).ended_at is None


def test_a_day_is_closed_when_its_checklist_is_done(clerk: MakeClerk, world: World) -> None:
    paid(world)
    accountant, manager = clerk(StaffRole.ACCOUNTANT), clerk(StaffRole.MANAGER)
    assert "未交班" in accountant.get("/HY/closing").text
    answer = accountant.post("/HY/closing/day", day="2026-11-23")
    assert answer.status_code == 422
    assert "还没有交班" in answer.text
    shift = manager.get("/HY/shifts").text.split("/HY/shifts/")[2].split('"')[0]
    assert manager.post(f"/HY/shifts/{shift}/close", counted="9200").status_code == 303
    assert accountant.post("/HY/closing/day", day="2026-11-23").status_code == 303
    assert "现金 9,000.00（1 笔）" in accountant.get("/HY/closing").text
    again = accountant.post("/HY/closing/day", day="2026-11-23")
    assert "已经日结过了" in again.text
    assert accountant.post("/HY/closing/day", day="x").status_code == 422


def test_months_are_closed_in_order_and_their_balance_is_zero(
    clerk: MakeClerk, world: World
) -> None:
    accountant = clerk(StaffRole.ACCOUNTANT)
    page = accountant.get("/HY/closing").text
    period = page.split('name="period" value="')[1].split('"')[0]
    early = accountant.post("/HY/closing/month", period="2026-11")
    assert early.status_code == 422
    assert accountant.post("/HY/closing/month", period=period).status_code == 303
    assert "已经月结过了" in accountant.post("/HY/closing/month", period=period).text
    for asked_for in (period, "2026-11"):
        trial = accountant.get(f"/HY/closing/trial?period={asked_for}").text
        assert '<span class="tag good">平衡</span>' in trial
    assert accountant.get("/HY/closing/trial?period=x").status_code == 200
