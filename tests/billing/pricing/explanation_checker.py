"""A calculator for explanations: reads the arithmetic as a person would, with exact fractions."""

import re
from fractions import Fraction

_UNIT = r"[^\d\s()×÷+−/=，.%]+(?:/[^\d\s()×÷+−/=，.%]+)?"
_TOKEN = re.compile(rf"\s*(?:(\d+(?:\.\d+)?)(%|(?:{_UNIT}))?|([()×÷+−/])(?:(?<=\)){_UNIT})?)")
_SENTENCE = re.compile(
    r"(?P<left>.+) = (?P<result>−?\d+\.\d\d)元"
    r"(?:，封顶(?P<cap>\d+\.\d{2,})元)?(?:，约定单价（标准(?P<listed>\d+\.\d{2,})元）)?"
)


class Checked:
    """What a sentence says: the exact left side, the rounded result and the cap, all in yuan."""

    def __init__(self, sentence: str) -> None:
        found = _SENTENCE.fullmatch(sentence)
        assert found, f"not of the form `… = N.NN元`: {sentence}"
        self.exact = evaluate(found["left"])
        self.result = Fraction(found["result"].replace("−", "-"))
        self.cap = None if found["cap"] is None else Fraction(found["cap"])
        self.listed = None if found["listed"] is None else Fraction(found["listed"])

    @property
    def charged(self) -> Fraction:
        """The result, or the cap where it is nearer to nothing; of a discount the cap is off."""
        if self.cap is None:
            return self.result
        return -self.cap if self.result < 0 else self.cap


def check_steps(sentence: str) -> Checked:
    """The last step of a sentence, after checking that every step is true and leads to the next."""
    before: Checked | None = None
    for step in sentence.split("；"):
        name, colon, arithmetic = step.rpartition("：")
        assert bool(name) == bool(colon) == ("；" in sentence), f"a step without a name: {sentence}"
        checked = Checked(arithmetic)
        assert rounded(checked.exact) == checked.result, sentence
        if checked.cap is not None:
            assert abs(checked.exact) > checked.cap, f"a cap that lowers nothing: {sentence}"
        if before is not None:
            start = re.match(r"\d+\.\d\d", arithmetic)
            assert start, sentence
            assert Fraction(start[0]) == before.charged, sentence
        before = checked
    assert before is not None
    return before


def rounded(yuan: Fraction) -> Fraction:
    """As a person rounds to fen: half goes away from zero."""
    half_up = (abs(yuan) * 100 + Fraction(1, 2)) // 1
    return Fraction(half_up if yuan >= 0 else -half_up, 100)


def evaluate(expression: str) -> Fraction:
    """The value of an expression; fails on anything that is not arithmetic with units."""
    tokens: list[str] = []
    at = 0
    while at < len(expression):
        found = _TOKEN.match(expression, at)
        assert found, f"cannot read {expression[at:]!r} of {expression!r}"
        tokens += ["(", found[1], "/", "100", ")"] if found[2] == "%" else [found[1] or found[3]]
        at = found.end()
    value, rest = _sum(tokens)
    assert rest == [], f"left over: {rest} of {expression!r}"
    return value


def _sum(tokens: list[str]) -> tuple[Fraction, list[str]]:
    value, tokens = _product(tokens)
    while tokens and tokens[0] in "+−":
        right, rest = _product(tokens[1:])
        value = value + right if tokens[0] == "+" else value - right
        tokens = rest
    return value, tokens


def _product(tokens: list[str]) -> tuple[Fraction, list[str]]:
    value, tokens = _factor(tokens)
    while tokens and tokens[0] in "×÷/":
        right, rest = _factor(tokens[1:])
        value = value * right if tokens[0] == "×" else value / right
        tokens = rest
    return value, tokens


def _factor(tokens: list[str]) -> tuple[Fraction, list[str]]:
    if tokens[0] == "−":
        value, rest = _factor(tokens[1:])
        return -value, rest
    if tokens[0] == "(":
        value, rest = _sum(tokens[1:])
        assert rest[0] == ")"
        return value, rest[1:]
    return Fraction(tokens[0]), tokens[1:]
