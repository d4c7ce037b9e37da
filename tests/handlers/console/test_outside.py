"""外部接口: secrets are shown once, and what is of all communities is not one community's."""

import html
import inspect
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest
from python_calamine import CalamineWorkbook
from sqlalchemy import event, func, select, text

from billing.api_access import ApiScope, add_token, find_token, note_call
from billing.api_tables import ApiToken
from billing.facts import FactKind
from billing.people import StaffRole
from bot.program import Program
from notify import webhook_post, webhooks
from notify.webhook_tables import DeliveryState, Webhook, WebhookDelivery
from notify.webhooks import add_webhook
from tests.conftest import SOAK, World, many_rounds
from tests.handlers.console.conftest import Clerk

MakeClerk = Callable[..., Clerk]
TOKEN = re.compile(r"mzk_[\w-]{40,}")
URL = "https://erp.example.test/hook"


def test_a_token_is_shown_once_opens_the_api_and_is_revoked(
    clerk: MakeClerk, program: Program, world: World
) -> None:
    manager = clerk(StaffRole.MANAGER)
    wish = {"name": "财务软件", "community": "HY", "scopes": ["homes:read", "bills:read"]}
    answer = manager.post("/outside/tokens", **wish)
    [secret] = TOKEN.findall(answer.text)
    services = program.services
    with services.database.transaction() as session:
        token = find_token(session, secret, services.clock())
        assert token is not None
        assert (token.community_id, token.scopes) == (
            world.community.id,
            ["bills:read", "homes:read"],
        )
        note_call(
            session,
            token.id,
            community_id=world.community.id,
            method="GET",
            subject="/api/v1/bills",
            status=200,
            address="192.0.2.9",
            now=services.clock(),
        )
        number = token.id
    page = manager.get("/outside").text
    assert "财务软件" in page
    assert "最近使用" in page
    assert secret not in page
    assert "/api/v1/bills" in manager.get(f"/outside/tokens/{number}").text
    assert "请换一个名称" in manager.post("/outside/tokens", **wish).text
    assert manager.post(f"/outside/tokens/{number}/revoke").status_code == 303
    with services.database.transaction() as session:
        assert find_token(session, secret, services.clock()) is None


def test_a_form_without_what_it_needs_is_shown_again_with_what_was_ticked(
    clerk: MakeClerk, program: Program
) -> None:
    manager = clerk(StaffRole.MANAGER)
    answer = manager.post("/outside/tokens", name="", community="HY", scopes=["bills:read"])
    assert answer.status_code == 422
    assert 'value="bills:read" checked' in answer.text
    assert "请选择" in manager.post("/outside/tokens", name="甲", community="HY").text
    for url, words in (
        ("ftp://erp.example.test", "请填写 https:// 开头的地址"),
        ("nonsense", "请填写 https:// 开头的地址"),
        ("https://me:secret@erp.example.test/", "地址里不能有用户名、密码和 #"),
        ("https://[::1", "这不是网址"),
    ):
        refused = manager.post(
            "/outside/webhooks", name="乙", url=url, community="HY", kinds=["bill_issued"]
        )
        assert refused.status_code == 422, url
        assert words in refused.text, url
    with program.services.database.transaction() as session:
        assert session.scalar(select(ApiToken.id)) is None
        assert session.scalar(select(Webhook.id)) is None


def test_a_webhook_is_added_its_deliveries_seen_sent_again_and_ended(
    clerk: MakeClerk, program: Program, world: World
) -> None:
    manager, services = clerk(StaffRole.MANAGER), program.services
    kinds = ["bill_issued", "payment_confirmed"]
    answer = manager.post("/outside/webhooks", name="ERP", url=URL, community="HY", kinds=kinds)
    with services.database.transaction() as session:
        hook = session.scalars(select(Webhook)).one()
        assert hook.kinds == kinds
        secret = services.vault.open(hook.secret_sealed)
        session.add(
            WebhookDelivery(
                community_id=world.community.id,
                id=7,
                webhook_id=hook.id,
                fact_id=1,
                body={"kind": "bill_issued"},
                state=DeliveryState.GIVEN_UP,
                attempts=12,
                created_at=services.clock(),
                queued_at=services.clock(),
                next_attempt_at=services.clock(),
                settled_at=services.clock(),
                outcome="status 500",
            )
        )
    assert secret in answer.text
    path = f"/outside/webhooks/{hook.id}"
    page = manager.get(path).text
    number = f"{world.community.id}-7-{int(services.clock().timestamp())}"
    assert f"{number}<" in page
    with manager.get(f"{path}?format=xlsx") as sheet:
        book = CalamineWorkbook.from_filelike(BytesIO(sheet.data))
    assert number in book.get_sheet_by_index(0).to_python()[1]
    assert "多次尝试未成功" in page
    assert secret not in page
    assert "账单已出" in page
    assert "没有推送记录" in manager.get(f"{path}?state=delivered").text
    assert manager.post(f"{path}/replay", since="someday").status_code == 422
    assert manager.post(f"{path}/replay", since="2026-11-01").status_code == 303
    with services.database.transaction() as session:
        assert session.scalar(select(WebhookDelivery.state)) is DeliveryState.QUEUED
    assert manager.post(f"{path}/end").status_code == 303
    assert "已停用，不能重发" in manager.post(f"{path}/replay", since="2026-11-01").text


