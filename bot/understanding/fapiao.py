"""What a sentence says about a fapiao: title, tax number, e-mail, whose it is, or how far it is."""

import re
import unicodedata

_TITLE = re.compile(
    r"(?:发票抬头|抬头|单位名称|公司名称|名称)\s*(?:是|为|写|开)?\s*:?\s*"
    r"(?P<title>[^\s,;。]+?)(?=税号|纳税人|统一社会|信用代码|邮箱|[\s,;。]|$)"
)
_TAX = re.compile(
    r"(?:税号|纳税人识别号|统一社会信用代码|信用代码)\s*(?:是|为)?\s*:?\s*"
    r"(?P<tax>[0-9A-Za-z][0-9A-Za-z -]*)"
)
_BARE_TAX = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{18}(?![0-9A-Za-z])")
_EMAIL = re.compile(r"[0-9A-Za-z._%+-]+@[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+")
_PERSONAL = re.compile(r"(?:开|要|开具)?(?:个人|私人)(?:的|发票|抬头)*")
_COMPANY = re.compile(r"(?:开|要|开具)?(?:公司|单位|企业|对公)(?:的|发票|抬头)*")
_COMPANY_NAME = re.compile(
    r"(?:公司|集团|厂|店|行|院|校|学|社|部|所|会|局|处|馆|站|园|中心|企业|工作室|事务所)$"
)
_STATE = re.compile(
    r"(?:开好|开了|开出|好了|出来|到了|下来|办好)了?(?:没|吗|么|嘛)|了没|进度|记录|下载"
    r"|什么时候|啥时候|多久|还没|(?:在哪|哪里|哪儿)|我的发票|查.{0,6}发票"
)
_ALL = re.compile(r"(?:开)?(?:全部|所有|都)(?:的|开|都开|一起)*")
_CHOICE = re.compile(r"第?([1-9][0-9]?)(?:笔|个)?")
_EDGES = re.compile(r"^\W+|\W+$")


def read_fapiao(text: str) -> dict[str, str]:
    """What is said, by name; nothing is guessed.

    `title`, `tax_number`, `email` as typed; `kind` personal or company; `choice` a number of a
    list, or `all`; `asks` when the sentence asks how far a fapiao is.

    >>> read_fapiao("开发票 抬头杭州某某公司 税号91110108551385082Q")["title"]
    '杭州某某公司'
    >>> read_fapiao("发票开了吗"), read_fapiao("个人"), read_fapiao("2")
    ({'asks': 'state'}, {'kind': 'personal'}, {'choice': '2'})
    """
    plain = unicodedata.normalize("NFKC", text)
    found: dict[str, str] = {}
    email = _EMAIL.search(plain)
    if email:
        found["email"] = email[0]
        plain = plain.replace(email[0], " ")
    title, tax = _TITLE.search(plain), _TAX.search(plain)
    if title:
        found["title"] = title["title"]
    bare = _BARE_TAX.search(plain)
    if tax or bare:
        found["tax_number"] = tax["tax"].strip() if tax else bare[0] if bare else ""
    word = _EDGES.sub("", plain)
    kind = _read_kind(word, found)
    if kind:
        found["kind"] = kind
    choice = _CHOICE.fullmatch(word)
    if choice or _ALL.fullmatch(word):
        found["choice"] = choice[1] if choice else "all"
    if not found and _STATE.search(plain):
        found["asks"] = "state"
    return found


def _read_kind(word: str, found: dict[str, str]) -> str | None:
    if _PERSONAL.fullmatch(word) or found.get("title") in {"个人", "本人"}:
        return "personal"
    named = _COMPANY_NAME.search(found.get("title", ""))
    return "company" if _COMPANY.fullmatch(word) or named or "tax_number" in found else None
