"""Who gets in: sign-in, lock-out, sessions, and every route for every role."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pyotp
import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from billing.api_tables import ApiToken
from billing.audit import AuditEntry
from billing.people import Staff, StaffRole
from billing.property import Community
from billing.staff_access import (
    FAILURES_MAX,
    IDLE_MAX,
    LOCKED_FOR,
    SESSION_MAX,
    Login,
    SignInRefusal,
    let_go,
    sign_in,
)
from bot.program import Program
from handlers.console.permissions import PERMISSIONS
from handlers.console.routes import ROUTES, Route
from notify.webhook_tables import Webhook
from tests.conftest import World, many_rounds
from tests.handlers.application import Clock
from tests.handlers.console.conftest import PASSWORD, SECRET, Clerk, member, typed

MakeClerk = Callable[..., Clerk]


def code(clock: Clock) -> str:
    return pyotp.TOTP(SECRET).at(clock.now)


def enter(stranger: Clerk, clock: Clock, **changes: str) -> int:
    fields = {"login": "chen", "password": PASSWORD, "totp": code(clock)} | changes
    return stranger.post("/sign-in", **fields).status_code


@pytest.fixture
def chen(program: Program, world: World) -> int:
    """陈会计 with the tests' password."""
    return member(program.services, StaffRole.ACCOUNTANT, world.community.id, "chen")


def test_the_form_lets_in_who_proves_himself_and_leads_where_he_wanted_to_go(
    stranger: Clerk, chen: int, clock: Clock
) -> None:
    led = stranger.get("/HY/homes?q=3")
    assert led.headers["Location"].endswith("/console/sign-in")
    assert enter(stranger, clock) == 303
    assert stranger.get("/HY/homes?q=3").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [{"password": "wrong horse battery"}, {"totp": "000000"}, {"totp": ""}, {"login": "nobody"}],
)
def test_anything_wrong_is_answered_alike(
    stranger: Clerk, chen: int, clock: Clock, wrong: dict[str, str]
) -> None:
    fields = {"login": "chen", "password": PASSWORD, "totp": code(clock)} | wrong
    answer = stranger.post("/sign-in", **fields)
    assert answer.status_code == 401
    assert "登录名、密码或动态码不对" in answer.text
    assert stranger.get("/account").status_code == 302


def test_a_code_is_good_once(stranger: Clerk, chen: int, clock: Clock, app: Flask) -> None:
    assert enter(stranger, clock) == 303
    assert enter(Clerk(app.test_client()), clock) == 401


def test_five_wrong_tries_lock_the_right_password_out_for_a_while(
    stranger: Clerk, chen: int, clock: Clock
) -> None:
    for _ in range(FAILURES_MAX):
        assert enter(stranger, clock, password="wrong") == 401
    assert enter(stranger, clock) == 429
    clock.now += LOCKED_FOR
    assert enter(stranger, clock) == 303


def at_once(program: Program, *tries: Login) -> list[SignInRefusal | None]:
    """What came of tries that are made at the same time; None for who is let in."""
    ready = Barrier(len(tries))

    def enter_at_once(login: Login) -> SignInRefusal | None:
        services = program.services
        ready.wait()
        with services.database.transaction() as session:
            outcome = sign_in(session, services.vault, login, services.clock())
        return outcome if isinstance(outcome, SignInRefusal) else None

    with ThreadPoolExecutor(len(tries)) as threads:
        return list(threads.map(enter_at_once, tries))


@many_rounds
def test_a_code_sent_twice_at_once_lets_one_in(program: Program, chen: int, clock: Clock) -> None:
    outcomes = at_once(program, *[typed("chen", clock.now)] * 3)
    assert sorted(outcomes, key=str) == [None, SignInRefusal.WRONG, SignInRefusal.WRONG]


@many_rounds
def test_guesses_made_at_once_are_counted_one_by_one(
    program: Program, chen: int, clock: Clock
) -> None:
    guess = typed("chen", clock.now, password="wrong")
    outcomes = at_once(program, *[guess] * (FAILURES_MAX + 2))
    assert outcomes.count(SignInRefusal.WRONG) == FAILURES_MAX
    assert outcomes.count(SignInRefusal.LOCKED) == 2


