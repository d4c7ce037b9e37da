"""What is given to operators works: units, proxy, containers, and every command of the guides."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from sqlalchemy import create_engine, text

from bot.settings import Settings
from tests.billing.imports.estate import ESTATE
from tests.billing.imports.workbooks import filled
from tests.bot.cli.command_line import Mingzhang, environment
from tests.conftest import NOW, TODAY
from tests.phone import environment_for

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "bot" / "deploy"
GUIDES = ("guide.zh.md", "guide.en.md")
UNITS = sorted(DEPLOY.glob("systemd/*"))


def commands(guide: str) -> list[list[str]]:
    """Lines of the blocks that are to be typed in as they are."""
    blocks = re.findall(r"```sh\n(.*?)```", (DEPLOY / guide).read_text(encoding="utf-8"), re.S)
    return [line.split() for block in blocks for line in block.splitlines()]


def test_both_guides_give_the_same_commands() -> None:
    chinese, english = (commands(guide) for guide in GUIDES)
    assert chinese == english
    assert len(chinese) > 10


def test_the_commands_of_the_guide_lead_from_nothing_to_a_published_bill(
    make_database: Callable[[str], str],
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As an operator types them, one after the other."""
    monkeypatch.chdir(tmp_path)
    url = make_database("template0")
    mingzhang = Mingzhang(environment(url, redis_url))
    for line in commands(GUIDES[0]):
        assert line[0] == "mingzhang"
        today = ("bill-run", "import check", "import run")
        dated = ["--today", TODAY.isoformat()] if " ".join(line[1:]).startswith(today) else []
        assert mingzhang.json(*line[1:], *dated), line
        if line[1:3] == ["import", "template"]:
            Path(line[3]).write_bytes(filled(ESTATE))  # it is filled in
    engine = create_engine(url)
    with engine.connect() as connection:
        issued = connection.execute(
            text("SELECT count(*) FROM fact WHERE kind = 'bill_issued'")
        ).scalar_one()
    engine.dispose()
    assert issued > 0
    assert len(list((tmp_path / "backups").iterdir())) == 1


def test_the_settings_named_in_the_files_exist_and_suffice(tmp_path: Path) -> None:
    """Given as files, as units and containers give them, they make complete settings."""
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    lines = (DEPLOY / "settings.env").read_text(encoding="utf-8").splitlines()
    plain = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    units = (DEPLOY / "systemd" / "mingzhang-web.service").read_text(encoding="utf-8")
    by_unit = set(re.findall(r"^Environment=(\w+)=%d/\w+$", units, re.M))
    by_compose = {name for name in compose["services"]["web"]["environment"] if "_FILE" in name}
    assert by_unit == by_compose
    known = environment_for("redis://127.0.0.1/0") | {"WECHAT_PAY_MERCHANTS": "{}"}
    for name in by_unit:
        path = tmp_path / name
        path.write_text(known[name.removesuffix("_FILE")] + "\n", encoding="utf-8")
        plain[name] = str(path)
    settings = Settings.from_env(plain, NOW)
    assert settings.base_url == "https://wy.example.cn"
    assert settings.secret_key == known["MINGZHANG_SECRET_KEY"]


def test_the_containers_name_only_what_there_is() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    assert set(compose["services"]) == {
        "migrate", "web", "worker", "cron", "tools", "postgres", "valkey",
    }  # fmt: skip
    for service in compose["services"].values():
        assert set(service.get("secrets", ())) <= compose["secrets"].keys()
        assert set(service.get("depends_on", ())) <= compose["services"].keys()
        if "build" in service:
            built = DEPLOY / service["build"]["context"]
            assert (built / service["build"]["dockerfile"]).is_file()
    copied = re.findall(
        r"^COPY (.+) \S+$", (DEPLOY / "Containerfile").read_text(encoding="utf-8"), re.M
    )
    assert [name for line in copied for name in line.split() if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("guide", GUIDES)
def test_the_guide_makes_every_secret_and_lets_the_containers_read_it(guide: str) -> None:
    """Compose mounts the files as they lie on the machine, with owner and mode."""
    words = (DEPLOY / guide).read_text(encoding="utf-8")
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    rows = "".join(re.findall(r"^\|([^|]+)\|", words, re.M))
    assert [name for name in compose["secrets"] if f"`{name}`" not in rows] == []
    [uid] = re.findall(r"--uid (\d+)", (DEPLOY / "Containerfile").read_text(encoding="utf-8"))
    secrets = "/etc/mingzhang/secrets/*"
    assert f"chown {uid} {secrets} && chmod 400 {secrets}" in words


@pytest.mark.parametrize("guide", GUIDES)
def test_commands_in_containers_have_a_folder_for_files_and_back_up_before_a_migration(
    guide: str,
) -> None:
    words = (DEPLOY / guide).read_text(encoding="utf-8")
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    tools = compose["services"]["tools"]
    assert tools["profiles"] == ["tools"]  # it is not started with the others
    assert "migrate" not in tools["depends_on"]
    [volume] = tools["volumes"]
    folder = "/var/backups/mingzhang"
    assert volume == f"${{MINGZHANG_WORK:-{folder}}}:{tools['working_dir']}"
    assert f"install -d -m 700 -o 10001 {folder}" in words
    assert set(re.findall(r"run --rm (?:-T )?(\w+)", words)) == {"tools"}
    unit = (DEPLOY / "systemd" / "mingzhang-backup.service").read_text(encoding="utf-8")
    [nightly] = re.findall(r"^ExecStart=\S+ (.*)$", unit, re.M)
    [by_cron] = re.findall(r"^[0-9*]+ .* root docker compose .* -T tools (.*)$", words, re.M)
    assert by_cron == nightly.replace(folder, tools["working_dir"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_units_are_sound(tmp_path: Path) -> None:
    for unit in UNITS:
        told = unit.read_text(encoding="utf-8").replace("/opt/mingzhang", str(ROOT))
        (tmp_path / unit.name).write_text(told, encoding="utf-8")
    files = [str(tmp_path / unit.name) for unit in UNITS]
    done = subprocess.run(
        ["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx here")
def test_the_proxy_takes_its_configuration(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=wy.example.cn",
         "-days", "1", "-keyout", key, "-out", certificate],
        capture_output=True, check=True,
    )  # fmt: skip
    sample = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    sample = sample.replace("/etc/ssl/mingzhang/fullchain.pem", str(certificate))
    sample = sample.replace("/etc/ssl/mingzhang/privkey.pem", str(key))
    whole = tmp_path / "nginx.conf"
    whole.write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {sample} }}",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["nginx", "-t", "-q", "-c", whole, "-p", tmp_path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_guides_name_only_files_and_commands_that_exist() -> None:
    from bot.cli import COMMANDS

    for guide in GUIDES:
        words = (DEPLOY / guide).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)h][^)]*)\)", words):
            assert (DEPLOY / link).is_file(), link
        assert set(re.findall(r"mingzhang ([a-z][a-z-]+)", words)) <= COMMANDS.keys() | {
            "mingzhang"
        }
