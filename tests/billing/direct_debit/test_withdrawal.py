"""Between the day a batch is made and the day the bank gets it: what is paid, revoked or disputed
meanwhile is not taken.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from billing.bill_lines import list_lines
from billing.bindings import see_follower
from billing.direct_debit.batches import get_batch, list_orders, prepare_file
from billing.direct_debit.tables import DirectDebitBatch, OrderState
from billing.direct_debit.withdrawal import Withdrawn
from billing.errors import Conflict
from billing.late_fee_bills import issue_late_fees
from billing.late_fee_policy import set_policy
from billing.late_fee_tables import LateFeeCap
from billing.money import Money
from billing.payment_tables import PaymentState
from billing.ticket_tables import TicketKind
from billing.tickets import Matter, open_ticket
from tests.billing.corrections import BEHIND, IN_TIME, bill_of, owed, prepaid, violations
from tests.billing.direct_debit.debits import Debit
from tests.billing.paper import pay
from tests.conftest import TODAY, World, make_vault

WITHDRAWN = (OrderState.CANCELLED, PaymentState.CLOSED)


@pytest.fixture
def debit(world: World) -> Debit:
    """Two homes with mandates: 1-1-302 is order 1, 3-2-501 order 2."""
    debit = Debit(world)
    debit.sign(BEHIND, "XY-1")
    debit.sign(IN_TIME, "XY-2")
    return debit


def fetch(world: World, batch: DirectDebitBatch) -> list[int]:
    """The serial numbers in the file, as it is written now."""
    with world.database.transaction() as session:
        lines = prepare_file(session, make_vault(), batch, world.now)
        return [line.no for line in lines]


def reasons(world: World, batch: DirectDebitBatch) -> list[str | None]:
    with world.database.transaction() as session:
        found = get_batch(session, batch.community_id, batch.number)
        return [order.reason for order, _ in list_orders(session, found)]


def pay_by_transfer(world: World, yuan: str = "401.80") -> None:
    with world.database.transaction() as session:
        pay(session, world, IN_TIME, yuan, TODAY)


def dispute(world: World) -> None:
    """Somebody objects to a line of the November bill."""
    unit = world.unit(IN_TIME)
    bill = bill_of(world, IN_TIME, "2026-11")
    with world.database.transaction() as session:
        line = list_lines(session, unit.community_id, [bill.id])[0]
        follower = see_follower(session, "o-zhao", world.now)
        session.flush()
        matter = Matter(unit.community_id, follower.id, TicketKind.DISPUTE, unit.id, line)
        open_ticket(session, make_vault(), matter, "没有住", world.now)


@pytest.mark.parametrize(
    ("happen", "reason"),
    [
        (lambda debit: pay_by_transfer(debit.world), Withdrawn.OWES_LESS),
        (lambda debit: pay_by_transfer(debit.world, "0.01"), Withdrawn.OWES_LESS),
        (lambda debit: debit.end("XY-2", on=TODAY), Withdrawn.MANDATE_ENDED),
        (lambda debit: dispute(debit.world), Withdrawn.DISPUTED),
    ],
    ids=["paid", "paid in part", "mandate ended", "disputed"],
)
def test_what_is_not_to_be_taken_any_more_is_not_in_the_file(
    world: World, debit: Debit, happen: Callable[[Debit], None], reason: Withdrawn
) -> None:
    batch = debit.make()
    happen(debit)
    assert fetch(world, batch) == fetch(world, batch) == [1]
    assert reasons(world, batch) == [None, reason]
    debit.send(batch)
    assert debit.orders(batch) == [(OrderState.WAITING, PaymentState.WAITING), WITHDRAWN]
    outcome = debit.answer(batch, f",1,{owed(world, BEHIND).yuan},成功,,")
    assert outcome.is_clean
    assert owed(world, BEHIND) == Money(0)
    assert violations(world) == []


def test_a_file_fetched_before_a_payment_is_not_the_one_that_was_sent(
    world: World, debit: Debit
) -> None:
    batch = debit.make()
    assert fetch(world, batch) == [1, 2]
    pay_by_transfer(world)
    with pytest.raises(Conflict, match=r"lines 2 of batch TS20261123-1 .* fetch the file again"):
        debit.send(batch)
    assert reasons(world, batch) == [None, None]
    assert fetch(world, batch) == [1]
    debit.send(batch)
    outcome = debit.answer(
        batch, f",1,{owed(world, BEHIND).yuan},成功,,", ",2,401.80,成功,,"
    )  # the bank was given the first file all the same
    assert (outcome.paid, outcome.contradicting) == (1, [3])
    assert prepaid(world, IN_TIME) == Money(0)


def test_a_batch_with_nothing_left_is_cancelled_by_hand(world: World, debit: Debit) -> None:
    debit.end("XY-1", on=TODAY)
    batch = debit.make()
    pay_by_transfer(world)
    with pytest.raises(Conflict, match="no order of batch TS20261123-1 waits"):
        fetch(world, batch)
    debit.cancel(batch)
    assert debit.orders(batch) == [WITHDRAWN]
    assert violations(world) == []


def test_what_is_still_owed_of_a_withdrawn_order_is_ordered_again(
    world: World, debit: Debit
) -> None:
    batch = debit.make()
    pay_by_transfer(world, "1.80")
    fetch(world, batch)
    second = debit.make()
    assert debit.orders(second) == [(OrderState.WAITING, PaymentState.PREPARED)]
    debit.send(second)
    assert debit.answer(second, ",1,400.00,成功,,").is_clean
    assert owed(world, IN_TIME) == Money(0)


def test_the_file_of_a_batch_the_bank_has_holds_what_it_was_given(
    world: World, debit: Debit
) -> None:
    batch = debit.send(debit.make())
    debit.end("XY-2", on=TODAY)
    assert fetch(world, batch) == [1, 2]
    debit.answer(batch, ",2,0.00,失败,账户不存在,")
    assert fetch(world, batch) == [1]


def test_while_only_the_bank_may_take_it_no_late_fee_is_charged_and_afterwards_all_of_it(
    world: World, debit: Debit
) -> None:
    def fees(day: date) -> Money:
        with world.database.transaction() as session:
            issue_late_fees(
                session, world.community, world.unit(BEHIND).id, today=day, now=world.now
            )
        return owed(world, BEHIND) - before

    with world.database.transaction() as session:
        set_policy(
            session, world.community.id, effective_from=date(2026, 1, 1), grace_days=0,
            daily_rate=Decimal("0.0005"), cap=LateFeeCap.PRINCIPAL, document="合同第九条",
        )  # fmt: skip
    before = owed(world, BEHIND)
    batch = debit.send(debit.make())
    assert fees(date(2026, 12, 1)) == Money(0)
    debit.answer(batch, ",1,0.00,失败,余额不足,", ",2,0.00,失败,余额不足,")
    assert fees(date(2026, 12, 1)) > Money(0)


def test_a_disputed_bill_is_not_ordered(world: World, debit: Debit) -> None:
    dispute(world)
    assert debit.make().skipped == {"nothing_due": [world.unit(IN_TIME).id]}
