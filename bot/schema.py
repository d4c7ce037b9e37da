"""Bring a database to the newest schema. Run by the owner of the tables, never by the runtime
role.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, create_engine, text
from sqlalchemy.exc import ProgrammingError

from billing import (  # noqa: F401  # a table is known once its module was imported
    adjustment_tables,
    alerts,
    api_tables,
    audit,
    bill_run_tables,
    bills,
    closing,
    concessions,
    counter_tables,
    day_close,
    deposits,
    discrepancies,
    dunning_tables,
    facts,
    fapiao_tables,
    home_tags,
    late_fee_tables,
    ledger,
    long_work,
    lookups,
    merchants,
    meters,
    payment_tables,
    people,
    prepayments,
    property,
    rating_tables,
    reconciliation,
    refund_tables,
    resident_keys,
    shared_costs,
    sightings,
    staff_tables,
    tariffs,
    ticket_tables,
)
from billing.db import RUNTIME_ROLE, Base
from billing.direct_debit import tables as debit_tables  # noqa: F401
from billing.reports import rollup_tables  # noqa: F401
from billing.statements import tables as statement_tables  # noqa: F401
from handlers import heard  # noqa: F401
from notify import (  # noqa: F401
    broadcast_tables,
    consents,
    ladder_tables,
    outbox,
    preferences,
    template_tables,
    timing_tables,
    webhook_tables,
)


class SchemaError(Exception):
    """The database cannot be brought to the newest schema; the message says how to mend it."""


APPEND_ONLY = (
    "api_call",
    "audit_entry",
    "bill",
    "bill_line",
    "bill_void",
    "day_close",
    "deposit_movement",
    "dunning",
    "dunning_bill",
    "fapiao_file",
    "fapiao_payment",
    "journal_entry",
    "letter_service",
    "meter_reading",
    "payment_allocation",
    "payment_target",
    "period_close",
    "posting",
    "receipt",
    "sighting",
)
"""Rows the runtime may add but never change; the journal is guarded by triggers as well."""

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 20261100
"""Advisory lock: two processes migrating at once wait for each other."""


def metadata() -> MetaData:
    """Every table of the product."""
    return Base.metadata


def alembic_config(engine: Engine) -> Config:
    """Alembic configuration bound to an engine; no ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes.update(engine=engine, metadata=metadata())
    return config


def head() -> str | None:
    """The schema this program works with."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def migrate(url: str) -> None:
    """Create the runtime role, bring the schema up to date, grant the runtime what it needs.

    Safe to call twice and from two processes at once.

    Raises:
        SchemaError: the user may not create the runtime role.
    """
    engine = create_engine(url)
    try:
        with engine.connect() as lock:
            lock.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            lock.commit()
            ensure_runtime_role(engine)
            command.upgrade(alembic_config(engine), "head")
            _grant(engine)
    finally:
        engine.dispose()


MAY_WORK_AS = text(
    """
    SELECT pg_has_role(CURRENT_USER, :name,
        CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET'
             ELSE 'MEMBER' END)
    """
)
"""From PostgreSQL 16 on there are members who may not: whoever made a role is one at first."""


def ensure_runtime_role(engine: Engine) -> None:
    """Make the role the program works as, and let this user work as it. Safe to repeat.

    Raises:
        SchemaError: the user may do neither.
    """
    with engine.begin() as connection:
        exists = connection.execute(
            text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": RUNTIME_ROLE}
        ).scalar()
        try:
            if not exists:
                connection.execute(text(f"CREATE ROLE {RUNTIME_ROLE} NOLOGIN"))
            # Asked first: who was let in by the administrator may not let himself in again.
            if not connection.execute(MAY_WORK_AS, {"name": RUNTIME_ROLE}).scalar():
                connection.execute(text(f"GRANT {RUNTIME_ROLE} TO CURRENT_USER"))
        except ProgrammingError as error:
            raise SchemaError(
                f"the database user may not create or join the role {RUNTIME_ROLE}; ask the"
                f" administrator to run: CREATE ROLE {RUNTIME_ROLE} NOLOGIN;"
                f" GRANT {RUNTIME_ROLE} TO <this user>;"
            ) from error


def _grant(engine: Engine) -> None:
    """The journal may only grow; everything else may be read and written; nothing is owned."""
    statements = [
        f"GRANT USAGE ON SCHEMA public TO {RUNTIME_ROLE}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {RUNTIME_ROLE}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {RUNTIME_ROLE}",
        f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {RUNTIME_ROLE}",
    ]
    statements += [f"REVOKE UPDATE, DELETE ON {table} FROM {RUNTIME_ROLE}" for table in APPEND_ONLY]
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
