"""Connections of the runtime, as they are found again after PostgreSQL went away."""

from sqlalchemy import text

from billing.db import Database, connect
from tests.conftest import World

HANG_UP = text(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = :n"
)
PLANS = text("SHOW plan_cache_mode")


def test_a_connection_the_server_hung_up_on_is_noticed_before_it_is_used(world: World) -> None:
    engine = connect(world.url, pool_size=1, application_name="idle")
    idle = Database(engine, after_facts=lambda: None)
    for _ in range(2):
        with idle.transaction() as session:
            assert session.scalar(text("SELECT 1")) == 1
        with world.database.transaction() as session:
            session.execute(text("SET LOCAL ROLE NONE"))
            assert session.scalars(HANG_UP, {"n": "idle"}).all() == [True]
    with idle.transaction() as session:
        assert session.scalar(text("SELECT 1")) == 1
    engine.dispose()


def test_only_who_asks_for_it_plans_once(world: World) -> None:
    plans = []
    for plans_once in (False, True):
        engine = connect(world.url, pool_size=1, plans_once=plans_once)
        with Database(engine, after_facts=lambda: None).transaction() as session:
            plans.append(session.scalar(PLANS))
        engine.dispose()
    assert plans == ["auto", "force_generic_plan"]