def test_what_is_of_all_communities_only_staff_of_all_see_and_make(
    clerk: MakeClerk, program: Program, world: World
) -> None:
    services = program.services
    with services.database.transaction() as session:
        token, _ = add_token(
            session,
            name="总部大屏",
            scopes=[ApiScope.BILLS_READ],
            community_id=None,
            now=services.clock(),
        )
        hook = add_webhook(
            session,
            services.vault,
            name="总部",
            url=URL,
            secret="s" * 20,
            kinds=[FactKind.BILL_ISSUED],
            community_id=None,
            loopback=False,
            now=services.clock(),
        )
    one = clerk(StaffRole.MANAGER)
    assert "总部" not in one.get("/outside").text
    for path in (f"/outside/tokens/{token.id}", f"/outside/webhooks/{hook.id}"):
        assert one.get(path).status_code == 404
    assert one.post(f"/outside/tokens/{token.id}/revoke").status_code == 404
    assert one.post(f"/outside/webhooks/{hook.id}/end").status_code == 404
    wish = {"name": "新", "community": "", "scopes": ["bills:read"]}
    assert "请选择您负责的小区" in one.post("/outside/tokens", **wish).text

    with services.database.transaction() as session:
        session.connection().exec_driver_sql("UPDATE staff SET community_id = NULL")
    everybody = clerk(StaffRole.MANAGER)
    assert "总部大屏" in everybody.get("/outside").text
    assert everybody.post("/outside/tokens", **wish).status_code == 200
    assert everybody.post(f"/outside/webhooks/{hook.id}/end").status_code == 303


@many_rounds
@pytest.mark.parametrize(
    ("path", "model", "fields"),
    [
        ("/outside/tokens", ApiToken, {"scopes": ["bills:read"]}),
        ("/outside/webhooks", Webhook, {"url": URL, "kinds": ["bill_issued"]}),
    ],
)
def test_of_two_who_take_a_name_at_once_one_gets_it_and_the_other_is_told(
    clerk: MakeClerk, program: Program, path: str, model: type[Any], fields: dict[str, Any]
) -> None:
    clerks = [clerk(StaffRole.MANAGER) for _ in range(2)]
    gate = threading.Barrier(2)

    def at_insert(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        """Neither writes before both have looked whether the name is free."""
        if statement.startswith(f"INSERT INTO {model.__tablename__} "):
            gate.wait(30)

    def add(one: Clerk) -> tuple[int, str]:
        answer = one.post(path, name="财务软件", community="HY", **fields)
        return answer.status_code, answer.text

    engine = program.services.database.engine
    event.listen(engine, "before_cursor_execute", at_insert)
    try:
        with ThreadPoolExecutor(2) as threads:
            answers = sorted(threads.map(add, clerks))
    finally:
        event.remove(engine, "before_cursor_execute", at_insert)
    assert [status for status, _ in answers] == [200, 422]
    assert "请换一个名称" in answers[1][1]
    with program.services.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(model)) == 1


FILL = text("""
    INSERT INTO webhook_delivery (community_id, webhook_id, fact_id, body, state, attempts,
        created_at, queued_at, next_attempt_at, settled_at, outcome)
    SELECT :community, (CAST(:hooks AS bigint[]))[1 + n % 2], n, '{"kind": "bill_issued"}',
        'delivered', 1, :now, :now, :now, :now, 'accepted'
    FROM generate_series(1, :rows) AS n
""")
FILLED = 200_000 if SOAK else 20_000


