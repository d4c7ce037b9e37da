"""Tables of staff who sign in: what they prove themselves with, and where they are signed in."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from billing.db import Base, GlobalId


class StaffCredential(Base):
    """What a member of staff proves himself with; without a row he cannot sign in."""

    __tablename__ = "staff_credential"
    __table_args__ = (
        CheckConstraint("failures >= 0", name="failures"),
        {"comment": "Passwords (argon2) and second factors (TOTP, encrypted) of staff"},
    )

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    password_hash: Mapped[str]
    is_temporary: Mapped[bool] = mapped_column(comment="to be changed when he signs in")
    totp_sealed: Mapped[str | None] = mapped_column(comment="null: no second factor")
    totp_step: Mapped[int | None] = mapped_column(
        comment="the 30 seconds of the last code, which is good once"
    )
    failures: Mapped[int] = mapped_column(comment="wrong tries since the last right one")
    locked_until: Mapped[datetime | None]
    changed_at: Mapped[datetime]


class StaffSession(Base):
    """A browser a member of staff is signed in with. Only the hash of its token is kept."""

    __tablename__ = "staff_session"
    __table_args__ = (
        Index("ix_staff_session_staff", "staff_id", "seen_at"),
        {"comment": "Browsers staff are or were signed in with"},
    )

    id: Mapped[GlobalId]
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    token_hash: Mapped[str] = mapped_column(unique=True)
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(comment="to the minute")
    ended_at: Mapped[datetime | None]
    address: Mapped[str] = mapped_column(comment="of the network")
    browser: Mapped[str] = mapped_column(comment="as it called itself, cut")
