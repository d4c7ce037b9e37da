"""A calculator for explanations: reads the arithmetic as a person would, with exact fractions."""

import re
from fractions import Fraction

_UNIT = r"[^\d\s()×÷+−/=，.]+(?:/[^\d\s()×÷+−/=，.]+)?"
_TOKEN = re.compile(rf"\s*(?:(\d+(?:\.\d+)?)(?:{_UNIT})?|([()×÷+−/])(?:(?<=\)){_UNIT})?)")
_SENTENCE = re.compile(r"(?P<left>.+) = (?P<result>\d+\.\d\d)元(?:，封顶(?P<cap>\d+\.\d{2,})元)?")


class Checked:
    """What a sentence says: the exact left side, the rounded result and the cap, all in yuan."""

    def __init__(self, sentence: str) -> None:
        found = _SENTENCE.fullmatch(sentence)
        assert found, f"not of the form `… = N.NN元`: {sentence}"
        self.exact = evaluate(found["left"])
        self.result = Fraction(found["result"])
        self.cap = None if found["cap"] is None else Fraction(found["cap"])


def evaluate(expression: str) -> Fraction:
    """The value of an expression; fails on anything that is not arithmetic with units."""
    tokens: list[str] = []
    at = 0
    while at < len(expression):
        found = _TOKEN.match(expression, at)
        assert found, f"cannot read {expression[at:]!r} of {expression!r}"
        tokens.append(found[1] or found[2])
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
    if tokens[0] == "(":
        value, rest = _sum(tokens[1:])
        assert rest[0] == ")"
        return value, rest[1:]
    return Fraction(tokens[0]), tokens[1:]
