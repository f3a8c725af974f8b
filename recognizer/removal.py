"""Letting go of a student's face, and of the student, everywhere at once.

What is said of the ledger comes before and after what is done in the other stores, so that a removal that was cut short
can be repeated until nothing is left.
"""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial

from sqlalchemy.orm import Session

from db.audit import note
from db.consents import withdraw_consents
from db.database import Database
from db.due import due_of_student
from db.errors import EvidenceError, NotFoundError
from db.evidence import Archive
from db.face_cache import FaceCache
from db.judgements import forget_templates
from db.ledger import catch_up
from db.people import find_student, forget_faces, indexed_faces
from db.removal import anonymise, forget_photographs
from recognizer.engine import FaceEngine

__all__ = ["Erased", "Stock", "erase_face", "record_withdrawal", "remove_student", "withdraw_consent"]


@dataclass(frozen=True, slots=True)
class Stock:
    """Where faces are: a removal that left one of them out would be none."""

    database: Database
    cache: FaceCache
    engine: FaceEngine
    archive: Archive


@dataclass(frozen=True, slots=True)
class Erased:
    """How much there was: faces in the engine, kept photographs, crops, and faces that staff's verdicts were known by."""

    faces: int = 0
    photographs: int = 0
    crops: int = 0
    judged_faces: int = 0


def erase_face(stock: Stock, student_no: str, actor: str) -> Erased:
    """Remove a student's face from the engine, the cache, the database, the photographs and the evidence.

    Raises NotFoundError, and the stores' and the engine's errors; repeat it where it does.
    """
    with stock.database.reading() as session:
        student = find_student(session, student_no)
        face_ids = {face.face_id for face in indexed_faces(session, [student.id])}
    # Also those that an import cut short left without a row.
    face_ids |= {face.face_id for face in stock.engine.faces() if face.external_id == student_no}
    # The rows go after what they stand for: as long as one is left, a removal that was cut short can be repeated.
    stock.engine.remove(face_ids)
    stock.cache.forget(student.id)
    crops = 0
    with suppress(EvidenceError):  # a crop that stays keeps nothing else from going; it is told below
        crops = stock.archive.erase_student(student.id, actor)
    erased = stock.database.transact(
        partial(_forget, student_id=student.id, removed=face_ids, actor=actor, crops=crops)
    )
    # Once more, for looks that were under way: those stored from now on find no face and keep nothing.
    later = stock.archive.erase_student(student.id, actor)
    stock.cache.forget(student.id)
    return Erased(erased.faces, erased.photographs, erased.crops + later, erased.judged_faces)


def withdraw_consent(stock: Stock, student_no: str, actor: str, reason: str = "") -> Erased:
    """Take back a student's agreement and erase their face. Their attendance stays, and is for staff to enter from now on.

    Raises as `erase_face`; the agreement is withdrawn all the same then.
    """
    record_withdrawal(stock.database, student_no, actor, reason)
    return erase_face(stock, student_no, actor)


def record_withdrawal(database: Database, student_no: str, actor: str, reason: str = "") -> None:
    """The first half of `withdraw_consent`, which needs the ledger only. Raises NotFoundError."""

    def withdraw(session: Session) -> None:
        withdraw_consents(session, find_student(session, student_no).id, actor, reason)

    database.transact(withdraw)


def remove_student(stock: Stock, student_no: str, actor: str, reason: str = "") -> dict[str, int]:
    """Remove a student: face, photographs, crops, consents, account, name, number and address. Their entries stay, nameless.

    Returns how much of each there was, by word. `reason`: kept in the audit chain for ever, so it names nobody. Raises
    NotFoundError for one who is none, and as `erase_face`; repeat it then.
    """

    def begin(session: Session) -> tuple[int, int]:
        student = find_student(session, student_no)
        if student.removed_at is not None:
            raise NotFoundError(f"{student_no} was removed before; nothing is left to remove")
        return student.id, withdraw_consents(session, student.id, actor, reason)

    with stock.database.reading() as session:
        due = due_of_student(session, find_student(session, student_no).id)
    # Who sits in a look has an entry by now, by which the ledger knows them when they are on no roster.
    for session_id in due:
        catch_up(stock.database, session_id)
    student_id, consents = stock.database.transact(begin)
    erased = {**asdict(erase_face(stock, student_no, actor)), "consents": consents}
    return stock.database.transact(
        lambda session: anonymise(session, student_id, erased, actor, reason), idempotent=False
    )


def _forget(session: Session, student_id: int, removed: Collection[str], actor: str, crops: int) -> Erased:
    templates = forget_templates(session, student_id)
    held = [face.face_id for face in indexed_faces(session, [student_id])]
    # Before the faces, which the photographs refer to.
    photographs = forget_photographs(session, student_id)
    forget_faces(session, held, actor)
    erased = Erased(len({*removed, *held}), photographs, crops, templates)
    if removed or held or templates or photographs:
        before = {name: count for name, count in asdict(erased).items() if name != "crops"}
        note(session, actor, "biometrics.erased", f"student:{student_id}", before, dict.fromkeys(before, 0))
    return erased
