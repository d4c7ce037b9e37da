"""Every self-check finds the fault it is for, and is silent about books that are whole.

Faults are planted as the owner of the tables, with triggers off, and rolled back.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.orm import Session

from billing.checks import ALL_CHECKS, VIOLATIONS_SHOWN_MAX, CheckResult, run_checks
from tests.billing.eventful import let_everything_happen
from tests.conftest import World

PREPAYMENTS = "SELECT id FROM account WHERE code = 'liabilities:prepayments'"
REFUNDS = "SELECT id FROM account WHERE code = 'liabilities:refunds'"
PAID = """
    SELECT id FROM payment WHERE state = 'confirmed' AND channel = 'cash' ORDER BY id LIMIT 1
"""
PREPAID = "SELECT id FROM payment WHERE channel = 'prepaid'"
ENTRY_OF_PAYMENT = f"SELECT id FROM journal_entry WHERE kind = 'payment' AND source_id = ({PAID})"
CANCELLED = "SELECT id FROM payment WHERE state = 'reversed'"
ENTRY_OF_CANCELLED = f"""
    SELECT id FROM journal_entry WHERE kind = 'payment' AND source_id = ({CANCELLED})
"""
RELEASE = "SELECT id FROM journal_entry WHERE kind = 'release' ORDER BY id LIMIT 1"
REVERSAL = "SELECT id FROM journal_entry WHERE kind = 'reversal' ORDER BY id LIMIT 1"
VOID = """
    SELECT bill_id FROM bill_void WHERE bill_id IN
    (SELECT bill_id FROM payment_allocation WHERE amount < 0) ORDER BY bill_id LIMIT 1
