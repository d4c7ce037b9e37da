"""The production processes, one command each: serve, worker, cron, migrate.

They refuse to start without DATABASE_URL and REDIS_URL: embedding is for demo, tests and
benchmarks.
"""

import gc
import os
import time
from collections.abc import Callable
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Any

import click
from gunicorn.app.base import BaseApplication
from rq.worker_pool import WorkerPool

from bot import jobs
from bot.app import create_app
from bot.cli.installation import print_json, production_settings, refusals
from bot.cron import Cron
from bot.orphans import die_with_parent
from bot.program import build, utc_now
from bot.redis_server import connect_redis
from bot.schema import migrate
from bot.settings import Settings, database_url
from bot.understanding import understand
from bot.worker import Worker
from handlers.chat.topics import Topic
from notify.queues import Queues

THREADS = 16
Clock = Callable[[], datetime]


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
        application = create_app(program)
        # Looking through all that stays for ever takes 120 ms, and whoever is asking then waits.
        gc.collect()
        gc.freeze()
        return application


@click.command()
@click.option("--bind", default="127.0.0.1", show_default=True, help="Address to listen on.")
def serve(bind: str) -> None:
    """Serve the webhook, the pages and the callbacks on MINGZHANG_PORT."""
    Server(production_settings(), bind).run()


@click.command()
@click.option(
    "--processes",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Work so many at once.",
)
def worker(processes: int) -> None:
    """Run jobs, the most urgent first: notices, settling payments, billing.

    Stopping it (SIGTERM) lets what was begun come to its end. With two processes a receipt does not
    wait for a bill run.
    """
    settings = production_settings()
    if processes == 1:
        work(settings)
    else:
        Workers(settings, processes).start(logging_level="WARNING")


def work(settings: Settings, clock: Clock = utc_now) -> None:
    """Take jobs, the most urgent first, until told to stop; what was begun comes to its end."""
    program = build(settings, clock=clock)
    jobs.install(program)
    Worker(program).work(logging_level="WARNING")


class Workers(WorkerPool):
    """RQ's pool, with workers that build a program of their own."""

    def __init__(self, settings: Settings, processes: int, clock: Clock = utc_now) -> None:
        queues = Queues(connect_redis(settings.redis_url))
        super().__init__(queues.in_order, connection=queues.connection, num_workers=processes)
        self._settings, self._clock = settings, clock

    def get_worker_process(self, *_args: Any, **_options: Any) -> BaseProcess:
        """A process that works until it is told to stop, or its pool is gone."""
        mine = (self._settings, self._clock, os.getpid())
        return get_context("fork").Process(target=_work_under, args=mine)


def _work_under(settings: Settings, clock: Clock, pool: int) -> None:
    """Work until the pool stops us, or dies without doing so."""
    die_with_parent()
    if os.getppid() == pool:
        work(settings, clock)


@click.command()
def cron() -> None:
    """Enqueue what is due: the sweep, reminders, settling. Two at once do no harm."""
    program = build(production_settings())
    os.environ["TZ"] = "Asia/Shanghai"  # RQ reads cron expressions in local time
    time.tzset()
    Cron(program).start()  # type: ignore[no-untyped-call]


@click.command("migrate")
def migrate_command() -> None:
    """Bring the database of DATABASE_URL to the newest schema; safe to repeat."""
    with refusals():
        migrate(database_url(os.environ))
    print_json({"migrated": True})
