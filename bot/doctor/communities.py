"""Communities that cannot bill or be paid, and staff nobody can tell."""

from collections.abc import Iterator

from sqlalchemy import text

from bot.doctor.findings import Finding, Patient, Status

COMMUNITIES = text(
    """
    SELECT code,
        EXISTS (SELECT FROM staff WHERE coalesce(staff.community_id, community.id) = community.id
                  AND role = 'manager' AND left_at IS NULL) AS has_manager,
        EXISTS (SELECT FROM tariff WHERE tariff.community_id = community.id
                  AND effective_from <= :today) AS has_tariff,
        EXISTS (SELECT FROM bank_account account WHERE account.community_id = community.id
                  AND ended_at IS NULL) AS has_account,
        EXISTS (SELECT FROM community_merchant merchant
                WHERE merchant.community_id = community.id) AS has_merchant,
        EXISTS (SELECT FROM unit WHERE unit.community_id = community.id) AS has_homes,
        due_month_offset * 31 + due_day - billing_day AS days_to_pay
    FROM community ORDER BY code
    """
)
"""A due day before the billing day of its month means the next month's."""

DAYS_TO_PAY_MIN = 7

LACKS = (
    ("has_homes", Status.ERROR, "no homes", "`mingzhang import run FILE --community {code}`"),
    ("has_manager", Status.ERROR, "no manager among its staff", "import one with its lists"),
    ("has_tariff", Status.ERROR, "no tariff in force", "`mingzhang tariff add`"),
    ("has_merchant", Status.WARNING, "no merchant account", "import one with its lists"),
    (
        "has_account",
        Status.WARNING,
        "no bank account to transfer to",
        "`mingzhang bank-account add`",
    ),
)

UNBOUND = text(
    """
    SELECT coalesce(community.code, '') AS code, string_agg(login, ', ' ORDER BY login) AS logins
    FROM staff LEFT JOIN community ON community.id = staff.community_id
    WHERE follower_id IS NULL AND left_at IS NULL
    GROUP BY community.code ORDER BY community.code
    """
)


def check_communities(patient: Patient) -> Iterator[Finding]:
    """What a community needs before its first bill."""
    with patient.reading() as session:
        rows = session.execute(COMMUNITIES, {"today": patient.program.services.today()}).all()
    if not rows:
        cure = "`mingzhang import template FILE`, fill it in, `mingzhang import run`"
        yield Finding("communities", Status.ERROR, "there is no community", cure)
    for row in rows:
        for name, status, what, cure in LACKS:
            if not getattr(row, name):
                yield Finding(
                    "communities", status, f"{row.code} has {what}", cure.format(code=row.code)
                )
        if 0 <= row.days_to_pay < DAYS_TO_PAY_MIN:
            what = f"{row.code}: bills fall due {row.days_to_pay} days after they are issued"
            yield Finding("communities", Status.WARNING, what, "set a later due day")


def check_staff(patient: Patient) -> Iterator[Finding]:
    """Staff who bound no WeChat: alerts do not reach them."""
    with patient.reading() as session:
        rows = session.execute(UNBOUND).all()
    for row in rows:
        where = f" of {row.code}" if row.code else ""
        yield Finding(
            "staff",
            Status.WARNING,
            f"staff{where} without WeChat: {row.logins}",
            "have each send his binding code to the account",
        )
