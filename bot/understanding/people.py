"""Who is spoken of where homes are bound: the writer himself, or a tenant or one of the family; the
name and telephone number by which he says who he is. Nothing is guessed.
"""

import re

from bot.understanding.normalize import clean

_TENANT = r"(?:租客|租户|房客|承租人?|租房的?人?|租房子的)"
_MEMBER = (
    r"(?:家庭成员|家人|家属|家里人|亲属|亲戚|老婆|老公|爱人|妻子|丈夫|媳妇|太太|对象|父母|爸爸?|妈妈?"
    r"|父亲|母亲|儿子|女儿|闺女|孩子|子女|小孩|兄弟|姐妹|哥哥?|姐姐?|弟弟|妹妹|老人|公公|婆婆|岳父"
    r"|岳母|爷爷|奶奶|外公|外婆)"
)
_OWNER = r"(?:其他业主|别的业主|另一个业主|业主)"
_ROLES = {"tenant": _TENANT, "member": _MEMBER, "owner": _OWNER}
_SELF = re.compile(
    rf"(?:我们?|本人|咱)(?:家)?(?:就|只|也)?(?:是|属于|作为)(?:这里|这套房|这家|房子|新来|新)?的?"
    rf"(?P<role>{_TENANT}|{_MEMBER}|{_OWNER})"
)
_WHICH = r"\s*(?P<which>[1-9]\d?)(?!\d)"

_HAN = "[\u4e00-\u9fff]"
_FULL = rf"(?P<name>{_HAN}{{1,6}}(?:·{_HAN}{{1,6}})+|{_HAN}{{2,4}})"
_PHONE = re.compile(r"(?<![\d-])1\d{2}[ -]?\d{4}[ -]?\d{4}(?!\d|-\d)")
_SAID_NAME = re.compile(
    r"(?:我叫|名叫|名字[叫是:]*|姓名[是:]?|户主[是:]?|业主[是:]|本人[是:]?|我是)\s*"
    rf"(?:业主|户主|{_TENANT})?{_FULL}"
)
_LONE_NAME = re.compile(rf"(?<!{_HAN})(?<!·){_FULL}(?!{_HAN}|·)")
_NO_NAME = re.compile(
    r"绑定?|帮|我|认证|添加|登记|房|小区|花园|家园|单元|号楼|栋|幢|座|室|层|电话|手机|号码?|联系|方式"
    r"|业主|租|家人|成员|家属|谢谢|你好|您好|麻烦|姓名|名字|请|的|是|了|物业|一下"
)
_BEFORE_PHONE = re.compile(
    rf"(?:业主|户主|{_TENANT})?{_FULL}[\s,:]*(?:的?(?:电话|手机号?码?|号码?|联系方式)[是:]*)?\s*$"
)
_OF_ROOM = re.compile(rf"(?:室|\d|住户|业主)的{_FULL}(?=[\s,。])")


def read_relation(text: str) -> dict[str, str]:
    """Who is to be bound or unbound: `as` what the writer calls himself, `guest` what he calls
    another, `which` the number behind it; empty when nobody is named.

    >>> read_relation("给租客绑定"), read_relation("我是租客，绑定3-2-501")
    ({'guest': 'tenant'}, {'as': 'tenant'})
    >>> read_relation("解绑 3-2-501 租户 2")
    {'guest': 'tenant', 'which': '2'}
    """
    plain = clean(text)
    own = _SELF.search(plain)
    if own:
        return {"as": _role(own["role"])}
    for role, words in _ROLES.items():
        found = re.search(words, plain)
        if found:
            which = re.compile(words + _WHICH).search(plain)
            return {"guest": role} | ({"which": which["which"]} if which else {})
    return {}


def read_person(text: str) -> tuple[str, str] | None:
    """The one name and the one mobile number in a sentence; None unless both are there.

    >>> read_person("绑定 3-2-501 张伟 13800001234")
    ('张伟', '13800001234')
    >>> read_person("我是3-2-501的张伟，电话138 0000 1234，帮我绑定")
    ('张伟', '13800001234')
    """
    plain = clean(text)
    phones = {re.sub(r"\D", "", match.group()) for match in _PHONE.finditer(plain)}
    if len(phones) != 1:
        return None
    name = _name(plain)
    return (name, phones.pop()) if name else None


def _name(plain: str) -> str | None:
    phone = _PHONE.search(plain)
    before = plain[: phone.start()] if phone else plain
    for found in (
        _SAID_NAME.search(plain),
        _OF_ROOM.search(plain),
        _BEFORE_PHONE.search(before),
        *_LONE_NAME.finditer(plain),
    ):
        if found and not _NO_NAME.search(found["name"]):
            return found["name"]
    return None


def _role(word: str) -> str:
    return next(role for role, words in _ROLES.items() if re.fullmatch(words, word))
