"""A configuration is complete and right, or one sentence says which key is not."""

import json
from pathlib import Path
from typing import Any

import pytest
from sandbox_world import values

from sandbox.config import ConfigError, load


def write(folder: Path, config: Any) -> Path:
    path = folder / "sandbox.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def good(folder: Path) -> dict[str, Any]:
    apps = [
        {
            "app_id": app_id,
            "seller_id": "2088931260191242",
            "app_public_key_pem": "-",
            "alipay_private_key_pem": "-",
        }
        for app_id in ("2021001188613166", "2021001188613167")
    ]
    config = values("http://127.0.0.1:8000", "http://127.0.0.1:8100", folder)
    return config | {"alipay": apps}


def test_relative_paths_are_seen_from_the_file_and_the_rate_has_a_default(tmp_path: Path) -> None:
    config = good(tmp_path) | {"state_file": "state/sandbox.sqlite3"}
    del config["clock_rate"], config["demo_file"], config["alipay"]
    loaded = load(write(tmp_path, config))
    assert loaded.state_file == tmp_path / "state/sandbox.sqlite3"
    assert loaded.demo_file is None
    assert loaded.clock_rate == 60
    assert loaded.alipay == ()
    assert loaded.templates[0].field_names == ("thing1", "amount2", "time3")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("service_url", "127.0.0.1:8000"),
        ("public_url", "http://127.0.0.1/sandbox"),
        ("clock_rate", 0),
        ("clock_rate", "fast"),
        ("state_file", ""),
        ("account", None),
        ("account.token", "no spaces"),
        ("account.aes_key", "a" * 42),
        ("account.mode", "loud"),
        ("account.nickname", "明账"),
        ("templates", {}),
        ("templates[0].content", "没有字段"),
        ("templates[0].content", "{{first.DATA}}"),
        ("templates[0].const", {"thing1": ["x"]}),
        ("templates[1].const", {}),
        ("templates[1].template_id", "bill-template"),
        ("merchants", [{}]),
        ("platform.public_key_id", 7),
        ("platform.certificate_serial", "no digits"),
        ("colour", "red"),
        ("alipay", {}),
        ("alipay[0].app_id", "wx1"),
        ("alipay[0].seller_id", "1900000001"),
        ("alipay[0].app_public_key_pem", ""),
        ("alipay[0].name", "花园物业"),
        ("alipay[1].app_id", "2021001188613166"),
    ],
)
def test_a_bad_value_is_named(path: str, value: Any, tmp_path: Path) -> None:
    config = good(tmp_path)
    place: Any = config
    *way, last = path.replace("[", ".").replace("]", "").split(".")
    for step in way:
        place = place[int(step)] if step.isdigit() else place[step]
    place[last] = value
    with pytest.raises(ConfigError) as refusal:
        load(write(tmp_path, config))
    sentence = str(refusal.value)
    assert sentence.startswith(path.partition("[")[0])
    assert sentence.endswith(".")


MERCHANT = {
    "mchid": "1900000001",
    "name": "花园物业",
    "app_ids": ["wx0123456789abcdef"],
    "api_v3_key": "k" * 32,
    "serial_no": "5F",
    "public_key_pem": "-",
}
CERTIFIED = {
    "certificate_serial": "0A1B",
    "certificate_private_key_pem": "-",
    "certificate_pem": "-",
}


def test_a_certificate_is_given_whole_or_not_at_all(tmp_path: Path) -> None:
    config = good(tmp_path)
    assert load(write(tmp_path, config)).platform.certificate is None
    config["platform"] |= CERTIFIED
    certificate = load(write(tmp_path, config)).platform.certificate
    assert certificate is not None
    assert certificate.serial == "0A1B"
    for key in CERTIFIED:
        config["platform"] = {k: v for k, v in config["platform"].items() if k != key}
        with pytest.raises(ConfigError, match=f"platform.{key} is missing"):
            load(write(tmp_path, config))
        config["platform"] |= CERTIFIED


def test_a_merchant_in_certificate_mode_needs_a_certificate(tmp_path: Path) -> None:
    config = good(tmp_path) | {"merchants": [MERCHANT]}
    assert load(write(tmp_path, config)).merchants[0].signs_with == "public_key"
    config["merchants"] = [MERCHANT | {"signs_with": "certificate"}]
    with pytest.raises(ConfigError, match=r"merchants\[0\].signs_with is certificate"):
        load(write(tmp_path, config))
    config["platform"] |= CERTIFIED
    assert load(write(tmp_path, config)).merchants[0].signs_with == "certificate"
    config["merchants"] = [MERCHANT | {"signs_with": "both"}]
    with pytest.raises(ConfigError, match="one of public_key, certificate"):
        load(write(tmp_path, config))


@pytest.mark.parametrize("key", ["service_url", "state_file", "account", "platform"])
def test_a_missing_key_is_named(key: str, tmp_path: Path) -> None:
    config = good(tmp_path)
    del config[key]
    with pytest.raises(ConfigError, match=f"^{key} is missing"):
        load(write(tmp_path, config))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "nowhere.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ConfigError, match="not JSON"):
        load(tmp_path / "broken.json")
