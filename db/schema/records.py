"""What proves the ledger: the chain of changes, and the crops behind the names."""

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from db.schema.base import Base, table_args
from db.types import Identifier, Key, UTCDateTime

__all__ = ["AuditHead", "AuditRow", "BlobRow", "EvidenceRow", "LongText"]

LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
"""16 MB: MySQL's TEXT holds 64 KB."""


class AuditRow(Base):
    """One change, chained to the one before it. `seq` counts from 1 without gaps. See `db.audit`.

    `detail`: JSON of what was there before and after, and why. `detail_sha256`, `prev` and `hash`: 64 hex digits.
    """

    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column("made_at", UTCDateTime, index=True)
    actor: Mapped[str] = mapped_column(String(254))
    action: Mapped[str] = mapped_column(Identifier(40))
    subject: Mapped[str] = mapped_column(Identifier(120), index=True)
    detail: Mapped[str] = mapped_column(LongText)
    detail_sha256: Mapped[str] = mapped_column(Identifier(64))
    prev: Mapped[str] = mapped_column("prev_hash", Identifier(64))
    hash: Mapped[str] = mapped_column("row_hash", Identifier(64), unique=True)


class AuditHead(Base):
    """The end of the chain, in the only row (id 1): whoever appends holds it, so that no two rows follow the same one."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(Key)
    hash: Mapped[str] = mapped_column("row_hash", Identifier(64))


class EvidenceRow(Base):
    """A crop kept as evidence of what was seen under a track at a look. `digest`: names it in the evidence store."""

    __tablename__ = "evidence"
    __table_args__ = table_args(UniqueConstraint("look_id", "track"))

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"), index=True)
    look_id: Mapped[int] = mapped_column(ForeignKey("looks.id"))
    track: Mapped[str] = mapped_column(Identifier(48))
    digest: Mapped[str] = mapped_column(ForeignKey("evidence_blobs.digest"), index=True)
    bytes: Mapped[int] = mapped_column(Integer)
    keep_until: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class BlobRow(Base):
    """An encrypted crop in the evidence store, or one about to be written there. `digest`: its name. See `db.evidence`.

    `key_id`: under which key it is encrypted and named; empty where that is not known. `claimed_at`: when somebody last
    was about to write it; None: condemned, nobody needs it and it is to be deleted.
    """

    __tablename__ = "evidence_blobs"

    digest: Mapped[str] = mapped_column(Identifier(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(Identifier(16), index=True)
    claimed_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)
