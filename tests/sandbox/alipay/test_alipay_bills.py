"""The bill of a day: a zip with GBK tables, behind an address that soon dies."""

import io
import zipfile
from datetime import date, timedelta

import pytest
import requests
from alipay_world import APP_ID, NUMBER, SELLER_ID, Merchant

BILL = "alipay.data.dataservice.bill.downloadurl.query"


def today(merchant: Merchant) -> date:
    return merchant.here.clock.now().date()


def ask(merchant: Merchant, day: date, **changes: str) -> dict[str, str]:
    content = {"bill_type": "trade", "bill_date": day.isoformat()} | changes
    return dict(merchant.library.server_api(BILL, content))


def turn_calendar(merchant: Merchant, days: int) -> None:
    merchant.here.api.post_raw("/pay/calendar", {"days": days})


def tables(merchant: Merchant, day: date) -> dict[str, list[str]]:
    answer = requests.get(ask(merchant, day)["bill_download_url"], timeout=60)
    assert answer.status_code == 200
    archive = zipfile.ZipFile(io.BytesIO(answer.content), metadata_encoding="gbk")
    return {name: archive.read(name).decode("gbk").splitlines() for name in archive.namelist()}


def test_a_day_has_a_bill_only_when_it_is_over_and_something_happened(merchant: Merchant) -> None:
    day = today(merchant)
    merchant.pay()
    assert ask(merchant, day)["sub_code"] == "isv.invalid-arguments"
    turn_calendar(merchant, 2)
    assert ask(merchant, day - timedelta(days=3))["sub_code"] == "isp.bill_not_exist"
    assert ask(merchant, day)["code"] == "10000"
    merchant.here.api.post_raw("/pay/calendar", {"days": 1, "hour": 8})
    assert ask(merchant, day)["sub_code"] == "isp.bill_not_exist"  # it is made at nine


@pytest.mark.parametrize(
    "change", [{"bill_type": "signcustomer"}, {"bill_date": "2026-02-30"}, {"bill_date": "2026-11"}]
)
def test_other_bills_are_not_made_here(merchant: Merchant, change: dict[str, str]) -> None:
    assert ask(merchant, today(merchant), **change)["sub_code"] == "isv.invalid-arguments"


def test_the_bill_lists_payments_and_refunds_as_alipay_writes_them(merchant: Merchant) -> None:
    day = today(merchant)
    merchant.pay(subject="物业费, 3-2-501")
    merchant.call("alipay.trade.refund", refund_amount="20.50", out_request_no="R1")
    turn_calendar(merchant, 2)
    found = tables(merchant, day)
    account = f"{SELLER_ID}0156_{day:%Y%m%d}"
    assert list(found) == [f"{account}_业务明细.csv", f"{account}_业务明细(汇总).csv"]
    lines = found[f"{account}_业务明细.csv"]
    assert lines[0] == "#支付宝业务明细查询"
    names = lines[4].split(",")
    rows = [
        dict(zip(names, line.split(","), strict=True))
        for line in lines[5:]
        if not line.startswith("#")
    ]
    assert [row["业务类型"] for row in rows] == ["交易\t", "退款\t"]
    assert [row["商户订单号"] for row in rows] == [f"{NUMBER}\t"] * 2
    assert [row["订单金额（元）"] for row in rows] == ["320.50", "-20.50"]
    assert [row["服务费（元）"] for row in rows] == ["-1.92", "0.00"]
    assert [row["退款批次号/请求号"] for row in rows] == ["\t", "R1"]
    assert "#交易合计：1笔，商家实收共320.50元，商家优惠共0.00元" in lines
    assert found[f"{account}_业务明细(汇总).csv"][5].split(",")[4] == "300.00"


def test_the_address_of_a_bill_dies_after_five_minutes(merchant: Merchant) -> None:
    merchant.pay()
    turn_calendar(merchant, 2)
    url = ask(merchant, today(merchant))["bill_download_url"]
    merchant.here.clock.turn(6)
    assert requests.get(url, timeout=30).status_code == 404
    assert requests.get(url + "0", timeout=30).status_code == 404


def test_many_trades_can_be_seeded_and_billed(merchant: Merchant) -> None:
    day = today(merchant) - timedelta(days=2)
    seed = {"app_id": APP_ID, "day": day.isoformat(), "count": 2000}
    assert merchant.here.api.post_raw("/alipay/seed", seed)["count"] == 2000
    detail = next(iter(tables(merchant, day).values()))
    assert sum(not line.startswith("#") for line in detail) == 2001
    again = requests.post(f"{merchant.here.api.url}/alipay/seed", json=seed, timeout=30)
    assert again.status_code == 409
