"""The bank in the console: statements uploaded and decided, direct debit, a day compared."""

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

import pytest
from lxml import html
from sqlalchemy import select

from billing.bills import list_unpaid
from billing.direct_debit.mandates import sign_mandate
from billing.discrepancies import Discrepancy, DiscrepancyKind, record_discrepancy
from billing.merchants import list_merchants
from billing.people import StaffRole, get_staff
from billing.property import Unit
from billing.statements.tables import BankRow, RowState
from bot import jobs
from bot.program import Program
from tests.billing.corrections import BEHIND, IN_TIME, owed
from tests.billing.direct_debit.debits import Debit
from tests.billing.statements.banks import Bank, Transfer, table
from tests.conftest import World
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]


@pytest.fixture
def bank(world: World) -> Bank:
    """The world's account."""
    return Bank(world)


@pytest.fixture
def accountant(clerk: MakeClerk) -> Clerk:
    return clerk(StaffRole.ACCOUNTANT)


def upload(clerk: Clerk, bank: Bank, content: bytes, name: str = "a.csv", **fields: str):  # type: ignore[no-untyped-def]
    account = str(bank.account().id)
    return clerk.post(
        "/HY/bank/statements", file=(BytesIO(content), name), account=account, **fields
    )


def open_rows(world: World) -> list[BankRow]:
    with world.database.transaction() as session:
        return list(session.scalars(select(BankRow).order_by(BankRow.id)))


def test_a_statement_is_uploaded_matched_by_a_worker_and_decided_row_by_row(
    accountant: Clerk, bank: Bank, world: World, program: Program
) -> None:
    rows = [
        Transfer("100.00", "张无名", "利息", "S1"),
        Transfer("200.00", "李无名", "房租", "S2"),
    ]
    answer = upload(accountant, bank, table(rows).encode())
    assert answer.status_code == 303, answer.text
    page = accountant.get(answer.headers["Location"].removeprefix("/console")).text
    assert "文件有 2 笔，其中新的 2 笔" in page
    assert "还有 2 笔正在匹配" in page
    assert program.queues.long.job_ids  # a worker was told
    jobs.install(program)
    assert jobs.run_matching() == {"communities": 1, "rows": 2}
    assert "data-over" in accountant.get("/HY/bank/progress").text
    listed = accountant.get("/HY/bank").text
    assert "利息" in listed
    assert "张无名" not in listed  # masked
    first, second = open_rows(world)
    seen = {"seen": first.state.value}
    path = f"/HY/bank/rows/{first.id}"
    assert accountant.post(f"{path}/set-aside", what="", **seen).status_code == 422
    on = accountant.post(f"{path}/set-aside", what="存款利息", **seen)
    assert on.headers["Location"].endswith(f"/rows/{second.id}")
    path = f"/HY/bank/rows/{second.id}"
    missing = accountant.post(f"{path}/decide", room="9-9-999", reason="来电", **seen)
    assert "没有这个房号" in missing.text
    done = accountant.post(f"{path}/decide", room="1-1-302", reason="来电", **seen)
    assert done.status_code == 303
    stale = accountant.post(f"{path}/decide", room="1-1-301", reason="来电", **seen)
    assert stale.status_code == 422
    assert "刚刚被别人处理过" in stale.text
    ignored, assigned = open_rows(world)
    assert ignored.state is RowState.IGNORED
    assert assigned.payment_id is not None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "请选择银行导出的文件"),
        (b"PK\x03\x04 not a zip", "文件已损坏"),
        (b"<html><table></table></html>", "这是网页"),
        ("一,二\n1,2\n".encode(), "缺少必要的列"),
    ],
)
def test_a_file_that_is_no_statement_is_refused_with_a_reason(
    accountant: Clerk, bank: Bank, world: World, content: bytes, words: str
) -> None:
    answer = upload(accountant, bank, content)
    assert answer.status_code == 422
    assert words in answer.text
    assert open_rows(world) == []


def test_a_file_too_large_is_not_even_read(accountant: Clerk) -> None:
    kind = "multipart/form-data; boundary=x"
    path, content = "/console/HY/bank/statements", b"1" * (11 * 2**20)
    assert accountant.client.post(path, data=content, content_type=kind).status_code == 413


def test_only_a_form_with_a_file_may_be_large(accountant: Clerk) -> None:
    answer = accountant.post("/HY/bank/accounts", holder="x" * 100_000)
    assert answer.status_code == 413


def test_columns_may_be_named(accountant: Clerk, bank: Bank) -> None:
    content = "入账日,钱,谁\n2026-11-20,5.00,王五\n".encode()
    told = "日期=入账日\n金额=钱\n对方户名=谁"
    assert upload(accountant, bank, content, columns="胡写").status_code == 422
    assert upload(accountant, bank, content, columns=told).status_code == 303


def test_accounts_are_added_and_ended_and_their_numbers_stay_out_of_the_log(
    accountant: Clerk, world: World, clerk: MakeClerk
) -> None:
    fields = {"code": "abc", "holder": "花园物业", "bank": "农行", "account_number": "12"}
    answer = accountant.post("/HY/bank/accounts", **fields)
    assert answer.status_code == 422
    assert "账号须为" in answer.text
    number = "6228480000000001234"
    fields["account_number"] = number
    assert accountant.post("/HY/bank/accounts", **fields).status_code == 303
    page = html.fromstring(accountant.get("/HY/bank/accounts").text)
    assert "尾号 1234" in page.text_content()
    [end] = page.xpath("//form[contains(@action, '/end')]/@action")[-1:]
    assert accountant.post(end.removeprefix("/console")).status_code == 303
    assert number not in clerk(StaffRole.MANAGER).get("/audit").text


