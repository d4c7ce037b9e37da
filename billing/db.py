"""SQLAlchemy base, house types, engine and the transaction boundary.

Only doors (webhook, pages, callbacks, console, jobs, CLI) open transactions; the core takes the
open session. Returning commits, raising rolls back. A transaction that recorded facts wakes the
notice intake after its commit, never before (`Database.after_facts`).
"""

import enum
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from select import POLLIN
from select import poll as select_poll
from typing import Annotated, Any, ClassVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Date,
    DateTime,
    Engine,
    Enum,
    Identity,
    MetaData,
    Numeric,
    Select,
    Text,
    TypeDecorator,
    cast,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry

from billing.money import Money
from billing.period import Period

RUNTIME_ROLE = "mingzhang_runtime"
"""Owns nothing; may not update or delete the journal. Every runtime connection works as this
role.
"""


class MoneyColumn(TypeDecorator[Money]):
    """`Money` as BIGINT fen."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Money | None, dialect: Dialect) -> int | None:
        """Store fen."""
        return None if value is None else value.fen

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Money | None:
        """Read fen; sums come back as NUMERIC, still whole."""
        return None if value is None else Money(int(value))


class PeriodColumn(TypeDecorator[Period]):
    """`Period` as text `YYYY-MM`, which sorts as it should."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Period | None, dialect: Dialect) -> str | None:
        """Store the text."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Period | None:
        """Read the text."""
        return None if value is None else Period(value)


class Base(DeclarativeBase):
    """Declarative base with the house's types, so that no column can be declared wrongly."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        str: Text,
        date: Date,
        datetime: DateTime(timezone=True),
        Decimal: Numeric,
        Money: MoneyColumn,
        Period: PeriodColumn,
        dict[str, Any]: JSONB,
        enum.Enum: Enum(
            enum.Enum,
            native_enum=False,
            length=32,
            values_callable=lambda cls: [member.value for member in cls],
        ),
    }


CommunityId = Annotated[int, mapped_column(BigInteger, primary_key=True, autoincrement=False)]
"""First column of the primary key of every growing table: a community's rows lie together."""

LocalId = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
"""Second column of such a key; drawn from one sequence per table."""

GlobalId = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
"""Key of the few small tables that belong to no community."""

FACTS_RECORDED = "facts_recorded"
"""Key in `Session.info`, set by `facts.record`."""


class Database:
    """Where the books live: opens transactions, and reports committed facts to one listener."""

    def __init__(self, engine: Engine, after_facts: Callable[[], None]) -> None:
        self.engine = engine
        self._after_facts = after_facts

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: returning commits, raising rolls back.

        Must not be held open across a call to the network.
        """
        with Session(self.engine, expire_on_commit=False) as session:
            with session.begin():
                yield session
            recorded = bool(session.info.get(FACTS_RECORDED))
        if recorded:
            self._after_facts()


LISTS_WORK_MEM = "32MB"
"""Enough to sort a hundred thousand rows; a handful of people open lists at once."""


def id_array(ids: Collection[int]) -> Select[tuple[int]]:
    """Ids as one parameter, for `column.in_(…)`: a statement has room for 65,535 only."""
    return select(func.unnest(cast(list(ids), ARRAY(BigInteger))))


def is_one_of(column: InstrumentedAttribute[int], ids: Collection[int]) -> ColumnElement[bool]:
    """The same as a condition, where so many ids are meant that the planner should see how many."""
    return column == func.any(cast(list(ids), ARRAY(BigInteger)))


def key_array(keys: Collection[tuple[int, int]]) -> Select[tuple[int, int]]:
    """Pairs of a community's id and a local one as two parameters, for `tuple_(…).in_(…)`."""
    first, second = zip(*keys, strict=True) if keys else ((), ())
    return select(
        func.unnest(cast(list(first), ARRAY(BigInteger))),
        func.unnest(cast(list(second), ARRAY(BigInteger))),
    )


def expect_lists(session: Session) -> None:
    """Until the transaction ends, plan each statement for its own values and sort in memory: what
    reads long lists gains more than the planning costs.
    """
    session.execute(
        select(
            func.set_config("plan_cache_mode", "force_custom_plan", True),
            func.set_config("work_mem", LISTS_WORK_MEM, True),
        )
    )


def connect(
    url: str,
    *,
    pool_size: int = 10,
    application_name: str = "mingzhang",
    plans_once: bool = False,
) -> Engine:
    """Engine for the runtime: every connection works as the role that owns no tables.

    Waits for a lock at most 10 s and for a statement at most 60 s, so that a stuck peer becomes an
    error with a sentence instead of a silent queue.

    Args:
        plans_once: plan a prepared statement once, whatever its parameters. For who asks about one
            home at a time: planning takes longer than answering. Not for batches.
    """
    options = "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=60s"
    if plans_once:
        options += " -c plan_cache_mode=force_generic_plan"
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=5,
        hide_parameters=True,  # an error that is logged must not carry openids or names
        connect_args={
            "connect_timeout": 3,
            "application_name": application_name,
            "options": options,
        },
    )

    @event.listens_for(engine, "connect")
    def _become_runtime(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET ROLE {RUNTIME_ROLE}")
        cursor.close()
        connection.commit()

    @event.listens_for(engine, "checkout")
    def _expect_silence(
        connection: DBAPIConnection, _record: ConnectionPoolEntry, _proxy: object
    ) -> None:
        """Nobody has asked anything: what is to be read is a farewell, or the end. Costs no round
        trip, as a ping would.
        """
        poll = select_poll()
        poll.register(connection.fileno(), POLLIN)
        if poll.poll(0):
            raise DisconnectionError("the server has hung up")

    return engine
