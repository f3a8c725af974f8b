"""The tables of the ledger, as SQLAlchemy models."""

from db.schema.attendance import AttendanceRow, DisputeRow, EditRow, IntervalRow, JudgementRow, ReviewRow
from db.schema.base import Base
from db.schema.costs import EngineCallRow, SpendingRow
from db.schema.desk import (
    DeliveryRow,
    ErasureRow,
    LinkRow,
    ReplyRow,
    ThrottleRow,
    TokenRow,
    WebhookRow,
)
from db.schema.people import (
    Consent,
    Course,
    CourseStaff,
    Enrolment,
    ExcuseRow,
    FaceRow,
    PhotoRow,
    SignIn,
    SlotRow,
    Student,
    User,
)
from db.schema.records import AuditHead, AuditRow, BlobRow, EvidenceRow
from db.schema.sessions import (
    DueRow,
    LookRow,
    NamingRow,
    PlannedRow,
    RecognisableRow,
    SessionRow,
    SightingRow,
)

__all__ = [
    "AttendanceRow",
    "AuditHead",
    "AuditRow",
    "Base",
    "BlobRow",
    "Consent",
    "Course",
    "CourseStaff",
    "DeliveryRow",
    "DisputeRow",
    "DueRow",
    "EditRow",
    "EngineCallRow",
    "Enrolment",
    "ErasureRow",
    "EvidenceRow",
    "ExcuseRow",
    "FaceRow",
    "IntervalRow",
    "JudgementRow",
    "LinkRow",
    "LookRow",
    "NamingRow",
    "PhotoRow",
    "PlannedRow",
    "RecognisableRow",
    "ReplyRow",
    "ReviewRow",
    "SessionRow",
    "SightingRow",
    "SignIn",
    "SlotRow",
    "SpendingRow",
    "Student",
    "ThrottleRow",
    "TokenRow",
    "User",
    "WebhookRow",
]