def test_money_roles_need_a_second_factor(program: Program, chen: int, clock: Clock) -> None:
    services = program.services
    with services.database.transaction() as session:
        session.execute(text("UPDATE staff_credential SET totp_sealed = NULL"))
        outcome = sign_in(session, services.vault, typed("chen", clock.now), clock.now)
    assert outcome is SignInRefusal.WRONG


def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(clerk: MakeClerk, clock: Clock) -> None:
    one = clerk(StaffRole.MANAGER)
    begun = clock.now
    while clock.now - begun < IDLE_MAX:
        assert one.get("/HY/live").status_code == 200
        clock.now += IDLE_MAX / 4
    assert one.get("/HY/live").status_code == 302
    assert one.get("/HY/").status_code == 302


def test_a_session_ends_when_idle_and_after_a_working_day(clerk: MakeClerk, clock: Clock) -> None:
    one = clerk(StaffRole.MANAGER)
    begun = clock.now
    while clock.now - begun < SESSION_MAX - IDLE_MAX:
        clock.now += IDLE_MAX * 0.9
        assert one.get("/account").status_code == 200
    clock.now = begun + SESSION_MAX
    assert one.get("/account").status_code == 302
    other = clerk(StaffRole.MANAGER)
    clock.now += IDLE_MAX
    assert other.get("/account").status_code == 302


def test_whoever_left_is_out_at_once(clerk: MakeClerk, program: Program) -> None:
    one = clerk(StaffRole.SERVICE)
    with program.services.database.transaction() as session:
        let_go(session, session.get_one(Staff, one.staff_id), program.services.clock())
    assert one.get("/account").status_code == 302


def test_signing_out_and_ending_another_browser(clerk: MakeClerk, clock: Clock) -> None:
    one = clerk(StaffRole.MANAGER)
    assert one.post("/sign-out").status_code == 303
    assert one.get("/account").status_code == 302


def test_a_temporary_password_has_to_be_changed_first(clerk: MakeClerk, program: Program) -> None:
    one = clerk(StaffRole.MANAGER)
    with program.services.database.transaction() as session:
        session.execute(text("UPDATE staff_credential SET is_temporary = true"))
    assert one.get("/HY/homes").headers["Location"].endswith("/console/account")
    fields = {"old": PASSWORD, "new": "another long one", "again": "another long one"}
    assert one.post("/account/password", **fields).status_code == 303
    assert one.get("/HY/homes").status_code == 200


def test_a_bad_new_password_is_refused_at_its_field(clerk: MakeClerk) -> None:
    one = clerk(StaffRole.MANAGER)
    for new, words in [("short", "新密码须为"), ("aaaaaaaaaaaa", "太容易被猜到")]:
        answer = one.post("/account/password", old=PASSWORD, new=new, again=new)
        assert answer.status_code == 422
        assert words in answer.text
    answer = one.post("/account/password", old="wrong", new="another long one", again="x")
    assert "两次输入的新密码不一样" in answer.text


def path_of(route: Route) -> str:
    return route.rule.replace("<code>", "HY").replace("<int:number>", "999999")


@pytest.mark.parametrize("role", StaffRole, ids=lambda role: role.value)
def test_every_route_opens_for_those_who_may_and_for_nobody_else(
    clerk: MakeClerk, role: StaffRole
) -> None:
    """A right is asked for before anything else, so a stranger to it gets 403, never 404."""
    wrong = []
    one = clerk(role)
    for route in sorted(ROUTES, key=lambda route: route.name == "account_sign_out"):
        send = one.get if route.method == "GET" else one.post
        status = send(path_of(route)).status_code
        may = route.permission is None or route.permission in PERMISSIONS[role]
        if (status == 403) == may or status >= 500:
            wrong.append((route.name, status))
    assert wrong == []


def test_a_stranger_is_sent_to_sign_in_everywhere(stranger: Clerk) -> None:
    for route in ROUTES:
        send = stranger.get if route.method == "GET" else stranger.post
        answer = send(path_of(route))
        if route.method == "GET":
            assert answer.headers["Location"].endswith("/console/sign-in"), route.name
        else:
            assert answer.status_code == 401, route.name


