"""Bill runs in the console: drafted in the background, confirmed, published, taken back."""

import re
from collections.abc import Callable

import pytest
from sqlalchemy import func, select, text

from billing.adjustment_tables import BillVoid
from billing.bill_run_tables import BillRun, BillRunChunk, ChunkState
from billing.bills import Bill
from billing.long_work import TRIES_MAX, LongWork, WorkState
from billing.people import StaffRole
from billing.period import Period
from billing.property import Community
from billing.run_comparison import draft_totals
from bot.program import Program
from handlers.long_work import do_long_work
from tests.conftest import World
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]
DECEMBER = Period("2026-12")


def work(program: Program) -> int:
    """What a worker does that was woken."""
    return do_long_work(program.services)["done"]


def number_in(location: str) -> int:
    found = re.search(r"/(\d+)$", location)
    assert found is not None
    return int(found[1])


@pytest.fixture
def accountant(clerk: MakeClerk) -> Clerk:
    return clerk(StaffRole.ACCOUNTANT)


@pytest.fixture
def drafted(accountant: Clerk, program: Program) -> Clerk:
    """December was drafted."""
    assert accountant.post("/HY/bill-runs/draft", period="2026-12").status_code == 303
    assert work(program) == 1
    return accountant


def confirmation(program: Program, world: World) -> dict[str, str]:
    with program.services.database.transaction() as session:
        totals = draft_totals(session, world.community.id, DECEMBER)
    assert totals.bills > 0
    return {"period": "2026-12", "bills": str(totals.bills), "fen": str(totals.amount.fen)}


def states(program: Program) -> set[ChunkState]:
    with program.services.database.transaction() as session:
        return set(
            session.scalars(
                select(BillRunChunk.state)
                .join(BillRun, BillRun.id == BillRunChunk.run_id)
                .where(BillRun.period == DECEMBER)
            )
        )


def test_a_month_is_drafted_in_the_background_and_its_page_follows_it(
    accountant: Clerk, program: Program
) -> None:
    sent = accountant.post("/HY/bill-runs/draft", period="2026-12")
    page = f"/HY/work/{number_in(sent.headers['Location'])}"
    assert "排队中" in accountant.get(page).text
    assert "data-over" not in accountant.get(f"{page}/live").text
    assert len(program.queues.long.get_job_ids()) == 1
    assert work(program) == 1
    assert "data-over" in accountant.get(f"{page}/live").text
    assert "查看草稿" in accountant.get(page).text
    assert states(program) == {ChunkState.DRAFT}


def test_two_clicks_draft_once(accountant: Clerk, program: Program) -> None:
    assert accountant.post("/HY/bill-runs/draft", period="2026-12").status_code == 303
    again = accountant.post("/HY/bill-runs/draft", period="2026-12")
    assert again.status_code == 422
    assert "同样的任务已经在进行" in again.text
    assert work(program) == 1


@pytest.mark.parametrize(("period", "words"), [("2026-13", "请填写月份"), ("2027-03", "还没到")])
def test_a_month_that_is_none_or_far_away_is_refused(
    accountant: Clerk, program: Program, period: str, words: str
) -> None:
    answer = accountant.post("/HY/bill-runs/draft", period=period)
    assert answer.status_code == 422
    assert words in answer.text
    assert f'value="{period}"' in answer.text
    assert work(program) == 0


def test_the_drafts_are_shown_beside_last_month_with_what_is_left_out(
    drafted: Clerk, program: Program, world: World
) -> None:
    page = drafted.get("/HY/bill-runs/drafts?period=2026-12").text
    seen = confirmation(program, world)
    assert f"发布这 {seen['bills']} 张账单" in page
    assert "物业费" in page
    assert "上月（元）" in page


def test_publishing_issues_exactly_what_was_confirmed(
    drafted: Clerk, program: Program, world: World
) -> None:
    seen = confirmation(program, world)
    assert drafted.post("/HY/bill-runs/publish", **seen).status_code == 303
    assert work(program) == 1
    assert states(program) == {ChunkState.ISSUED}
    again = drafted.post("/HY/bill-runs/publish", **seen)
    assert again.status_code == 422
    assert "已经没有待发布的草稿" in again.text


