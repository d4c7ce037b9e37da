"""RQ's worker without a fork per job, which tells when a job that failed is done again."""

from typing import Any

import structlog
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from bot.cron import note_success
from bot.program import Program

log = structlog.get_logger(__name__)


class Worker(SimpleWorker):
    """Takes the most urgent job first. It does not fork: our jobs are few, batched and our own, and
    a fork would share connections.
    """

    def __init__(self, program: Program) -> None:
        queues = program.queues
        super().__init__(queues.in_order, connection=queues.connection, serializer=JSONSerializer)
        self._program = program

    def handle_job_success(self, job: Job, *rest: Any, **named: Any) -> None:
        """After RQ's own part, close the alert that this job fails, if there is one."""
        super().handle_job_success(job, *rest, **named)
        try:
            note_success(self._program, str(job.func_name), self._program.services.clock())
        except (RedisError, SQLAlchemyError) as error:
            log.warning("success_not_noted", job=job.func_name, reason=type(error).__name__)
