"""What the cards of the first page count is what one finds behind them."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from lxml import html

from billing.adjustment_tables import AdjustmentKind
from billing.adjustments import request_adjustment
from billing.bindings import see_follower
from billing.discrepancies import DiscrepancyKind, record_discrepancy
from billing.merchants import CommunityMerchant, Provider
from billing.money import Money
from billing.people import StaffRole, get_staff
from billing.rating_tables import RatedKind, Score
from billing.ratings import find_rateable, rate
from billing.ticket_tables import TicketKind
from billing.tickets import Matter, open_ticket
from notify.outbox import MessageState, Reason
from tests.asking import ask_for
from tests.billing.corrections import BEHIND, OPENID, bill_of, lines_of
from tests.billing.drawer import take
from tests.billing.eventful import ask_back
from tests.billing.statements.banks import Bank, Transfer
from tests.conftest import NOW, World, make_vault
from tests.handlers.console.conftest import Clerk
from tests.handlers.console.test_notices_pages import Tell, tell
from tests.places import add_community

__all__ = ["tell"]

MakeClerk = Callable[..., Clerk]
LISTED = re.compile(r"共 (\d+) 条")
HEADED = {"待批减免调账": "减免与调账", "待审绑定": "绑定申请"}
"""Cards that open a page of several parts: the head of theirs."""


def differ(world: World, name: str, community_id: int | None) -> None:
    """The provider's statement of the shared merchant has an order of a community, or nobody's."""
    with world.database.transaction() as session:
        record_discrepancy(
            session,
            DiscrepancyKind.MISSING_HERE,
            merchant_id=world.merchant_id,
            community_id=community_id,
            out_trade_no=name,
            transaction_id=None,
            data={},
            now=NOW,
        )


@pytest.fixture
def waiting(world: World, tell: Tell) -> None:
    """Something of everything waits here; some of it was seen to, or is the neighbours' who share
    the merchant.
    """
    here, unit = world.community.id, world.unit(BEHIND)
    [line, *_] = lines_of(world, bill_of(world, BEHIND, "2026-10"))
    with world.database.transaction() as session:
        there = add_community(session, "LY", "绿园小区").id
        session.add(
            CommunityMerchant(
                community_id=there, provider=Provider.WECHAT_PAY, merchant_id=world.merchant_id
            )
        )
        request_adjustment(
            session,
            here,
            line.id,
            kind=AdjustmentKind.WAIVER,
            amount=Money(-100),
            reason="协商",
            by=get_staff(session, "liu"),
            now=NOW,
        )
        reader = see_follower(session, OPENID, NOW)
        session.flush()
        ask_for(session, reader, unit)
        matter = Matter(here, reader.id, TicketKind.DISPUTE, unit.id)
        open_ticket(session, make_vault(), matter, "不对", NOW)
        paid = [take(session, world, BEHIND, "5.00", f"R-{number}").id for number in range(3)]
        thing = find_rateable(session, here, RatedKind.RECEIPT, paid[0])
        rate(session, make_vault(), thing, reader.id, Score.BAD, words=None, now=NOW)
    ask_back(world, paid[1], 1_00, approve=False, release=True)
    ask_back(world, paid[2], 2_00, release=True)
    Bank(world).decided(Transfer("9.99", "银行", "结息", serial="S3"))
    for number, whose in enumerate((here, here, None, there, there, there)):
        differ(world, f"D-{number}", whose)
    for days in (0, 6, 7, 20):
        tell(state=MessageState.FAILED, reason=Reason.USER_BLOCK, at=NOW - timedelta(days=days))


def cards(clerk: Clerk) -> dict[str, tuple[int, str]]:
    """What the first page counts, and where that leads."""
    tree = html.fromstring(clerk.get("/HY/").text)
    found = {}
    for card in tree.xpath("//ul[@class='waits']/li"):
        [link], [count] = card.xpath("a"), card.xpath("b")
        found[link.text_content()] = (int(count.text_content()), link.get("href"))
    return found


def behind(clerk: Clerk, label: str, link: str) -> int:
    """How many there are on the page a card opens."""
    answer = clerk.get(link.removeprefix("/console"))
    assert answer.status_code == 200, link
    tree = html.fromstring(answer.text)
    if label in HEADED:
        [head] = (head for head in tree.xpath("//h2") if HEADED[label] in head.text_content())
        return len(head.getparent().xpath("ul/li[.//b]"))
    listed = LISTED.search(answer.text)
    if listed is not None:
        return int(listed[1])
    [table] = tree.xpath("//table[contains(thead, '打开')]")
    return sum(int(cell.text_content()) for cell in table.xpath("tbody/tr/td[last()]"))


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize("role", StaffRole)
def test_a_card_counts_what_it_opens(clerk: MakeClerk, role: StaffRole) -> None:
    one = clerk(role)
    counted = cards(one)
    assert all(count for count, _ in counted.values()), counted
    opened = {label: behind(one, label, link) for label, (_, link) in counted.items()}
    assert opened == {label: count for label, (count, _) in counted.items()}


@pytest.mark.usefixtures("waiting")
def test_what_neighbours_with_the_same_merchant_have_to_see_to_is_no_work_here(
    clerk: MakeClerk,
) -> None:
    counted = cards(clerk(StaffRole.MANAGER))
    assert counted["支付差错"][0] == 3
    assert counted["待批退款"][0] == 1
    assert counted["七天内未送达通知"][0] == 2
