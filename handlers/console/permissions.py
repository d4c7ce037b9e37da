"""Who may do what in the console: one table, asked in one place (`blueprint`).

Inside a right the core has its own rules of roles (`require_role`): a cashier may ask for a waiver
and not approve one.
"""

from collections.abc import Mapping

from billing.labels import LabelEnum
from billing.people import StaffRole


class Permission(LabelEnum):
    """A kind of work."""

    LOOK = "look", "查看房屋与账单"
    PERSONAL = "personal", "查看完整个人信息"
    PEOPLE = "people", "住户与绑定"
    TARIFFS = "tariffs", "收费标准"
    METERS = "meters", "抄表与公摊"
    BILLS = "bills", "出账"
    CORRECT = "correct", "减免、调整与退款申请"
    APPROVE = "approve", "审批"
    COLLECT = "collect", "收款"
    BANK = "bank", "银行流水与对账"
    PAPERS = "papers", "收据与发票"
    TICKETS = "tickets", "工单与异议"
    NOTICES = "notices", "群发与通知"
    REPORTS = "reports", "统计与导出"
    SETTINGS = "settings", "设置"
    STAFF = "staff", "员工与权限"
    AUDIT = "audit", "操作日志"


P = Permission

PERMISSIONS: Mapping[StaffRole, frozenset[Permission]] = {
    StaffRole.MANAGER: frozenset(Permission),
    StaffRole.ACCOUNTANT: frozenset(Permission) - {P.STAFF, P.SETTINGS, P.NOTICES},
    StaffRole.CASHIER: frozenset({P.LOOK, P.PERSONAL, P.CORRECT, P.COLLECT, P.PAPERS}),
    StaffRole.SERVICE: frozenset(
        {P.LOOK, P.PERSONAL, P.PEOPLE, P.METERS, P.CORRECT, P.TICKETS, P.NOTICES}
    ),
    StaffRole.READER: frozenset({P.LOOK, P.REPORTS}),
}
