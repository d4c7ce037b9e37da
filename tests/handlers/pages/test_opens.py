"""Opening the link of a message is noted: once, for its reader, after he is known."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from billing.people import Follower
from notify.catalog import NoticeKind, Transport, Urgency
from notify.links import BillRef, MessageRef
from notify.outbox import Message, MessageOpen, MessageState
from tests.handlers.pages.conftest import Browser, House


@pytest.fixture
def link(house: House, owner: Browser) -> str:
    """Path of a bill as it stands in a message to the owner."""
    bill = house.unpaid()[0]
    now = house.services.clock()
    with house.services.database.transaction() as session:
        reader = session.scalars(select(Follower).where(Follower.openid == owner.openid)).one()
        message = Message(
            community_id=bill.community_id,
            follower_id=reader.id,
            kind=NoticeKind.OVERDUE,
            urgency=Urgency.TODAY,
            transport=Transport.TEMPLATE,
            content={},
            client_msg_id="c" * 32,
            state=MessageState.SENT,
            created_at=now,
            expires_at=now + timedelta(days=1),
            next_attempt_at=now,
            attempts=1,
        )
        session.add(message)
        session.flush()
        ref = MessageRef(message.community_id, message.id)
    links = house.services.links
    url = links.carrying(links.bill_url(BillRef(bill.community_id, bill.id)), ref)
    return url.removeprefix(links.base_url)


def opens(house: House) -> int:
    with house.services.database.transaction() as session:
        return session.execute(select(func.count()).select_from(MessageOpen)).scalar_one()


def test_the_first_opening_counts_and_survives_the_sign_in(
    house: House, owner: Browser, link: str
) -> None:
    for _ in range(2):
        assert owner.get(link).status == 200
    assert opens(house) == 1


def test_a_stranger_with_the_link_does_not_count(
    house: House, stranger: Browser, link: str
) -> None:
    stranger.get(link)
    assert opens(house) == 0


def test_a_spoilt_link_opens_all_the_same(house: House, owner: Browser, link: str) -> None:
    assert owner.get(f"{link}x").status == 200
    assert opens(house) == 0


def test_inside_wechat_the_bill_leads_to_where_notices_are_subscribed_to(
    house: House, owner: Browser, link: str
) -> None:
    assert owner.get(link).hides("订阅账单通知")
    article = "https://mp.weixin.qq.com/s/abc"
    object.__setattr__(house.services, "subscribe_page", article)
    assert f'href="{article}"' in owner.get(link).html
    assert house.signed_in_computer().get(link).hides(article)
    page = owner.post("/o/pay", owner.get(f"/o/home/{house.token}").form("/o/pay"))
    house.cashier.pay(house.payments()[-1].out_trade_no)
    assert f'href="{article}"' in owner.get(page.attribute("//main/@data-return")).html
