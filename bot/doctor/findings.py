"""What the doctor looks at, and what he says."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from billing.labels import LabelEnum
from bot.program import Program
from bot.settings import Settings
from notify.approved import Approved, read_approved


class Status(LabelEnum):
    """How bad it is: an error stops something, a warning will or may."""

    OK = "ok", "正常"
    WARNING = "warning", "提醒"
    ERROR = "error", "错误"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor: what is the matter, and the cure."""

    check: str
    status: Status
    what: str
    cure: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """As printed."""
        return {
            "check": self.check,
            "status": self.status.value,
            "what": self.what,
            "cure": self.cure,
        }


@dataclass(frozen=True, slots=True)
class Patient:
    """An installation and the moment at which it is looked at."""

    program: Program
    now: datetime

    @property
    def settings(self) -> Settings:
        """What it was told."""
        return self.program.settings

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that is only read in; closed before anybody is called."""
        with self.program.services.database.transaction() as session:
            yield session

    def approved(self) -> Approved:
        """Templates and routes in force."""
        with self.reading() as session:
            return read_approved(session, self.program.notifier.defaults)
