"""`template`: set against WeChat's own list, tried on one person, cleared."""

from typing import Any

import pytest
import requests

from billing.bindings import see_follower
from billing.people import get_staff
from bot.demo.templates import PRODUCT_TEMPLATES
from tests.bot.cli.command_line import Mingzhang
from tests.conftest import NOW, World

KIND = ("--kind", "overdue")
BY = ("--by", "qian")


@pytest.fixture
def account(account: Mingzhang) -> Mingzhang:
    """With a manager of all communities, as templates are."""
    account.json("staff", "add", "--login", "qian", "--name", "钱经理", "--role", "manager")
    return account


def shown(answer: Any, transport: str) -> Any:
    [found] = [one for one in answer["transports"] if one["transport"] == transport]
    return found


def test_a_template_is_set_ordered_listed_and_cleared(account: Mingzhang) -> None:
    due = PRODUCT_TEMPLATES["due_soon"]
    pairs = [f"--field={field}={word}" for field, word in due["fields"].items()]
    done = account.json("template", "set", *KIND, "--template-id", due["template_id"], *pairs, *BY)
    assert shown(done, "template") == {
        "transport": "template", "on": True, "set_by_staff": True, "template": due,
    }  # fmt: skip
    ordered = account.json("template", "order", *KIND, "service", "template", *BY)
    assert [(one["transport"], one["on"]) for one in ordered["transports"]] == [
        ("service", True), ("template", True), ("subscribe", False), ("sms", False),
    ]  # fmt: skip
    account.json("template", "clear", *KIND, "--order", *BY)
    account.json("template", "clear", *KIND, "--transport", "template", *BY)
    [listed] = account.json("template", "list", *KIND)
    assert shown(listed, "template")["template"] == PRODUCT_TEMPLATES["overdue"]
    assert not listed["ordered_by_staff"]


def test_what_wechat_would_refuse_is_refused(account: Mingzhang) -> None:
    wrong = ("template", "set", *KIND, "--template-id", "TMnone", "--field", "thing1=room", *BY)
    assert "it has: TMBillIssued" in account.refusal(*wrong)
    assert "is not like thing1=room" in account.refusal(*wrong, "--field", "thing1")
    of_one = ("template", "clear", *KIND, "--order", "--by", "zhao")
    assert "this takes a manager of all communities" in account.refusal(*of_one)
    service = ("--transport", "service")
    assert "it takes one for: template" in account.refusal(*wrong, *service)


def test_a_trial_reaches_one_person_and_says_what_wechat_answered(
    account: Mingzhang, world: World, sandbox: str
) -> None:
    requests.post(f"{sandbox}/phone/oStaff/follow", json={}, timeout=30)
    with world.database.transaction() as session:
        get_staff(session, "zhao").follower_id = see_follower(session, "oStaff", NOW).id
    done = account.json("template", "test-send", *KIND, "--to", "zhao")
    assert (done["accepted"], done["shown"]["thing1"]) == (True, "3-2-501")
    inbox = requests.get(f"{sandbox}/phone/oStaff/inbox", timeout=30).json()["messages"]
    assert any(message["kind"] == "template" for message in inbox)
    refused = account.run("template", "test-send", *KIND, "--to", "oNobody")
    assert refused.exit_code == 1
    assert "openid" in refused.stdout or "follow" in refused.stdout
    assert "has not bound" in account.refusal("template", "test-send", *KIND, "--to", "liu")
