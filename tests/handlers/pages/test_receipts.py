"""A receipt to print and the page behind its code; an owner's fapiao and its file."""

import pytest

from billing.bindings import see_follower
from billing.counter import cancel_payment
from billing.fapiao import issue_fapiao, request_fapiao
from billing.fapiao_papers import FapiaoTitle
from billing.fapiao_tables import Fapiao, TitleKind
from billing.money import Money
from billing.payment_tables import Payment
from billing.people import get_staff
from billing.receipts import number_waiting
from billing.refund_outcomes import pay_out_refund
from billing.refunds import approve_refund, new_out_refund_no, request_refund
from handlers.pages.tokens import payment_token
from handlers.signing import receipt_token
from notify.links import FapiaoRef
from tests.billing.drawer import take
from tests.conftest import TODAY
from tests.handlers.pages.conftest import Browser, House

PDF = b"%PDF-1.7\n..."


@pytest.fixture
def cash(house: House) -> Payment:
    """Everything the home owes and ten yuan, taken in cash."""
    with house.world.database.transaction() as session:
        room = house.world.unit(ROOM).room
        payment = take(session, house.world, room, (house.owed().yuan))
        take(session, house.world, room, "10.00", "S2")
        number_waiting(session, house.clock(), limit=100)
    return payment


ROOM = "1-1-302"


def receipt_path(house: House, payment: Payment) -> str:
    with house.app.test_request_context():
        return f"/o/receipt/{payment_token(payment)}"


def verify_path(house: House, payment: Payment) -> str:
    with house.app.test_request_context():
        return f"/o/verify/{receipt_token(payment)}"


def cancel(house: House, payment: Payment) -> None:
    with house.world.database.transaction() as session:
        cancel_payment(
            session,
            session.get_one(Payment, (payment.community_id, payment.id)),
            by=get_staff(session, "zhou"),
            reason="多收",
            now=house.clock(),
        )


def test_a_receipt_says_who_took_what_for_what(house: House, owner: Browser, cash: Payment) -> None:
    page = owner.get(receipt_path(house, cash))
    assert page.shows(
        "收据", "现金", "周收银", "S1", "物业费", "人民币（大写）", "花园小区物业服务中心"
    )
    assert page.attribute("//footer[@class='proof']/img/@src").startswith("data:image/svg+xml")
    assert page.hides("已作废")


def test_a_cancelled_payments_receipt_stays_and_is_void(
    house: House, owner: Browser, cash: Payment
) -> None:
    cancel(house, cash)
    page = owner.get(receipt_path(house, cash))
    assert page.status == 200
    assert page.shows("已作废", "收据作废", "物业费")
    history = owner.get(f"/o/history/{house.token}")
    assert history.shows("已作废")


def test_strangers_do_not_see_a_receipt(house: House, stranger: Browser, cash: Payment) -> None:
    page = stranger.get(receipt_path(house, cash))
    assert page.status == 403
    assert page.hides("¥", ROOM)


def test_anybody_can_prove_a_receipt_and_learns_nothing_else(house: House, cash: Payment) -> None:
    page = house.computer().get(verify_path(house, cash))
    assert page.status == 200
    assert page.shows("这张收据是真的", "花园小区", "1-1-**2", "2026-")
    assert page.hides(ROOM, "周收银", "物业费", "S1")
    cancel(house, cash)
    page = house.computer().get(verify_path(house, cash))
    assert page.shows("已作废")
    assert page.hides("是真的")


def test_a_code_that_is_not_ours_proves_nothing(house: House, cash: Payment) -> None:
    with house.app.test_request_context():
        other = payment_token(cash)
    for token in (other, "x", f"{other}x"):
        page = house.computer().get(f"/o/verify/{token}")
        assert page.status == 404
        assert page.shows("没有查到这张收据")


@pytest.fixture
def fapiao(house: House, cash: Payment) -> Fapiao:
    """Issued to the owner, with its file."""
    with house.world.database.transaction() as session:
        asked = request_fapiao(
            session,
            house.vault,
            community_id=cash.community_id,
            unit_id=cash.unit_id,
            payment_ids=[cash.id],
            title=FapiaoTitle(TitleKind.COMPANY, "花园商贸有限公司", "91110108551385082Q"),
            follower_id=see_follower(session, "o-owner", house.clock()).id,
            now=house.clock(),
        )
        return issue_fapiao(
            session, asked.community_id, asked.id, number="2" * 20, content=PDF,
            by=get_staff(session, "chen"), now=house.clock(),
        )  # fmt: skip


def fapiao_path(house: House, fapiao: Fapiao) -> str:
    token = house.services.links.fapiao_token(FapiaoRef(fapiao.community_id, fapiao.id))
    return f"/o/fapiao/{token}"


def test_an_owner_keeps_his_fapiao(house: House, owner: Browser, fapiao: Fapiao) -> None:
    page = owner.get(fapiao_path(house, fapiao))
    assert page.shows("已开具", "花园商贸有限公司", "91110108551385082Q", "2" * 20)
    [file] = [link for link in page.links() if link.endswith("/file")]
    answer = owner.get(file).answer
    assert (answer.mimetype, answer.data) == ("application/pdf", PDF)
    assert f"fapiao-{'2' * 20}.pdf" in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_tenant_sees_no_fapiao_the_owner_asked_for(
    house: House, tenant: Browser, fapiao: Fapiao
) -> None:
    for path in (fapiao_path(house, fapiao), fapiao_path(house, fapiao) + "/file"):
        assert tenant.get(path).status == 403


def test_a_stranger_sees_neither_fapiao_nor_file(
    house: House, stranger: Browser, fapiao: Fapiao
) -> None:
    for path in (fapiao_path(house, fapiao), fapiao_path(house, fapiao) + "/file"):
        page = stranger.get(path)
        assert page.status == 403
        assert page.hides("花园商贸", "¥")
    assert stranger.get("/o/fapiao/x").status == 404


def test_what_was_given_back_is_said_on_the_receipt_and_by_its_code(
    house: House, owner: Browser, cash: Payment
) -> None:
    with house.world.database.transaction() as session:
        asked = request_refund(
            session, cash.community_id, cash.id, Money(1000), reason="多缴", release_bills=True,
            by=get_staff(session, "liu"), now=house.clock(), out_refund_no=new_out_refund_no(),
        )  # fmt: skip
        approve_refund(
            session, asked.community_id, asked.id, by=get_staff(session, "zhao"), today=TODAY,
            now=house.clock(),
        )  # fmt: skip
    assert owner.get(receipt_path(house, cash)).hides("已退款")
    with house.world.database.transaction() as session:
        zhou = get_staff(session, "zhou")
        pay_out_refund(
            session, asked.community_id, asked.id, by=zhou, reference="TK-1", now=house.clock()
        )
    assert owner.get(receipt_path(house, cash)).shows("其中已退款", "¥10.00")
    assert house.computer().get(verify_path(house, cash)).shows("是真的", "已退款", "¥10.00")
