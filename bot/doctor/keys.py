"""The keys of personal data: those of the settings are those of the books."""

from collections.abc import Iterator

from bot.doctor.findings import Finding, Patient, Status
from bot.vault_check import try_keys


def check_keys(patient: Patient) -> Iterator[Finding]:
    """The data keys open a name of the books, and the hash key finds somebody in them."""
    with patient.reading() as session:
        tried = try_keys(session, patient.program.services.vault)
    if tried.opens is False:
        yield Finding(
            "keys",
            Status.ERROR,
            "MINGZHANG_DATA_KEYS does not open the names in the books",
            "put the old keys back into it, after the new one and a comma",
        )
    if tried.finds is False:
        yield Finding(
            "keys",
            Status.ERROR,
            "MINGZHANG_HASH_KEY does not find people in the books by name and number",
            "put the old key back; it is never changed",
        )
