"""What other systems may ask and do, and what they are refused."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select

from billing.api_access import ApiScope, revoke_token
from billing.bills import list_unpaid
from billing.checks import run_checks
from billing.money import ZERO
from billing.payment_tables import Payment, PaymentChannel
from billing.people import Resident
from billing.property import Community, Unit
from billing.receipts import number_waiting
from bot.app import create_app
from bot.program import Program
from handlers.api.routes import PLACES, ROUTES
from tests.conftest import NOW, World, many_rounds
from tests.handlers.api.conftest import System

SystemMaker = Callable[..., System]
Calls = Callable[[], list[tuple[str, str, int]]]


def debtor(world: World) -> tuple[str, int, int]:
    """Room, bill and what is owed on it."""
    with world.database.transaction() as session:
        homes = session.scalars(select(Unit).where(Unit.community_id == world.community.id))
        owed = list_unpaid(session, world.community.id, [unit.id for unit in homes])
        return owed[0].room, owed[0].id, owed[0].outstanding.fen


def here(world: World, path: str) -> str:
    return f"/communities/{world.community.code}{path}"


def test_a_system_walks_through_all_homes_page_by_page(world: World, system: SystemMaker) -> None:
    erp, seen, after = system(), list[str](), 0
    while True:
        page = erp.get(here(world, "/homes"), after=after, limit=10).json
        seen += [home["room"] for home in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    with world.database.transaction() as session:
        rooms = set(session.scalars(select(Unit.room)))
    assert len(seen) == len(rooms)
    assert set(seen) == rooms


def test_people_are_masked_unless_the_token_may_know_them(
    world: World, system: SystemMaker, app: Flask
) -> None:
    room = debtor(world)[0]
    masked = system(ApiScope.HOMES_READ, name="gate").get(here(world, f"/homes/{room}")).json
    full = system(name="head office").get(here(world, f"/homes/{room}")).json
    assert masked["people"]
    assert len(masked["people"]) == len(full["people"])
    for hidden, shown in zip(masked["people"], full["people"], strict=True):
        assert "*" in hidden["name"]
        assert "*" not in shown["name"]
        assert hidden["phone"] != shown["phone"]


def test_bills_come_with_the_arithmetic_of_their_lines(world: World, system: SystemMaker) -> None:
    room, bill, owed = debtor(world)
    erp = system()
    listed = erp.get(here(world, "/bills"), room=room, state="unpaid").json["items"]
    assert bill in [one["id"] for one in listed]
    found = erp.get(here(world, f"/bills/{bill}")).json
    assert found["bill"]["outstanding_fen"] == owed
    assert sum(line["outstanding_fen"] for line in found["lines"]) == owed
    assert any("=" in line["arithmetic"] for line in found["lines"])
    period = found["bill"]["period"]
    assert {
        one["period"] for one in erp.get(here(world, "/bills"), period=period).json["items"]
    } == {period}


def test_every_unpaid_bill_is_met_once_however_small_the_pages(
    world: World, system: SystemMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.browsing.LOOKED_AT_MAX", 7)
    with world.database.transaction() as session:
        homes = session.scalars(select(Unit).where(Unit.community_id == world.community.id))
        owed = list_unpaid(session, world.community.id, [unit.id for unit in homes])
    erp, met, after = system(), list[int](), 0
    while after is not None:
        page = erp.get(here(world, "/bills"), state="unpaid", limit=3, after=after).json
        met += [one["id"] for one in page["items"]]
        after = page["next"]
    assert len(met) > 10
    assert met == sorted(bill.id for bill in owed)


def test_a_payment_received_elsewhere_pays_the_bill_and_is_booked_once(
    world: World, system: SystemMaker, calls: Calls
) -> None:
    room, bill, owed = debtor(world)
    erp = system()
    body = {
        "key": "GATE-1",
        "room": room,
        "amount_fen": owed,
        "bills": [{"bill": bill, "amount_fen": owed}],
    }
    first = erp.post(here(world, "/payments"), body)
    again = erp.post(here(world, "/payments"), body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert first.json["channel"] == "external"
    assert erp.get(here(world, f"/bills/{bill}")).json["bill"]["outstanding_fen"] == 0
    with world.database.transaction() as session:
        booked = session.scalars(
            select(Payment).where(Payment.channel == PaymentChannel.EXTERNAL)
        ).all()
        assert [one.amount.fen for one in booked] == [owed]
        assert [one.name for one in run_checks(session) if one.violations] == []
    assert [status for method, _, status in calls() if method == "POST"] == [201, 200]


def test_its_receipt_can_be_read(world: World, system: SystemMaker) -> None:
    room, _, owed = debtor(world)
    erp = system()
    paid = erp.post(here(world, "/payments"), {"key": "1", "room": room, "amount_fen": owed}).json
    with world.database.transaction() as session:
        assert number_waiting(session, NOW, limit=10) == 1
    number = erp.get(here(world, f"/payments/{paid['id']}")).json["receipt"]
    receipt = erp.get(here(world, f"/receipts/{number}")).json
    assert (receipt["payment_id"], receipt["amount_fen"]) == (paid["id"], owed)
    listed = erp.get(here(world, "/receipts"), year=NOW.year, limit=500).json["items"]
    assert receipt in listed


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"amount_fen": 0}, 422, "amount_fen"),
        ({"amount_fen": 12.5}, 422, "amount_fen"),
        ({"amount_fen": True}, 422, "amount_fen"),
        ({"amount_fen": "100"}, 422, "amount_fen"),
        ({"room": "9-9-999"}, 422, "room"),
        ({"key": ""}, 422, "key"),
        ({"key": "a\u0000b"}, 422, "key"),
        ({"paid_on": "2026-12-24"}, 422, "paid_on"),
        ({"paid_on": "yesterday"}, 422, "paid_on"),
        ({"surprise": 1}, 422, "surprise"),
        ({"half a \ud800 character": 1}, 422, "half a ? character"),
        ({"bills": [{"\udfff": 1}]}, 422, "bills[0].?"),
        ({"key": "\ud800"}, 422, "key"),
        ({"bills": [{"bill": 1}]}, 422, "bills[0].amount_fen"),
        ({"bills": [{"bill": 999999, "amount_fen": 1}]}, 404, None),
    ],
)
def test_what_cannot_be_booked_is_refused_at_its_field_and_books_nothing(
    world: World,
    system: SystemMaker,
    calls: Calls,
    change: dict[str, Any],
    status: int,
    field: str | None,
) -> None:
    body = {"key": "K", "room": debtor(world)[0], "amount_fen": 100} | change
    refused = system().post(here(world, "/payments"), body)
    assert refused.status_code == status
    assert refused.mimetype == "application/problem+json"
    assert refused.json.get("field") == field
    assert _outside_sum(world) == ZERO.fen
    assert calls() == [("POST", f"/api/v1{here(world, '/payments')}", status)]


@many_rounds
def test_the_same_payment_sent_many_times_at_once_is_booked_once(
    world: World, app: Flask, system: SystemMaker
) -> None:
    erp = system()
    body = {"key": "K", "room": debtor(world)[0], "amount_fen": 100}

    def send(_: int) -> int:
        return System(app.test_client(), erp.token).post(here(world, "/payments"), body).status_code

    with ThreadPoolExecutor(6) as threads:
        statuses = sorted(threads.map(send, range(6)))
    assert statuses == [200] * 5 + [201]
    assert _outside_sum(world) == 100


def test_the_key_of_another_payment_is_a_conflict(world: World, system: SystemMaker) -> None:
    room = debtor(world)[0]
    erp = system()
    body = {"key": "K", "room": room, "amount_fen": 100}
    assert erp.post(here(world, "/payments"), body).status_code == 201
    other = erp.post(here(world, "/payments"), body | {"amount_fen": 200})
    assert (other.status_code, other.mimetype) == (409, "application/problem+json")
    assert _outside_sum(world) == 100


def _outside_sum(world: World) -> int:
    with world.database.transaction() as session:
        found = session.scalar(
            select(func.sum(Payment.amount)).where(Payment.channel == PaymentChannel.EXTERNAL)
        )
    return found.fen if found else 0


def test_every_address_takes_its_scope_and_a_token_that_stands(
    world: World, system: SystemMaker, app: Flask, calls: Calls
) -> None:
    for route in ROUTES:
        others = [scope for scope in ApiScope if scope is not route.scope]
        poor = system(*others, name=route.name)
        path = route.rule.replace("<code>", world.community.code)
        path = path.replace("<int:number>", "1").replace("<room>", "1").replace("<printed>", "1")
        ask = poor.get if route.method == "GET" else lambda path: poor.post(path, {})  # noqa: B023
        assert ask(path).status_code == 403, route.name
        poor.token = "mzk_nobody"
        assert ask(path).status_code == 401, route.name
        poor.token = ""
        assert ask(path).status_code == 401, route.name
    assert {status for _, _, status in calls()} == {403}
    assert len(calls()) == len(ROUTES)


def test_a_revoked_token_is_no_use(world: World, system: SystemMaker) -> None:
    erp = system()
    assert erp.get("/communities").status_code == 200
    with world.database.transaction() as session:
        revoke_token(session, "ERP", NOW)
    assert erp.get("/communities").status_code == 401


def test_a_token_of_one_community_does_not_learn_of_another(
    world: World, system: SystemMaker
) -> None:
    with world.database.transaction() as session:
        other = Community(
            code="OTHER", name="别处", company="别处物业", service_phone="0571-1", billing_day=1,
            due_day=20, due_month_offset=0,
        )  # fmt: skip
        session.add(other)
    erp = system()
    assert [one["code"] for one in erp.get("/communities").json["items"]] == [world.community.code]
    there = erp.get("/communities/OTHER/homes")
    nowhere = erp.get("/communities/NOWHERE/homes")
    assert (there.status_code, nowhere.status_code) == (404, 404)
    assert there.json["detail"].replace("OTHER", "") == nowhere.json["detail"].replace(
        "NOWHERE", ""
    )


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/communities/HY/bills?surprise=1", 422),
        ("/communities/HY/bills?period=2026-13", 422),
        ("/communities/HY/homes?limit=0", 422),
        ("/communities/HY/homes?after=99999999999999999999", 422),
        ("/communities/HY/receipts", 422),
        ("/communities/HY/bills/99999999999999999999", 422),
        ("/communities/H%00/bills", 422),
        ("/communities/HY/homes/%00", 422),
        ("/communities/HY/bills?%ed%a0%80=1", 422),
        ("/communities/HY/bills?room=%ed%a0%80", 404),
    ],
)
def test_bad_addresses_are_refused_as_problems(system: SystemMaker, path: str, status: int) -> None:
    refused = system().get(path)
    assert (refused.status_code, refused.mimetype) == (status, "application/problem+json")


def test_bodies_that_are_no_json_are_refused_as_problems(
    app: Flask, world: World, system: SystemMaker
) -> None:
    headers = {"Authorization": f"Bearer {system().token}"}
    path = f"/api/v1{here(world, '/payments')}"
    client = app.test_client()

    def status(data: bytes, kind: str = "application/json") -> int:
        answer = client.post(path, data=data, content_type=kind, headers=headers)
        assert answer.mimetype == "application/problem+json"
        return answer.status_code

    assert status(b"{") == 400
    assert status(b"[" * 100_000) in (400, 413)
    assert status(b"[" * 60_000) == 400
    assert status(b"[]") == 422
    assert status(b"\xff") == 400
    assert status(b"a=1", "application/x-www-form-urlencoded") == 415
    assert status(b" " * 70_000) == 413
    wrong = client.delete(path, headers=headers)
    assert (wrong.status_code, wrong.mimetype) == (405, "application/problem+json")
    assert "POST" in wrong.headers["Allow"]


def test_too_many_calls_are_refused_and_told_when_to_come_back(
    program: Program, system: SystemMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.app.API_RATE", "3/minute")
    erp, other = system(), system(name="another")
    erp.client = other.client = create_app(
        replace(program, registry=CollectorRegistry())
    ).test_client()
    answers = [erp.get("/communities") for _ in range(4)]
    assert {answer.status_code for answer in answers[:3]} == {200}
    assert answers[-1].status_code == 429
    assert answers[-1].mimetype == "application/problem+json"
    assert answers[-1].headers["Retry-After"] == "60"
    assert other.get("/communities").status_code == 200


def test_who_invents_a_token_for_every_call_is_counted_by_his_address(
    program: Program, system: SystemMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.app.API_ADDRESS_RATE", "3/minute")
    app = create_app(replace(program, registry=CollectorRegistry()))

    def ask(token: str, address: str) -> int:
        return (
            app.test_client()
            .get(
                "/api/v1/communities",
                headers={"Authorization": f"Bearer {token}"},
                environ_base={"REMOTE_ADDR": address},
            )
            .status_code
        )

    guesses = [ask(f"mzk_{number}", "192.0.2.7") for number in range(3)]
    counted = set(program.services.redis.keys("*rate*"))
    guesses.append(ask("mzk_another", "192.0.2.7"))
    assert guesses == [401, 401, 401, 429]
    assert set(program.services.redis.keys("*rate*")) == counted, "no token is counted any more"
    assert ask(system().token, "192.0.2.8") == 200


def test_the_description_names_every_address_and_place(app: Flask) -> None:
    told = app.test_client().get("/api/v1/openapi.json").json
    operations = {
        operation["operationId"] for path in told["paths"].values() for operation in path.values()
    }
    assert operations == {route.name for route in ROUTES}
    assert told["openapi"].startswith("3.1")
    named = {p["name"] for path in told["paths"].values() for o in path.values()
             for p in o["parameters"] if p["in"] == "path"}  # fmt: skip
    assert named == set(PLACES)


def test_two_systems_may_use_the_same_key(world: World, system: SystemMaker) -> None:
    body = {"key": "K", "room": debtor(world)[0], "amount_fen": 100}
    path = here(world, "/payments")
    assert system(name="one").post(path, body).status_code == 201
    assert system(name="two").post(path, body).status_code == 201
    assert _outside_sum(world) == 200


def test_nothing_sealed_leaves_the_house(world: World, system: SystemMaker) -> None:
    with world.database.transaction() as session:
        sealed = set(session.scalars(select(Resident.name_sealed)))
    text = system().get(here(world, f"/homes/{debtor(world)[0]}")).text
    assert not any(token in text for token in sealed)