def test_a_batch_is_made_downloaded_sent_and_answered(
    accountant: Clerk, world: World, program: Program
) -> None:
    assert "没有可托收的欠费" in accountant.post("/HY/debit", due_by="2026-12-31").text
    services = program.services
    with world.database.transaction() as session:
        homes = session.scalars(select(Unit.id).where(Unit.community_id == world.community.id))
        owing = list_unpaid(session, world.community.id, list(homes))[0]
        sign_mandate(
            session,
            services.vault,
            world.community.id,
            owing.unit_id,
            contract_code="TS-1",
            holder="王五",
            account="6222000000001111",
            signed_on=services.today() - timedelta(days=3),
            by=get_staff(session, "chen"),
            now=services.clock(),
        )
    made = accountant.post("/HY/debit", due_by="2026-12-31")
    assert made.status_code == 303
    path = made.headers["Location"].removeprefix("/console")
    with accountant.post(f"{path}/file") as file:
        assert file.data.startswith(b"PK")
    early = accountant.post(f"{path}/answer", file=(BytesIO(b"x"), "a.csv"))
    assert early.status_code == 422
    assert accountant.post(f"{path}/sent").status_code == 303
    assert "只能等回盘" in accountant.post(f"{path}/cancel").text
    nothing = accountant.post(f"{path}/answer", file=(BytesIO("一,二\n".encode()), "a.csv"))
    assert "回盘文件缺少必要的列" in nothing.text


def test_what_was_paid_or_revoked_since_is_withdrawn_and_shown_with_its_reason(
    accountant: Clerk, world: World
) -> None:
    debit = Debit(world)
    debit.sign(BEHIND, "XY-1")
    debit.sign(IN_TIME, "XY-2")
    total = owed(world, BEHIND)
    made = accountant.post("/HY/debit", due_by="2026-12-31")
    path = made.headers["Location"].removeprefix("/console")
    waiting = "".join(html.fromstring(accountant.get("/HY/decisions").text).itertext())
    assert "托收批次待送盘1最早 2026-11-23" in waiting
    debit.end("XY-2")
    assert "序号 2 不能再扣" in accountant.post(f"{path}/sent").text
    with accountant.post(f"{path}/file") as file:
        assert file.data.startswith(b"PK")
    page = accountant.get(path).text.replace(",", "")
    assert f"1 笔，共 {total.yuan} 元" in page
    assert "不再扣款：委托已终止（序号 2）" in page
    [batch] = html.fromstring(accountant.get("/HY/debit").text).xpath("//tbody/tr")
    assert total.yuan in batch.text_content().replace(",", "")
    assert accountant.post(f"{path}/sent").status_code == 303


def test_a_discrepancy_is_handed_over_and_closed_with_a_reason(
    accountant: Clerk, world: World, program: Program
) -> None:
    with world.database.transaction() as session:
        merchant = list_merchants(session, world.community.id)[0]
        record_discrepancy(
            session,
            DiscrepancyKind.WRONG_AMOUNT,
            merchant_id=merchant.id,
            community_id=world.community.id,
            out_trade_no="MZ0",
            transaction_id="T1",
            data={
                "provider_fen": 100,
                "booked_fen": 90,
                "paid_at": "2026-11-22T16:30:00+00:00",
            },
            now=program.services.clock(),
        )
        session.flush()
        number = session.scalars(select(Discrepancy.id)).one()
    assert "金额不符" in accountant.get("/HY/discrepancies?sort=age").text
    path = f"/HY/discrepancies/{number}"
    evidence = accountant.get(path).text
    for words in ("支付机构金额（元）", "1.00", "2026-11-23 00:30"):
        assert words in evidence
    assert accountant.post(f"{path}/assign", to="nobody").status_code == 422
    assert accountant.post(f"{path}/assign", to="chen").status_code == 303
    assert accountant.post(f"{path}/close", reason="").status_code == 422
    assert accountant.post(f"{path}/close", reason="已退回").status_code == 303
    assert "已经关闭" in accountant.post(f"{path}/close", reason="又一次").text
    assert "已退回" in accountant.get("/HY/discrepancies?state=closed").text


def test_comparing_a_day_is_left_to_a_worker(
    accountant: Clerk, world: World, program: Program
) -> None:
    assert accountant.post("/HY/compared", day="2099-01-01").status_code == 422
    answer = accountant.post("/HY/compared", day="2026-11-22")
    assert answer.status_code == 303
    page = accountant.get(answer.headers["Location"].removeprefix("/console")).text
    assert "正在和支付机构对账" in page
    [job] = program.queues.long.get_jobs()
    assert job.func_name == "bot.jobs.run_comparison"
    jobs.install(program)
    jobs.run_comparison(*job.args)  # no provider answers here, and that is said
    assert "没有对成" in accountant.get("/HY/compared?day=2026-11-22").text
