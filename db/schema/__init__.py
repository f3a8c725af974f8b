"""The tables of the ledger, as SQLAlchemy models."""

from db.schema.attendance import AttendanceRow, EditRow, IntervalRow, JudgementRow, ReviewRow
from db.schema.base import Base
from db.schema.costs import EngineCallRow, SpendingRow
from db.schema.people import Consent, Course, Enrolment, ExcuseRow, FaceRow, SignIn, Student, User
from db.schema.records import AuditHead, AuditRow, BlobRow, EvidenceRow
from db.schema.sessions import DueRow, LookRow, NamingRow, RecognisableRow, SessionRow, SightingRow

__all__ = [
    "AttendanceRow",
    "AuditHead",
    "AuditRow",
    "Base",
    "BlobRow",
    "Consent",
    "Course",
    "DueRow",
    "EditRow",
    "EngineCallRow",
    "Enrolment",
    "EvidenceRow",
    "ExcuseRow",
    "FaceRow",
    "IntervalRow",
    "JudgementRow",
    "LookRow",
    "NamingRow",
    "RecognisableRow",
    "ReviewRow",
    "SessionRow",
    "SightingRow",
    "SignIn",
    "SpendingRow",
    "Student",
    "User",
]
