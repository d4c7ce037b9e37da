"""A small invented estate as its old system's lists would have it: every sheet has rows."""

from typing import Any

from billing.imports.columns import SheetKind

ESTATE: dict[SheetKind, list[dict[str, Any]]] = {
    SheetKind.COMMUNITIES: [
        {
            "code": "QS", "name": "清水苑", "company": "示例物业", "service_phone": "010-55500199",
            "merchant": "QSPM", "mchid": "1900000099", "merchant_name": "示例物业",
            "billing_day": 1, "due_day": 31, "publishes_itself": "否",
        }
    ],
    SheetKind.BUILDINGS: [{"code": 1, "name": "1号楼"}, {"code": "S", "name": "商业街"}],
    SheetKind.ENTRANCES: [{"building": 1, "code": 2}],
    SheetKind.UNITS: [
        {"room": "1-2-301", "floor": 3, "area": "98.50", "billable_from": "2021-06-01"},
        {"room": "1-2-302", "floor": 3, "area": 89.2, "billable_from": "2021/6/1"},
        {
            "room": "S-101", "kind": "商铺", "floor": -1, "area": 40, "billable_from": 44348,
            "billable_to": "2027-12-31",
        },
    ],
    SheetKind.SPACES: [
        {
            "code": "B1-088", "area": "B1", "plate": "京A00001", "room": "1-2-301",
            "billable_from": "2021-06-01",
        }
    ],
    SheetKind.PEOPLE: [
        {
            "room": "1-2-301", "name": "张甲", "phone": 10000000001, "role": "业主",
            "from_on": "2021-06-01",
        },
        {
            "room": "1-2-302", "name": "张甲", "phone": "10000000001", "role": "业主",
            "from_on": "2021-06-01",
        },
        {"room": "1-2-302", "name": "李乙", "role": "租户", "from_on": "2026-03-01"},
    ],
    SheetKind.ITEMS: [
        {
            "code": "property", "name": "物业费", "fee": "物业费", "subject_kind": "房屋",
            "cycle": "每月", "active_from": "2026-01-01",
        },
        {
            "code": "parking", "name": "停车费", "fee": "停车费", "subject_kind": "车位",
            "cycle": "每季", "active_from": "2026-01-01",
        },
        {
            "code": "water", "name": "水费", "fee": "水费", "subject_kind": "房屋",
            "cycle": "每月", "active_from": "2026-01-01",
        },
        {
            "code": "lift", "name": "电梯费", "fee": "电梯费", "subject_kind": "房屋",
            "cycle": "每月", "active_from": "2026-01-01",
        },
    ],
    SheetKind.TARIFFS: [
        {
            "item": "property", "effective_from": "2026-01-01", "method": "按面积",
            "unit_price": "2.80", "per": "月", "document": "合同第8条",
        },
        {
            "item": "parking", "effective_from": "2026-01-01", "method": "固定金额",
            "unit_price": 300, "per": "季", "document": "合同第9条",
        },
        {
            "item": "water", "effective_from": "2026-01-01", "method": "阶梯计价",
            "mode": "分档累进", "tiers": "180：5.00；:7.00", "document": "水务公示",
        },
    ],
    SheetKind.DISCOUNTS: [
        {
            "item": "property", "subject": "1-2-302", "reason": "空置优惠", "percent": 30,
            "from_on": "2026-01-01", "to_on": "2026-12-31", "approved_by": "manager",
        }
    ],
    SheetKind.AGREED_PRICES: [
        {
            "item": "parking", "subject": "B1-088", "unit_price": 270, "from_on": "2026-01-01",
            "approved_by": "manager",
        }
    ],
    SheetKind.METERS: [{"code": "W1", "item": "water", "subject": "1-2-301"}],
    SheetKind.READINGS: [
        {"meter": "W1", "read_on": "2026-10-01", "value": 120.5},
        {"meter": "W1", "read_on": "2026-11-01", "value": 8},
    ],
    SheetKind.REPLACEMENTS: [
        {"meter": "W1", "replaced_on": "2026-10-15", "old_final": 133, "new_initial": 0}
    ],
    SheetKind.SHARED_COSTS: [
        {
            "item": "lift", "building": 1, "entrance": 2, "from_on": "2026-10-01",
            "to_on": "2026-10-31", "quantity": 300, "unit_price": "0.52", "apportion_by": "按面积",
            "cap": 100,
        }
    ],
    SheetKind.OPENINGS: [
        {
            "room": "1-2-301", "item": "property", "from_on": "2025-11-01", "to_on": "2025-11-30",
            "amount": "275.80", "due_on": "2025-11-30",
        },
        {
            "room": "1-2-301", "space": "B1-088", "item": "parking", "from_on": "2025-10-01",
            "to_on": "2025-12-31", "amount": 300, "due_on": "2025-11-30",
        },
        {
            "room": "1-2-301", "item": "property", "from_on": "2025-12-01", "to_on": "2025-12-31",
            "amount": 275.8, "due_on": "2025-12-31", "document": "旧系统欠费清单",
        },
        {
            "room": "1-2-302", "item": "property", "from_on": "2025-12-01", "to_on": "2025-12-31",
            "amount": "1,249.76", "due_on": "2025-12-31",
        },
    ],
    SheetKind.PAYMENTS: [
        {
            "receipt_no": "S001", "room": "1-2-301", "paid_on": "2025-12-05", "amount": 600,
            "channel": "现金",
        },
        {
            "receipt_no": "S002", "room": "1-2-301", "paid_on": "2026-01-05", "amount": 300,
            "channel": "刷卡",
        },
        {
            "receipt_no": "S003", "room": "1-2-302", "paid_on": "2026-01-06", "amount": "49.76",
            "channel": "现金",
        },
    ],
    SheetKind.PREPAYMENTS: [{"room": "S-101", "amount": 500, "on": "2025-12-31"}],
    SheetKind.OLD_BILLS: [{"room": "1-2-301", "item": "property", "amount": "275.80"}],
}  # fmt: skip
