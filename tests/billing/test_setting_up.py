"""What a community lacks before it can bill: read from the books, decided without them."""

from dataclasses import fields, replace

import pytest
from sqlalchemy import text

from billing.setting_up import BooksOpened, Step, StepState, list_steps, read_books
from tests.conftest import World

NOTHING = BooksOpened(
    has_homes=False,
    has_tariffs=False,
    is_metered=False,
    unmetered=[],
    has_merchant=False,
    has_bank_account=False,
    has_manager=False,
    unsafe=[],
    has_codes=False,
    has_draft=False,
    has_published=False,
)
READY = replace(
    NOTHING, **{one.name: True for one in fields(BooksOpened) if one.name.startswith("has_")}
)


def states(books: BooksOpened, *, has_templates: bool = True) -> dict[Step, StepState]:
    steps = list_steps(books, has_templates=has_templates)
    assert [one.step for one in steps] == list(Step)
    return {one.step: one.state for one in steps}


def test_of_an_empty_community_the_homes_are_next_and_the_account_is_optional() -> None:
    found = states(NOTHING, has_templates=False)
    assert found.pop(Step.HOMES) is StepState.NEXT
    assert found.pop(Step.BANK_ACCOUNT) is StepState.OPTIONAL
    assert found.pop(Step.BACKUP) is StepState.UNKNOWN
    assert set(found.values()) == {StepState.LATER}


def test_only_the_first_open_step_is_next() -> None:
    found = states(replace(READY, has_merchant=False, has_codes=False))
    assert found[Step.MERCHANT] is StepState.NEXT
    assert found[Step.CODES] is StepState.LATER


def test_nothing_is_left_of_a_community_that_is_ready() -> None:
    assert all(one.is_over for one in list_steps(READY, has_templates=True))


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, StepState.UNNEEDED),
        ({"is_metered": True}, StepState.DONE),
        ({"is_metered": True, "unmetered": ("水费",)}, StepState.NEXT),
    ],
)
def test_meters_are_needed_for_what_is_charged_by_usage(
    changes: dict[str, object], state: StepState
) -> None:
    assert states(replace(READY, **changes))[Step.METERS] is state  # type: ignore[arg-type]


def test_money_staff_without_a_second_factor_are_named(world: World) -> None:
    with world.database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO staff_credential (staff_id, password_hash, is_temporary, totp_sealed,"
                " failures, changed_at) SELECT id, 'x', false,"
                " CASE WHEN login = 'zhao' THEN 'sealed' END, 0, now() FROM staff"
            )
        )
        found = read_books(session, world.community.id, world.today)
    assert found.has_manager
    assert "chen" in found.unsafe
    assert "zhao" not in found.unsafe
    assert "liu" not in found.unsafe
    assert states(found)[Step.STAFF] is StepState.NEXT


def test_of_those_who_work_for_all_communities_none_is_named_to_one(world: World) -> None:
    with world.database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO staff_credential (staff_id, password_hash, is_temporary, failures,"
                " changed_at) SELECT id, 'x', false, 0, now() FROM staff"
            )
        )
        session.execute(text("UPDATE staff SET community_id = NULL WHERE login = 'zhao'"))
        found = read_books(session, world.community.id, world.today)
    assert "chen" in found.unsafe
    assert "zhao" not in found.unsafe
    assert found.has_manager


def test_the_world_has_homes_bills_and_a_merchant(world: World) -> None:
    with world.database.transaction() as session:
        found = read_books(session, world.community.id, world.today)
        nowhere = read_books(session, world.community.id + 99, world.today)
    assert found.has_homes
    assert found.has_tariffs
    assert found.has_merchant
    assert found.has_published
    assert nowhere == NOTHING
