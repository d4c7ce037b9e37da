"""A payment is booked once, whoever says so and however often; what does not fit is never
booked.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from billing.alerts import Alert
from billing.bills import list_unpaid
from billing.bindings import see_follower
from billing.channels.base import ProviderAnswer, ProviderState
from billing.checks import run_checks
from billing.confirmation import Outcome, confirm
from billing.db import Database
from billing.discrepancies import Discrepancy
from billing.errors import Conflict, InvalidInput, NotFound
from billing.facts import Fact, FactKind
from billing.ledger import EntryKind, FixedAccount, JournalEntry, balance
from billing.merchants import MerchantAccount
from billing.money import Money
from billing.payment_tables import Payment, PaymentChannel, PaymentState, Receipt
from billing.payments import (
    list_confirmed,
    list_unsettled,
    new_out_trade_no,
    prepare,
    record_asked,
    record_call,
    record_closed,
    record_unknown,
)
from billing.receipts import number_waiting
from tests.conftest import NOW, World, many_rounds

OPENID = "o-payer"


def merchant(session: Session) -> MerchantAccount:
    return session.scalars(select(MerchantAccount)).one()


def prepared(world: World, room: str = "1-1-302", **wishes: Money) -> Payment:
    """A payment of everything a home owes, or of what `wishes` says per month (`m2026_09`)."""
    unit = world.unit(room)
    with world.database.transaction() as session:
        payer = see_follower(session, OPENID, NOW)
        bills = list_unpaid(session, world.community.id, [unit.id])
        designated = {
            bill.id: wishes.get(f"m{bill.period}".replace("-", "_"), bill.outstanding)
            for bill in bills
            if not wishes or f"m{bill.period}".replace("-", "_") in wishes
        }
        return prepare(
            session,
            community_id=world.community.id,
            unit_id=unit.id,
            channel=PaymentChannel.WECHAT_JSAPI,
            merchant_id=world.merchant_id,
            payer_id=payer.id,
            designated=designated,
            out_trade_no=new_out_trade_no(),
            now=NOW,
        )


def paid(world: World, payment: Payment) -> ProviderAnswer:
    with world.database.transaction() as session:
        mchid = merchant(session).mchid
    return ProviderAnswer(
        mchid=mchid,
        out_trade_no=payment.out_trade_no,
        state=ProviderState.PAID,
        transaction_id=f"42{payment.out_trade_no[2:]}",
        amount=payment.amount,
        payer=OPENID,
        paid_at=NOW,
    )


def say(world: World, answer: ProviderAnswer, database: Database | None = None) -> Outcome:
    with (database or world.database).transaction() as session:
        return confirm(session, merchant(session), answer, NOW)


def number_receipts(world: World, now: datetime = NOW) -> int:
    with world.database.transaction() as session:
        return number_waiting(session, now, limit=100)


def books(world: World) -> dict[str, int]:
    """How many of everything a payment makes, and whether the books are whole."""
    with world.database.transaction() as session:
        assert [r.name for r in run_checks(session) if r.violations] == []
        return {
            "discrepancies": session.scalar(select(func.count(Discrepancy.id))) or 0,
            "facts": session.scalar(
                select(func.count(Fact.id)).where(
                    Fact.kind == FactKind.PAYMENT_CONFIRMED, Fact.taken_at.is_(None)
                )
            )
            or 0,
            "clearing": balance(session, world.community.id, FixedAccount.WECHAT_CLEARING).fen,
        }


def test_a_confirmed_payment_settles_the_bills_it_was_meant_for(world: World) -> None:
    payment = prepared(world)
    assert say(world, paid(world, payment)) is Outcome.BOOKED
    assert books(world) == {"discrepancies": 0, "facts": 1, "clearing": payment.amount.fen}
    with world.database.transaction() as session:
        assert list_unpaid(session, world.community.id, [payment.unit_id]) == []
        [(stored, receipt), *_] = list_confirmed(
            session, world.community.id, [payment.unit_id], limit=1
        )
    assert stored.state is PaymentState.CONFIRMED
    assert receipt is None
    number_receipts(world)
    with world.database.transaction() as session:
        [(_, receipt), *_] = list_confirmed(session, world.community.id, [payment.unit_id], limit=1)
    assert receipt is not None
    assert receipt.year == 2026


def test_a_second_callback_changes_nothing(world: World) -> None:
    answer = paid(world, prepared(world))
    say(world, answer)
    before = books(world)
    assert say(world, answer) is Outcome.ALREADY_BOOKED
    assert books(world) == before


@many_rounds
def test_twenty_callbacks_at_once_book_once(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    payment = prepared(world)
    answer = paid(world, payment)
    database = Database(engine_for(world.url), after_facts=lambda: None)
    start = threading.Barrier(20)
    outcomes: list[Outcome] = []

    def callback() -> None:
        start.wait()
        outcomes.append(say(world, answer, database))

    threads = [threading.Thread(target=callback) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(Outcome.BOOKED) == 1
    assert outcomes.count(Outcome.ALREADY_BOOKED) == 19
    assert books(world)["clearing"] == payment.amount.fen


@many_rounds
def test_a_payment_closed_for_another_that_arrives_all_the_same_becomes_a_prepayment(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    first = prepared(world, "3-2-501")
    with world.database.transaction() as session:
        record_closed(session, first, NOW)
    second = prepared(world, "3-2-501")
    answers = [paid(world, first), paid(world, second)]
    database = Database(engine_for(world.url), after_facts=lambda: None)
    start = threading.Barrier(2)

    def callback(answer: ProviderAnswer) -> None:
        start.wait()
        say(world, answer, database)

    threads = [threading.Thread(target=callback, args=(answer,)) for answer in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert books(world)["clearing"] == 2 * first.amount.fen
    with world.database.transaction() as session:
        prepaid = -balance(session, world.community.id, FixedAccount.PREPAYMENTS, first.unit_id)
    assert prepaid == first.amount


def test_part_of_a_bill_can_be_paid(world: World) -> None:
    payment = prepared(world, m2026_11=Money(10_000))
    say(world, paid(world, payment))
    with world.database.transaction() as session:
        bills = list_unpaid(session, world.community.id, [payment.unit_id])
    assert [(str(bill.period), bill.paid.fen) for bill in bills] == [
        ("2026-08", 0),
        ("2026-09", 0),
        ("2026-10", 0),
        ("2026-11", 10_000),
    ]
    assert books(world)["clearing"] == 10_000


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"amount": Money(1)}, "wrong_amount"),
        ({"mchid": "1800000000"}, "wrong_merchant"),
        ({"payer": "o-somebody-else"}, "wrong_payer"),
        ({"out_trade_no": "MZ-never-heard-of"}, "unknown_order"),
    ],
)
def test_what_does_not_fit_becomes_a_discrepancy_and_moves_nothing(
    world: World, change: dict[str, object], kind: str
) -> None:
    answer = replace(paid(world, prepared(world)), **change)  # type: ignore[arg-type]
    assert say(world, answer) is Outcome.DISCREPANCY
    assert say(world, answer) is Outcome.DISCREPANCY
    assert books(world) == {"discrepancies": 1, "facts": 0, "clearing": 0}
    with world.database.transaction() as session:
        [found] = session.scalars(select(Discrepancy))
        [alert] = session.scalars(select(Alert))
    assert (found.kind.value, alert.data["kind"]) == (kind, kind)


def test_a_second_transaction_for_one_number_is_a_discrepancy(world: World) -> None:
    answer = paid(world, prepared(world))
    say(world, answer)
    assert say(world, replace(answer, transaction_id="4299")) is Outcome.DISCREPANCY
    assert books(world)["discrepancies"] == 1


def test_money_for_a_closed_number_is_booked_because_it_arrived(world: World) -> None:
    payment = prepared(world)
    with world.database.transaction() as session:
        record_closed(session, payment, NOW)
    assert say(world, paid(world, payment)) is Outcome.BOOKED
    assert books(world)["clearing"] == payment.amount.fen


def test_an_unpaid_answer_books_nothing(world: World) -> None:
    answer = replace(paid(world, prepared(world)), state=ProviderState.WAITING)
    assert say(world, answer) is Outcome.NOT_PAID
    assert books(world)["clearing"] == 0


def test_the_same_number_prepares_one_payment(world: World) -> None:
    payment = prepared(world)
    wishes = {
        "community_id": payment.community_id,
        "unit_id": payment.unit_id,
        "channel": payment.channel,
        "merchant_id": payment.merchant_id,
        "payer_id": payment.payer_id,
        "out_trade_no": payment.out_trade_no,
        "now": NOW,
    }
    with world.database.transaction() as session:
        bills = list_unpaid(session, payment.community_id, [payment.unit_id])
        everything = {bill.id: bill.outstanding for bill in bills}
        again = prepare(session, designated=everything, **wishes)  # type: ignore[arg-type]
        assert again.id == payment.id
    with pytest.raises(Conflict), world.database.transaction() as session:
        prepare(session, designated={bills[0].id: Money(1)}, **wishes)  # type: ignore[arg-type]


def test_the_same_number_prepared_from_four_places_at_once_is_one_payment(
    world: World, engine_for: Callable[[str], Engine]
) -> None:
    unit = world.unit("1-1-302")
    number = new_out_trade_no()
    with world.database.transaction() as session:
        payer_id = see_follower(session, OPENID, NOW).id
        bills = list_unpaid(session, world.community.id, [unit.id])
    database = Database(engine_for(world.url), after_facts=lambda: None)
    start = threading.Barrier(4)

    def click(_: int) -> int:
        start.wait()
        with database.transaction() as session:
            return prepare(
                session,
                community_id=world.community.id,
                unit_id=unit.id,
                channel=PaymentChannel.WECHAT_JSAPI,
                merchant_id=world.merchant_id,
                payer_id=payer_id,
                designated={bill.id: bill.outstanding for bill in bills},
                out_trade_no=number,
                now=NOW,
            ).id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(click, range(4)))) == 1


def test_more_than_is_owed_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput, match="owes"):
        prepared(world, m2026_11=Money(10_000_000))


def test_a_bill_of_another_home_is_refused(world: World) -> None:
    other = world.unit("1-1-302")
    mine = world.unit("3-2-501")
    with pytest.raises(NotFound), world.database.transaction() as session:
        bills = list_unpaid(session, world.community.id, [other.id])
        prepare(
            session,
            community_id=world.community.id,
            unit_id=mine.id,
            channel=PaymentChannel.WECHAT_JSAPI,
            merchant_id=world.merchant_id,
            payer_id=see_follower(session, OPENID, NOW).id,
            designated={bills[0].id: Money(1)},
            out_trade_no=new_out_trade_no(),
            now=NOW,
        )


def test_open_payments_are_asked_about_until_they_are_settled(world: World) -> None:
    payment = prepared(world)
    minute, later = timedelta(minutes=1), NOW + timedelta(minutes=5)

    def unsettled() -> list[str]:
        with world.database.transaction() as session:
            return [
                found.out_trade_no
                for found in list_unsettled(
                    session, now=later, older_than=minute, ask_again=minute, limit=10
                )
            ]

    for record in (record_unknown, lambda s, p: record_call(s, p, {"package": "prepay_id=1"})):
        with world.database.transaction() as session:
            record(session, payment)
        assert unsettled() == [payment.out_trade_no]
    with world.database.transaction() as session:
        record_asked(session, payment, later)
    assert unsettled() == []
    say(world, paid(world, payment))
    with world.database.transaction() as session:
        record_closed(session, payment, later)
        assert session.get_one(Payment, (payment.community_id, payment.id)).state is (
            PaymentState.CONFIRMED
        )


def test_whoever_waited_longest_is_asked_about_first(world: World) -> None:
    asked, fresh = prepared(world, "1-1-302"), prepared(world, "3-2-501")
    minute = timedelta(minutes=1)
    with world.database.transaction() as session:
        record_asked(session, asked, NOW + minute)
    with world.database.transaction() as session:
        [found] = list_unsettled(
            session, now=NOW + 3 * minute, older_than=minute, ask_again=minute, limit=1
        )
    assert found.out_trade_no == fresh.out_trade_no


def test_a_question_nobody_can_answer_is_asked_ever_more_rarely(world: World) -> None:
    payment, minute = prepared(world), timedelta(minutes=1)

    def is_asked_at(at: timedelta) -> bool:
        with world.database.transaction() as session:
            return bool(
                list_unsettled(session, now=NOW + at, older_than=minute, ask_again=minute, limit=9)
            )

    with world.database.transaction() as session:
        record_asked(session, payment, NOW + timedelta(days=4))
    assert not is_asked_at(timedelta(days=4, hours=17))
    assert is_asked_at(timedelta(days=4, hours=19))


def test_money_is_booked_on_the_day_it_was_paid_whenever_the_word_of_it_comes(
    world: World,
) -> None:
    payment = prepared(world)
    before_midnight = datetime(2026, 12, 31, 15, 59, 58, tzinfo=UTC)
    answer = replace(paid(world, payment), paid_at=before_midnight)
    with world.database.transaction() as session:
        confirm(session, merchant(session), answer, before_midnight + timedelta(seconds=5))
    number_receipts(world, before_midnight + timedelta(seconds=5))
    with world.database.transaction() as session:
        entry = session.scalars(
            select(JournalEntry).where(
                JournalEntry.kind == EntryKind.PAYMENT, JournalEntry.source_id == payment.id
            )
        ).one()
        receipt = session.scalars(select(Receipt).where(Receipt.payment_id == payment.id)).one()
    assert entry.effective_on == date(2026, 12, 31)
    assert receipt.year == 2027


def test_receipts_are_numbered_without_gaps(world: World) -> None:
    for room in ("1-1-302", "3-2-501", "2-1-803"):
        say(world, paid(world, prepared(world, room)))
    assert number_receipts(world) == 3
    assert number_receipts(world) == 0
    with world.database.transaction() as session:
        numbers = session.scalars(
            select(Receipt.no).where(Receipt.year == 2026).order_by(Receipt.no)
        ).all()
    assert list(numbers) == list(range(1, len(numbers) + 1))


def test_facts_and_bookings_come_and_go_together(world: World) -> None:
    answer = paid(world, prepared(world))
    with pytest.raises(RuntimeError), world.database.transaction() as session:
        confirm(session, merchant(session), answer, NOW)
        session.execute(text("SELECT 1"))
        raise RuntimeError("killed before commit")
    assert books(world) == {"discrepancies": 0, "facts": 0, "clearing": 0}
    assert say(world, answer) is Outcome.BOOKED
