"""Personal data at rest, found and shown."""

import pytest
from cryptography.fernet import Fernet, InvalidToken

from billing.privacy import Vault, mask_name, mask_phone, mask_room

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_a_new_key_in_front_still_opens_what_the_old_one_sealed() -> None:
    sealed = Vault([OLD], "h" * 32).seal("张秀英")
    rotated = Vault([NEW, OLD], "h" * 32)
    assert rotated.open(sealed) == "张秀英"
    with pytest.raises(InvalidToken):
        Vault([OLD], "h" * 32).open(rotated.seal("张秀英"))


def test_fingerprints_are_keyed_and_scoped() -> None:
    vault = Vault([OLD], "h" * 32)
    assert vault.fingerprint("phone", "1") == vault.fingerprint("phone", "1")
    assert vault.fingerprint("phone", "1") != vault.fingerprint("name", "1")
    assert vault.fingerprint("phone", "1") != Vault([OLD], "k" * 32).fingerprint("phone", "1")


@pytest.mark.parametrize(
    ("mask", "shown"),
    [
        (mask_name("张秀英"), "张**"),
        (mask_name("李四"), "李*"),
        (mask_name("李"), "*"),
        (mask_phone("13800001234"), "138****1234"),
        (mask_phone("12345"), "***45"),
        (mask_room("3-2-501"), "3-2-**1"),
        (mask_room("A-1203"), "A-***3"),
        (mask_room("8"), "8"),
    ],
)
def test_masks_show_enough_to_recognise_and_no_more(mask: str, shown: str) -> None:
    assert mask == shown
