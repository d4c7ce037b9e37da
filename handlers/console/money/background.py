"""Work that is left to the workers: ordered once the transaction is over, by the job's name."""

import structlog
from redis.exceptions import RedisError

from handlers.services import Services
from notify.queues import FAILURE_KEPT_SECONDS, Queues

MATCHING = "bot.jobs.run_matching"
COMPARING = "bot.jobs.run_comparison"
SECONDS_MAX = 1800

log = structlog.get_logger(__name__)


def order_work(services: Services, job: str, *arguments: object) -> bool:
    """Have a worker do it soon; False when nobody could be told."""
    try:
        Queues(services.redis).long.enqueue(
            job,
            *arguments,
            job_timeout=SECONDS_MAX,
            result_ttl=60,
            failure_ttl=FAILURE_KEPT_SECONDS,
        )
    except RedisError as error:
        log.warning("work_not_ordered", job=job, reason=type(error).__name__)
        return False
    return True
