"""What a page showed when its form was drawn, so that a form that grew old is told what changed."""

import json
from collections.abc import Collection, Mapping

from billing.labels import LabelEnum
from handlers.console.forms import Form
from handlers.console.sheets import Answer

SEEN = "seen"


class Stale(LabelEnum):
    """What whoever saves an old page is told."""

    CHANGED = "changed", "您打开本页之后有人改过：{0}请核对后再保存"
    UNKNOWN = "unknown", "请看过现在的值再保存"
    ONE = "one", "{0} 由 {1} 改为 {2}；"


def write_down(values: Mapping[str, str]) -> str:
    """What a hidden field keeps."""
    return json.dumps(dict(values), ensure_ascii=False, sort_keys=True)


def refuse_stale(
    form: Form,
    fields: type[LabelEnum],
    now: Mapping[str, str],
    ticks: Collection[str] = (),
) -> None:
    """Refuse a form whose page showed other values than those of now, and say which.

    Args:
        fields: names of the values with their words.
        now: the values as the page shows them.
        ticks: those that are yes or no.
    """
    try:
        seen = json.loads(form.typed(SEEN))
    except ValueError:
        seen = None
    if not isinstance(seen, dict):
        form.refuse("", Stale.UNKNOWN.label)
        return
    changes = [
        Stale.ONE.label.format(
            fields(name).label,
            _said(str(seen.get(name, "")), name in ticks),
            _said(value, name in ticks),
        )
        for name, value in now.items()
        if seen.get(name) != value
    ]
    if changes:
        form.refuse("", Stale.CHANGED.label.format("".join(changes)))


def _said(value: str, is_tick: bool) -> str:
    if is_tick:
        return (Answer.YES if value else Answer.NO).label
    return value or Answer.NOTHING.label
