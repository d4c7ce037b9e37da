"""Templates and transports that staff set: a row wins over the settings, from the next message."""

import pytest

from billing.errors import InvalidInput
from billing.people import Follower, Staff, get_staff
from bot.demo.templates import PRODUCT_TEMPLATES
from notify.catalog import NOTICES, NoticeKind, Transport
from notify.fields import fit
from notify.template_setting import (
    check_mapping,
    clear,
    offered_words,
    samples,
    set_route,
    set_template,
)
from notify.wechat import AccountTemplate
from sandbox.account.fields import refusal
from tests.notify.conftest import Town

ZHANG = "3-2-501"
RECEIPT = NoticeKind.PAYMENT_RECEIVED
OWN = AccountTemplate("TMown", "缴费成功", ("thing1", "amount2", "time3"))


@pytest.fixture
def zhang(town: Town) -> Follower:
    follower = town.bind(ZHANG, "Zhang")
    town.pay(ZHANG, follower)
    return follower


@pytest.fixture
def manager(town: Town) -> Staff:
    """Of all communities, as templates are."""
    with town.world.database.transaction() as session:
        found = get_staff(session, "zhao")
        found.community_id = None
        return found


def test_the_row_wins_over_the_settings_until_it_is_cleared(
    town: Town, zhang: Follower, manager: Staff
) -> None:
    fields = {"thing1": "room", "amount2": "amount", "time3": "paid_at"}
    with town.world.database.transaction() as session:
        for template_id in ("TMolder", "TMown"):
            set_template(
                session, RECEIPT, Transport.TEMPLATE, template_id, fields,
                by=manager, now=town.clock.now,
            )  # fmt: skip
    town.notifier.intake()
    assert town.wechat.calls[-1].body["template_id"] == "TMown"
    assert set(town.wechat.shown[0].data) == set(fields)
    with town.world.database.transaction() as session:
        clear(session, RECEIPT, Transport.TEMPLATE, by=manager)
    town.pay("1-1-101", zhang)
    town.notifier.intake()
    told = town.wechat.calls[-1].body["template_id"]
    assert told == PRODUCT_TEMPLATES["payment_received"]["template_id"]


def test_a_kind_takes_the_transports_staff_ordered_and_no_other(
    town: Town, zhang: Follower, manager: Staff
) -> None:
    with town.world.database.transaction() as session:
        set_route(session, RECEIPT, (Transport.SERVICE,), by=manager, now=town.clock.now)
    town.notifier.intake()
    assert [call.path for call in town.wechat.calls][-1] == "/cgi-bin/message/custom/send"
    town.change(zhang, last_message_at=None)
    town.pay("1-1-101", zhang)
    town.notifier.intake()
    assert town.messages()[-1] == ("payment_received", "failed", "no_transport")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"thing1": "roomm"}, "'roomm' is no word of this kind; it has: room, community, amount"),
        ({"thing9": "room"}, "no 'thing9'; it has: thing1, amount2, time3"),
        ({"amount2": "room"}, "amount2 cannot hold 'room'"),
        ({"time3": "amount"}, "it can hold: paid_at"),
        ({"thing1": "room"}, "map amount2, time3 as well"),
    ],
)
def test_a_mapping_wechat_would_refuse_is_refused_with_what_there_is(
    fields: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_mapping(fields, "TMown", [OWN], offered_words(RECEIPT))


def test_a_template_the_account_has_not_is_refused_with_those_it_has() -> None:
    with pytest.raises(InvalidInput, match=r"it has: TMown \(缴费成功\)"):
        check_mapping({}, "TMnone", [OWN], offered_words(RECEIPT))


@pytest.mark.parametrize("transports", [(), (Transport.SMS,), (Transport.SERVICE,) * 2])
def test_an_order_that_cannot_be_is_refused(
    town: Town, manager: Staff, transports: tuple[Transport, ...]
) -> None:
    with (
        pytest.raises(InvalidInput, match="template, service, subscribe"),
        town.world.database.transaction() as session,
    ):
        set_route(session, RECEIPT, transports, by=manager, now=town.clock.now)


def test_only_a_manager_of_all_communities_sets_templates(town: Town) -> None:
    with town.world.database.transaction() as session:
        clerk = get_staff(session, "liu")
        with pytest.raises(InvalidInput, match="this takes manager"):
            clear(session, RECEIPT, None, by=clerk)
        with pytest.raises(InvalidInput, match="zhao manages one community"):
            clear(session, RECEIPT, None, by=get_staff(session, "zhao"))


def test_every_word_has_a_sample_that_the_demos_templates_take() -> None:
    words = {word for kind in NOTICES for word in offered_words(kind)}
    assert words <= set(samples())
    for template in PRODUCT_TEMPLATES.values():
        for field, word in template["fields"].items():
            assert refusal(field, fit(field, samples()[word])) is None
