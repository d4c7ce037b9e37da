"""What holds messages up now: closed lines, breakers; and SMS."""

from collections.abc import Iterator

from bot.doctor.findings import Finding, Patient, Status
from notify.catalog import NOTICES, Transport
from notify.gate import Gate
from notify.wechat_errors import meaning


def check_lines(patient: Patient) -> Iterator[Finding]:
    """Lines that a refusal or a quota closed; they open by themselves."""
    closed = Gate(patient.program.services.redis).list_closed()
    for line, (why, seconds) in sorted(closed.items()):
        said = meaning(int(why)) if why.lstrip("-").isdigit() else why
        yield Finding(
            "lines",
            Status.WARNING,
            f"{line} is closed for {seconds} more seconds: {said}",
            "mend the reason; it is tried again then",
        )


def check_breakers(patient: Patient) -> Iterator[Finding]:
    """Transports that failed again and again."""
    broken = Gate(patient.program.services.redis).list_breakers(patient.now)
    for transport, (failures, seconds) in broken.items():
        if seconds:
            yield Finding(
                "breakers",
                Status.ERROR,
                f"{transport.value} failed {failures} times in a row and rests {seconds} seconds",
                "check the network, and the other side's own notices; one message tries then",
            )


def check_sms(patient: Patient) -> Iterator[Finding]:
    """There is a provider of SMS, with a wording for each kind that goes by SMS."""
    if patient.program.notifier.sms is None:
        yield Finding(
            "sms",
            Status.WARNING,
            "no provider of SMS: who is not reached by WeChat is not told",
            "set ALIYUN_SMS",
        )
        return
    approved = patient.approved()
    missing = [
        kind.value
        for kind in NOTICES
        if Transport.SMS in approved.route(kind) and kind not in approved.sms
    ]
    if missing:
        yield Finding(
            "sms",
            Status.WARNING,
            f"no wording is approved for {', '.join(missing)}",
            "hand in templates/notices/<kind>/sms.txt, then `mingzhang template set --transport"
            " sms`",
        )
