"""What the portal and its API keep for themselves: tokens, links, tries, requests and what is told to other programs."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.schema.base import Base, table_args
from db.schema.people import Course, User
from db.schema.records import LongText
from db.types import Identifier, Key, UTCDateTime

__all__ = ["DeliveryRow", "ErasureRow", "LinkRow", "ReplyRow", "ThrottleRow", "TokenRow", "WebhookRow"]


class TokenRow(Base):
    """What a program signs in with, shown once; the row holds its SHA-256.

    It may do what its scopes say, within what its user may see, or within one course. `scopes`: separated by spaces.
    """

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    token_hash: Mapped[str] = mapped_column(Identifier(64), unique=True)
    scopes: Mapped[str] = mapped_column(Identifier(255))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    course_id: Mapped[int | None] = mapped_column(ForeignKey("courses.id"), index=True)
    made_by: Mapped[str] = mapped_column(String(254))
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    user: Mapped[User] = relationship()
    course: Mapped[Course | None] = relationship()


class LinkRow(Base):
    """A link that sets a password, once. The link holds a random token, this row its SHA-256."""

    __tablename__ = "password_links"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    token_hash: Mapped[str] = mapped_column(Identifier(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    user: Mapped[User] = relationship()


class ThrottleRow(Base):
    """How often something was tried since a moment. `bucket`: what, and by whom, as a SHA-256."""

    __tablename__ = "throttles"

    bucket: Mapped[str] = mapped_column(Identifier(64), primary_key=True)
    tries: Mapped[int] = mapped_column(Integer)
    since: Mapped[datetime] = mapped_column("counted_since", UTCDateTime, index=True)


class ErasureRow(Base):
    """A student's wish that their data be erased, and what became of it. `outcome`: None while it is open."""

    __tablename__ = "erasures"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    text: Mapped[str] = mapped_column("said", Text)
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    outcome: Mapped[str | None] = mapped_column(Identifier(16))
    answer: Mapped[str | None] = mapped_column(Text)
    settled_by: Mapped[str | None] = mapped_column(String(254))
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class WebhookRow(Base):
    """Another program that is told of events. `secret`: what its messages are signed with, encrypted.

    `events`: separated by spaces. `course_id`: of which course; None: of all that its user may see. `told_seq`: the last row
    of the audit chain whose events stand in `deliveries`.
    """

    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    url: Mapped[str] = mapped_column(String(500))
    secret: Mapped[str] = mapped_column(String(255))
    events: Mapped[str] = mapped_column(Identifier(255))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    course_id: Mapped[int | None] = mapped_column(ForeignKey("courses.id"), index=True)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    told_seq: Mapped[int] = mapped_column(Key, default=0, server_default=text("0"))

    user: Mapped[User] = relationship()
    course: Mapped[Course | None] = relationship()


class DeliveryRow(Base):
    """A message to a webhook, sent until it is taken or given up. `state`: `waiting`, `delivered` or `given_up`."""

    __tablename__ = "deliveries"
    __table_args__ = table_args(Index("ix_deliveries_state_next", "state", "next_at"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id"), index=True)
    uid: Mapped[str] = mapped_column(Identifier(36), unique=True)
    event: Mapped[str] = mapped_column(Identifier(40))
    body: Mapped[str] = mapped_column(LongText)
    state: Mapped[str] = mapped_column(Identifier(16))
    attempts: Mapped[int] = mapped_column(Integer)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    next_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    status_code: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None] = mapped_column(Text)


class ReplyRow(Base):
    """What a request with an idempotency key was answered, to answer its repetition alike.

    `key_hash`: SHA-256 of token and key; `request_sha256`: of what was asked. `status`: None while it is being answered.
    """

    __tablename__ = "replies"

    key_hash: Mapped[str] = mapped_column(Identifier(64), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(Identifier(64))
    status: Mapped[int | None] = mapped_column(Integer)
    body: Mapped[str | None] = mapped_column(LongText)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
