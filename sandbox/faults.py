"""Planned misbehaviour: the next calls of a target drop, double, dawdle or answer an error code."""

import threading
from dataclasses import dataclass, replace

MODES = {
    "pay_notify": ("drop", "duplicate", "delay", "reorder", "forge"),
    "template_send": ("drop", "delay", "errcode", "lost"),
    "subscribe_send": ("drop", "delay", "errcode", "lost"),
    "delivery_report": ("drop", "duplicate", "user_block", "system_failed", "freq_limit"),
    "sms_send": ("drop", "delay", "lost", "limit", "system_error"),
    "sms_report": ("drop", "duplicate", "undelivered"),
    "token": ("drop", "delay", "errcode"),
    "api": ("drop", "delay", "errcode"),
    "pay_api": ("drop", "delay", "errcode", "lost"),
    "refund": ("abnormal", "closed", "not_enough", "stuck"),
}
FOR_ONE_CALL = ("stuck",)
"""Modes that befall a single call, whatever their count: it counts something else there."""
SYSTEM_BUSY = -1
SECONDS = 5.0
COUNT_MAX = 100_000
SECONDS_MAX = 3600.0


class FaultError(ValueError):
    """A fault nobody can plan; the message says which value is wrong."""


@dataclass(frozen=True)
class Fault:
    """What befalls the next `count` calls of `target`.

    `errcode` matters to mode errcode, `seconds` (real ones) to delay, reorder and stuck. A stuck
    refund is one, and `count` the queries after which it goes on.
    """

    target: str
    mode: str
    errcode: int
    count: int
    seconds: float


class Faults:
    """The plan, first come first served per target. Thread-safe; forgotten at a restart."""

    def __init__(self) -> None:
        self._planned: list[Fault] = []
        self._lock = threading.Lock()

    def add(
        self,
        *,
        target: object = None,
        mode: object = None,
        count: object = 1,
        errcode: object = SYSTEM_BUSY,
        seconds: object = SECONDS,
    ) -> Fault:
        """Plan a fault after those already planned for its target; raises FaultError."""
        if not isinstance(target, str) or target not in MODES:
            raise FaultError(f"target must be one of {', '.join(MODES)}")
        if mode not in MODES[target]:
            raise FaultError(f"mode of {target} must be one of {', '.join(MODES[target])}")
        fault = Fault(
            target=target,
            mode=str(mode),
            errcode=_errcode(errcode),
            count=_count(count),
            seconds=_seconds(seconds),
        )
        with self._lock:
            self._planned.append(fault)
        return fault

    def take(self, target: str) -> Fault | None:
        """Give the fault this call of `target` must suffer, and use up one of its count."""
        with self._lock:
            place = next((n for n, f in enumerate(self._planned) if f.target == target), None)
            if place is None:
                return None
            fault = self._planned.pop(place)
            if fault.count > 1 and fault.mode not in FOR_ONE_CALL:
                self._planned.insert(place, replace(fault, count=fault.count - 1))
            return fault


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= COUNT_MAX:
        raise FaultError(f"count must be a whole number from 1 to {COUNT_MAX}")
    return value


def _errcode(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value == 0:
        raise FaultError("errcode must be a whole number other than 0")
    return value


def _seconds(value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < float(str(value)) <= SECONDS_MAX:
        raise FaultError(f"seconds must be a number above 0 and at most {SECONDS_MAX:.0f}")
    return float(str(value))
