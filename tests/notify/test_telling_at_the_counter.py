"""Who hears of a cancelled payment and of a fapiao's steps."""

from billing.bindings import see_follower
from billing.fapiao import issue_fapiao, reject_fapiao, request_fapiao, reverse_fapiao
from billing.fapiao_papers import FapiaoTitle
from billing.fapiao_tables import Fapiao, TitleKind
from billing.payment_tables import Payment
from billing.people import get_staff
from tests.billing.drawer import cancel, take
from tests.conftest import make_vault
from tests.notify.conftest import Town
from tests.notify.test_telling import ZHANG, staff_member


def paid(town: Town) -> Payment:
    with town.world.database.transaction() as session:
        return take(session, town.world, ZHANG, "100.00", now=town.clock.now)


def texts(town: Town) -> list[tuple[str, str]]:
    return [(shown.openid, shown.text) for shown in town.wechat.shown]


def ask(town: Town, payment: Payment) -> Fapiao:
    with town.world.database.transaction() as session:
        follower = see_follower(session, "oZhang", town.clock.now)
        follower.last_message_at = town.clock.now
        return request_fapiao(
            session, make_vault(), community_id=payment.community_id, unit_id=payment.unit_id,
            payment_ids=[payment.id], title=FapiaoTitle(TitleKind.PERSONAL, "张秀英"),
            follower_id=follower.id, now=town.clock.now,
        )  # fmt: skip


def test_a_cancelled_payment_is_told_to_the_home(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    payment = paid(town)
    town.notifier.intake()
    with town.world.database.transaction() as session:
        cancel(session, session.get_one(Payment, (payment.community_id, payment.id)))
        see_follower(session, "oZhang", town.clock.now).last_message_at = town.clock.now
    town.notifier.intake()
    assert [kind for kind, *_ in town.messages()] == ["payment_received", "payment_reversed"]
    assert "已撤销" in texts(town)[-1][1]


def test_a_payment_cancelled_before_it_was_told_is_not_told_as_received(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    with town.world.database.transaction() as session:
        see_follower(session, "oZhang", town.clock.now).last_message_at = town.clock.now
        cancel(session, take(session, town.world, ZHANG, "100.00", now=town.clock.now))
    town.notifier.intake()
    assert [kind for kind, *_ in town.messages()] == ["payment_reversed"]


def test_staff_hear_of_a_request_and_who_asked_hears_what_became_of_it(town: Town) -> None:
    staff_member(town)
    town.bind(ZHANG, "Zhang")
    town.bind(ZHANG, "Daughter")
    fapiao = ask(town, paid(town))
    town.notifier.intake()
    assert ("oChen", True) in [(who, "开票申请" in text) for who, text in texts(town)]
    told = len(texts(town))
    key = (fapiao.community_id, fapiao.id)
    with town.world.database.transaction() as session:
        by = get_staff(session, "chen")
        issue_fapiao(session, *key, number="2" * 20, content=None, by=by, now=town.clock.now)
    town.notifier.intake()
    [(who, text)] = texts(town)[told:]
    assert who == "oZhang"
    assert "2" * 20 in text
    assert "/o/fapiao/" in text
    with town.world.database.transaction() as session:
        by = get_staff(session, "chen")
        reverse_fapiao(
            session, *key, reason="开错了", red_number="3" * 20, by=by, now=town.clock.now
        )
    town.notifier.intake()
    assert "红冲" in texts(town)[-1][1]


def test_a_rejection_is_told_with_its_reason(town: Town) -> None:
    town.bind(ZHANG, "Zhang")
    fapiao = ask(town, paid(town))
    with town.world.database.transaction() as session:
        by = get_staff(session, "chen")
        reject_fapiao(
            session, fapiao.community_id, fapiao.id, reason="抬头有误", by=by, now=town.clock.now
        )
    town.notifier.intake()
    assert any("抬头有误" in text for who, text in texts(town) if who == "oZhang")
