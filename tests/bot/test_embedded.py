"""The embedded engines: one server per state folder, the same address and data after every end."""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import create_engine, text

from bot.embedded import (
    EmbeddedError,
    Postgres,
    Valkey,
    embedded,
    erase,
    scratch,
    start_postgres,
    start_valkey,
)
from bot.embedded.account import (
    Account,
    find_elsewhere,
    make_control_folder,
    may_enter,
    reachable_copy,
)
from bot.embedded.wheels import postgres_install, supported

ROOT = os.geteuid() == 0
AS_ROOT = pytest.mark.skipif(not ROOT, reason="only root has to serve as another account")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs parent-death signals or /proc")
REPOSITORY = Path(__file__).parents[2]

OWNER = """
import json, sys
from pathlib import Path
from bot.embedded import embedded
with embedded(Path(sys.argv[1]), fast=True) as engines:
    print(json.dumps({
        "database_url": engines.database_url, "redis_url": engines.redis_url,
        "postgres": engines.postgres.pid, "valkey": engines.valkey.pid,
    }), flush=True)
    sys.stdin.read()
"""


def new_place() -> Iterator[Path]:
    """A new folder that every account may pass; what the engines leave is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mz-embedded-"))
    folder.chmod(0o711)
    yield folder
    for state in {lock.parents[1] for lock in folder.rglob("start.lock")}:
        erase(state)
    shutil.rmtree(folder)


place = pytest.fixture(new_place, name="place")
common_place = pytest.fixture(new_place, name="common_place", scope="module")


@pytest.fixture
def state(place: Path) -> Path:
    """A state folder nobody has used."""
    return place / "var"


@pytest.fixture(scope="module")
def used(common_place: Path) -> Path:
    """A state folder that other tests may have used; nothing runs there. Saves making a cluster."""
    return common_place / "var"


@pytest.fixture(scope="module")
def awkward(common_place: Path) -> Path:
    """The same at a path too long for a socket, with what URLs and shells stumble over."""
    return common_place / "明账 演示 100%" / ("x" * 90)


@pytest.fixture
def run() -> Iterator[Callable[..., Any]]:
    """Start an engine and stop it at the end of the test, whatever happens in between."""
    handles: list[Postgres | Valkey] = []

    def start(starter: Callable[..., Any], state: Path, **options: bool) -> Any:
        handles.append(starter(state, **({"fast": True} | options)))
        return handles[-1]

    yield start
    for handle in reversed(handles):
        handle.stop()


@contextmanager
def owner(state: Path, **options: Any) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Another process that runs both engines until the block ends or it is killed."""
    command = [sys.executable, "-W", "error", "-c", OWNER, str(state)]
    pipe: Any = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True, **options
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(60)


def write_everywhere(database_url: str, redis_url: str, word: str) -> None:
    """Leave a word in both; it is acknowledged when this returns."""
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("DROP TABLE IF EXISTS note")
        connection.execute("CREATE TABLE note AS SELECT %s AS word", [word])
    with redis.Redis.from_url(redis_url) as client:
        client.set("note", word)


def read_everywhere(database_url: str, redis_url: str) -> tuple[str, str | None]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        return ask(database_url, "SELECT word FROM note"), client.get("note")


def is_alive(pid: int) -> bool:
    """A zombie, which nobody may have collected yet, is dead."""
    try:
        os.kill(pid, 0)
        return sys.platform != "linux" or " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def wait_for_end(*pids: int, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, f"one of {pids} still lives"
        time.sleep(0.02)


def ask(url: str, statement: str) -> Any:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


# What one gets


def test_the_demo_gets_engines_that_lose_nothing(used: Path) -> None:
    with embedded(used) as engines:
        url = engines.database_url
        names = ("fsync", "synchronous_commit", "full_page_writes", "TimeZone", "server_encoding")
        found = [ask(url, f"SHOW {name}") for name in names]
        sizes = [ask(url, f"SHOW {name}") for name in ("max_connections", "shared_buffers")]
        ordered = ask(url, "SELECT 'B' < 'a' AND 'z' < '中'")
        with redis.Redis.from_url(engines.redis_url, decode_responses=True) as client:
            durable = client.config_get("append*") | client.config_get("maxmemory-policy")
    assert found == ["on", "on", "on", "UTC", "UTF8"]
    assert sizes == ["200", "128MB"]
    assert ordered is True
    assert (durable["appendonly"], durable["appendfsync"]) == ("yes", "everysec")
    assert durable["maxmemory-policy"] == "noeviction"


def test_postgres_listens_in_a_private_folder_only(used: Path, run: Callable[..., Any]) -> None:
    postgres = run(start_postgres, used)
    assert ask(postgres.admin_url, "SHOW listen_addresses") == ""
    folder = Path(ask(postgres.admin_url, "SHOW unix_socket_directories"))
    assert folder.stat().st_mode & 0o077 == 0