def test_every_other_method_is_refused(clerk: MakeClerk) -> None:
    one = clerk(StaffRole.MANAGER)
    for rule in {route.rule for route in ROUTES}:
        methods = {route.method for route in ROUTES if route.rule == rule}
        for method in {"PUT", "PATCH", "DELETE", "POST"} - methods:
            answer = one.client.open(f"/console{rule.replace('<code>', 'HY')}", method=method)
            assert answer.status_code in {400, 404, 405}, (method, rule)


def test_a_form_without_its_token_is_refused(clerk: MakeClerk) -> None:
    one = clerk(StaffRole.MANAGER)
    assert one.client.post("/console/sign-out").status_code == 400
    assert one.get("/account").status_code == 200


def test_of_another_community_one_does_not_even_learn_that_it_is_there(
    clerk: MakeClerk, program: Program, world: World
) -> None:
    with program.services.database.transaction() as session:
        other = Community(
            code="XL",
            name="邻家小区",
            company="明账物业",
            service_phone="000",
            billing_day=1,
            due_day=20,
            due_month_offset=0,
        )
        session.add(other)
        session.flush()
    one = clerk(StaffRole.MANAGER)
    assert one.get("/XL/homes").status_code == 404
    assert one.get("/NONE/homes").status_code == 404
    everywhere = clerk(StaffRole.SERVICE, community_id=None)
    assert everywhere.get("/XL/homes").status_code == 200
    assert everywhere.get("/").status_code == 200


def test_what_was_done_is_written_down_without_secrets(clerk: MakeClerk, program: Program) -> None:
    one = clerk(StaffRole.MANAGER)
    fields = {"login": "ding", "name": "丁客服", "role": "service", "community": "HY"}
    answer = one.post("/staff/new", **fields)
    assert answer.status_code == 200
    assert "丁客服" in answer.text
    with program.services.database.transaction() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry is not None
        assert (entry.action, entry.staff_id) == ("members_add", one.staff_id)
        assert entry.detail == fields
    with pytest.raises(DBAPIError), program.services.database.transaction() as session:
        session.execute(text("UPDATE audit_entry SET action = 'nothing'"))
    with pytest.raises(DBAPIError), program.services.database.transaction() as session:
        session.execute(text("DELETE FROM audit_entry"))


def test_of_a_field_sent_more_than_once_every_value_is_written_down(
    clerk: MakeClerk, program: Program, world: World
) -> None:
    one = clerk(StaffRole.MANAGER)
    scopes = ["homes:read", "people:read", "payments:write"]
    assert (
        one.post("/outside/tokens", name="大屏", scopes=scopes, community="HY").status_code == 200
    )
    with program.services.database.transaction() as session:
        entry = session.scalars(select(AuditEntry)).one()
    assert entry.detail == {"name": "大屏", "scopes": scopes, "community": "HY"}
    assert "scopes=homes:read, people:read, payments:write" in one.get("/audit").text


def test_what_concerns_a_community_is_in_its_managers_log(
    clerk: MakeClerk, program: Program, world: World
) -> None:
    """Whoever did it, and though the address names no community."""
    office = clerk(StaffRole.MANAGER, community_id=None)
    other = clerk(StaffRole.SERVICE)
    scopes = {"scopes": "bills:read"}
    hook = {"url": "https://erp.example.test/hook", "kinds": "bill_issued"}
    orders = [
        ("/outside/tokens", {"name": "大屏", "community": "HY"} | scopes, 200),
        ("/outside/webhooks", {"name": "ERP", "community": "HY"} | hook, 200),
        ("/staff/new", {"login": "ding", "name": "丁", "role": "service", "community": "HY"}, 200),
        (f"/staff/{other.staff_id}", {"role": "reader", "community": ""}, 303),
    ]
    for path, fields, status in orders:
        assert office.post(path, **fields).status_code == status, path
    assert office.post("/outside/tokens", name="总部", community="", **scopes).status_code == 200
    with program.services.database.transaction() as session:
        session.execute(text("UPDATE staff SET community_id = NULL WHERE login = 'ding'"))
        here = session.execute(select(AuditEntry.subject, AuditEntry.community_id)).all()
        tokens = session.scalars(select(ApiToken).order_by(ApiToken.id)).all()
        hooks = session.scalars(select(Webhook.id)).all()
    expected = [(f"/console{path}", world.community.id) for path, _, _ in orders]
    assert [tuple(row) for row in here] == [*expected, ("/console/outside/tokens", None)]
    for path in (f"tokens/{tokens[0].id}/revoke", f"webhooks/{hooks[0]}/end"):
        assert office.post(f"/outside/{path}").status_code == 303
    with program.services.database.transaction() as session:
        last = session.scalars(
            select(AuditEntry.community_id).order_by(AuditEntry.id.desc()).limit(2)
        ).all()
    assert last == [world.community.id] * 2


