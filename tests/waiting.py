"""For races: until one of two people really waits for the other."""

from sqlalchemy import text

from tests.conftest import World

WAITING = text(
    "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE NOT granted AND datname = current_database()"
)


def wait_until_somebody_waits(world: World) -> None:
    """Until a connection of this database waits for a lock."""
    for _ in range(10_000):
        with world.database.engine.connect() as connection:
            if connection.execute(WAITING).scalar_one():
                return
    raise AssertionError("nobody ever waited")