def test_a_page_of_deliveries_is_read_from_its_index_however_many_there_are(
    clerk: MakeClerk, program: Program, world: World
) -> None:
    manager, services = clerk(StaffRole.MANAGER), program.services
    now = services.clock()
    with services.database.transaction() as session:
        hooks = [
            add_webhook(
                session,
                services.vault,
                name=name,
                url=URL,
                secret="s" * 20,
                kinds=[FactKind.BILL_ISSUED],
                community_id=world.community.id,
                loopback=False,
                now=now,
            ).id
            for name in ("甲", "乙")
        ]
        values = {"community": world.community.id, "hooks": hooks, "now": now, "rows": FILLED}
        session.execute(FILL, values)
        session.execute(text("SET LOCAL ROLE NONE"))  # the runtime's role owns no tables
        session.execute(text("ANALYZE webhook_delivery"))
    read: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if "webhook_delivery" in statement:
            read.append((statement, parameters))

    engine = services.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        first = manager.get(f"/outside/webhooks/{hooks[0]}").text
        after = re.search(r"after=([0-9]+)", first)
        assert after is not None
        second = manager.get(f"/outside/webhooks/{hooks[0]}?after={after[1]}").text
    finally:
        event.remove(engine, "before_cursor_execute", note)
    numbers = [
        re.findall(rf">{world.community.id}-([0-9]+)-[0-9]+<", page) for page in (first, second)
    ]
    assert [len(page) for page in numbers] == [50, 50]
    told = [int(number) for page in numbers for number in page]
    assert told == sorted(set(told), reverse=True)
    assert len(read) >= 4  # two pages, each with its count
    with engine.connect() as connection:
        for statement, parameters in read:
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            plan = "\n".join(row[0] for row in rows)
            assert "Sort" not in plan, plan
            if " ORDER BY " in statement.replace("\n", " "):
                assert "Backward using ix_webhook_delivery_webhook" in plan, plan
                assert "Seq Scan" not in plan, plan


REASON = re.compile(
    r'Refused\(f?"([^"]+)"\)|InvalidInput\("url", f?"([^"]+)"\)|return f"(failed here[^"]+)"'
)
PLACES_FILLED = {
    "{type(error).__name__}": (
        "ConnectTimeoutError",
        "SSLError",
        "RemoteDisconnected",
        "CertificateError",
    ),
    "{status}": ("500",),
    "{schemes[0]}": ("https",),
}


def outcomes() -> list[str]:
    """Everything a delivery can end with, as the code that posts and delivers writes it."""
    source = "".join(map(inspect.getsource, (webhook_post, webhooks)))
    written = {"".join(found) for found in REASON.findall(source)}
    for place, values in PLACES_FILLED.items():
        assert any(place in one for one in written), place
        written = {one.replace(place, value) for one in written for value in values}
    return ["accepted", "the webhook was ended", *sorted(written)]


def test_how_deliveries_ended_is_said_in_chinese_on_the_page_and_in_the_file(
    clerk: MakeClerk, program: Program, world: World
) -> None:
    manager, services = clerk(StaffRole.MANAGER), program.services
    now, said = services.clock(), outcomes()
    with services.database.transaction() as session:
        hook = add_webhook(
            session,
            services.vault,
            name="ERP",
            url=URL,
            secret="s" * 20,
            kinds=[FactKind.BILL_ISSUED],
            community_id=world.community.id,
            loopback=False,
            now=now,
        )
        session.add_all(
            WebhookDelivery(
                community_id=world.community.id,
                webhook_id=hook.id,
                fact_id=place,
                body={"kind": "bill_issued"},
                state=DeliveryState.GIVEN_UP,
                attempts=1,
                created_at=now,
                queued_at=now,
                next_attempt_at=now,
                settled_at=now,
                outcome=outcome,
            )
            for place, outcome in enumerate(said)
        )
        session.flush()
    page = html.unescape(manager.get(f"/outside/webhooks/{hook.id}").text)
    with manager.get(f"/outside/webhooks/{hook.id}?format=xlsx") as answer:
        book = answer.data
    heads, *rows = CalamineWorkbook.from_filelike(BytesIO(book)).get_sheet_by_index(0).to_python()
    cells = [str(row[heads.index("最近结果")]) for row in rows]
    assert len(cells) == len(said)
    for outcome in said:
        assert outcome not in page
        assert outcome not in cells
    assert not [cell for cell in cells if cell.startswith("其他情况") or cell not in page]
    assert {"对方已接收", "对方回答 HTTP 500，没有接收", "等了太久，对方没有回答"} <= {*cells}
