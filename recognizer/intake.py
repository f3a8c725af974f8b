"""Takes photographs into the engine and the database, one by one, each wholly or not at all."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db.audit import SYSTEM
from db.database import Database
from db.evidence import Archive
from db.people import (
    consented,
    find_student,
    forget_faces,
    indexed_faces,
    record_consent,
    record_faces,
)
from db.photos import add_photo, photos_of
from db.schema import FaceRow, PhotoRow, Student
from db.settings import Settings
from recognizer.engine import FaceEngine, IndexedFace
from recognizer.errors import PhotoError, RecognizerError
from recognizer.gate import Gate
from recognizer.photo import open_photo
from recognizer.picture import clean_jpeg
from recognizer.quality import measure

__all__ = ["Intake", "Owner", "sha256_of"]


@dataclass(frozen=True, slots=True)
class Owner:
    """A student who hands in photographs."""

    student_id: int
    student_no: str
    name: str
    email: str

    @classmethod
    def of(cls, student: Student) -> "Owner":
        return cls(student.id, student.student_no, student.name, student.email)


class Intake:
    """One batch of photographs for some students, on behalf of `actor`. For one thread.

    Made, it first removes what a batch cut short or a lost folder left over of these students: a face is enrolled when
    both the database and the engine know it. `archive`: where the photographs are kept.
    """

    def __init__(
        self,
        database: Database,
        engine: FaceEngine,
        settings: Settings,
        owners: Iterable[Owner],
        archive: Archive,
        actor: str = SYSTEM,
    ) -> None:
        self._database = database
        self._archive = archive
        self._engine = engine
        self._settings = settings
        self._actor = actor
        self._gate = Gate(database, engine, settings)
        self._held: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
        """By student number and photograph's SHA-256: the collection of each face id."""
        self._pictured: set[str] = set()
        """Face ids whose photograph is kept."""
        self.indexed: list[str] = []
        """Face ids that were added."""
        self._tidy({owner.student_no: owner for owner in owners})

    def holds(self, owner: Owner, sha256: str) -> bool:
        """Is the photograph enrolled for the student, in every collection that the engine answers from?"""
        return self._engine.collections <= set(self._held[owner.student_no][sha256].values())

    def take(
        self,
        owner: Owner,
        content: bytes,
        name: str,
        consent: str = "",
        lookalikes: Collection[str] = (),
        confirmed: bool = False,
    ) -> tuple[str, ...]:
        """Enrol a photograph, if it is good enough and the owner's; returns its face ids.

        `consent`: recorded with it; empty: one is on record. `lookalikes`, `confirmed`: see `Gate.check_identity`.
        A photograph that one of several collections lacks is completed: indexed anew, and the older faces removed.

        Raises PhotoError where it is not taken, and the stores' and the engine's errors; nothing is left of it then.
        """
        sha256 = sha256_of(content)
        photos = self._held[owner.student_no]
        before = dict(photos[sha256])
        others = sum(1 for key, faces in photos.items() if faces and key != sha256)
        if others >= self._settings.max_faces_per_student:
            raise PhotoError(
                f"{name}: {owner.student_no} {owner.name} has {others} photographs, and at most "
                f"{self._settings.max_faces_per_student} are kept; raise max_faces_per_student, or run 'gridroll faces "
                f"remove {owner.student_no}' and add the best ones again",
                "You have as many photographs as are kept: ask staff to remove the old ones first.",
                "full",
            )
        photo = open_photo(content, name, self._settings.max_photo_pixels)
        self._gate.check_quality(photo, name)
        if not before:
            own = {face_id: engine for faces in photos.values() for face_id, engine in faces.items()}
            self._gate.check_identity(photo, name, owner.student_no, owner.name, own, lookalikes, confirmed)
        quality = measure(photo.face).score
        kept = self._archive.keep_photo(clean_jpeg(content, name, self._settings.max_photo_pixels))
        faces = self._engine.index(photo.face, owner.student_no)
        fresh = {face.face_id: face.engine for face in faces}
        try:
            with self._database.writing() as session:
                student = find_student(session, owner.student_no)
                if consent:
                    record_consent(session, student, consent, self._actor)
                elif not consented(session, [student.id]):
                    raise RecognizerError(
                        f"{student.name} ({student.student_no}) withdrew their consent meanwhile; ask them first"
                    )
                old = _showing(session, student.id, before.keys())
                # An engine may answer with the face it has already, where the photograph is the same.
                forget_faces(session, before.keys(), self._actor, "the same photograph is indexed anew")
                record_faces(
                    session, [_row(face, student, name, sha256, quality) for face in faces], self._actor
                )
                add_photo(session, student.id, faces[0].face_id, kept, self._actor, old)
        except BaseException:
            self._engine.remove(fresh.keys() - before.keys())
            raise
        photos[sha256] = fresh
        self._pictured |= fresh.keys()
        self.indexed += fresh
        if replaced := before.keys() - fresh.keys():
            self._engine.remove(replaced)
        return tuple(fresh)

    def keep(self, owner: Owner, content: bytes, name: str) -> None:
        """Keep an enrolled photograph itself too, where it was enrolled before photographs were kept."""
        shown = self._held[owner.student_no][sha256_of(content)].keys()
        if not shown or shown & self._pictured:
            return
        kept = self._archive.keep_photo(clean_jpeg(content, name, self._settings.max_photo_pixels))
        with self._database.writing() as session:
            add_photo(session, owner.student_id, min(shown), kept, self._actor)
        self._pictured |= shown

    def _tidy(self, owners: dict[str, Owner]) -> None:
        known = {face.face_id for face in self._engine.faces() if face.external_id in owners}
        with self._database.writing() as session:
            rows = [
                row
                for row in indexed_faces(session, [owner.student_id for owner in owners.values()])
                if row.engine in self._engine.collections
            ]
            for row in rows:
                if row.face_id in known:
                    self._held[row.student.student_no][row.photo_sha256][row.face_id] = row.engine
            photos = photos_of(session, [owner.student_id for owner in owners.values()])
            self._pictured = {
                photo.face_id for own in photos.values() for photo in own if photo.face_id is not None
            }
            if left_over := known - {row.face_id for row in rows}:
                self._engine.remove(left_over)
            lost = [row.face_id for row in rows if row.face_id not in known]
            forget_faces(session, lost, self._actor, "the engine does not have it")


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _showing(session: Session, student_id: int, face_ids: Collection[str]) -> list[PhotoRow]:
    return [
        photo for photo in photos_of(session, [student_id]).get(student_id, ()) if photo.face_id in face_ids
    ]


def _row(face: IndexedFace, student: Student, name: str, sha256: str, quality: float) -> FaceRow:
    return FaceRow(
        face_id=face.face_id,
        student_id=student.id,
        engine=face.engine,
        model=face.model,
        photo=name[-255:],
        photo_sha256=sha256,
        quality=quality,
        indexed_at=datetime.now(UTC),
    )
