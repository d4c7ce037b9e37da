"""`api-token`, `webhook`, `backup`, `restore`: JSON, or a sentence for what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy import select, text

from billing.api_access import find_token
from billing.api_tables import ApiToken
from billing.privacy import Vault
from notify.webhook_tables import DeliveryState, Webhook, WebhookDelivery
from tests.bot.cli.command_line import Mingzhang
from tests.conftest import NOW, World


def test_a_token_is_shown_once_listed_without_it_and_revoked(
    world: World, mingzhang: Mingzhang
) -> None:
    add = ("api-token", "add", "--name", "ERP", "--community", "HY", "--scopes")
    made = mingzhang.json(*add, "bills:read, payments:write")
    assert made["scopes"] == ["bills:read", "payments:write"]
    [listed] = mingzhang.json("api-token", "list")
    assert (listed["name"], listed["community"]) == ("ERP", "HY")
    assert made["token"] not in str(listed)
    with world.database.transaction() as session:
        assert made["token"] not in str(session.scalars(select(ApiToken.token_hash)).all())
        assert find_token(session, made["token"], NOW) is not None
    assert "choose another name" in mingzhang.refusal(*add, "bills:read")
    assert mingzhang.json("api-token", "revoke", "--name", "ERP")["revoked_at"]
    with world.database.transaction() as session:
        assert find_token(session, made["token"], NOW) is None
    assert mingzhang.json("api-token", "calls", "--name", "ERP") == []
    assert "no token named" in mingzhang.refusal("api-token", "revoke", "--name", "XYZ")
    unknown = mingzhang.run(*add[:3], "GATE", "--scopes", "everything")
    assert unknown.exit_code == 2
    assert "is not one of" in unknown.output


def test_a_webhook_keeps_its_secret_sealed(
    world: World, mingzhang: Mingzhang, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sixteen characters or more\n", encoding="utf-8")
    add = (
        "webhook", "add", "--name", "ERP", "--secret-file", str(secret),
        "--kinds", "bill_issued,payment_confirmed", "--url",
    )  # fmt: skip
    mingzhang.json(*add, "https://erp.example.com/hook")
    with world.database.transaction() as session:
        [kept] = session.scalars(select(Webhook)).all()
    assert "sixteen" not in kept.secret_sealed
    [listed] = mingzhang.json("webhook", "list")
    assert "secret" not in listed
    assert mingzhang.json("webhook", "deliveries", "--name", "ERP") == []
    with world.database.transaction() as session:
        session.add(
            WebhookDelivery(
                community_id=world.community.id,
                id=7,
                webhook_id=kept.id,
                fact_id=1,
                body={"kind": "bill_issued"},
                state=DeliveryState.DELIVERED,
                attempts=1,
                created_at=NOW,
                queued_at=NOW,
                next_attempt_at=NOW,
                settled_at=NOW,
                outcome="accepted",
            )
        )
    [told] = mingzhang.json("webhook", "deliveries", "--name", "ERP")
    assert told["id"] == f"{world.community.id}-7-{int(NOW.timestamp())}"
    again = ("webhook", "replay", "--name", "ERP", "--since", "2026-11-01")
    assert mingzhang.json(*again)["queued"] == 0
    assert mingzhang.json("webhook", "end", "--name", "ERP")["dropped"] == 0
    assert "was ended" in mingzhang.refusal(*again)
    assert "must be https" in mingzhang.refusal(*add, "http://127.0.0.1/")


def test_the_books_are_backed_up_drilled_and_restored(
    world: World, mingzhang: Mingzhang, tmp_path: Path, make_database: Callable[[str], str]
) -> None:
    made = mingzhang.json("backup", "--to", str(tmp_path))["backup"]
    proved = mingzhang.json("backup", "drill", "--from", made)
    assert proved["proved"]["failed_checks"] == []
    assert (proved["keys_open_personal_data"], proved["hash_key_finds_people"]) == (True, True)
    there = make_database("template0")
    restored = mingzhang.json("restore", "--from", made, "--database-url", there)
    assert restored["restored"]["rows"] == proved["proved"]["rows"]
    assert "not empty" in mingzhang.refusal("restore", "--from", made, "--database-url", there)
    assert "must be a URL" in mingzhang.refusal(
        "restore", "--from", made, "--database-url", "mysql://x"
    )
    assert "say where to" in mingzhang.run("backup").output


def test_a_backup_needs_the_database_and_no_other_setting(
    mingzhang: Mingzhang, tmp_path: Path
) -> None:
    """At night a setting that is wrong must not leave the books without a backup."""
    broken = Mingzhang(
        mingzhang.env | {"WECHAT_PAY_MERCHANTS": "{", "WECHAT_TOKEN": None, "REDIS_URL": None}
    )
    assert Path(broken.json("backup", "--to", str(tmp_path))["backup"]).is_dir()


def test_a_drill_tries_the_keys_on_what_it_restored_and_not_on_the_living_books(
    world: World, mingzhang: Mingzhang, tmp_path: Path
) -> None:
    """A backup made with other keys than today's gives back no name."""
    made = mingzhang.json("backup", "--to", str(tmp_path))["backup"]
    now = {"MINGZHANG_DATA_KEYS": Fernet.generate_key().decode(), "MINGZHANG_HASH_KEY": "h" * 32}
    vault = Vault([now["MINGZHANG_DATA_KEYS"]], now["MINGZHANG_HASH_KEY"])
    with world.database.transaction() as session:
        session.execute(text("DELETE FROM resident_key"))
        session.execute(text("UPDATE resident SET name_sealed = :it"), {"it": vault.seal("张三")})
    drilled = mingzhang.run("backup", "drill", "--from", made, **now)
    said = json.loads(drilled.stdout)
    assert (said["keys_open_personal_data"], said["hash_key_finds_people"]) == (False, None)
    assert drilled.exit_code == 1
    assert mingzhang.json("backup", "drill", "--from", made)["keys_open_personal_data"] is True
