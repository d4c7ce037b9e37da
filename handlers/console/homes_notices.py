"""What the people of a home were told, and what was kept from them and why."""

from collections.abc import Sequence
from typing import Any

from flask.typing import ResponseReturnValue
from sqlalchemy import Row, select

from billing.db import id_array
from billing.labels import LabelEnum
from billing.people import Follower
from billing.privacy import mask_openid
from billing.sightings import Sight, note_sightings
from handlers.console.desk import Desk
from handlers.console.homes import find_home
from handlers.console.lists import Cells, Listing, show_list
from handlers.console.notice_words import advice
from notify.sent import notices_of_home


class ToldColumn(LabelEnum):
    """Columns of the list."""

    KIND = "kind", "通知"
    MADE = "created_at", "时间"
    STATE = "shown_state", "状态"
    REASON = "shown_reason", "原因"
    PERSON = "person", "收件人（微信号）"
    TRANSPORT = "transport", "方式"
    OPENED = "opened_at", "打开时间"


def index(desk: Desk, number: int) -> ResponseReturnValue:
    """Everything they were or were to be told, the latest first."""
    unit = find_home(desk, number)
    note_sightings(
        desk.session,
        [(desk.community_id, unit.id)],
        Sight.BILLS,
        desk.now,
        staff_id=desk.staff.id,
    )

    def beside(rows: Sequence[Row[Any]]) -> Cells:
        return _beside(desk, rows)

    query = notices_of_home(desk.community_id, unit.id)
    listing = Listing(f"notices-{unit.room}", ToldColumn, query, newest_first=True, beside=beside)
    return show_list(desk, listing, "homes/notices.html", unit=unit, advice=advice)


def _beside(desk: Desk, rows: Sequence[Row[Any]]) -> Cells:
    """Who it was for; its state is the message's where it became one."""
    readers = select(Follower.id, Follower.openid).where(
        Follower.id.in_(id_array({row.follower_id for row in rows}))
    )
    openids = {row.id: mask_openid(row.openid) for row in desk.session.execute(readers)}
    return {
        row.key: {
            ToldColumn.PERSON.value: openids[row.follower_id],
            ToldColumn.STATE.value: row.message_state or row.state,
            ToldColumn.REASON.value: row.message_reason or row.reason,
        }
        for row in rows
    }
