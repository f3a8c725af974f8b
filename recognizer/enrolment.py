"""Putting students' faces into the engine, each with a consent on record, and taking them out again."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from db.database import Database
from db.face_cache import FaceCache
from db.people import (
    RosterLine,
    cached_faces,
    consented,
    enrol,
    find_student,
    forget_faces,
    indexed_faces,
    make_course,
    read_roster,
    record_consent,
)
from db.schema import FaceRow, Student
from db.settings import Settings
from recognizer.engine import FaceEngine
from recognizer.errors import PhotoError, RecognizerError
from recognizer.photo import Photo, read_photo

__all__ = ["Enrolment", "Imported"]


@dataclass(frozen=True, slots=True)
class Imported:
    """What a roster import did. `without_consent`: student numbers with a photo whose face was not indexed."""

    students: int
    indexed: int
    kept: int
    without_consent: tuple[str, ...]
    without_photo: tuple[str, ...]


class Enrolment:
    """Adds and removes faces in the engine, the database and the cache together."""

    def __init__(self, database: Database, cache: FaceCache, engine: FaceEngine, settings: Settings) -> None:
        self._database = database
        self._cache = cache
        self._engine = engine
        self._settings = settings

    def import_roster(
        self,
        course_code: str,
        roster: Path,
        photos: Path | None,
        consent: str,
        time_zone: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Imported:
        """Put a roster file's students on a course, and index the faces of those who agreed.

        `photos`: folder the photo column is relative to; None: the roster's own. `consent`: the note under which all
        agreed; the file's consent column, where filled, outranks it. `progress` is told photos read and all photos.
        Raises RosterError or PhotoError before anything is written; what fails later is undone.
        """
        lines = read_roster(roster)
        folder = photos or roster.parent
        with_photo = [line for line in lines if line.photo and (line.consent or consent)]
        opened: dict[str, Photo] = {}
        for done, line in enumerate(with_photo, 1):
            opened[line.student_no] = self._open(folder / line.photo)
            if progress is not None:
                progress(done, len(with_photo))
        _refuse_shared(opened)
        faces: dict[str, str] = {}
        try:
            for number, photo in self._new(opened).items():
                faces[number] = self._engine.index(photo.face, number).face_id
            with self._database.writing() as session:
                course = make_course(session, course_code, time_zone)
                for line, student in zip(lines, enrol(session, course, lines), strict=True):
                    if note := line.consent or consent:
                        record_consent(session, student, note)
                    if line.student_no in faces:
                        photo = opened[line.student_no]
                        session.add(self._row(faces[line.student_no], student, photo, line.photo))
        except BaseException:
            self._engine.remove(faces.values())
            raise
        self._fill_cache(faces.values())
        return Imported(
            students=len(lines),
            indexed=len(faces),
            kept=len(opened) - len(faces),
            without_consent=_numbers(line for line in lines if line.photo and not (line.consent or consent)),
            without_photo=_numbers(line for line in lines if not line.photo),
        )

    def add(self, student_no: str, path: Path, consent: str) -> str:
        """Index one more photograph of a student; returns the face id. `consent` may be empty when one is on record."""
        photo = self._open(path)
        with self._database.reading() as session:
            student = find_student(session, student_no)
            if not consent and not consented(session, [student.id]):
                raise RecognizerError(
                    f"no consent of {student.name} ({student_no}) is on record; give --consent NOTE saying where the "
                    "agreement is held"
                )
        if not self._new({student_no: photo}):
            raise RecognizerError(f"photo {path} of {student.name} ({student_no}) is indexed already")
        face_id = self._engine.index(photo.face, student_no).face_id
        try:
            with self._database.writing() as session:
                student = find_student(session, student_no)
                if consent:
                    record_consent(session, student, consent)
                session.add(self._row(face_id, student, photo, str(path)))
        except BaseException:
            self._engine.remove([face_id])
            raise
        self._fill_cache([face_id])
        return face_id

    def remove(self, student_no: str) -> int:
        """Remove all faces of a student from the engine, the cache and the database; returns how many there were."""
        with self._database.reading() as session:
            student = find_student(session, student_no)
            face_ids = {face.face_id for face in indexed_faces(session, [student.id])}
        # Also those that an import cut short left without a row.
        face_ids |= {face.face_id for face in self._engine.faces() if face.external_id == student_no}
        # The rows go last: as long as one is left, a removal that was cut short can be repeated.
        self._engine.remove(face_ids)
        self._cache.forget(student.id)
        with self._database.writing() as session:
            forget_faces(session, [face.face_id for face in indexed_faces(session, [student.id])])
        return len(face_ids)

    def compare(self, one: Path, other: Path) -> float:
        """Similarity of the faces on two photographs, in percent."""
        return self._engine.compare(self._open(one).face, self._open(other).face)

    def _open(self, path: Path) -> Photo:
        return read_photo(path, self._settings.max_photo_bytes, self._settings.max_photo_pixels)

    def _new(self, photos: Mapping[str, Photo]) -> dict[str, Photo]:
        """Those of the photographs, by student number, that are not indexed for that student yet.

        Indexed is what both the database and the engine know. What only one of them does is left over from an import
        cut short or a lost folder, and is removed.
        """
        known = {face.face_id for face in self._engine.faces() if face.external_id in photos}
        with self._database.writing() as session:
            rows = [
                face
                for face in indexed_faces(session)
                if face.engine == self._engine.name and face.student.student_no in photos
            ]
            held = {(face.student.student_no, face.photo_sha256) for face in rows if face.face_id in known}
            self._engine.remove(known - {face.face_id for face in rows})
            forget_faces(session, [face.face_id for face in rows if face.face_id not in known])
        return {number: photo for number, photo in photos.items() if (number, photo.sha256) not in held}

    def _row(self, face_id: str, student: Student, photo: Photo, name: str) -> FaceRow:
        return FaceRow(
            face_id=face_id,
            student_id=student.id,
            engine=self._engine.name,
            model=self._engine.model,
            photo=name[-255:],
            photo_sha256=photo.sha256,
            indexed_at=datetime.now(UTC),
        )

    def _fill_cache(self, face_ids: Collection[str]) -> None:
        with self._database.reading() as session:
            self._cache.put(cached_faces(session, face_ids))


def _refuse_shared(photos: Mapping[str, Photo]) -> None:
    """Raise PhotoError where two students came with the same photograph."""
    owner: dict[str, str] = {}
    for number, photo in photos.items():
        if (other := owner.setdefault(photo.sha256, number)) != number:
            raise PhotoError(f"students {other} and {number} have the same photograph; give each their own")


def _numbers(lines: Iterable[RosterLine]) -> tuple[str, ...]:
    return tuple(line.student_no for line in lines)
