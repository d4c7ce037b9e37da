"""One attempt on the wire, without a database: a parcel goes in, a typed result comes out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from billing.business_day import business_date
from notify.catalog import Transport
from notify.claim import Parcel
from notify.gate import ACCOUNT, Gate, template_line, transport_line
from notify.outbox import Outcome
from notify.quiet_hours import midnight_after
from notify.render import NOTHING
from notify.sms import CAPS, SmsLine, SmsRefused, SmsUnreachable
from notify.wechat import Action, WeChat, WeChatError, WeChatUnreachable

LEASE_RESERVE = timedelta(seconds=10)
"""No attempt begins this shortly before the lease ends."""

CLOSED_SECONDS = 60
"""How long a line rests before a call tries whether it works again."""

BUSY = -1
"""WeChat's "system error": the one refusal after which the message may have arrived."""

TEMPLATED = frozenset({Transport.TEMPLATE, Transport.SUBSCRIBE, Transport.SMS})
"""Transports whose narrowest line is a template."""

SMS_LINE = transport_line(Transport.SMS)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended.

    Attributes:
        may_have_arrived: sending again is safe only where WeChat recognises repeats.
        msgid: what the other side calls the message; of an SMS `sms:` and the provider's number.
        line: the line this result closed, for an alert; None when none.
        wait_seconds: the line is closed for so long.
    """

    parcel: Parcel
    outcome: Outcome
    may_have_arrived: bool = False
    msgid: str | None = None
    errcode: int | None = None
    errmsg: str | None = None
    action: Action | None = None
    line: str | None = None
    wait_seconds: int = 0


class Sender:
    """Sends parcels; safe to share between threads.

    Args:
        sms: None where there is no provider; then no parcel of an SMS may come.
        quotas: calls of a transport in a day; without one as many as you like.
    """

    def __init__(
        self,
        wechat: WeChat,
        gate: Gate,
        clock: Callable[[], datetime],
        sms: SmsLine | None = None,
        quotas: Mapping[Transport, int] = NOTHING,
    ) -> None:
        self._wechat = wechat
        self._gate = gate
        self._clock = clock
        self._sms = sms
        self._quotas = quotas

    def send(self, parcel: Parcel) -> Result:
        """Make one attempt. Never raises for what the other side answers or fails to answer."""
        now, transport = self._clock(), parcel.transport
        if now > parcel.lease_until - LEASE_RESERVE:
            return Result(parcel, Outcome.NOT_TRIED)
        lines = _lines(parcel)
        leave = self._gate.admit(lines, transport, now, self._quotas.get(transport))
        if leave.used_up:
            return self._used_up(parcel, leave.wait_seconds)
        if leave.only_last and transport in TEMPLATED:
            # Its template was refused a moment ago: what other ways there are is tried at once.
            return Result(
                parcel,
                Outcome.NOT_TRIED,
                action=Action.STOP_TEMPLATE,
                wait_seconds=leave.wait_seconds,
            )
        if leave.wait_seconds:
            return Result(parcel, Outcome.NOT_TRIED, wait_seconds=leave.wait_seconds)
        result = self._attempt(parcel)
        if result.outcome is Outcome.NOT_TRIED:
            return result
        if result.may_have_arrived or result.outcome is Outcome.UNREACHABLE:
            pause = self._gate.note_failure(transport, now)
            if pause:
                log.warning("transport_broken", transport=transport.value, seconds=pause)
        elif leave.is_watched:
            self._gate.note_answer(transport)
        return result

    def _attempt(self, parcel: Parcel) -> Result:
        try:
            if parcel.transport is Transport.SMS:
                return self._send_sms(parcel)
            return Result(parcel, Outcome.ACCEPTED, msgid=self._call(parcel))
        except WeChatError as error:
            refused = Result(
                parcel,
                Outcome.REFUSED,
                may_have_arrived=error.errcode == BUSY,
                errcode=error.errcode,
                errmsg=error.errmsg,
                action=error.action,
            )
            return self._closing(refused, str(error.errcode))
        except SmsRefused as error:
            refused = Result(
                parcel,
                Outcome.REFUSED,
                may_have_arrived=error.may_have_arrived,
                errmsg=str(error),
                action=error.action,
            )
            return self._closing(refused, str(error))
        except (WeChatUnreachable, SmsUnreachable) as error:
            outcome = Outcome.NO_ANSWER if error.maybe_done else Outcome.UNREACHABLE
            return Result(parcel, outcome, may_have_arrived=error.maybe_done, errmsg=str(error))

    def _call(self, parcel: Parcel) -> str | None:
        content = parcel.content
        if parcel.transport is Transport.SERVICE:
            self._wechat.send_text(parcel.openid, content.text)
            return None
        if parcel.transport is Transport.SUBSCRIBE:
            self._wechat.send_subscription(
                parcel.openid, str(content.subscribe_id), content.url, content.subscribe_fields
            )
            return None
        return self._wechat.send_template(
            parcel.openid,
            str(content.template_id),
            content.url,
            content.fields,
            parcel.client_msg_id,
        )

    def _send_sms(self, parcel: Parcel) -> Result:
        """The number is opened here and nowhere before; it is in no result and no log."""
        text = parcel.content.sms
        if self._sms is None or text is None or parcel.phone_sealed is None:
            return Result(parcel, Outcome.NOT_TRIED, wait_seconds=CLOSED_SECONDS)
        phone = self._sms.vault.open(parcel.phone_sealed)
        wait = self._gate.take_caps(self._sms.vault.fingerprint("sms", phone), CAPS, self._clock())
        if wait:
            return Result(parcel, Outcome.NOT_TRIED, wait_seconds=wait)
        number = self._sms.sender.send(phone, text.template, text.values, parcel.client_msg_id)
        return Result(parcel, Outcome.ACCEPTED, msgid=f"sms:{number}")

    def _used_up(self, parcel: Parcel, seconds: int) -> Result:
        line = transport_line(parcel.transport)
        self._gate.close(line, seconds, "quota")
        return Result(
            parcel,
            Outcome.NOT_TRIED,
            errmsg="our own quota of the day is used up",
            action=Action.PAUSE_DAY,
            line=line,
            wait_seconds=seconds,
        )

    def _closing(self, result: Result, why: str) -> Result:
        """The result of a refusal, after closing the line it tells us to close."""
        if result.action is Action.ALREADY_SENT:
            return replace(result, outcome=Outcome.ACCEPTED)
        line, seconds = self._closure(result.parcel, result.action)
        if line is None:
            return result
        self._gate.close(line, seconds, why)
        return replace(result, line=line, wait_seconds=seconds)

    def _closure(self, parcel: Parcel, action: Action | None) -> tuple[str | None, int]:
        """Which line an action closes, and for how many seconds."""
        lines = _lines(parcel)
        if action is Action.PAUSE_DAY:
            now = self._clock()
            return lines[0], int((midnight_after(business_date(now)) - now).total_seconds()) + 1
        if action in {Action.PAUSE, Action.STOP, Action.REFRESH_TOKEN}:
            return lines[0], CLOSED_SECONDS
        if action is Action.STOP_TEMPLATE:
            return lines[-1], CLOSED_SECONDS
        return None, 0


def _lines(parcel: Parcel) -> list[str]:
    """The lines a parcel takes, the widest first, the narrowest last."""
    content = parcel.content
    match parcel.transport:
        case Transport.SMS:
            return [SMS_LINE, template_line(content.sms.template if content.sms else "")]
        case Transport.SERVICE:
            return [ACCOUNT, transport_line(parcel.transport)]
        case Transport.SUBSCRIBE:
            template_id = content.subscribe_id
        case Transport.TEMPLATE:
            template_id = content.template_id
    return [ACCOUNT, transport_line(parcel.transport), template_line(str(template_id))]
