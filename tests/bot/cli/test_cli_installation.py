"""Which installation a command works on, and what is said when there is none to work on."""

import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.bot.cli.command_line import NO_INSTALLATION, Mingzhang
from tests.conftest import World


@pytest.mark.parametrize("process", ["serve", "worker", "cron", "migrate"])
def test_a_production_process_never_starts_without_a_database(process: str) -> None:
    """It embeds nothing: an empty database beside the real one would be worse than none."""
    zone = os.environ.get("TZ")
    assert Mingzhang(NO_INSTALLATION).refusal(process) == "DATABASE_URL is not set"
    assert os.environ.get("TZ") == zone


@pytest.mark.parametrize("process", ["serve", "worker", "cron"])
def test_nor_half_configured(nowhere: Mingzhang, process: str) -> None:
    assert nowhere.refusal(process, REDIS_URL=None) == "REDIS_URL is not set"
    assert nowhere.refusal(process, WECHAT_TOKEN="x").startswith("WECHAT_TOKEN is too short")


def test_without_an_installation_and_without_a_demo_the_two_ways_out_are_named(
    tmp_path: Path,
) -> None:
    refusal = Mingzhang(NO_INSTALLATION).refusal("check", MINGZHANG_VAR=str(tmp_path))
    assert refusal.startswith("DATABASE_URL and REDIS_URL are not set and there is no demo")
    assert "mingzhang demo" in refusal


@pytest.mark.parametrize("missing", ["DATABASE_URL", "REDIS_URL"])
def test_half_an_installation_is_not_mistaken_for_the_demo(
    nowhere: Mingzhang, missing: str
) -> None:
    assert nowhere.refusal("check", **{missing: None}) == f"{missing} is not set"


def test_an_installation_may_be_named_by_files(
    world: World, mingzhang: Mingzhang, tmp_path: Path
) -> None:
    files: dict[str, str | None] = {}
    for name in ("DATABASE_URL", "REDIS_URL"):
        path = tmp_path / name
        path.write_text(str(mingzhang.env[name]), encoding="utf-8")
        files |= {f"{name}_FILE": str(path), name: None}
    assert Mingzhang(mingzhang.env | files).json("check")["ok"] is True
    assert Mingzhang(mingzhang.env | files).json("migrate") == {"migrated": True}


@pytest.mark.parametrize("command", ["check", "migrate"])
def test_a_database_that_does_not_answer_is_one_sentence_without_its_password(
    nowhere: Mingzhang, command: str
) -> None:
    refusal = nowhere.refusal(command)
    assert refusal.startswith("DATABASE_URL: the database does not serve us: connection failed")
    assert "database-password" not in refusal


def test_a_database_without_the_schema_says_what_to_run(
    make_database: Callable[[str], str], elsewhere: Callable[[str], Mingzhang]
) -> None:
    fresh = elsewhere(make_database("template1"))
    assert fresh.refusal("check").startswith("DATABASE_URL: run `mingzhang migrate` first")
    assert [fresh.json("migrate") for _ in range(2)] == [{"migrated": True}] * 2
    assert fresh.json("check")["ok"] is True


def test_who_may_not_work_as_the_program_is_told_how_to_mend_it(
    make_database: Callable[[str], str], elsewhere: Callable[[str], Mingzhang]
) -> None:
    url = make_url(make_database("mz_schema"))
    clerk = f"clerk_{secrets.token_hex(4)}"
    owner = create_engine(url, isolation_level="AUTOCOMMIT")
    theirs = elsewhere(url.set(username=clerk).render_as_string(hide_password=False))
    with owner.connect() as connection:
        connection.execute(text(f"CREATE ROLE {clerk} LOGIN"))
        try:
            refusal = theirs.refusal("check")
            assert 'permission denied to set role "mingzhang_runtime"' in refusal
            [mended] = re.findall("GRANT mingzhang_runtime TO <this user>", refusal)
            connection.execute(text(mended.replace("<this user>", clerk)))
            assert theirs.json("check")["ok"] is True
            foreign = elsewhere(
                make_url(make_database("template1"))
                .set(username=clerk)
                .render_as_string(hide_password=False)
            )
            refusal = foreign.refusal("migrate")
            assert "permission denied for schema public" in refusal
            assert "ALTER DATABASE <this database> OWNER TO <this user>" in refusal
        finally:
            connection.execute(text(f"DROP ROLE {clerk}"))
    owner.dispose()


def test_a_defect_keeps_its_traceback(world: World, mingzhang: Mingzhang) -> None:
    """A right that is missing is nobody's configuration: it must not look like one."""
    owner = create_engine(world.url)
    with owner.begin() as connection:
        connection.execute(text("REVOKE SELECT ON alert FROM mingzhang_runtime"))
    owner.dispose()
    result = mingzhang.run("alerts")
    assert result.exit_code == 1
    assert "permission denied for table alert" in str(result.exception)


CONNECTIONS = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")


def test_a_command_leaves_no_connection_behind(world: World, mingzhang: Mingzhang) -> None:
    with world.database.engine.connect() as connection:
        before = set(connection.scalars(CONNECTIONS))
        mingzhang.json("check")
        end = time.monotonic() + 5
        while set(connection.scalars(CONNECTIONS)) - before:  # a backend takes a moment to leave
            assert time.monotonic() < end, "a connection stayed open"
            time.sleep(0.02)
            connection.execute(text("SELECT pg_stat_clear_snapshot()"))


def test_an_account_that_does_not_answer_is_a_sentence(nowhere: Mingzhang) -> None:
    assert nowhere.refusal("wechat", "menu").startswith("WeChat did not take the menu: ")


def test_json_on_stdout_and_everything_else_on_stderr(mingzhang: Mingzhang) -> None:
    """The whole program, as installed; Redis is down, which is a warning: the sweep will come."""
    environ = {key: value for key, value in (os.environ | mingzhang.env).items() if value}
    done = subprocess.run(
        [sys.executable, "-m", "bot", "bill-run", "--community", "HY", "--period", "2026-12"]
        + ["--today", "2026-12-01", "--publish"],
        env=environ | {"REDIS_URL": "redis://127.0.0.1:1/0"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout)["created"] > 0
    assert done.stdout.count("\n") == 1
    assert "wake_failed" in done.stderr
    assert "Traceback" not in done.stderr
