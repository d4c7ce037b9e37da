"""What refunds and reconciliation are tested with, and the application for whoever asks it."""

from tests.desk import desk
from tests.handlers.application import app, application, applications, clock, program

__all__ = ["app", "application", "applications", "clock", "desk", "program"]
