"""Staff: who works here, in which role, where; and the log of what they did."""

from datetime import timedelta

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from billing.audit import AuditEntry
from billing.bindings import issue_code
from billing.errors import NotFound
from billing.labels import LabelEnum
from billing.people import Staff, StaffRole
from billing.property import Community
from billing.staff_access import (
    NewAccount,
    add_staff,
    change_staff,
    issue_account,
    let_go,
)
from handlers.console.desk import Desk
from handlers.console.forms import Form
from handlers.console.lists import Listing, show_list

EVERYWHERE = ""
CODE_HOURS = 24
CODE_LIFE = timedelta(hours=CODE_HOURS)
"""A code of staff opens more than one home, so it does not lie about."""


class Done(LabelEnum):
    """What was done."""

    CHANGED = "changed", "已保存；这位员工需要重新登录"
    LEFT = "left", "已停用，登录与微信绑定都已失效"


class Objection(LabelEnum):
    """Why a form is not accepted."""

    ELSEWHERE = "elsewhere", "请选择您负责的小区"
    ONESELF = "oneself", "不能更改自己的角色，请另一位经理来改"


class MemberColumn(LabelEnum):
    """Columns of the list of staff."""

    LOGIN = "login", "登录名"
    NAME = "name", "姓名"
    ROLE = "role", "角色"
    COMMUNITY = "community", "小区"
    STATE = "left_at", "状态"


class LogColumn(LabelEnum):
    """Columns of the log."""

    AT = "at", "时间"
    LOGIN = "login", "员工"
    ACTION = "action", "操作"
    SUBJECT = "subject", "对象"
    DETAIL = "detail", "内容"
    ADDRESS = "address", "网络地址"


def _members(desk: Desk) -> Listing:
    query = select(
        Staff.id.label("key"),
        Staff.login,
        Staff.name,
        Staff.role,
        Community.name.label("community"),
        Staff.left_at,
    ).outerjoin(Community, Community.id == Staff.community_id)
    if desk.staff.community_id is not None:
        query = query.where(Staff.community_id == desk.staff.community_id)
    return Listing("staff", MemberColumn, query, sortable=(MemberColumn.LOGIN,))


def index(desk: Desk) -> ResponseReturnValue:
    """Everybody this manager may change."""
    return show_list(desk, _members(desk), "staff/index.html")


def new(desk: Desk) -> ResponseReturnValue:
    """The form for a new member of staff."""
    return _form(desk, Form())


def _form(desk: Desk, form: Form) -> tuple[str, int]:
    return desk.page("staff/form.html", form=form, roles=StaffRole, member=None)


def _read_place(desk: Desk, form: Form) -> int | None:
    """The community chosen; a manager of one community gives no right elsewhere."""
    typed = form.typed("community")
    if typed == EVERYWHERE and desk.staff.community_id is None:
        return None
    found = next((one.id for one in desk.communities if one.code == typed), None)
    if found is None:
        form.refuse("community", Objection.ELSEWHERE.label)
    desk.concern(found)
    return found


def add(desk: Desk) -> ResponseReturnValue:
    """Add a member of staff; his first password is shown once."""
    form = Form(request.form)
    login, name = form.text("login"), form.text("name")
    role = form.choice("role", StaffRole, default=StaffRole.READER)
    place = _read_place(desk, form)
    made: list[NewAccount] = []

    def act() -> Response:
        made.append(
            add_staff(
                desk.session,
                desk.services.vault,
                login=login,
                name=name,
                role=role,
                community_id=place,
                now=desk.now,
            )
        )
        return Response()

    answer = desk.submit(form, act, lambda: _form(desk, form))
    return _issued(desk, made[0]) if made else answer


def _issued(desk: Desk, account: NewAccount) -> ResponseReturnValue:
    return desk.page("staff/issued.html", account=account)


def _member(desk: Desk, number: int) -> Staff:
    member = desk.session.get(Staff, number)
    if member is None or desk.staff.community_id not in (None, member.community_id):
        raise NotFound(f"no staff {number}")
    desk.concern(member.community_id)
    return member


def show(desk: Desk, number: int) -> ResponseReturnValue:
    """One member of staff."""
    member = _member(desk, number)
    place = desk.session.get(Community, member.community_id) if member.community_id else None
    begins = {"role": member.role.value, "community": place.code if place else EVERYWHERE}
    return _show(desk, member, Form(begins))


def _show(desk: Desk, member: Staff, form: Form) -> tuple[str, int]:
    return desk.page("staff/form.html", form=form, roles=StaffRole, member=member)


def _refuse_oneself(desk: Desk, member: Staff, form: Form) -> None:
    """Nobody locks himself out or raises himself."""
    if member.id == desk.staff.id:
        form.refuse("", Objection.ONESELF.label)


def change(desk: Desk, number: int) -> ResponseReturnValue:
    """Another role or place."""
    member = _member(desk, number)
    form = Form(request.form)
    role = form.choice("role", StaffRole, default=member.role)
    place = _read_place(desk, form)
    _refuse_oneself(desk, member, form)

    def act() -> Response:
        change_staff(desk.session, member, role=role, community_id=place, now=desk.now)
        return desk.done(Done.CHANGED, "members_index")

    return desk.submit(form, act, lambda: _show(desk, member, form))


def issue(desk: Desk, number: int) -> ResponseReturnValue:
    """A new first password and second factor, for who forgot or lost his."""
    member = _member(desk, number)
    account = issue_account(desk.session, desk.services.vault, member, desk.now)
    return _issued(desk, account)


def bind(desk: Desk, number: int) -> ResponseReturnValue:
    """A code by which he binds his WeChat: reminders, alerts and test messages reach him there."""
    member = _member(desk, number)
    if member.left_at is not None or not desk.communities:
        raise NotFound(f"no code for staff {number}: left, or there is no community")
    code = issue_code(
        desk.session,
        desk.services.vault,
        community_id=member.community_id or desk.communities[0].id,
        staff_id=member.id,
        now=desk.now,
        life=CODE_LIFE,
    )
    return desk.page("staff/code.html", member=member, code=code, hours=CODE_HOURS)


def leave(desk: Desk, number: int) -> ResponseReturnValue:
    """He does not work here any more."""
    member = _member(desk, number)
    form = Form()
    _refuse_oneself(desk, member, form)

    def act() -> Response:
        let_go(desk.session, member, desk.now)
        return desk.done(Done.LEFT, "members_index")

    return desk.submit(form, act, lambda: _show(desk, member, form))


def log(desk: Desk) -> ResponseReturnValue:
    """What staff did, the latest first."""
    query = select(
        AuditEntry.id.label("key"),
        AuditEntry.at,
        Staff.login,
        AuditEntry.action,
        AuditEntry.subject,
        AuditEntry.detail,
        AuditEntry.address,
    ).join(Staff, Staff.id == AuditEntry.staff_id)
    if desk.staff.community_id is not None:
        query = query.where(AuditEntry.community_id == desk.staff.community_id)
    who = request.args.get("login", "").strip()
    if who:
        query = query.where(Staff.login == who)
    listing = Listing("audit", LogColumn, query, newest_first=True)
    return show_list(desk, listing, "staff/log.html", who=who)
