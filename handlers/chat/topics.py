"""What owners and staff can ask in the chat, in the codes of `bot.understanding`.

The label is what we call it everywhere: in the menu, and as the command that always works, whatever
the understanding thinks of it.
"""

from billing.labels import LabelEnum


class Topic(LabelEnum):
    """A thing an owner, or somebody of the staff, can ask for."""

    DUE = "bills.due", "账单"
    DETAIL = "bills.detail", "明细"
    EXPLAIN = "bills.explain_change", "费用变化"
    HISTORY = "bills.history", "历史账单"
    PAY = "pay", "缴费"
    PAYMENTS = "payments.history", "缴费记录"
    INVOICE = "invoice", "开发票"
    METHODS = "payments.methods", "缴费方式"
    BALANCE = "balance", "余额"
    AUTOPAY = "autopay", "自动抵扣"
    TARIFF = "tariff", "收费标准"
    REMINDERS = "reminders", "提醒设置"
    BIND = "bind", "绑定"
    UNBIND = "unbind", "解绑"
    ROOMS = "my_rooms", "我的房屋"
    DISPUTE = "dispute", "异议"
    COLLECTION = "staff.collection", "收缴率"
    ARREARS = "staff.arrears", "欠费名单"
    ROOM = "staff.room", "查房"
    BROADCAST = "staff.broadcast", "群发"
    APPROVE = "staff.broadcast.approve", "同意群发"
    CALL_OFF = "staff.broadcast.call_off", "取消群发"
    PROGRESS = "staff.broadcast.progress", "群发进度"
    HUMAN = "human", "人工"
    HELP = "help", "帮助"


class TopUpWord(LabelEnum):
    """Words by which somebody who wants to pay says that it is in advance."""

    PREPAY = "prepay", "预存"
    PREPAY_FEES = "prepay_fees", "预缴"
    TOP_UP = "top_up", "充值"
