"""The demo's secrets: two sides that fit, made once, and completed by a later version."""

import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from billing.channels.alipay_gateway import Gateway
from billing.db import Database
from billing.merchants import Provider, find_merchant
from billing.privacy import Vault
from billing.property import get_community
from bot.demo.keys import (
    ACCOUNT_FILE,
    ALIPAY_MERCHANT,
    MERCHANT,
    Addresses,
    kept_account,
    product_environment,
    sandbox_config,
)
from bot.demo.seed import COMMUNITY, Plan, seed_demo
from bot.program import utc_now
from bot.settings import Settings
from sandbox import config as sandbox
from sandbox.alipay.gateway import load_apps
from sandbox.alipay.signing import is_request_signed, signed_params
from tests import conftest

ADDRESSES = Addresses(service="http://127.0.0.1:8000", sandbox="http://127.0.0.1:8100")
URLS = {"DATABASE_URL": "postgresql://db.test/books", "REDIS_URL": "redis://queue.test"}


def test_both_sides_of_alipay_fit(tmp_path: Path) -> None:
    account = kept_account(tmp_path)
    settings = Settings.from_env(
        product_environment(account, ADDRESSES, tmp_path) | URLS, utc_now()
    )
    ours = settings.alipay_merchants[ALIPAY_MERCHANT]
    assert settings.alipay_gateway == "http://127.0.0.1:8100/alipay/gateway.do"
    values = sandbox_config(account, ADDRESSES, tmp_path, tmp_path / "demo.json", 60)
    app = load_apps(sandbox.read(values, tmp_path).alipay)[ours.app_id]
    assert app.seller_id == ours.seller_id
    gateway = Gateway(ours, settings.alipay_gateway, lambda: conftest.NOW, (1, 1))
    assert gateway.has_signed(signed_params(app.alipay_key, {"a": "1"}))
    link = gateway.link("alipay.trade.wap.pay", {}, conftest.NOW, notify_url="x", return_url=None)
    assert is_request_signed(app.public_key, dict(parse_qsl(urlsplit(link).query)))


def test_both_sides_of_sms_fit(tmp_path: Path) -> None:
    account = kept_account(tmp_path)
    settings = Settings.from_env(
        product_environment(account, ADDRESSES, tmp_path) | URLS, utc_now()
    )
    values = sandbox_config(account, ADDRESSES, tmp_path, tmp_path / "demo.json", 60)
    theirs = sandbox.read(values, tmp_path).sms
    ours = settings.aliyun_sms
    assert ours is not None
    assert theirs is not None
    assert (ours.access_key_id, ours.access_key_secret, ours.sign_name) == (
        theirs.access_key_id,
        theirs.access_key_secret,
        theirs.sign_name,
    )
    assert set(ours.templates.values()) == set(theirs.templates)
    registered = {each["template_id"] for each in values["templates"]}
    assert {one["template_id"] for one in settings.wechat_subscriptions.values()} <= registered


def test_secrets_are_kept_and_a_later_version_adds_what_it_needs(tmp_path: Path) -> None:
    first = kept_account(tmp_path)
    assert kept_account(tmp_path) == first
    older = {name: value for name, value in first.items() if not name.startswith("alipay")}
    (tmp_path / ACCOUNT_FILE).write_text(json.dumps(older), encoding="utf-8")
    completed = kept_account(tmp_path)
    assert older.items() <= completed.items()
    assert completed.keys() == first.keys()
    assert kept_account(tmp_path) == completed


@pytest.mark.parametrize("starts", [1, 2])
def test_alipay_collects_for_the_demo_also_after_an_older_start(
    database: Database, vault: Vault, starts: int
) -> None:
    plan = Plan(households=12, months=2, seed=3, today=conftest.TODAY)
    wechat, alipay = (MERCHANT, "1900000001"), (ALIPAY_MERCHANT, "2088931260191242")
    if starts == 2:
        seed_demo(database, vault, plan, wechat)
    seed_demo(database, vault, plan, wechat, alipay)
    with database.transaction() as session:
        community = get_community(session, COMMUNITY)
        found = [find_merchant(session, community.id, each) for each in Provider]
        assert [(each.code, each.mchid) for each in found if each] == [wechat, alipay]