def test_valkey_wants_a_password_that_others_cannot_read(
    state: Path, run: Callable[..., Any]
) -> None:
    valkey = run(start_valkey, state)
    for secret in ("run.json", "server/valkey.conf"):
        assert (state / "valkey" / secret).stat().st_mode & 0o077 == 0
    port = valkey.running.facts["port"]
    once = Retry(NoBackoff(), 0)
    with redis.Redis(port=port, retry=once) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_scratch_engines_leave_nothing_behind() -> None:
    with scratch() as engines:
        data = Path(ask(engines.database_url, "SHOW data_directory"))
        pids = engines.postgres.pid, engines.valkey.pid
        assert ask(engines.database_url, "SHOW fsync") == "off"
    assert not data.exists()
    assert not any(is_alive(pid) for pid in pids)


def test_a_state_in_use_is_not_erased(state: Path, run: Callable[..., Any]) -> None:
    valkey = run(start_valkey, state)
    with pytest.raises(EmbeddedError, match=r"still runs in .*; stop it"):
        erase(state)
    valkey.stop()
    erase(state)
    erase(state)
    assert not state.exists()


def test_a_database_is_created_once(used: Path, run: Callable[..., Any]) -> None:
    postgres = run(start_postgres, used)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(postgres.create_database, ["甲"] * 3))
    assert ask(postgres.url("甲"), "SELECT current_database()") == "甲"


# Twice, side by side, at once


def test_a_second_start_attaches_and_cannot_stop(used: Path) -> None:
    with embedded(used, fast=True) as first:
        pids = first.postgres.pid, first.valkey.pid
        with embedded(used, fast=True) as second:
            assert (second.postgres.pid, second.valkey.pid) == pids
            assert (second.database_url, second.redis_url) == (first.database_url, first.redis_url)
        assert all(is_alive(pid) for pid in pids)
    assert not any(is_alive(pid) for pid in pids)


def test_processes_racing_for_a_new_folder_share_one_server(state: Path) -> None:
    meet = threading.Barrier(2)

    def take_part(_number: int) -> dict[str, Any]:
        with owner(state) as (_, answer):
            meet.wait(20)
            return answer

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(take_part, range(2))
    assert one == other


def test_two_copies_run_side_by_side(place: Path, run: Callable[..., Any]) -> None:
    first, second = place / "one", place / "two"
    run(start_valkey, first).stop()
    shutil.copytree(first, second)
    one, two = run(start_valkey, first), run(start_valkey, second)
    assert one.pid != two.pid
    with redis.Redis.from_url(one.url) as left, redis.Redis.from_url(two.url) as right:
        left.set("mine", "1")
        assert right.get("mine") is None


def test_a_port_taken_by_a_stranger_is_left_to_him(state: Path, run: Callable[..., Any]) -> None:
    before = run(start_valkey, state)
    before.stop()
    with socket.create_server(("127.0.0.1", before.running.facts["port"])):
        after = run(start_valkey, state)
        assert after.running.facts["port"] != before.running.facts["port"]
        assert after.running.facts["password"] == before.running.facts["password"]


# After the end


def test_a_restart_keeps_data_and_address(used: Path) -> None:
    with embedded(used, fast=True) as before:
        write_everywhere(before.database_url, before.redis_url, "kept")
    with embedded(used, fast=True) as after:
        assert (after.database_url, after.redis_url) == (before.database_url, before.redis_url)
        assert read_everywhere(after.database_url, after.redis_url) == ("kept", "kept")


def test_servers_killed_under_a_living_owner_start_again(
    used: Path, run: Callable[..., Any]
) -> None:
    before = [run(start_postgres, used), run(start_valkey, used)]
    write_everywhere(before[0].admin_url, before[1].url, "acknowledged")
    for killed in before:
        os.kill(killed.pid, signal.SIGKILL)
    after = [run(start_postgres, used), run(start_valkey, used)]
    assert {engine.pid for engine in after}.isdisjoint(engine.pid for engine in before)
    assert (after[0].admin_url, after[1].url) == (before[0].admin_url, before[1].url)
    begin = time.monotonic()
    for handle in before:
        handle.stop()  # of a server that is gone: it neither touches the new one nor waits for it
    assert time.monotonic() - begin < 5
    assert read_everywhere(after[0].admin_url, after[1].url) == ("acknowledged", "acknowledged")


