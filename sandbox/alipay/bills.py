"""Daily bills (业务明细): a zip with two CSV files in GBK, behind an address that soon dies.

Rule: opendocs.alipay.com, alipay.data.dataservice.bill.downloadurl.query. The bill of a day is made
at nine in the next morning; a day without trade has none; today's is a wrong argument.
"""

import io
import re
import secrets
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from sandbox.alipay import store as table
from sandbox.alipay.gateway import Request
from sandbox.alipay.refusals import Refused, business
from sandbox.alipay.store import Refund, Trade
from sandbox.alipay.telling import beijing, masked_login, yuan
from sandbox.clock import Clock
from sandbox.pay.calendar import MADE_FROM_HOUR, Calendar, span
from sandbox.store import Store

LINK_LIFE_S = 300
ONE_DAY = timedelta(days=1)
_DETAIL = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,"
    "对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,"
    "商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
    "退款批次号/请求号,服务费（元）,分润（元）,备注"
)
_SUMMARY = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,"
    "商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）"
)


class Bills:
    """Bills of all merchants; which of them exist is the calendar's to say."""

    def __init__(self, store: Store, clock: Clock, calendar: Calendar, public_url: str):
        self._store = store
        self._clock = clock
        self._public_url = public_url
        self._calendar = calendar

    def link(self, request: Request) -> dict[str, object]:
        """Give an address of the day's bill; raises Refused where there is none."""
        day = _day(request)
        today = self._calendar.now()
        if day >= today.date():
            raise Refused("40004", "isv.invalid-arguments")
        is_made = today.date() - day > ONE_DAY or today.hour >= MADE_FROM_HOUR
        now = self._clock.now()
        token = secrets.token_hex(16)
        ends = now.timestamp() + self._clock.real_seconds(LINK_LIFE_S)
        app_id = request.app.app_id
        with self._store.transaction() as db:
            if not is_made or not table.has_movements(db, app_id, *span(day)):
                raise business("isp.bill_not_exist")
            table.insert_bill_link(db, token, app_id, day.isoformat(), ends)
        return {
            "code": "10000",
            "msg": "Success",
            "bill_download_url": f"{self._public_url}/alipay/bill/{token}",
        }

    def fetch(self, token: str, seller_ids: dict[str, str]) -> tuple[str, bytes]:
        """Give file name and zip behind an address; raises Refused once it is dead."""
        now = self._clock.now()
        with self._store.transaction() as db:
            found = table.find_bill_link(db, token, now.timestamp())
            if found is None or found[0] not in seller_ids:
                raise business("bill.expired")
            app_id, day = found[0], date.fromisoformat(found[1])
            traded = table.list_paid(db, app_id, *span(day))
            refunded = table.list_refunded(db, app_id, *span(day))
        account = f"{seller_ids[app_id]}0156"
        return f"{account}_{day:%Y%m%d}.csv.zip", _zip(account, day, traded, refunded, now)


def fee_fen(fen: int) -> int:
    """Give Alipay's fee on an amount: 0.6 %, half up to the fen."""
    return (fen * 6 + 500) // 1000


def _day(request: Request) -> date:
    text = request.content.get("bill_date")
    if request.content.get("bill_type") != "trade" or not isinstance(text, str):
        raise Refused("40004", "isv.invalid-arguments")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise Refused("40004", "isv.invalid-arguments")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused("40004", "isv.invalid-arguments") from None


class _GbkInfo(zipfile.ZipInfo):
    """A member whose name is written in GBK without the UTF-8 mark, as Alipay writes it."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - the library's own name
        return self.filename.encode("gbk"), self.flag_bits


def _zip(
    account: str,
    day: date,
    traded: list[Trade],
    refunded: list[tuple[Trade, Refund]],
    now: datetime,
) -> bytes:
    packed = io.BytesIO()
    files = {
        f"{account}_{day:%Y%m%d}_业务明细.csv": _detail(account, day, traded, refunded, now),
        f"{account}_{day:%Y%m%d}_业务明细(汇总).csv": _summary(account, day, traded, refunded, now),
    }
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, lines in files.items():
            content = "".join(f"{line}\r\n" for line in lines).encode("gbk", "replace")
            info = _GbkInfo(name, now.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content, compresslevel=1)
    return packed.getvalue()


def _head(title: str, account: str, day: date) -> list[str]:
    after = day + timedelta(days=1)
    return [
        f"#支付宝业务{title}查询",
        f"#账号：[{account}]",
        f"#起始日期：[{day:%Y年%m月%d日} 00:00:00]   终止日期：[{after:%Y年%m月%d日} 00:00:00]",
        f"#{'-' * 41}业务{title}列表{'-' * 40}",
    ]


def _detail(
    account: str,
    day: date,
    traded: list[Trade],
    refunded: list[tuple[Trade, Refund]],
    now: datetime,
) -> Iterator[str]:
    rows = [
        (trade.paid_at or 0, _row(trade, "交易", trade.paid_at or 0, trade.total_fen))
        for trade in traded
    ]
    rows += [
        (refund.at, _row(trade, "退款", refund.at, -refund.fen, refund.out_request_no))
        for trade, refund in refunded
    ]
    received = yuan(sum(trade.total_fen for trade in traded))
    returned = yuan(-sum(refund.fen for _, refund in refunded))
    yield from _head("明细", account, day)
    yield _DETAIL
    yield from (row for _, row in sorted(rows, key=lambda each: each[0]))
    yield f"#{'-' * 41}业务明细列表结束{'-' * 36}"
    yield f"#交易合计：{len(traded)}笔，商家实收共{received}元，商家优惠共0.00元"
    yield f"#退款合计：{len(refunded)}笔，商家实收退款共{returned}元，商家优惠退款共0.00元"
    yield f"#导出时间：[{now:%Y年%m月%d日 %H:%M:%S}]"


def _row(trade: Trade, kind: str, done_at: float, fen: int, request_no: str = "") -> str:
    amount = yuan(fen)
    fee = yuan(-fee_fen(fen)) if fen > 0 else "0.00"
    subject = trade.subject.replace(",", "，")
    return (
        f"{trade.trade_no}\t,{trade.out_trade_no}\t,{kind}\t,{subject},{beijing(trade.created_at)},"
        f"{beijing(done_at)},\t,\t,\t,\t,**主({masked_login(trade.buyer_id)})\t,{amount},{amount},"
        f"0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,{request_no or chr(9)},{fee},0.00,"
    )


def _summary(
    account: str,
    day: date,
    traded: list[Trade],
    refunded: list[tuple[Trade, Refund]],
    now: datetime,
) -> Iterator[str]:
    fen = sum(trade.total_fen for trade in traded) - sum(refund.fen for _, refund in refunded)
    fee = sum(fee_fen(trade.total_fen) for trade in traded)
    yield from _head("汇总", account, day)
    yield _SUMMARY
    yield (
        f"合计\t,\t,{len(traded)},{len(refunded)},{yuan(fen)},{yuan(fen)},0.00,0.00,0.00,"
        f"{yuan(-fee)},0.00,{yuan(fen - fee)}"
    )
    yield f"#{'-' * 41}业务汇总列表结束{'-' * 36}"
    yield f"#导出时间：[{now:%Y年%m月%d日 %H:%M:%S}]"
