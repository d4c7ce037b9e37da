"""满意度: how people rated what was done for them, and the rated things with their words."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import Row

from billing.labels import LabelEnum
from billing.masking import mask_sentence
from billing.period import add_months
from billing.rating_tables import RatedKind, Score
from billing.reports.satisfaction import (
    RatedBy,
    Voices,
    answered,
    rated_things,
    satisfaction,
    whole_of,
)
from handlers.charts import Bars, Value, lying_bars
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list
from handlers.console.permissions import Permission
from notify.wording import percent

DAY = timedelta(days=1)
TENTHS = 1000
"""A rate is drawn in tenths of a per cent."""

NAME_MAX = 6
"""Characters of a name beside its bar, where a phone has room for them."""

MONTHS = 1
"""So many months are shown unless other days are asked for."""


class RatingColumn(LabelEnum):
    """Columns of the rated things."""

    AT = "at", "评价时间"
    SCORE = "score", "评价"
    WORDS = "words", "补充的话"
    KIND = "kind", "事项"
    ROOM = "room", "房号"
    PERIOD = "period", "账期"
    ITEM = "item", "收费项目"
    STAFF = "staff", "经办人"


class Unnamed(LabelEnum):
    """What the part is called that names none."""

    PERIOD = "period", "无账期"
    ITEM = "item", "多项或无"
    STAFF = "staff", "线上自助"


class Division(LabelEnum):
    """The tables, as they are headed."""

    KIND = "kind", "事项"
    PERIOD = "period", "账期"
    ITEM = "item", "收费项目"
    STAFF = "staff", "经办人"


class Objection(LabelEnum):
    """Why the days are not accepted."""

    ORDER = "order", "截止日期须不早于起始日期"


def _name(division: RatedBy, part: Voices) -> str:
    if division is RatedBy.KIND:
        return RatedKind(part.part).label
    return part.name or Unnamed(division.value).label


def index(desk: Desk) -> ResponseReturnValue:
    """Ratings of the days asked for, divided, and one by one; these of a part or a score only."""
    begins = add_months(desk.today, -MONTHS) + DAY
    form = Form({"from": begins.isoformat(), "to": desk.today.isoformat()} | dict(request.args))
    first, last = form.day("from", default=begins), form.day("to", default=desk.today)
    if last < first:
        form.refuse("to", Objection.ORDER.label)
        first, last = begins, desk.today
    days = (first, last + DAY)
    score = _asked_score()
    part = _asked_part()
    query = rated_things(desk.community_id, *days, score=score, part=part)
    divided = {one: satisfaction(desk.session, one, desk.community_id, *days) for one in RatedBy}
    shares = answered(desk.session, desk.community_id, *days)
    return show_list(
        desk,
        Listing(
            "satisfaction",
            RatingColumn,
            query,
            newest_first=True,
            shown={RatingColumn.WORDS: lambda sealed: _words(desk, sealed)},
        ),
        "reports/satisfaction.html",
        form=form,
        first=first,
        last=last,
        whole=whole_of(divided[RatedBy.KIND]),
        shares=shares,
        asked=sum(one.asked for one in shares),
        rated=sum(one.rated for one in shares),
        tables=[_table(desk, one, parts, form) for one, parts in divided.items()],
        bars=_bars(desk, divided[RatedBy.STAFF], form),
        scores=Score,
        score=score,
        part=part,
        part_name=_part_name(divided, part),
        thing_link=lambda row: _thing_link(desk, row),
    )


def _asked_score() -> Score | None:
    said = request.args.get("score", "")
    return Score(said) if said in {one.value for one in Score} else None


def _asked_part() -> tuple[RatedBy, str] | None:
    by = request.args.get("by", "")
    if by not in {one.value for one in RatedBy}:
        return None
    return RatedBy(by), request.args.get("part", "")


def _part_name(
    divided: dict[RatedBy, list[Voices]], part: tuple[RatedBy, str] | None
) -> str | None:
    if part is None:
        return None
    found = (one for one in divided[part[0]] if one.part == part[1])
    return next((_name(part[0], one) for one in found), None)


def _words(desk: Desk, sealed: str | None) -> str:
    """What was added; whoever wrote his number into it did not write it for everybody."""
    return mask_sentence(desk.services.vault.open(sealed)) if sealed else ""


def _link(desk: Desk, division: RatedBy, part: Voices, form: Form) -> str:
    days = {"from": form.values["from"], "to": form.values["to"]}
    url = desk.url("satisfaction_index", **days, by=division.value, part=part.part)
    return f"{url}#things"


def _table(
    desk: Desk, division: RatedBy, parts: Sequence[Voices], form: Form
) -> tuple[str, list[tuple[str, Voices, str]]]:
    rows = [(_name(division, one), one, _link(desk, division, one, form)) for one in parts]
    return Division(division.value).label, rows


def _bars(desk: Desk, parts: Sequence[Voices], form: Form) -> Bars:
    return lying_bars(
        [
            Value(
                _name(RatedBy.STAFF, one)[:NAME_MAX],
                one.rate.numerator * TENTHS // one.rate.denominator,
                f"{percent(one.rate)} ({one.count})",
                _link(desk, RatedBy.STAFF, one, form),
            )
            for one in parts
            if one.rate is not None
        ],
        TENTHS,
    )


def _thing_link(desk: Desk, row: Row[Any]) -> str | None:
    """Where the rated thing is, for those who may see it."""
    if row.kind is RatedKind.RECEIPT:
        return desk.url("payments_show", number=row.subject_id)
    if desk.may(Permission.TICKETS):
        return desk.url("tickets_show", number=row.subject_id)
    return None