def test_servers_end_with_a_killed_owner_and_start_again_at_once(used: Path) -> None:
    with owner(used) as (process, before):
        write_everywhere(before["database_url"], before["redis_url"], "acknowledged")
        process.kill()
        process.wait()
        with embedded(used, fast=True) as after:
            assert after.postgres.pid != before["postgres"]
            assert after.valkey.pid != before["valkey"]
            assert after.database_url == before["database_url"]
            assert after.redis_url == before["redis_url"]
            words = read_everywhere(after.database_url, after.redis_url)
    assert words == ("acknowledged", "acknowledged")


@LINUX
def test_nobody_attaches_to_a_server_whose_owner_is_gone(
    used: Path, run: Callable[..., Any]
) -> None:
    with owner(used) as (process, before):
        stat = Path(f"/proc/{before['valkey']}/stat").read_text()
        keeper = int(stat.rsplit(")", 1)[1].split()[1])
        os.kill(keeper, signal.SIGSTOP)  # so the server outlives its owner for a while
        process.kill()
        process.wait()
        continued = threading.Timer(0.5, os.kill, (keeper, signal.SIGCONT))
        continued.start()
        assert run(start_valkey, used).pid != before["valkey"]
        continued.join()


def test_servers_end_with_a_killed_owner_though_nobody_starts_them_again(used: Path) -> None:
    with owner(used) as (process, before):
        process.kill()
        wait_for_end(before["postgres"], before["valkey"])


@LINUX
@pytest.mark.parametrize("starter", [start_postgres, start_valkey])
def test_a_server_does_not_outlive_its_keeper(
    used: Path, run: Callable[..., Any], starter: Callable[..., Any]
) -> None:
    before = run(starter, used)
    before.running.keeper.kill()
    wait_for_end(before.pid)
    after = run(starter, used)
    before.stop()
    assert is_alive(after.pid)


def test_a_server_outlives_the_thread_that_started_it(state: Path, run: Callable[..., Any]) -> None:
    with ThreadPoolExecutor(1) as pool:
        valkey = pool.submit(run, start_valkey, state).result()
    with redis.Redis.from_url(valkey.url) as client:
        assert client.ping()


@LINUX
def test_a_stale_pid_file_that_names_a_living_process_is_no_obstacle(
    used: Path, run: Callable[..., Any]
) -> None:
    before = run(start_postgres, used)
    data = Path(ask(before.admin_url, "SHOW data_directory"))
    lines = (data / "postmaster.pid").read_text()
    before.stop()
    with subprocess.Popen(["sleep", "60"], user=data.owner() if ROOT else None) as other:
        stale = lines.replace(str(before.pid), str(other.pid), 1)
        (data / "postmaster.pid").write_text(stale)
        (data.parent / ".s.PGSQL.5432.lock").write_text(stale)
        try:
            assert ask(run(start_postgres, used).admin_url, "SELECT 1") == 1
        finally:
            other.kill()


def test_a_start_killed_in_the_middle_leaves_no_half_made_data(
    state: Path, run: Callable[..., Any]
) -> None:
    control = make_control_folder(state, "postgres")
    half = control / "server" / "fresh-12345678"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert ask(run(start_postgres, state).admin_url, "SELECT 1") == 1
    assert not half.exists()


# Paths


def test_any_path_will_do(awkward: Path) -> None:
    with embedded(awkward, fast=True) as before:
        engine = create_engine(before.database_url)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
        engine.dispose()
        assert "%" not in before.database_url  # which Alembic's configuration would interpolate
    with embedded(awkward, fast=True) as after:
        assert after.database_url == before.database_url


def test_a_copied_state_folder_gets_a_socket_of_its_own(
    awkward: Path, run: Callable[..., Any]
) -> None:
    run(start_postgres, awkward).stop()
    copy = awkward.with_name("y" * 90)
    subprocess.run(["cp", "-a", awkward, copy], check=True)
    one, two = run(start_postgres, awkward), run(start_postgres, copy)
    assert one.admin_url != two.admin_url
    assert one.pid != two.pid
    two.stop()
    erase(copy)
    assert not Path(two.running.facts["socket"]).exists()
    assert ask(one.admin_url, "SELECT 1") == 1


# As root


@AS_ROOT
def test_root_serves_as_nobody_and_changes_no_parent(place: Path, run: Callable[..., Any]) -> None:
    parents = [place, *place.parents]
    before = [(path.stat().st_mode, path.stat().st_uid) for path in parents]
    postgres = run(start_postgres, place / "var")
    data = Path(ask(postgres.admin_url, "SHOW data_directory"))
    assert data.is_relative_to(place)
    assert data.owner() == "nobody"
    assert [(path.stat().st_mode, path.stat().st_uid) for path in parents] == before