def test_a_webhooks_query_is_neither_written_down_nor_shown(
    clerk: MakeClerk, program: Program
) -> None:
    one = clerk(StaffRole.MANAGER)
    url = "https://erp.example.test/hook?key=hidden-key"
    fields = {"name": "ERP", "url": url, "kinds": "bill_issued", "community": "HY"}
    assert one.post("/outside/webhooks", **fields).status_code == 200
    with program.services.database.transaction() as session:
        entry = session.scalars(select(AuditEntry)).one()
        hook = session.scalars(select(Webhook)).one()
    assert hook.url == url
    assert entry.detail["url"] == "https://erp.example.test/hook?…"
    for path in ("/outside", f"/outside/webhooks/{hook.id}", "/audit"):
        page = one.get(path).text
        assert "https://erp.example.test/hook?…" in page, path
        assert "hidden-key" not in page, path


@pytest.mark.parametrize("number", [1 << 63, 10**30])
def test_a_number_the_database_cannot_count_to_is_not_found(clerk: MakeClerk, number: int) -> None:
    """Of whatever page has one, once its reader may open it."""
    one = clerk(StaffRole.MANAGER)
    for route in (route for route in ROUTES if "<int:number>" in route.rule):
        send = one.get if route.method == "GET" else one.post
        path = route.rule.replace("<code>", "HY").replace("<int:number>", str(number))
        may = route.permission is None or route.permission in PERMISSIONS[StaffRole.MANAGER]
        assert send(path).status_code == (404 if may else 403), path


@pytest.mark.parametrize(
    "fields",
    [{"x\0y": "z"}, {"scopes": ["homes:read", "bills:read\0"]}, {"name": ["a", "b\0"]}],
    ids=["a name", "a later value", "a later value of a text"],
)
def test_a_character_the_database_does_not_take_is_refused_wherever_it_is_sent(
    clerk: MakeClerk, fields: dict[str, str | list[str]]
) -> None:
    one = clerk(StaffRole.MANAGER)
    wish = {"name": "大屏", "scopes": "homes:read", "community": "HY"} | fields
    assert one.post("/outside/tokens", **wish).status_code == 400
    assert one.get("/HY/homes", query_string=fields).status_code == 400


def test_a_refused_form_keeps_what_was_typed_and_changes_nothing(
    clerk: MakeClerk, program: Program
) -> None:
    one = clerk(StaffRole.MANAGER)
    answer = one.post(
        "/staff/new", login="Bad Login", name="丁客服", role="service", community="HY"
    )
    assert answer.status_code == 422
    assert "登录名须为" in answer.text
    assert 'value="Bad Login"' in answer.text
    with program.services.database.transaction() as session:
        assert session.scalar(select(Staff).where(Staff.name == "丁客服")) is None
        assert session.scalar(select(AuditEntry.id)) is None


def test_a_manager_of_one_community_gives_no_right_elsewhere(clerk: MakeClerk) -> None:
    one = clerk(StaffRole.MANAGER)
    fields = {"login": "ding", "name": "丁客服", "role": "service"}
    assert one.post("/staff/new", **fields, community="").status_code == 422
    assert one.post("/staff/new", **fields, community="XL").status_code == 422


def test_nobody_changes_his_own_role(clerk: MakeClerk) -> None:
    one = clerk(StaffRole.MANAGER)
    answer = one.post(f"/staff/{one.staff_id}", role="reader", community="HY")
    assert "不能更改自己的角色" in answer.text
