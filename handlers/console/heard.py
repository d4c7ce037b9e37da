"""听不懂的话: sentences to learn from, labelled one after the other by the keyboard; below, where
the understanding errs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from billing.labels import LabelEnum
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.heard import (
    KEPT,
    Heard,
    HeardReason,
    count_unlabelled,
    get_heard,
    label_heard,
    next_unlabelled,
    report_heard,
)
from notify.wording import TEMPLATES

DIGITS_MAX = 15


class Done(LabelEnum):
    """What was done."""

    LABELLED = "labelled", "已记下，接着看下一句"


class Objection(LabelEnum):
    """Why a label is not accepted."""

    NO_INTENT = "no_intent", "请选一个意思：输入编号或名称里的字，也可以直接点选"
    SEVERAL = "several", "有几个意思都符合，请再多输几个字，或输入编号"
    CHANGED = "changed", "这一句刚刚被别人标过，请看是否还要改"


@dataclass(frozen=True, slots=True)
class Confused:
    """How often sentences of one meaning were understood.

    Attributes:
        wrong: what they were taken for instead, the most frequent first.
    """

    meant: str
    total: int
    right: int
    wrong: list[tuple[str, int]]


@cache
def meanings() -> Mapping[str, str]:
    """Every intent with its name, in the order of their numbers; the understanding's own codes."""
    path = TEMPLATES / "console" / "heard" / "intents.json"
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _name(intent: str) -> str:
    return meanings().get(intent, intent)


def index(desk: Desk) -> ResponseReturnValue:
    """The latest sentence nobody labelled; `before` skips those from that number on, `number` names
    one that was labelled and is to be corrected.
    """
    number, before = _numbered("number"), _numbered("before")
    if number is not None:
        return _page(desk, get_heard(desk.session, number), Form(), before)
    return _page(desk, next_unlabelled(desk.session, before=before), Form(), before)


def _numbered(name: str) -> int | None:
    typed = request.args.get(name, "")
    return int(typed) if typed.isdecimal() and len(typed) <= DIGITS_MAX else None


def _page(desk: Desk, one: Heard | None, form: Form, before: int | None) -> tuple[str, int]:
    report = report_heard(desk.session)
    last = _numbered("last")
    return desk.page(
        "heard/index.html",
        one=one,
        form=form,
        before=before,
        last=last,
        left=count_unlabelled(desk.session),
        meanings=meanings(),
        name=_name,
        kept_days=KEPT.days,
        report=report,
        reasons=[(one.label, report["reasons"].get(one.value, 0)) for one in HeardReason],
        confused=_confused(report),
    )


def _confused(report: Mapping[str, Any]) -> list[Confused]:
    """The meanings that were understood worst first."""
    found = []
    for intent, guesses in report["confusion"].items():
        wrong = [(_name(guess), count) for guess, count in guesses.items() if guess != intent]
        found.append(
            Confused(
                meant=_name(intent),
                total=sum(guesses.values()),
                right=guesses.get(intent, 0),
                wrong=sorted(wrong, key=lambda pair: -pair[1]),
            )
        )
    return sorted(found, key=lambda one: one.right - one.total)


def label(desk: Desk, number: int) -> ResponseReturnValue:
    """Say what a sentence meant, and go on to the next."""
    one = get_heard(desk.session, number, lock=True)
    form = Form(request.form)
    intent = _read_intent(form)
    if form.typed("seen") != (one.label or ""):
        form.refuse("", Objection.CHANGED.label)
    typed = form.typed("before")
    before = int(typed) if typed.isdecimal() and len(typed) <= DIGITS_MAX else None

    def act() -> Response:
        label_heard(desk.session, number, intent, by=desk.staff, now=desk.now)
        return desk.done(Done.LABELLED, "heard_index", last=number, before=before)

    return desk.submit(form, act, lambda: _page(desk, one, form, before))


def _read_intent(form: Form) -> str:
    """What was chosen, or the only meaning whose number or name was typed."""
    chosen, typed = form.typed("intent"), form.typed("typed")
    if chosen in meanings():
        return chosen
    numbered = dict(enumerate(meanings(), start=1))
    if typed.isdecimal() and len(typed) <= DIGITS_MAX and int(typed) in numbered:
        return numbered[int(typed)]
    fits = [intent for intent, name in meanings().items() if typed and typed in name]
    exact = [intent for intent in fits if meanings()[intent] == typed]
    if len(exact or fits) == 1:
        return (exact or fits)[0]
    form.refuse("typed", (Objection.SEVERAL if fits else Objection.NO_INTENT).label)
    return ""
