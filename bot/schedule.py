"""What cron enqueues, and when. Cron expressions are Beijing time."""

from bot.jobs import (
    run_billing,
    run_checking,
    run_forgetting,
    run_long_work,
    run_matching,
    run_numbers,
    run_reconciliation,
    run_refunds,
    run_settlement,
    run_unbinding,
    run_webhooks,
)
from handlers.long_work import JOB_SECONDS_MAX as LONG_WORK_SECONDS_MAX
from notify.catalog import Urgency
from notify.queues import Planned
from notify.schedule import SCHEDULE as NOTIFY_SCHEDULE

SETTLE_SECONDS = 30
LONG_WORK_SECONDS = 30
"""Who asks wakes a worker; this finds what was left by one that died."""
WEBHOOK_SECONDS = 30
"""Among what takes long: systems that do not answer must hold up nobody who waits for a receipt."""

BILL_AT = "30 5 * * *"
"""05:30, long before the first hour at which a notice may go out."""
BILLING_SECONDS_MAX = 3600
UNBIND_AT = "10 0 * * *"
"""00:10: whoever moved out yesterday sees nothing of today."""
RECONCILE_AT = "7,37 10-23 * * *"
"""From 10:07 on, when the statements of the day before are there; again until they are."""
RECONCILIATION_SECONDS_MAX = 1800
NUMBERS_AT = "40 6 * * *"
"""06:40, after the night's bills; what is odd is read with the morning's coffee."""
NUMBERS_SECONDS_MAX = 3600
MATCH_SECONDS = 300
MATCHING_SECONDS_MAX = 1800
CHECK_AT = "20 1 * * *"
"""01:20, when nobody pays and before the nightly backup."""
CHECKING_SECONDS_MAX = 7200
FORGET_AT = "50 3 * * *"

SCHEDULE: tuple[Planned, ...] = (
    *NOTIFY_SCHEDULE,
    Planned(run_settlement, Urgency.TODAY, interval_seconds=SETTLE_SECONDS),
    Planned(run_refunds, Urgency.TODAY, interval_seconds=SETTLE_SECONDS),
    Planned(run_webhooks, None, interval_seconds=WEBHOOK_SECONDS),
    Planned(
        run_reconciliation, None, cron=RECONCILE_AT, timeout_seconds=RECONCILIATION_SECONDS_MAX
    ),
    Planned(
        run_long_work,
        None,
        interval_seconds=LONG_WORK_SECONDS,
        timeout_seconds=LONG_WORK_SECONDS_MAX,
    ),
    Planned(
        run_matching,
        None,
        interval_seconds=MATCH_SECONDS,
        timeout_seconds=MATCHING_SECONDS_MAX,
    ),
    Planned(run_unbinding, None, cron=UNBIND_AT),
    Planned(run_numbers, None, cron=NUMBERS_AT, timeout_seconds=NUMBERS_SECONDS_MAX),
    Planned(run_checking, None, cron=CHECK_AT, timeout_seconds=CHECKING_SECONDS_MAX),
    Planned(run_forgetting, None, cron=FORGET_AT),
    Planned(run_billing, None, cron=BILL_AT, timeout_seconds=BILLING_SECONDS_MAX),
)
