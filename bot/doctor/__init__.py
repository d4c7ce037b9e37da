"""`mingzhang doctor`: the configuration against the real services, a finding at a time.

Every check is a small function from a `Patient` to findings; `CHECKS` is the list of them. A check
that breaks down is a finding too.
"""

from collections.abc import Callable, Iterable, Iterator

from bot.doctor import account, communities, engines, keys, machine, money, processes, sending
from bot.doctor.findings import Finding, Patient, Status

CHECKS: tuple[tuple[str, Callable[[Patient], Iterable[Finding]]], ...] = (
    ("secrets", machine.check_secrets),
    ("disk", machine.check_disk),
    ("database", engines.check_database),
    ("schema", engines.check_schema),
    ("keys", keys.check_keys),
    ("redis", engines.check_redis),
    ("token", account.check_token),
    ("clock", account.check_clock),
    ("templates", account.check_templates),
    ("menu", account.check_menu),
    ("callback", account.check_callback),
    ("merchants", money.check_merchants),
    ("certificates", money.check_certificates),
    ("workers", processes.check_workers),
    ("cron", processes.check_cron),
    ("jobs", processes.check_jobs),
    ("lines", sending.check_lines),
    ("breakers", sending.check_breakers),
    ("sms", sending.check_sms),
    ("communities", communities.check_communities),
    ("staff", communities.check_staff),
)
"""What is looked at, in this order: what others need comes first."""


def examine(patient: Patient) -> Iterator[Finding]:
    """Every finding of every check; one that finds nothing wrong says so. Changes nothing."""
    for name, check in CHECKS:
        try:
            found = list(check(patient))
        except Exception as error:  # whatever it is, the other checks go on
            found = [
                Finding(
                    name,
                    Status.ERROR,
                    f"the check could not be made: {type(error).__name__}",
                    "mend what the checks before it found, then run this again",
                )
            ]
        yield from found or [Finding(name, Status.OK, "nothing wrong")]
