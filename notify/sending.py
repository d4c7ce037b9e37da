"""One attempt on the wire, without a database: a parcel goes in, a typed result comes out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.business_day import business_date
from notify.catalog import Transport
from notify.claim import Parcel
from notify.gate import ACCOUNT, Gate, template_line
from notify.outbox import Outcome
from notify.quiet_hours import midnight_after
from notify.wechat import Action, WeChat, WeChatError, WeChatUnreachable

LEASE_RESERVE = timedelta(seconds=10)
"""No attempt begins this shortly before the lease ends."""

CLOSED_SECONDS = 60
"""How long a line rests before a call tries whether it works again."""

BUSY = -1
"""WeChat's "system error": the one refusal after which the message may have arrived."""


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended.

    Attributes:
        may_have_arrived: sending again is safe only where WeChat recognises repeats.
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
    """Sends parcels; safe to share between threads."""

    def __init__(self, wechat: WeChat, gate: Gate, clock: Callable[[], datetime]) -> None:
        self._wechat = wechat
        self._gate = gate
        self._clock = clock

    def send(self, parcel: Parcel) -> Result:
        """Make one attempt. Never raises for what WeChat answers or fails to answer."""
        wait = self._gate.seconds_closed(*_lines(parcel))
        if wait or self._clock() > parcel.lease_until - LEASE_RESERVE:
            return Result(parcel, Outcome.NOT_TRIED, wait_seconds=wait)
        try:
            return Result(parcel, Outcome.ACCEPTED, msgid=self._call(parcel))
        except WeChatError as error:
            return self._refused(parcel, error)
        except WeChatUnreachable as error:
            outcome = Outcome.NO_ANSWER if error.maybe_done else Outcome.UNREACHABLE
            return Result(parcel, outcome, may_have_arrived=error.maybe_done, errmsg=str(error))

    def _call(self, parcel: Parcel) -> str | None:
        content = parcel.content
        if parcel.transport is Transport.SERVICE:
            self._wechat.send_text(parcel.openid, content.text)
            return None
        return self._wechat.send_template(
            parcel.openid,
            str(content.template_id),
            content.url,
            content.fields,
            parcel.client_msg_id,
        )

    def _refused(self, parcel: Parcel, error: WeChatError) -> Result:
        outcome = Outcome.REFUSED
        if error.action is Action.ALREADY_SENT:
            outcome = Outcome.ACCEPTED
        line, seconds = self._closure(parcel, error.action)
        if line is not None:
            self._gate.close(line, seconds, str(error.errcode))
        return Result(
            parcel,
            outcome,
            may_have_arrived=error.errcode == BUSY,
            errcode=error.errcode,
            errmsg=error.errmsg,
            action=error.action,
            line=line,
            wait_seconds=seconds,
        )

    def _closure(self, parcel: Parcel, action: Action) -> tuple[str | None, int]:
        """Which line an action closes, and for how many seconds."""
        if action is Action.PAUSE_DAY:
            now = self._clock()
            return ACCOUNT, int((midnight_after(business_date(now)) - now).total_seconds()) + 1
        if action in {Action.PAUSE, Action.STOP, Action.REFRESH_TOKEN}:
            return ACCOUNT, CLOSED_SECONDS
        if action is Action.STOP_TEMPLATE:
            return _lines(parcel)[-1], CLOSED_SECONDS
        return None, 0


def _lines(parcel: Parcel) -> list[str]:
    """The lines a parcel takes, the narrowest last."""
    if parcel.transport is Transport.TEMPLATE:
        return [ACCOUNT, template_line(str(parcel.content.template_id))]
    return [ACCOUNT]
