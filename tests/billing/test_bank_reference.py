"""References of homes: what is mistyped names nobody, what is typed as people type is read."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.bank_reference import find_references, format_reference, reference_of

NUMBERS = st.integers(1, 99_999_999)


def test_a_reference_is_the_number_of_the_home_and_two_check_digits() -> None:
    # 50100 modulo 97 is 48, and 98 - 48 is 50: worked out by hand for ISO 7064 MOD 97-10.
    assert reference_of(501) == f"MZ000501{98 - 50100 % 97:02d}"
    assert int(reference_of(501)[2:]) % 97 == 1
    assert len(reference_of(1)) == len(reference_of(999_999)) == 10
    assert len(reference_of(1_000_000)) == 11


@given(NUMBERS)
def test_it_is_read_back_however_it_is_printed(number: int) -> None:
    for printed in (reference_of(number), reference_of(number).lower()):
        assert find_references(f"交{printed}物业费") == {number}
    # The first groups of a long one may be a reference too, of a shorter number: then staff decide.
    digits = reference_of(number).removeprefix("MZ")
    found = find_references(f"交{format_reference(number)}物业费")
    assert number in found
    assert all(digits.startswith(reference_of(one).removeprefix("MZ")) for one in found)


@given(NUMBERS, st.integers(0, 9), st.integers(1, 9))
def test_every_wrong_digit_is_noticed(number: int, place: int, more: int) -> None:
    digits = reference_of(number)[2:]
    at = place % len(digits)
    wrong = digits[:at] + str((int(digits[at]) + more) % 10) + digits[at + 1 :]
    assert find_references(f"MZ{wrong}") == frozenset()


@given(NUMBERS)
def test_every_pair_of_swapped_digits_is_noticed(number: int) -> None:
    digits = reference_of(number)[2:]
    for at in range(len(digits) - 1):
        if digits[at] != digits[at + 1]:
            swapped = digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]
            assert find_references(f"MZ{swapped}") == frozenset()


REF = reference_of(501)
DIGITS = REF[2:]


@pytest.mark.parametrize(
    "remark",
    [
        REF,
        REF.lower(),
        f"物业费{REF}张三",
        f"MZ {DIGITS[:4]} {DIGITS[4:]}",
        f"mz-{DIGITS[:4]}-{DIGITS[4:]} 11月",
        f"ＭＺ{DIGITS}",
        f"MZ：{DIGITS}",
        f"{REF} 2026-11-23",
        f"附言 {DIGITS}",
        f"{DIGITS[:4]} {DIGITS[4:]}",
        f"{DIGITS}物业费",
    ],
)
def test_it_is_found_in_what_people_write(remark: str) -> None:
    assert find_references(remark) == {501}


@pytest.mark.parametrize(
    "remark",
    [
        "",
        f"138{DIGITS}",
        f"{DIGITS}138",
        f"6222 {DIGITS[:4]} {DIGITS[4:]} 778",
        f"6222****{DIGITS}",
        f"流水HX{DIGITS}",
        f"{DIGITS}.00元",
        f"0571-{DIGITS}",
        f"SMZ{DIGITS}",
        f"MZ{DIGITS}7",
        "MZ00000001",
        "MZ",
    ],
)
def test_it_is_not_found_within_other_numbers(remark: str) -> None:
    assert find_references(remark) == frozenset()


def test_a_date_is_no_reference_even_when_its_check_digits_agree() -> None:
    days = (date(2026, 1, 1) + timedelta(days=number) for number in range(3650))
    day = next(text for text in (f"{day:%Y%m%d}" for day in days) if int(text) % 97 == 1)
    assert find_references(f"{day}物业费") == frozenset()
    assert find_references(f"MZ{day}") == {int(day[:6])}


def test_two_references_are_both_named() -> None:
    assert find_references(f"{reference_of(7)} {reference_of(8)}") == {7, 8}
