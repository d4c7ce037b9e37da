"""A sentence without what names a person or a home (pure), for lists, notices and labelling (PIPL).

Rather too much is hidden than too little: telephone numbers, identity and bank numbers, openids and
codes, plates, rooms, names where the words around them give them away. Sums, months, buildings and
the rest stay, so that what was wanted can still be read.
"""

import re
from collections.abc import Callable

from billing.labels import LabelEnum


class Hidden(LabelEnum):
    """What stands in the sentence instead."""

    PHONE = "phone", "【电话】"
    IDENTITY = "identity", "【证件号】"
    NUMBER = "number", "【号码】"
    TOKEN = "token", "【编号】"
    EMAIL = "email", "【邮箱】"
    PLATE = "plate", "【车牌】"
    ROOM = "room", "【房号】"
    NAME = "name", "【姓名】"


_HALF_WIDTH = {
    wide: wide - 0xFEE0
    for wide in [*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B), 0xFF0D]
}
"""Digits, letters and the dash as wide as a character."""

_SURNAME = (
    "(?:欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|慕容|司徒|令狐|夏侯"
    "|[王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪"
    "范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤])"
)
_NO_NAME = "的是电手住要想在来说问我你他家查缴交绑收费账吗呢吧啊号"
"""What begins the next word rather than ends a name."""

_GIVEN = f"[\u4e00-\u9fff](?:(?![{_NO_NAME}])[\u4e00-\u9fff])?"
_FULL_NAME = _SURNAME + _GIVEN
_TITLE = "先生|女士|小姐|太太|阿姨|叔叔|大爷|大妈|大姐|大哥|师傅|奶奶|爷爷|老师|经理|主任"
_INTRODUCED = "我叫|名叫|姓名|名字|户主|房主|业主|租客|租户|联系人|抬头|本人|我是"

_N = "[0-9零〇一二三四五六七八九十百千两幺壹贰叁肆伍陆柒捌玖拾佰]"
_DASH = r"\s*(?:#-|[-—–#杠])\s*"
_GAP = r"[的嗯呃\s]*"
_HOUSE = "(?:栋|棟|幢|号楼|號樓|座|楼|樓)"
_ENTRANCE = "(?:单元|單元|门|門|梯)"
_NUMBER = rf"{_N}{{2,}}(?:\s*[室户房]|号(?!楼))?(?!\s*(?:[0-9]|[年月日号元块点天期个份吨度]))"
_ROOMS = (
    rf"(?<![0-9A-Za-z])[A-Za-z]?{_N}{{1,3}}{_DASH}(?:{_N}{{1,2}}|[A-Za-z]){_DASH}{_N}{{2,4}}[A-Za-z]?"
    r"|(?<![0-9])[0-9]{1,3}(?P<mark>[/ ])[0-9]{1,2}(?P=mark)[0-9]{3,4}(?![0-9])"
    rf"|(?<![0-9A-Za-z.-])(?:[A-Za-z]?[0-9]{{1,3}}|[A-Za-z]){_DASH}(?=[0-9]{{3}}){_NUMBER}"
    rf"|(?:[A-Za-z]|{_N}+)\s*{_HOUSE}{_GAP}(?:(?:[A-Za-z]|{_N}+)\s*{_ENTRANCE}{_GAP})?{_NUMBER}"
    rf"|{_N}+\s*(?:{_ENTRANCE}|层|層|号(?={_N}{{3}})){_GAP}{_NUMBER}"
    rf"|{_N}{{3,}}\s*(?:室|户|房)(?!东|贷|租)"
)

_PATTERNS: tuple[tuple[re.Pattern[str], Hidden], ...] = (
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII), Hidden.EMAIL),
    (re.compile(r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])"), Hidden.IDENTITY),
    (
        re.compile(r"(?<![0-9])(?:\+?86[ -]?)?1[3-9][0-9](?:[ -]?[0-9]{4}){2}(?![0-9])"),
        Hidden.PHONE,
    ),
    (
        re.compile(r"(?<![0-9-])(?:0[0-9]{2,3}[ -]?[2-9][0-9]{3}[ -]?[0-9]{3,4}"
                   r"|[48]00[ -]?[0-9]{3,4}[ -]?[0-9]{3,4})(?![0-9])"),
        Hidden.PHONE,
    ),
    (re.compile(r"(?<![0-9])[0-9]{4}(?:[ -][0-9]{4}){2,4}(?:[ -]?[0-9]{1,3})?(?![0-9])"),
     Hidden.NUMBER),
    (
        re.compile("[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]"
                   "[A-Za-z][·. ]?(?=[A-Za-z]*[0-9])[0-9A-Za-z]{5,6}"),
        Hidden.PLATE,
    ),
    (re.compile(r"(?<![0-9A-Za-z_-])(?=[A-Za-z_-]*[0-9])(?=[0-9_-]*[A-Za-z])[0-9A-Za-z_-]{8,}"),
     Hidden.TOKEN),
    (re.compile("[0-9]{7,}|[零〇一二三四五六七八九幺两]{7,}"), Hidden.NUMBER),
    (re.compile(_ROOMS), Hidden.ROOM),
)  # fmt: skip

_NAMES = re.compile(
    rf"(?P<introduced>(?:{_INTRODUCED})\s*(?:是|为|叫)?\s*[:：]?\s*|绑定\s*【房号】\s*){_FULL_NAME}"
    rf"|{_SURNAME}[\u4e00-\u9fff]{{0,2}}?(?={_TITLE})"
    rf"|(?<=【房号】)\s*{_FULL_NAME}(?=[\s,，;；、]*【)"
    rf"|(?<![\u4e00-\u9fff]){_FULL_NAME}(?=[\s,，:：;；、]*(?:的?(?:电话|手机)?[:：]?)?【电话】)"
    rf"|(?<=【电话】)[\s,，;；、]*{_FULL_NAME}(?![\u4e00-\u9fff])"
)


def mask_sentence(text: str) -> str:
    """The sentence with everything personal replaced; masking twice changes nothing.

    >>> mask_sentence("我叫张伟，3-2-501，电话13800001234，10月水费多了20块")
    '我叫【姓名】，【房号】，电话【电话】，10月水费多了20块'
    """
    masked = text.translate(_HALF_WIDTH)
    for pattern, hidden in _PATTERNS:
        masked = pattern.sub(_standing_for(hidden), masked)
    return _NAMES.sub(lambda found: (found["introduced"] or "") + Hidden.NAME.label, masked)


def _standing_for(hidden: Hidden) -> Callable[[re.Match[str]], str]:
    return lambda _found: hidden.label
