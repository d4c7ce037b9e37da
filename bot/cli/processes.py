"""The production processes, one command each: serve, worker, cron, migrate.

They refuse to start without DATABASE_URL and REDIS_URL: embedding is for demo, tests and
benchmarks.
"""

import os
import time
from typing import Any

import click
from gunicorn.app.base import BaseApplication
from rq import SimpleWorker
from rq.cron import CronJob, CronScheduler
from rq.serializers import JSONSerializer
from rq.utils import now as rq_now

from bot import jobs
from bot.app import create_app
from bot.cli.installation import print_json, production_settings, refusals
from bot.program import Program, build
from bot.schedule import SCHEDULE
from bot.schema import migrate
from bot.settings import Settings, database_url
from bot.understanding import understand
from handlers.chat.topics import Topic

THREADS = 16
ROUNDS_WAITING_MAX = 4
"""A repeated job no worker took for so many rounds is dropped: cron brings it again anyway."""

DAILY_WAITS_SECONDS_MAX = 6 * 3600
FAILURE_KEPT_SECONDS = 7 * 24 * 3600


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn, configured here instead of in a file. One process: metrics stay in one registry."""

    def __init__(self, settings: Settings, bind: str) -> None:
        self._settings = settings
        self._bind = bind
        super().__init__()

    def load_config(self) -> None:
        """Threads, because a request waits for PostgreSQL or WeChat, not for the processor."""
        for key, value in {
            "bind": f"{self._bind}:{self._settings.port}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": THREADS,
            "timeout": 30,
            "graceful_timeout": 10,
            "keepalive": 5,
            "errorlog": "-",
            "loglevel": "warning",
            "control_socket_disable": True,  # it is one path for every copy on the machine
            "proc_name": "mingzhang-web",
        }.items():
            self.cfg.set(key, value)

    def load(self) -> Any:
        """Build the application in the serving process, after the fork."""
        program = build(self._settings, plans_once=True)
        # The language model is read now, so that the first sentence does not wait for it.
        understand(Topic.DUE.label, today=program.services.today(), staff=False)
        return create_app(program)


@click.command()
@click.option("--bind", default="127.0.0.1", show_default=True, help="Address to listen on.")
def serve(bind: str) -> None:
    """Serve the webhook, the pages and the callbacks on MINGZHANG_PORT."""
    Server(production_settings(), bind).run()


@click.command()
def worker() -> None:
    """Run jobs: notices and the settling of payments."""
    program = build(production_settings())
    jobs.install(program)
    # No fork per job: our jobs are few, batched and our own, and a fork would share connections.
    SimpleWorker(
        [program.queue], connection=program.queue.connection, serializer=JSONSerializer
    ).work(logging_level="WARNING")


class JsonCron(CronScheduler):
    """RQ's cron with our queue: its own jobs would be pickled, which our workers refuse to load."""

    def __init__(self, program: Program) -> None:
        super().__init__(connection=program.queue.connection, logging_level="WARNING")
        self._queue = program.queue

    def enqueue_jobs(self) -> list[CronJob]:
        """Enqueue what is due, as JSON."""
        due = [job for job in self.get_jobs() if job.should_run()]
        for job in due:
            waits = job.interval * ROUNDS_WAITING_MAX if job.interval else DAILY_WAITS_SECONDS_MAX
            self._queue.enqueue(
                job.func_name,
                ttl=waits,
                result_ttl=60,
                failure_ttl=FAILURE_KEPT_SECONDS,
                job_timeout=job.job_options.get("job_timeout"),
            )
            job.set_enqueue_time(rq_now())
        return due


@click.command()
def cron() -> None:
    """Enqueue what is due: the sweep, reminders, settling. Two at once do no harm."""
    program = build(production_settings())
    os.environ["TZ"] = "Asia/Shanghai"  # RQ reads cron expressions in local time
    time.tzset()
    scheduler = JsonCron(program)
    for planned in SCHEDULE:
        scheduler.register(
            planned.job,
            program.queue.name,
            interval=planned.interval_seconds,
            cron=planned.cron,
            job_timeout=planned.timeout_seconds,
        )
    scheduler.start()  # type: ignore[no-untyped-call]


@click.command("migrate")
def migrate_command() -> None:
    """Bring the database of DATABASE_URL to the newest schema; safe to repeat."""
    with refusals():
        migrate(database_url(os.environ))
    print_json({"migrated": True})