@AS_ROOT
def test_behind_a_closed_folder_the_data_lives_elsewhere_and_is_found_again(
    place: Path, run: Callable[..., Any]
) -> None:
    closed = place / "closed"
    closed.mkdir(0o700)
    first = run(start_postgres, closed / "var")
    data = Path(ask(first.admin_url, "SHOW data_directory"))
    first.create_database("kept")
    first.stop()
    assert not data.is_relative_to(place)
    assert closed.stat().st_mode & 0o777 == 0o700

    again = run(start_postgres, closed / "var")
    assert ask(again.url("kept"), "SHOW data_directory") == str(data)

    control = shutil.copytree(closed / "var" / "postgres", closed / "copy" / "postgres")
    assert find_elsewhere(closed / "var" / "postgres", "home") == data.parent
    assert find_elsewhere(control, "home") is None
    data.parent.chmod(0o755)  # a stranger's folder of that name would not be private to us
    assert find_elsewhere(closed / "var" / "postgres", "home") is None
    data.parent.chmod(0o700)


@AS_ROOT
def test_programs_that_the_account_cannot_reach_are_copied(place: Path) -> None:
    nobody = Account(pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
    wheel = postgres_install()
    closed = place / "closed" / wheel.parent.name / wheel.name
    shutil.copytree(wheel / "bin", closed / "bin")
    libraries = f"{wheel.parent.name}.libs"
    if wheel.parent.with_name(libraries).is_dir():
        shutil.copytree(wheel.parent.with_name(libraries), place / "closed" / libraries)
    (place / "closed").chmod(0o700)
    (closed / "bin" / "initdb").chmod(0o700)

    copy = reachable_copy(closed, place, nobody, "1.0")
    assert reachable_copy(closed, place, nobody, "1.0") == copy
    for program in ("initdb", "postgres"):
        command = [str(copy / "bin" / program), "--version"]
        done = subprocess.run(command, user=nobody.uid, capture_output=True, text=True, check=True)
        assert "PostgreSQL" in done.stdout


@AS_ROOT
def test_an_ordinary_user_serves_as_himself(place: Path) -> None:
    entry = pwd.getpwnam("nobody")
    needed = (REPOSITORY, Path(sys.executable).parent, Path(sys.executable).resolve().parent)
    if not all(may_enter(path, Account(entry.pw_uid, entry.pw_gid)) for path in needed):
        pytest.skip("this checkout or its Python lies behind a closed folder")
    os.chown(place, entry.pw_uid, entry.pw_gid)
    as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    with owner(place / "var", **as_user) as (_, answer):
        write_everywhere(answer["database_url"], answer["redis_url"], "hers")
    with embedded(place / "var", fast=True) as engines:  # root after her: still her account
        assert read_everywhere(engines.database_url, engines.redis_url) == ("hers", "hers")
        data = Path(ask(engines.database_url, "SHOW data_directory"))
        assert data.stat().st_uid == entry.pw_uid


# Refusals


def test_a_server_that_refuses_names_its_reason_and_its_log(
    state: Path, run: Callable[..., Any]
) -> None:
    run(start_valkey, state).stop()
    manifest = state / "valkey" / "server" / "appendonlydir" / "appendonly.aof.manifest"
    manifest.write_text("nonsense\n")
    with pytest.raises(EmbeddedError, match=r"Valkey does not start: .*valkey\.log\."):
        run(start_valkey, state)


def test_a_state_folder_that_cannot_be_made_is_named(place: Path) -> None:
    (place / "file").touch()
    with pytest.raises(
        EmbeddedError, match=r"file/var cannot hold .* choose another MINGZHANG_VAR"
    ):
        start_postgres(place / "file" / "var")


def test_data_of_another_major_version_is_left_alone(used: Path, run: Callable[..., Any]) -> None:
    postgres = run(start_postgres, used)
    version = Path(ask(postgres.admin_url, "SHOW data_directory")) / "PG_VERSION"
    postgres.stop()
    version.write_text("15\n")
    with pytest.raises(EmbeddedError, match=r"written by PostgreSQL 15 .* remove"):
        run(start_postgres, used)
    version.write_text("18\n")
    assert ask(run(start_postgres, used).admin_url, "SELECT 1") == 1


@pytest.mark.parametrize(
    ("system", "machine", "libc", "expected"),
    [
        ("linux", "x86_64", ("glibc", "2.28"), True),
        ("linux", "aarch64", ("glibc", "2.36"), True),
        ("linux", "x86_64", ("glibc", "2.17"), False),
        ("linux", "x86_64", ("musl", "1.2.5"), False),
        ("linux", "x86_64", ("", ""), False),
        ("darwin", "arm64", ("", ""), True),
        ("darwin", "x86_64", ("", ""), False),
        ("win32", "AMD64", ("", ""), False),
    ],
)
def test_platforms(system: str, machine: str, libc: tuple[str, str], expected: bool) -> None:
    assert supported(system, machine, libc) is expected
