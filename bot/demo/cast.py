"""The invented people of the demo and the names everybody else is made from."""

from dataclasses import dataclass

from billing.people import ResidentRole, StaffRole


@dataclass(frozen=True, slots=True)
class Character:
    """A home with a story. `months_behind` counts unpaid bills before the current one."""

    room: str
    name: str
    role: ResidentRole
    months_behind: int
    area_m2: str


CAST = (
    Character("3-2-501", "张秀英", ResidentRole.OWNER, 0, "98.50"),
    Character("1-1-302", "李建国", ResidentRole.OWNER, 3, "89.20"),
    Character("2-1-803", "王雨晴", ResidentRole.TENANT, 0, "76.00"),
    Character("3-1-1201", "赵明远", ResidentRole.OWNER, 0, "128.60"),
    Character("1-2-602", "孙桂兰", ResidentRole.OWNER, 1, "98.50"),
    Character("2-2-1504", "周子涵", ResidentRole.OWNER, 0, "112.30"),
    Character("3-2-502", "吴国强", ResidentRole.OWNER, 0, "89.20"),
    Character("1-1-101", "郑丽华", ResidentRole.OWNER, 2, "98.50"),
    Character("2-1-204", "冯志伟", ResidentRole.TENANT, 0, "76.00"),
    Character("3-1-303", "陈佳怡", ResidentRole.OWNER, 0, "112.30"),
)

STAFF = (
    ("zhao", "赵经理", StaffRole.MANAGER),
    ("chen", "陈会计", StaffRole.ACCOUNTANT),
    ("zhou", "周收银", StaffRole.CASHIER),
    ("liu", "刘客服", StaffRole.SERVICE),
)

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹"
GIVEN_NAMES = (
    "伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋",
    "勇", "艳", "杰", "娟", "涛", "明", "超", "秀兰", "霞", "平",
    "刚", "桂英", "建华", "文静", "志强", "海燕", "春梅", "晓东", "思远", "雨桐",
    "浩然", "梓萱", "国华", "玉珍", "建军", "小红", "俊杰", "欣怡", "一鸣", "佳琪",
)  # fmt: skip

COMMUNITY_NAME = "花园小区"
COMPANY_NAME = "花园小区物业服务中心"
BANK_NAME = "演示银行花园路支行"
BANK_NUMBER = "6200 0000 0000 0012 345"
BUILDING_NAME = "{}号楼"
PLATE = "测A·{:05d}"
"""Of no province."""
LATE_FEE_CLAUSE = "《前期物业服务合同》第十二条"

ITEMS = {
    "property": ("物业费", "《前期物业服务合同》第六条"),
    "parking": ("车位管理费", "《车位管理服务协议》第三条"),
    "garbage": ("生活垃圾处理费", "市生活垃圾处理收费公示"),
    "water": ("水费", "市居民生活用水阶梯水价公示"),
    "pump": ("二次加压费", "《二次供水加压服务协议》第二条"),
    "light": ("公共照明电费分摊", "《前期物业服务合同》第九条"),
}
