"""How the program writes its log, whoever starts it."""

import sys

import structlog


def log_to_stderr() -> None:
    """Structured logs on stderr; stdout belongs to JSON. Calling it twice is safe.

    A traceback is written as Python writes it, without the local variables: those hold names,
    telephones and accounts, which structlog's own default would print.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(
                key_order=["timestamp", "level", "event"], drop_missing=True
            ),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
