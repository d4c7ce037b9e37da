"""The journal refuses everything but whole, balanced, new entries — in Python and in the
database.
"""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from billing.errors import Conflict, LedgerError, NotFound
from billing.ledger import (
    EntryKind,
    FixedAccount,
    JournalEntry,
    Leg,
    balance,
    post,
    reverse,
    reverse_entries,
)
from billing.money import ZERO, Money
from tests.billing.corrections import violations
from tests.conftest import NOW, TODAY, World

CASH, OWED = FixedAccount.CASH, FixedAccount.RECEIVABLE


def post_legs(session: Session, world: World, legs: list[Leg], key: str = "test:1") -> int:
    return post(
        session,
        world.community.id,
        kind=EntryKind.PAYMENT,
        key=key,
        source_id=1,
        effective_on=TODAY,
        now=NOW,
        legs=legs,
    )


def test_a_balanced_entry_is_posted_and_counts(world: World) -> None:
    unit = world.unit("3-2-501")
    with world.database.transaction() as session:
        before = balance(session, world.community.id, OWED, unit.id)
        post_legs(
            session,
            world,
            [Leg(CASH, debit=Money(500)), Leg(OWED, credit=Money(500), unit_id=unit.id)],
        )
        assert balance(session, world.community.id, OWED, unit.id) == before - Money(500)


@pytest.mark.parametrize(
    "legs",
    [
        [],
        [Leg(CASH, debit=Money(500))],
        [Leg(CASH, debit=Money(500)), Leg(OWED, credit=Money(499))],
        [Leg(CASH, debit=Money(500)), Leg(OWED, debit=Money(500))],
        [Leg(CASH, debit=Money(-500)), Leg(OWED, credit=Money(-500))],
        [Leg(CASH, debit=Money(500), credit=Money(500)), Leg(OWED, credit=ZERO)],
        [Leg(CASH, debit=Money(500)), Leg("assets:nowhere", credit=Money(500))],
    ],
    ids=["empty", "one side", "differ", "two debits", "negative", "both sides", "no account"],
)
def test_an_unsound_entry_is_refused(world: World, legs: list[Leg]) -> None:
    with pytest.raises(LedgerError), world.database.transaction() as session:
        post_legs(session, world, legs)


def test_the_same_key_is_posted_once(world: World) -> None:
    legs = [Leg(CASH, debit=Money(500)), Leg(OWED, credit=Money(500))]
    with world.database.transaction() as session:
        post_legs(session, world, legs)
    with pytest.raises(DBAPIError), world.database.transaction() as session:
        post_legs(session, world, legs)


ENTRY = """
    INSERT INTO journal_entry (community_id, id, kind, idempotency_key, source_id, effective_on,
                               posted_at, postings, total)
    VALUES ({c}, 900001, 'payment', 'raw', 1, '2026-11-23', now(), 2, 100)
"""
POSTING = """
    INSERT INTO posting (community_id, entry_id, no, account_id, debit, credit)
    SELECT {c}, 900001, side.no, (SELECT min(id) FROM account WHERE community_id = {c}),
           side.debit, side.credit
    FROM (VALUES {rows}) AS side(no, debit, credit)
"""


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        ([ENTRY], "an entry without postings"),
        ([ENTRY, POSTING.replace("{rows}", "(1, 100, 0)")], "half an entry"),
        ([ENTRY, POSTING.replace("{rows}", "(1, 100, 0), (2, 0, 99)")], "unbalanced"),
        ([ENTRY, POSTING.replace("{rows}", "(1, 50, 0), (2, 0, 50)")], "another total"),
        (
            [
                ENTRY,
                POSTING.replace("{rows}", "(1, 100, 0), (2, 0, 100), (3, 100, 0), (4, 0, 100)"),
            ],
            "more postings than announced",
        ),
        (
            [
                ENTRY,
                POSTING.replace("{rows}", "(1, 100, 0), (2, 0, 100)"),
                POSTING.replace("{rows}", "(3, 100, 0), (4, 0, 100)"),
            ],
            "extended by a second statement",
        ),
        (["UPDATE posting SET debit = debit + 1"], "changing postings"),
        (["DELETE FROM posting"], "deleting postings"),
        (["DELETE FROM journal_entry"], "deleting entries"),
        (["TRUNCATE posting, journal_entry CASCADE"], "truncating"),
        (["UPDATE journal_entry SET total = 1"], "changing entries"),
        (["UPDATE bill_line SET amount = amount + 1"], "changing a line"),
        (["DELETE FROM payment_allocation"], "deleting an allocation"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("role", ["runtime", "owner"])
def test_the_database_refuses(world: World, role: str, statements: list[str], why: str) -> None:
    guarded_by_grants_only = {"changing a line", "deleting an allocation"}
    if role == "owner" and why in guarded_by_grants_only:
        return
    with pytest.raises(DBAPIError), world.database.transaction() as session:
        if role == "owner":
            session.execute(text("SET LOCAL ROLE NONE"))
        for statement in statements:
            session.execute(text(statement.replace("{c}", str(world.community.id))))


def test_a_confirmed_payment_cannot_be_edited(world: World) -> None:
    with pytest.raises(DBAPIError), world.database.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text("UPDATE payment SET amount = amount + 1 WHERE state = 'confirmed'"))


