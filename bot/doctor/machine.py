"""Secrets and the disk."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from bot.doctor.findings import Finding, Patient, Status

DISTINCT_MIN = 10
"""A secret with fewer different characters was typed, not drawn."""

TOKEN_CHARACTERS_MIN = 16
WELL_KNOWN = re.compile(r"changeme|secret|password|example|default|12345|qwerty", re.IGNORECASE)
NEW_SECRET = "put a drawn one there: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"  # noqa: S105

GIB = 2**30
FREE_WARNING, FREE_ERROR = 2 * GIB, GIB // 4


def check_secrets(patient: Patient) -> Iterator[Finding]:
    """Secrets that are short, typed by hand, well known or the same; an address without TLS."""
    settings = patient.settings
    drawn = {
        "MINGZHANG_SECRET_KEY": settings.secret_key,
        "MINGZHANG_HASH_KEY": settings.hash_key,
        "WECHAT_AES_KEY": settings.wechat_aes_key,
    }
    for name, value in drawn.items():
        if len(set(value)) < DISTINCT_MIN or WELL_KNOWN.search(value):
            yield Finding("secrets", Status.ERROR, f"{name} can be guessed", NEW_SECRET)
    token = settings.wechat_token
    if len(token) < TOKEN_CHARACTERS_MIN or WELL_KNOWN.search(token):
        yield Finding(
            "secrets",
            Status.WARNING,
            "WECHAT_TOKEN is short or well known: whoever guesses it can write in owners' names",
            "choose 32 letters and digits, in WECHAT_TOKEN and in WeChat's console together",
        )
    if settings.secret_key == settings.hash_key:
        yield Finding(
            "secrets",
            Status.ERROR,
            "MINGZHANG_SECRET_KEY and MINGZHANG_HASH_KEY are the same",
            "change MINGZHANG_SECRET_KEY; the other is what personal data is found by",
        )
    if not settings.base_url.startswith("https://"):
        yield Finding(
            "secrets",
            Status.WARNING,
            "MINGZHANG_BASE_URL is http: bills and sessions can be read on their way",
            "put a proxy with a certificate in front, and https:// into MINGZHANG_BASE_URL",
        )


def check_disk(patient: Patient) -> Iterator[Finding]:
    """Room under MINGZHANG_VAR."""
    folder = patient.settings.var
    while not folder.exists() and folder != Path(folder.anchor):
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < FREE_WARNING:
        yield Finding(
            "disk",
            Status.ERROR if free < FREE_ERROR else Status.WARNING,
            f"{free // 2**20} MiB are left under {folder}",
            "delete what is not needed, or move MINGZHANG_VAR to a larger disk",
        )
