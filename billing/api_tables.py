"""Tables of other systems that ask us for data: what they prove themselves with, what they did."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from billing.db import Base, GlobalId


class ApiToken(Base):
    """What one outside system proves itself with. Only the hash of the token is kept."""

    __tablename__ = "api_token"
    __table_args__ = ({"comment": "Outside systems that may use the API; tokens hashed"},)

    id: Mapped[GlobalId]
    name: Mapped[str] = mapped_column(unique=True, comment="of the system, for people")
    token_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), comment="api_access.ApiScope")
    community_id: Mapped[int | None] = mapped_column(
        ForeignKey("community.id"), comment="null: every community"
    )
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None] = mapped_column(comment="to the minute")
    revoked_at: Mapped[datetime | None]


class ApiCall(Base):
    """One call of an outside system, refused ones too."""

    __tablename__ = "api_call"
    __table_args__ = (
        Index("ix_api_call_token", "token_id", "id"),
        {"comment": "What outside systems asked and did; append-only"},
    )

    id: Mapped[GlobalId]
    at: Mapped[datetime]
    token_id: Mapped[int] = mapped_column(ForeignKey("api_token.id"))
    community_id: Mapped[int | None] = mapped_column(ForeignKey("community.id"))
    method: Mapped[str]
    subject: Mapped[str] = mapped_column(comment="path and query, cut")
    status: Mapped[int] = mapped_column(comment="of HTTP, as answered")
    address: Mapped[str] = mapped_column(comment="of the network")