def test_the_runtime_role_owns_nothing(world: World) -> None:
    with world.database.transaction() as session:
        owned = session.execute(
            text("SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = current_user")
        ).scalar_one()
        user = session.execute(text("SELECT current_user")).scalar_one()
    assert (user, owned) == ("mingzhang_runtime", 0)


def test_postings_are_read_back_as_they_were_posted(world: World) -> None:
    with world.database.transaction() as session:
        entry = post_legs(
            session, world, [Leg(CASH, debit=Money(7)), Leg(OWED, credit=Money(7), unit_id=1)]
        )
        rows = session.execute(
            text(
                "SELECT a.code, p.unit_id, p.debit, p.credit FROM posting p JOIN account a"
                " ON a.community_id = p.community_id AND a.id = p.account_id"
                " WHERE p.entry_id = :entry ORDER BY p.no"
            ),
            {"entry": entry},
        ).all()
        assert [tuple(row) for row in rows] == [
            ("assets:cash", None, 7, 0),
            ("assets:receivable", 1, 0, 7),
        ]


def reversed_once(session: Session, world: World, entry: int, key: str = "reversal:test:1") -> int:
    return reverse(session, world.community.id, entry, key=key, effective_on=TODAY, now=NOW)


def test_a_reversal_is_the_mirror_and_leaves_nothing(world: World) -> None:
    unit = world.unit("3-2-501")
    with world.database.transaction() as session:
        before = balance(session, world.community.id, OWED, unit.id)
        cash = balance(session, world.community.id, CASH)
        entry = post_legs(
            session,
            world,
            [Leg(CASH, debit=Money(7)), Leg(OWED, credit=Money(7), unit_id=unit.id)],
        )
        mirror = session.get_one(
            JournalEntry, (world.community.id, reversed_once(session, world, entry))
        )
        assert (mirror.kind, mirror.reverses_id, mirror.total, mirror.source_id) == (
            EntryKind.REVERSAL,
            entry,
            Money(7),
            1,
        )
        assert balance(session, world.community.id, OWED, unit.id) == before
        assert balance(session, world.community.id, CASH) == cash
    assert "a reversal is the mirror of what it takes back, and is not taken back itself" not in (
        violations(world)
    )


def test_an_entry_is_reversed_once(world: World) -> None:
    legs = [Leg(CASH, debit=Money(500)), Leg(OWED, credit=Money(500))]
    with world.database.transaction() as session:
        entry = post_legs(session, world, legs)
        mirror = reversed_once(session, world, entry)
    with world.database.transaction() as session:
        with pytest.raises(Conflict, match=f"reversed already, by entry {mirror}"):
            reversed_once(session, world, entry, "again")
        with pytest.raises(Conflict, match="itself a reversal"):
            reversed_once(session, world, mirror, "back")
        with pytest.raises(NotFound):
            reversed_once(session, world, 999_999)
    with pytest.raises(DBAPIError), world.database.transaction() as session:
        reverse_entries(
            session, world.community.id, {entry: "unasked"}, effective_on=TODAY, now=NOW
        )
