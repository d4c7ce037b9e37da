"""PostgreSQL and Redis: whether they answer, and are set up for what is kept in them."""

from collections.abc import Iterator
from typing import Any

from redis.exceptions import RedisError, ResponseError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bot.doctor.findings import Finding, Patient, Status
from bot.schema import head

NOEVICTION = "noeviction"


def check_database(patient: Patient) -> Iterator[Finding]:
    """PostgreSQL answers."""
    try:
        with patient.reading() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        yield Finding(
            "database",
            Status.ERROR,
            f"the database does not answer: {type(error).__name__}",
            "check DATABASE_URL, and that PostgreSQL runs and lets this address in",
        )


def check_schema(patient: Patient) -> Iterator[Finding]:
    """The schema is the program's."""
    try:
        with patient.reading() as session:
            there = session.scalar(text("SELECT version_num FROM alembic_version"))
    except SQLAlchemyError:
        there = None
    if there is None:
        yield Finding("schema", Status.ERROR, "there are no tables", "run `mingzhang migrate`")
    elif there != head():
        yield Finding(
            "schema",
            Status.ERROR,
            f"the schema is {there}, the program wants {head()}",
            "run `mingzhang migrate`, or the program of the schema",
        )


def check_redis(patient: Patient) -> Iterator[Finding]:
    """Redis answers, never throws keys away, and keeps them over a restart."""
    redis = patient.program.services.redis
    try:
        info: Any = redis.info()
    except RedisError as error:
        yield Finding(
            "redis",
            Status.ERROR,
            f"Redis does not answer: {type(error).__name__}",
            "check REDIS_URL, and that it runs; notices wait in the database until it does",
        )
        return
    policy = info.get("maxmemory_policy", NOEVICTION)
    if policy != NOEVICTION:
        yield Finding(
            "redis",
            Status.ERROR if info.get("maxmemory") else Status.WARNING,
            f"maxmemory-policy is {policy}: jobs and closed lines may be thrown away",
            "set maxmemory-policy noeviction",
        )
    if not info.get("aof_enabled") and not _saves(redis):
        yield Finding(
            "redis",
            Status.WARNING,
            "Redis keeps nothing over a restart: the counts of quotas and caps begin anew",
            "set appendonly yes",
        )


def _saves(redis: Any) -> bool:
    """Whether snapshots are written; unknown, where nobody may ask, counts as yes."""
    try:
        return bool(redis.config_get("save").get("save"))
    except ResponseError:
        return True
