"""One plain spelling for whatever people type, dictate or paste.

NFKC, traditional to simplified, lower case, no emoji, control or invisible characters; then one
standard word for each dialect, Taiwan, Hong Kong, chat and typo variant (`lexicon/canonical.txt`).
"""

import re
import unicodedata
from functools import cache, lru_cache

from opencc import OpenCC

from bot.understanding.lexicon import Replacer, load_table

KEPT_HEAD = 160
KEPT_TAIL = 160
"""Longer messages keep their beginning and their end: the wish is at either."""

_YUE = re.compile(r"(?<=\d) ?yue(?:fen)?(?![a-z])")
_SPACE = re.compile(r"[ _]+")
_LONE = re.compile(r"(?<![^ ])([\u4e00-\u9fff]) (?=[\u4e00-\u9fff](?: |$))")
_STUTTER = re.compile(r"([\u4e00-\u9fff])(?<![零〇一二三四五六七八九])\1{2,}")
_DOUBLED = re.compile(r"([我你这那帮就先想要给])\1+")
_PARTICLE = re.compile("[嗯呃啊呀哦噢喔唉哎诶欸哟噻嘞嘅㗎喇囉啰啦喽咯嘛呗]+")
_REPEATED = re.compile(r"([,。!?.~、…])[,。!?.~、…]+")
_DIGIT_FILLER = re.compile("额(?=[一二三四五六七八九十0-9])")


def clean(text: str) -> str:
    """`text` without form: NFKC, simplified, lower case, single spaces, nothing invisible."""
    if len(text) > KEPT_HEAD + KEPT_TAIL:
        text = f"{text[:KEPT_HEAD]} {text[-KEPT_TAIL:]}"
    text = "".join(map(_plain, unicodedata.normalize("NFKC", text.replace("○", "〇"))))
    text = _to_simplified().convert(text).lower()
    text = _SPACE.sub(" ", text).strip()
    return _LONE.sub(r"\1", _YUE.sub("月", text))


def standardize(text: str) -> str:
    """Cleaned text in standard words: dialect and chat variants, fillers and stutter removed."""
    text = _variants().replace(_STUTTER.sub(r"\1", text))
    text = _DOUBLED.sub(r"\1", _PARTICLE.sub("", _DIGIT_FILLER.sub("", text)))
    return _REPEATED.sub(r"\1", text).strip(" ,。.~、…")


@lru_cache(maxsize=8192)
def _plain(ch: str) -> str:
    """What stays of one character: itself, a space, or nothing."""
    category = unicodedata.category(ch)
    if category in ("Cf", "Mn", "Me"):
        return ""
    if category[0] in "CZ" or category in ("So", "Sk"):
        return " "
    return "-" if category == "Pd" else ch


@cache
def _to_simplified() -> OpenCC:
    return OpenCC("t2s")


@cache
def _variants() -> Replacer:
    """Variant -> standard word; standard words stay, whatever shorter variants they contain."""
    table = load_table("canonical.txt")
    kept = {word: word for word in table.values() if word not in table}
    return Replacer({**table, **kept, **{w: "" for w, head in table.items() if head == "_"}})
