"""Every self-check finds the fault it is for, and is silent about books that are whole.

Faults are planted as the owner of the tables, with triggers off, and rolled back.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.orm import Session

from billing.checks import ALL_CHECKS, VIOLATIONS_SHOWN_MAX, CheckResult, run_checks
from tests.conftest import World

PREPAYMENTS = "SELECT id FROM account WHERE code = 'liabilities:prepayments'"
PAID = "SELECT id FROM payment WHERE state = 'confirmed' ORDER BY id LIMIT 1"
ENTRY_OF_PAYMENT = f"SELECT id FROM journal_entry WHERE kind = 'payment' AND source_id = ({PAID})"

FAULTS: dict[str, list[str]] = {
    "every journal entry balances to its announced total": [
        "UPDATE posting SET debit = debit + 1 WHERE entry_id = 1 AND debit > 0",
        "UPDATE posting SET credit = credit + 1 WHERE entry_id = 1 AND no = 2",
        "DELETE FROM posting WHERE entry_id = 1",
        "UPDATE journal_entry SET total = total + 1 WHERE id = 1",
        "UPDATE journal_entry SET postings = postings + 1 WHERE id = 1",
    ],
    "a bill is the sum of its lines": [
        "UPDATE bill SET amount = amount + 1 WHERE id = 1",
        "DELETE FROM bill_line WHERE bill_id = 1",
    ],
    "what is outstanding on a bill is what the journal has receivable for it": [
        f"DELETE FROM payment_allocation WHERE payment_id = ({PAID})",
        "UPDATE posting SET bill_id = bill_id + 1 WHERE entry_id = 1 AND bill_id IS NOT NULL",
    ],
    "no draft bill is in the journal": [
        "UPDATE bill_run_chunk SET state = 'draft', issued_on = NULL, due_on = NULL",
    ],
    "no line is paid beyond its amount": [
        f"UPDATE payment_allocation SET amount = amount + 1 WHERE payment_id = ({PAID})",
    ],
    "a confirmed payment is booked once, in full, and has a receipt; no other payment has": [
        f"DELETE FROM receipt WHERE payment_id = ({PAID})",
        f"DELETE FROM journal_entry WHERE id = ({ENTRY_OF_PAYMENT})",
        f"UPDATE payment SET amount = amount + 1 WHERE id = ({PAID})",
        f"UPDATE payment SET state = 'closed', confirmed_at = NULL WHERE id = ({PAID})",
        f"""
        INSERT INTO journal_entry (community_id, kind, idempotency_key, source_id, effective_on,
                                   posted_at, postings, total)
        SELECT community_id, kind, 'again:' || idempotency_key, source_id, effective_on,
               posted_at, postings, total
        FROM journal_entry WHERE id = ({ENTRY_OF_PAYMENT})
        """,
    ],
    "a payment is what was allocated of it plus what became prepayment": [
        f"UPDATE payment_allocation SET amount = amount + 1 WHERE payment_id = ({PAID})",
        f"""
        UPDATE posting SET account_id = ({PREPAYMENTS})
        WHERE entry_id = ({ENTRY_OF_PAYMENT}) AND credit > 0
        """,
    ],
    "no home has a negative prepayment": [
        f"UPDATE posting SET account_id = ({PREPAYMENTS}) WHERE entry_id = 1 AND debit > 0",
    ],
    "no subject is billed twice for overlapping days of one item": [
        """
        UPDATE bill_line SET period_from = period_from - 1
        WHERE id = (SELECT id FROM bill_line ORDER BY period_from DESC LIMIT 1)
        """,
    ],
    "one fact per issued bill and per confirmed payment": [
        "DELETE FROM fact WHERE kind = 'bill_issued' AND ref_id = 1",
        f"DELETE FROM fact WHERE kind = 'payment_confirmed' AND ref_id = ({PAID})",
        """
        INSERT INTO fact (community_id, kind, unit_id, ref_id, amount, data, at)
        SELECT community_id, kind, unit_id, ref_id, amount, data, at FROM fact
        WHERE kind = 'bill_issued' AND ref_id = 1
        """,
    ],
    "receipts are numbered without gaps within a year": [
        f"DELETE FROM receipt WHERE payment_id = ({PAID})",
    ],
    "money stays with its home: payment, allocation, line, bill and posting agree": [
        f"UPDATE payment SET unit_id = unit_id + 1 WHERE id = ({PAID})",
        f"UPDATE payment_allocation SET bill_id = bill_id + 1 WHERE payment_id = ({PAID})",
        f"UPDATE posting SET unit_id = NULL WHERE entry_id = ({ENTRY_OF_PAYMENT})",
    ],
    "what was earned by an item is what its issued lines say": [
        """
        UPDATE posting SET account_id = (SELECT id FROM account WHERE code = 'income:garbage')
        WHERE entry_id = 1 AND account_id = (SELECT id FROM account WHERE code = 'income:property')
        """,
    ],
    "every line recomputes from its basis": [
        "UPDATE bill_line SET amount = amount + 1 WHERE id = 1",
        """UPDATE bill_line SET basis = '{"method": "by feeling"}' WHERE id = 1""",
        "UPDATE bill_line SET basis = '[]' WHERE id = 1",
        "UPDATE bill_line SET basis = 'null' WHERE id = 1",
    ],
}


@pytest.fixture
def vandal(world: World) -> Iterator[Connection]:
    """The owner of the tables, with every guard off."""
    engine = create_engine(world.url)
    with engine.connect() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.commit()
        yield connection
    engine.dispose()


def found_after(vandal: Connection, statement: str) -> dict[str, CheckResult]:
    """What the checks find after this statement, which is then undone."""
    with vandal.begin() as transaction, Session(vandal) as session:
        damaged = vandal.execute(text(statement)).rowcount
        assert damaged > 0, f"planted nothing: {statement}"
        results = {result.name: result for result in run_checks(session)}
        transaction.rollback()
    return results


def test_books_that_are_whole_pass_every_check_and_every_check_has_a_fault_to_find(
    world: World,
) -> None:
    with world.database.transaction() as session:
        results = list(run_checks(session))
    assert [result.violations for result in results] == [[]] * len(ALL_CHECKS)
    looked_at_nothing = {result.name for result in results if result.rows == 0}
    assert looked_at_nothing == {"no draft bill is in the journal"}
    assert sorted(result.name for result in results) == sorted(FAULTS)


def test_every_check_finds_the_fault_it_is_for(vandal: Connection) -> None:
    blind = {
        statement: name
        for name, statements in FAULTS.items()
        for statement in statements
        if not found_after(vandal, statement)[name].violations
    }
    assert blind == {}


def test_a_finding_says_where_it_is(vandal: Connection) -> None:
    places = {
        frozenset(violation) & {"id", "unit_id"}
        for name, statements in FAULTS.items()
        for violation in found_after(vandal, statements[0])[name].violations
        if violation["community_id"]
    }
    assert places == {frozenset({"id"}), frozenset({"unit_id"})}


def test_a_fault_in_one_line_is_found_in_that_line_alone(vandal: Connection) -> None:
    broken = found_after(vandal, "UPDATE bill_line SET amount = amount + 1 WHERE id = 1")
    [violation] = broken["every line recomputes from its basis"].violations
    assert violation["id"] == 1
    assert violation["reason"].startswith("basis gives ")


def test_a_flood_of_findings_is_cut_short_but_counted_over_everything(vandal: Connection) -> None:
    results = found_after(vandal, "UPDATE bill_line SET amount = amount + 1")
    for name in ("a bill is the sum of its lines", "every line recomputes from its basis"):
        assert len(results[name].violations) == VIOLATIONS_SHOWN_MAX
        assert results[name].rows > VIOLATIONS_SHOWN_MAX
