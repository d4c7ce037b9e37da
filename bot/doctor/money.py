"""Merchant accounts: those in the books have keys, and certificates that last."""

from collections.abc import Iterator
from datetime import timedelta

from cryptography.x509 import load_pem_x509_certificate
from sqlalchemy import select

from billing.merchants import MerchantAccount
from bot.doctor.findings import Finding, Patient, Status

ENDING = timedelta(days=30)


def check_merchants(patient: Patient) -> Iterator[Finding]:
    """Every merchant account of the books has keys in the settings, and the other way round."""
    with patient.reading() as session:
        known = {one.code: one for one in session.scalars(select(MerchantAccount))}
    have_keys = {**patient.settings.merchants, **patient.settings.alipay_merchants}
    for code in sorted(known.keys() - have_keys.keys()):
        setting = "WECHAT_PAY_MERCHANTS or ALIPAY_MERCHANTS"
        what = f"merchant account {code} has no keys: nothing can be paid through it"
        yield Finding("merchants", Status.ERROR, what, f"add {code} to {setting}")
    for code in sorted(have_keys.keys() - known.keys()):
        what = f"the settings have keys of {code}, which collects for no community"
        yield Finding("merchants", Status.WARNING, what, "take it out, or check its spelling")


def check_certificates(patient: Patient) -> Iterator[Finding]:
    """Platform certificates of WeChat Pay; keys, and Alipay's, do not end."""
    for code, keys in patient.settings.merchants.items():
        for pem in keys.platform_certificates:
            ends = load_pem_x509_certificate(pem.encode()).not_valid_after_utc
            if ends <= patient.now:  # others are left: without any the program does not start
                what = f"{code}: a platform certificate ended on {ends:%Y-%m-%d}; it is left out"
                cure = "take it out of platform_certificates"
                yield Finding("certificates", Status.WARNING, what, cure)
            elif ends < patient.now + ENDING:
                what = f"{code}: a platform certificate ends on {ends:%Y-%m-%d}"
                cure = "add the next one to platform_certificates, or change to public_key"
                yield Finding("certificates", Status.WARNING, what, cure)