"""
WAIVER = "SELECT id FROM adjustment WHERE kind = 'waiver' ORDER BY id LIMIT 1"
DISCOUNT = "SELECT id FROM bill_line WHERE kind = 'discount'"
DISCOUNTED = f"SELECT bill_id FROM bill_line WHERE id = ({DISCOUNT})"
SHARE = "SELECT min(id) FROM bill_line WHERE source_id = (SELECT max(id) FROM shared_cost)"

FAULTS: dict[str, list[str]] = {
    "what reports add up beforehand is the sum of the lines, corrections and allocations": [
        "UPDATE collection_move SET paid = paid + 1 WHERE id = (SELECT max(id) FROM"
        " collection_move)",
        "DELETE FROM collection_move WHERE period = '2026-10'",
        f"DELETE FROM payment_allocation WHERE payment_id = ({PAID})",
        f"UPDATE adjustment SET amount = amount - 1 WHERE id = ({WAIVER})",
    ],
    "what is owed beforehand is what is owed on every bill": [
        "UPDATE owed_move SET amount = amount + 1 WHERE id = (SELECT max(id) FROM owed_move)",
        "DELETE FROM owed_move",
        f"DELETE FROM payment_allocation WHERE payment_id = ({PAID})",
        f"DELETE FROM bill_void WHERE bill_id = ({VOID})",
    ],
    "every journal entry balances to its announced total": [
        "UPDATE posting SET debit = debit + 1 WHERE entry_id = 1 AND debit > 0",
        "UPDATE posting SET credit = credit + 1 WHERE entry_id = 1 AND no = 2",
        "DELETE FROM posting WHERE entry_id = 1",
        "UPDATE journal_entry SET total = total + 1 WHERE id = 1",
        "UPDATE journal_entry SET postings = postings + 1 WHERE id = 1",
    ],
    "a reversal is the mirror of what it takes back, and is not taken back itself": [
        f"UPDATE posting SET debit = debit + 1 WHERE entry_id = ({REVERSAL}) AND debit > 0",
        f"UPDATE posting SET debit = credit, credit = debit WHERE entry_id = ({REVERSAL})",
        f"UPDATE posting SET account_id = ({PREPAYMENTS}) WHERE entry_id = ({REVERSAL}) AND no = 1",
        f"UPDATE posting SET bill_id = NULL WHERE entry_id = ({REVERSAL})",
        f"DELETE FROM posting WHERE entry_id = ({REVERSAL}) AND no = 2",
        f"UPDATE journal_entry SET reverses_id = NULL WHERE id = ({REVERSAL})",
        f"UPDATE journal_entry SET reverses_id = id WHERE id = ({REVERSAL})",
        f"UPDATE journal_entry SET kind = 'opening' WHERE id = ({REVERSAL})",
    ],
    "a closed month holds what it held when it was closed": [
        "UPDATE journal_entry SET effective_on = '2026-08-31' WHERE id = "
        "(SELECT max(id) FROM journal_entry)",
        "UPDATE journal_entry SET effective_on = '2019-01-01' WHERE id = "
        "(SELECT max(id) FROM journal_entry)",
        "UPDATE journal_entry SET effective_on = '2026-09-01' WHERE id = 1",
        "UPDATE journal_entry SET total = total + 1 WHERE id = 1",
    ],
    "one fact per issued bill, void, approved adjustment, booked and cancelled payment": [
        "DELETE FROM fact WHERE kind = 'bill_issued' AND ref_id = 1",
        f"DELETE FROM fact WHERE kind = 'bill_issued' AND ref_id = ({VOID})",
        f"DELETE FROM fact WHERE kind = 'payment_confirmed' AND ref_id = ({PAID})",
        "DELETE FROM fact WHERE kind = 'prepaid_used'",
        "DELETE FROM fact WHERE kind = 'payment_reversed'",
        f"DELETE FROM fact WHERE kind = 'bill_voided' AND ref_id = ({VOID})",
        f"DELETE FROM fact WHERE kind = 'adjusted' AND ref_id = ({WAIVER})",
        """
        INSERT INTO fact (community_id, kind, unit_id, ref_id, amount, data, at)
        SELECT community_id, kind, unit_id, ref_id, amount, data, at FROM fact
        WHERE kind = 'bill_issued' AND ref_id = 1
        """,
        """
        INSERT INTO fact (community_id, kind, unit_id, ref_id, amount, data, at)
        SELECT community_id, 'bill_voided', unit_id, ref_id, amount, data, at FROM fact
        WHERE kind = 'bill_issued' AND ref_id = 1
        """,
    ],
    "a bill is the sum of its lines": [
        "UPDATE bill SET amount = amount + 1 WHERE id = 1",
        "DELETE FROM bill_line WHERE bill_id = 1",
    ],
    "what is outstanding on a bill is what the journal has receivable for it": [
        f"DELETE FROM payment_allocation WHERE payment_id = ({PAID})",
        "UPDATE posting SET bill_id = bill_id + 1 WHERE entry_id = 1 AND bill_id IS NOT NULL",
        f"UPDATE adjustment SET amount = amount - 1 WHERE id = ({WAIVER})",
        f"UPDATE adjustment SET state = 'refused' WHERE id = ({WAIVER})",
        f"DELETE FROM bill_void WHERE bill_id = ({VOID})",
    ],
    "a void bill owes nothing and holds no money": [
        "DELETE FROM payment_allocation WHERE amount < 0",
        """
        UPDATE payment_allocation SET bill_line_id = bill_line_id + 1
        WHERE id = (SELECT min(id) FROM payment_allocation WHERE amount < 0)
        """,
        f"DELETE FROM posting WHERE bill_id = ({VOID}) AND entry_id IN"
        " (SELECT id FROM journal_entry WHERE kind = 'reversal')",
        "INSERT INTO bill_void SELECT community_id, 1, after, reason, voided_by, voided_at"
        " FROM bill_void LIMIT 1",
    ],
    "no draft bill is in the journal": [
        "UPDATE bill_run_chunk SET state = 'draft', issued_on = NULL, due_on = NULL",
    ],
    "no line is paid or lowered beyond its amount": [
        f"UPDATE payment_allocation SET amount = amount + 1 WHERE payment_id = ({PAID})",
        f"UPDATE payment_allocation SET amount = -amount WHERE payment_id = ({PAID})",
        f"UPDATE adjustment SET amount = -10000000 WHERE id = ({WAIVER})",
        f"UPDATE adjustment SET bill_line_id = ({DISCOUNT}) WHERE id = ({WAIVER})",
        f"""
        INSERT INTO payment_allocation (community_id, payment_id, bill_line_id, bill_id, amount,
                                        effective_on)
        SELECT community_id, ({PAID}), id, bill_id, 7001, '2026-11-23' FROM bill_line
        WHERE bill_id = ({DISCOUNTED}) AND kind = 'charge'
        """,
        f"""
        INSERT INTO payment_allocation (community_id, payment_id, bill_line_id, bill_id, amount,
                                        effective_on)
        SELECT community_id, ({PAID}), id, bill_id, 1, '2026-11-23' FROM bill_line
        WHERE id = ({DISCOUNT})
        """,
    ],
    "no subject is billed twice for overlapping days of one item": [
        """
        UPDATE bill_line SET period_from = period_from - 1
        WHERE id = (SELECT id FROM bill_line WHERE bill_id NOT IN (SELECT bill_id FROM bill_void)
                     AND kind = 'charge' AND period_from = '2026-11-01' ORDER BY id LIMIT 1)
        """,
    ],
    "a late fee stands on a bill that stands": [
        f"UPDATE bill_line SET source_id = ({VOID}) WHERE kind = 'late_fee'",
        "UPDATE bill_line SET source_id = 0 WHERE kind = 'late_fee'",
    ],
    "an approved adjustment is booked once and in full, no other is booked": [
        f"UPDATE adjustment SET amount = amount - 1 WHERE id = ({WAIVER})",
        f"UPDATE adjustment SET state = 'refused' WHERE id = ({WAIVER})",
        f"""
        UPDATE journal_entry SET idempotency_key = 'lost'
        WHERE idempotency_key = 'adjustment:' || ({WAIVER})
        """,
    ],
    "what was earned by an item is what its issued lines say": [
        """
        UPDATE posting SET account_id = (SELECT id FROM account WHERE code = 'income:garbage')
        WHERE entry_id = 1 AND account_id = (SELECT id FROM account WHERE code = 'income:property')
        """,
        f"UPDATE adjustment SET kind = 'adjustment' WHERE id = ({WAIVER})",
        f"DELETE FROM bill_void WHERE bill_id = ({VOID})",
        "UPDATE bill_line SET kind = 'charge', redo = 9 WHERE kind = 'opening'",
        f"DELETE FROM bill_line WHERE id = ({DISCOUNT})",
    ],
    "what a bill's waivers cost is what was waived on it": [
        f"UPDATE adjustment SET kind = 'adjustment' WHERE id = ({WAIVER})",
        """
        UPDATE posting SET account_id = (SELECT id FROM account WHERE code = 'income:property')
        WHERE account_id = (SELECT id FROM account WHERE code = 'expenses:waivers')
        """,
    ],
    "what several people owe of a bill is the whole bill": [
        "DELETE FROM bill_share WHERE amount = 1500",
        "UPDATE bill_share SET amount = amount + 1 WHERE amount = 1500",
    ],
    "booked money is booked once, in full, and has a receipt or waits for its number": [
        f"DELETE FROM receipt WHERE payment_id = ({PAID})",
        f"DELETE FROM journal_entry WHERE id = ({ENTRY_OF_PAYMENT})",
        f"UPDATE payment SET amount = amount + 1 WHERE id = ({PAID})",
        f"UPDATE payment SET state = 'closed', confirmed_at = NULL, paid_at = NULL"
        f" WHERE id = ({PAID})",
        f"UPDATE receipt SET payment_id = ({PREPAID}) WHERE payment_id = ({PAID})",
        f"""
        INSERT INTO journal_entry (community_id, kind, idempotency_key, source_id, effective_on,
                                   posted_at, postings, total)
        SELECT community_id, kind, 'again:' || idempotency_key, source_id, effective_on,
               posted_at, postings, total
        FROM journal_entry WHERE id = ({ENTRY_OF_PAYMENT})
        """,
    ],
    "prepaid bills are paid out of the prepayment, others never": [
        f"UPDATE payment SET channel = 'prepaid' WHERE id = ({PAID})",
        f"UPDATE payment SET channel = 'cash' WHERE id = ({PREPAID})",
        f"""
        UPDATE posting SET account_id = ({PREPAYMENTS})
        WHERE entry_id = ({ENTRY_OF_PAYMENT}) AND debit > 0
        """,
    ],
    "a payment is what was allocated of it plus what became prepayment": [
        f"UPDATE payment_allocation SET amount = amount + 1 WHERE payment_id = ({PAID})",
        f"""
        UPDATE posting SET account_id = ({PREPAYMENTS})
        WHERE entry_id = ({ENTRY_OF_PAYMENT}) AND credit > 0
        """,
        "DELETE FROM payment_allocation WHERE amount < 0",
        f"DELETE FROM posting WHERE entry_id = ({RELEASE})",
    ],
    "a home's prepayment is what it brought along and paid beyond its bills, less refunds": [
        f"UPDATE posting SET account_id = ({PREPAYMENTS}) WHERE entry_id = 1 AND debit > 0",
        f"UPDATE posting SET unit_id = unit_id + 1 WHERE account_id = ({PREPAYMENTS})",
        f"UPDATE payment SET channel = 'cash' WHERE id = ({PREPAID})",
        f"UPDATE posting SET unit_id = NULL WHERE account_id = ({PREPAYMENTS})",
        "UPDATE refund SET state = 'failed' WHERE state = 'approved'",
        f"UPDATE payment_allocation SET amount = amount + 1 WHERE payment_id = ({PAID})",
    ],
    "a booked bank row is one payment of its home and amount, and every transfer is a row": [
        "UPDATE bank_row SET amount = amount + 1 WHERE state = 'matched'",
        "UPDATE bank_row SET unit_id = unit_id + 1 WHERE state = 'matched'",
        "UPDATE bank_row SET payment_id = NULL, state = 'unknown' WHERE state = 'matched'",
        "UPDATE bank_row SET state = 'recorded' WHERE state = 'matched'",
        "UPDATE bank_row SET state = 'matched' WHERE state = 'recorded'",
        "DELETE FROM bank_row WHERE state = 'matched'",
        "UPDATE payment SET state = 'closed', confirmed_at = NULL, paid_at = NULL"
        " WHERE channel IN ('slip', 'bank_transfer')",
    ],
    "a direct debit order's payment is what the bank said of it, and every debit is an order": [
        "UPDATE direct_debit_order SET amount = amount + 1 WHERE state = 'paid'",
        "UPDATE direct_debit_order SET state = 'failed' WHERE state = 'paid'",
        "UPDATE direct_debit_order SET state = 'paid', result_at = now() WHERE state = 'failed'",
        "UPDATE direct_debit_order SET state = 'waiting', result_at = NULL WHERE state = 'failed'",
        "UPDATE direct_debit_order SET state = 'cancelled' WHERE state = 'waiting'",
        "UPDATE direct_debit_batch SET state = 'made', sent_at = NULL WHERE state = 'sent'",
        "UPDATE direct_debit_mandate SET unit_id = unit_id + 100",
        "DELETE FROM direct_debit_order WHERE state = 'paid'",
        "UPDATE payment SET channel = 'cash' WHERE channel = 'direct_debit'",
    ],
    "no more is refunded of a payment than was paid, and never of one that was taken back": [
        "UPDATE refund SET amount = 100000000 WHERE state = 'done'",
        "UPDATE payment SET state = 'reversed' WHERE id IN (SELECT payment_id FROM refund)",
        "UPDATE payment SET channel = 'prepaid' WHERE id IN (SELECT payment_id FROM refund)",
    ],
    "what is held for refunds of a home is what the journal owes it for them": [
        "UPDATE refund SET amount = amount - 1 WHERE state = 'approved'",
        "UPDATE refund SET state = 'requested' WHERE state = 'approved'",
        "UPDATE refund SET state = 'unknown', done_at = NULL WHERE state = 'done'",
        f"UPDATE posting SET unit_id = unit_id + 1 WHERE account_id = ({REFUNDS})",
        f"UPDATE posting SET account_id = ({PREPAYMENTS}) WHERE account_id = ({REFUNDS})",
    ],
    "a refund is held, freed, given back and told as its state says, in full": [
        "UPDATE refund SET state = 'requested' WHERE state = 'approved'",
        "UPDATE refund SET state = 'approved', approved_by = 2 WHERE state = 'requested'",
        "UPDATE refund SET state = 'approved' WHERE state = 'failed'",
        "UPDATE refund SET state = 'failed', done_at = NULL WHERE state = 'done'",
        "UPDATE refund SET amount = amount + 1 WHERE state = 'done'",
        "DELETE FROM fact WHERE kind = 'refund_approved'",
        "DELETE FROM fact WHERE kind = 'refund_done'",
        "DELETE FROM fact WHERE kind = 'refund_failed'",
        "DELETE FROM refund WHERE state = 'approved'",
        "UPDATE journal_entry SET idempotency_key = 'lost' || id WHERE kind = 'refund'",
        "UPDATE journal_entry SET reverses_id = NULL WHERE idempotency_key LIKE"
        " 'reversal:refund_held:%'",
    ],
    "what a refund took from bills is owed on them again": [
        "UPDATE refund SET released = released - 1 WHERE released > 0",
        "UPDATE refund SET released = 1 WHERE state = 'failed'",
        "UPDATE journal_entry SET idempotency_key = 'lost' || id WHERE idempotency_key LIKE"
        " 'release:refund:%'",
    ],
    "no deposit is returned or kept beyond what was taken": [
        "UPDATE deposit_movement SET amount = 190001 WHERE move = 'returned'",
        "UPDATE deposit_movement SET amount = 150001 WHERE move = 'forfeited'",
        "DELETE FROM deposit_movement WHERE move = 'taken'",
        "DELETE FROM deposit_movement",
    ],
    "the deposits of a home are what the journal owes it for them": [
        "UPDATE deposit_movement SET amount = amount - 1 WHERE move = 'returned'",
        "DELETE FROM deposit_movement",
        "UPDATE deposit SET unit_id = unit_id + 1",
    ],
    "receipts are numbered without gaps within a year": [
        f"DELETE FROM receipt WHERE payment_id = ({PAID})",
    ],
    "money stays with its home: payment, allocation, line, bill and posting agree": [
        f"UPDATE payment SET unit_id = unit_id + 1 WHERE id = ({PAID})",
        f"UPDATE payment_allocation SET bill_id = bill_id + 1 WHERE payment_id = ({PAID})",
        f"UPDATE posting SET unit_id = NULL WHERE entry_id = ({ENTRY_OF_PAYMENT})",
    ],
    "a cancelled payment is taken back whole, and no other is": [
        f"DELETE FROM journal_entry WHERE reverses_id = ({ENTRY_OF_CANCELLED})",
        f"""
        DELETE FROM payment_allocation WHERE amount < 0 AND payment_id = ({CANCELLED})
        """,
        "UPDATE counter_payment SET cancelled_at = NULL, cancelled_by = NULL, cancel_reason = NULL",
        f"UPDATE payment SET state = 'confirmed' WHERE id = ({CANCELLED})",
        f"UPDATE payment SET state = 'reversed' WHERE id = ({PAID})",
    ],
    "a closed shift expected what went through its drawer, and posted what was missing": [
        "UPDATE cashier_shift SET opening_float = opening_float + 1",
        "UPDATE cashier_shift SET counted = counted + 1",
        "DELETE FROM journal_entry WHERE kind = 'cash_difference'",
        "UPDATE deposit_movement SET shift_id = NULL",
        f"UPDATE payment SET state = 'confirmed' WHERE id = ({CANCELLED})",
    ],
    "a fapiao is the sum of its payments' parts, which are never invoiced beyond what was paid": [
        "UPDATE fapiao SET amount = amount + 1",
        "DELETE FROM fapiao_payment",
        "UPDATE fapiao_payment SET amount = amount + 1000000",
        f"UPDATE fapiao_payment SET payment_id = ({CANCELLED})",
    ],
    "day closes follow each other and hold what was booked when they were made": [
        "UPDATE day_close SET payments = payments + 1",
        "UPDATE day_close SET amount = amount - 1",
        "UPDATE day_close SET after = after - 1",
        "UPDATE payment SET paid_at = paid_at - interval '2 days'",
    ],
    "every line recomputes from its basis": [
        "UPDATE bill_line SET amount = amount + 1 WHERE id = 1",
        """UPDATE bill_line SET basis = '{"method": "by feeling"}' WHERE id = 1""",
        "UPDATE bill_line SET basis = '[]' WHERE id = 1",
        "UPDATE bill_line SET basis = 'null' WHERE id = 1",
    ],
    "the shares of a shared cost are the whole cost, each once": [
        f"DELETE FROM bill_line WHERE id = ({SHARE})",
        f"UPDATE bill_line SET source_id = 0 WHERE id = ({SHARE})",
        f"UPDATE bill_line SET basis = jsonb_set(basis, '{{weight}}', '2') WHERE id = ({SHARE})",
        f"UPDATE bill_line SET basis = jsonb_set(basis, '{{pool}}', '99.0') WHERE id = ({SHARE})",
        f"UPDATE bill_line SET basis = jsonb_set(basis, '{{cap}}', '99') WHERE id = ({SHARE})",
        f"UPDATE bill_line SET basis = basis - 'weight' WHERE id = ({SHARE})",
        """
        UPDATE bill_line SET basis = (SELECT basis FROM bill_line WHERE id = 1)
        WHERE source_id = (SELECT max(id) FROM shared_cost) AND item_id =
              (SELECT item_id FROM shared_cost)
        """,
        "UPDATE shared_cost SET amount = amount + 1",
        "UPDATE shared_cost SET amount = NULL, quantity = 1000, unit_price = 0.1",
        "UPDATE shared_cost SET apportion_by = 'area'",
    ],
}
"""Check → statements that break what it proves."""

CHECKS = {check.name: check for check in ALL_CHECKS}


@pytest.fixture
def eventful(world: World) -> World:
    """A world in which everything has happened."""
    let_everything_happen(world)
    return world


@pytest.fixture
def vandal(world: World) -> Iterator[Connection]:
    """The owner of the tables, with every guard off."""
    engine = create_engine(world.url)
    with engine.connect() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.commit()
        yield connection
    engine.dispose()


def found_after(vandal: Connection, name: str, statement: str) -> CheckResult:
    """What a check finds after this statement, which is then undone."""
    with vandal.begin() as transaction, Session(vandal) as session:
        damaged = vandal.execute(text(statement)).rowcount
        assert damaged > 0, f"planted nothing: {statement}"
        result = CHECKS[name].run(session)
        transaction.rollback()
    return result


def test_books_that_are_whole_pass_every_check_and_every_check_has_a_fault_to_find(
    eventful: World,
) -> None:
    with eventful.database.transaction() as session:
        results = list(run_checks(session))
    assert {result.name: result.violations for result in results if result.violations} == {}
    assert [result.name for result in results if result.rows == 0] == []
    assert sorted(result.name for result in results) == sorted(FAULTS)


def test_every_check_finds_the_faults_it_is_for_and_says_where_they_are(
    eventful: World, vandal: Connection
) -> None:
    blind = []
    for name, statements in FAULTS.items():
        for statement in statements:
            violations = found_after(vandal, name, statement).violations
            blind += [] if violations else [(name, statement)]
            for violation in violations:
                assert violation["community_id"] == eventful.community.id
                assert len({"id", "unit_id"} & set(violation)) == 1
    assert blind == []


def test_a_fault_in_one_line_is_found_in_that_line_alone(vandal: Connection) -> None:
    name = "every line recomputes from its basis"
    fault = "UPDATE bill_line SET amount = amount + 1 WHERE id = 1"
    [violation] = found_after(vandal, name, fault).violations
    assert violation["id"] == 1
    assert violation["reason"].startswith("basis gives ")


def test_a_flood_of_findings_is_cut_short_but_counted_over_everything(vandal: Connection) -> None:
    for name in ("a bill is the sum of its lines", "every line recomputes from its basis"):
        result = found_after(vandal, name, "UPDATE bill_line SET amount = amount + 1")
        assert len(result.violations) == VIOLATIONS_SHOWN_MAX
        assert result.rows > VIOLATIONS_SHOWN_MAX


def test_the_shares_of_a_cost_a_run_is_still_drafting_from_are_not_missed(
    eventful: World, vandal: Connection
) -> None:
    name = "the shares of a shared cost are the whole cost, each once"
    drafting = f"""
        UPDATE bill_run SET state = 'drafting' WHERE id = (SELECT run_id FROM bill WHERE id =
            (SELECT bill_id FROM bill_line WHERE id = ({SHARE})))
    """
    with vandal.begin() as transaction, Session(vandal) as session:
        vandal.execute(text(f"DELETE FROM bill_line WHERE id = ({SHARE})"))
        assert len(CHECKS[name].run(session).violations) == 1
        assert vandal.execute(text(drafting)).rowcount == 1
        assert CHECKS[name].run(session).violations == []
        transaction.rollback()