def test_drafts_that_changed_meanwhile_are_not_published(
    drafted: Clerk, program: Program, world: World
) -> None:
    seen = confirmation(program, world)
    with program.services.database.transaction() as session:
        bill = session.scalars(select(Bill).where(Bill.period == DECEMBER)).first()
        assert bill is not None
    void = {"reason": "面积有误", "after": "redo"}
    assert drafted.post(f"/HY/bill-runs/bills/{bill.id}/void", **void).status_code == 303
    answer = drafted.post("/HY/bill-runs/publish", **seen)
    assert answer.status_code == 422
    assert "有人改动过" in answer.text
    assert work(program) == 0
    assert states(program) == {ChunkState.DRAFT}


def test_a_bill_shows_its_arithmetic_and_is_void_once(drafted: Clerk, program: Program) -> None:
    with program.services.database.transaction() as session:
        bill = session.scalars(select(Bill).where(Bill.period == DECEMBER)).first()
        assert bill is not None
    path = f"/HY/bill-runs/bills/{bill.id}"
    assert "元/㎡·月" in drafted.get(path).text
    assert drafted.post(f"{path}/void", reason="", after="redo").status_code == 422
    assert drafted.post(f"{path}/void", reason="面积有误", after="redo").status_code == 303
    assert "面积有误" in drafted.get(path).text
    again = drafted.post(f"{path}/void", reason="面积有误", after="redo")
    assert "已经作废" in again.text


def test_a_whole_run_is_void_with_its_reason(
    drafted: Clerk, program: Program, world: World
) -> None:
    with program.services.database.transaction() as session:
        run = session.scalars(select(BillRun).where(BillRun.period == DECEMBER)).one()
    fields = {"reason": "标准录错", "after": "redo"}
    assert drafted.post(f"/HY/bill-runs/{run.id}/void", **fields).status_code == 303
    assert work(program) == 1
    with program.services.database.transaction() as session:
        bills = select(func.count()).where(Bill.run_id == run.id)
        void = select(func.count()).select_from(BillVoid).where(BillVoid.reason == "标准录错")
        assert session.scalar(bills) == session.scalar(void) != 0


def test_work_whose_worker_died_is_shown_as_left_and_taken_up_again(
    accountant: Clerk, program: Program
) -> None:
    sent = accountant.post("/HY/bill-runs/draft", period="2026-12")
    page = f"/HY/work/{number_in(sent.headers['Location'])}"
    with program.services.database.transaction() as session:
        session.execute(text("UPDATE long_work SET state = 'running', tries = 1, began_at = now()"))
    assert "已中断" in accountant.get(page).text
    assert work(program) == 1
    assert states(program) == {ChunkState.DRAFT}


def test_work_that_kills_its_workers_is_given_up_and_can_be_asked_for_again(
    accountant: Clerk, program: Program
) -> None:
    sent = accountant.post("/HY/bill-runs/draft", period="2026-12")
    page = f"/HY/work/{number_in(sent.headers['Location'])}"
    with program.services.database.transaction() as session:
        session.execute(text(f"UPDATE long_work SET state = 'running', tries = {TRIES_MAX}"))
    assert work(program) == 0
    assert f"中断了 {TRIES_MAX} 次" in accountant.get(page).text
    assert accountant.post(f"{page}/again").status_code == 303
    assert work(program) == 1
    with program.services.database.transaction() as session:
        assert session.scalars(select(LongWork.state)).all() == [WorkState.DONE]


def test_the_billing_day_is_kept_and_nonsense_refused(
    accountant: Clerk, program: Program, world: World
) -> None:
    assert accountant.post("/HY/bill-runs/schedule", billing_day="5").status_code == 303
    answer = accountant.post("/HY/bill-runs/schedule", billing_day="31")
    assert "出账日须为 1–28" in answer.text
    with program.services.database.transaction() as session:
        community = session.get_one(Community, world.community.id)
        assert (community.billing_day, community.publishes_itself) == (5, False)


def test_another_communitys_work_is_not_there(drafted: Clerk, program: Program) -> None:
    with program.services.database.transaction() as session:
        other = Community(code="XL", name="西林", company="西林物业", service_phone="0",
                          billing_day=1, due_day=1, due_month_offset=0)  # fmt: skip
        session.add(other)
        found = session.scalars(select(LongWork)).one()
    assert drafted.get(f"/XL/work/{found.id}").status_code == 404
