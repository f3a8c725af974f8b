"""Putting students' faces into the engine, each with a consent on record, and taking them out again."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from db.audit import SYSTEM
from db.database import Database
from db.evidence import Archive, open_archive
from db.face_cache import FaceCache
from db.mongo import CacheAwayError
from db.people import (
    cached_faces,
    consented,
    enrol,
    find_course,
    find_student,
    make_course,
    read_roster,
    record_consent,
    roster_of,
)
from db.settings import Settings
from recognizer.engine import FaceEngine
from recognizer.errors import KnownPhotoError, PhotoError, RecognizerError
from recognizer.gate import Gate
from recognizer.intake import Intake, Owner, sha256_of
from recognizer.photo import Photo, open_photo, read_photo
from recognizer.photo_folder import contained, photos_in, printable
from recognizer.picture import read_picture_file
from recognizer.quality import Finding, findings
from recognizer.refusals import Refusal
from recognizer.removal import Stock, erase_face

__all__ = ["Enrolment", "Imported"]

Progress = Callable[[int, int], None]
Listener = Callable[[Refusal], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    `indexed`: photographs whose face is new, `kept`: those known already. `without_consent`: numbers of students with a
    photograph that was not opened. `without_photo`: those with none in the import.
    """

    students: int
    indexed: int
    kept: int
    refused: tuple[Refusal, ...]
    without_consent: tuple[str, ...]
    without_photo: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Submission:
    """A photograph handed in; `name` is its path within `folder`. `owner`: None where it is nobody's."""

    owner: Owner | None
    folder: Path
    name: str


class Enrolment:
    """Adds and removes faces in the engine, the database and the cache together, and their photographs.

    `actor`: on whose behalf. `cache`: None where there is none. `archive`: where photographs are kept; None: that of the settings, opened when it is needed.
    """

    def __init__(
        self,
        database: Database,
        cache: FaceCache | None,
        engine: FaceEngine,
        settings: Settings,
        actor: str = SYSTEM,
        archive: Archive | None = None,
    ) -> None:
        self._database = database
        self._actor = actor
        self._archive = archive
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
        progress: Progress | None = None,
        refused: Listener | None = None,
    ) -> Imported:
        """Put a roster file's students on a course, and index the faces of those who agreed.

        `photos`: folder the photo column is relative to; None: the roster's own. `consent`: the note under which all
        agreed; the file's consent column, where filled, outranks it. `progress` is told photographs done and all
        photographs, `refused` each one that is not taken, at once.

        Raises RosterError before anything is written. Everybody is then put on the roster, and each photograph stands
        for itself: one that is refused keeps none of the others out, and after an interruption the next import goes on.
        """
        lines = read_roster(roster)
        with self._database.writing() as session:
            course = make_course(session, course_code, time_zone, self._actor)
            students = enrol(session, course, lines, self._actor)
            for line, student in zip(lines, students, strict=True):
                if under := line.consent or consent:
                    record_consent(session, student, under, self._actor)
            session.flush()
            agreed = consented(session, [student.id for student in students])
            owners = [Owner.of(student) for student in students]
        folder = photos or roster.parent
        handed_in = [
            _Submission(owner, folder, line.photo)
            for line, owner in zip(lines, owners, strict=True)
            if line.photo
        ]
        return self._enrol(owners, handed_in, agreed, course_code, progress, refused)

    def enrol_folder(
        self,
        course_code: str,
        folder: Path,
        consent: str,
        progress: Progress | None = None,
        refused: Listener | None = None,
    ) -> Imported:
        """Index the photographs of a folder for the students of a course; whose is whose: see `photos_in`.

        `consent`: the note under which everybody with a photograph in the folder agreed; empty: only those with an
        agreement on record are enrolled. `progress`, `refused`: as in `import_roster`. Raises NotFoundError for a
        course without a roster.
        """
        with self._database.writing() as session:
            students = roster_of(session, find_course(session, course_code).id)
            owners = {student.student_no: Owner.of(student) for student in students.values()}
            handed_in = [
                _Submission(None if number is None else owners[number], folder, name)
                for number, name in photos_in(folder, owners)
            ]
            with_photo = {one.owner.student_id for one in handed_in if one.owner is not None}
            if consent:
                for student_id in sorted(with_photo):
                    record_consent(session, students[student_id], consent, self._actor)
                session.flush()
            agreed = consented(session, with_photo)
        return self._enrol(list(owners.values()), handed_in, agreed, course_code, progress, refused)

    def add(
        self,
        student_no: str,
        path: Path,
        consent: str,
        lookalikes: Sequence[str] = (),
        confirmed: bool = False,
    ) -> tuple[str, ...]:
        """`add_picture` of a file; it is opened only where a consent is given or on record."""
        owner = self._agreed(student_no, consent, lookalikes)
        content = read_picture_file(path, self._settings.max_photo_bytes)
        return self._add(owner, content, printable(path), consent, lookalikes, confirmed)

    def add_picture(
        self,
        student_no: str,
        content: bytes,
        name: str,
        consent: str,
        lookalikes: Sequence[str] = (),
        confirmed: bool = False,
    ) -> tuple[str, ...]:
        """Index one more photograph of a student; returns the face ids.

        `content`: the picture file's bytes, `name`: what to call it. `consent` may be empty when one is on record.
        `lookalikes`: numbers of students whom this one resembles, twins say. `confirmed`: staff looked, and it is them.
        Raises PhotoError, LookalikeError or UnlikeError, each with a sentence for the student, where it is not taken.
        """
        return self._add(
            self._agreed(student_no, consent, lookalikes), content, name, consent, lookalikes, confirmed
        )

    def vet_picture(
        self, student_no: str, student_name: str, content: bytes, name: str, lookalikes: Sequence[str] = ()
    ) -> None:
        """Would the photograph of a student who is not registered yet be taken? Raises as `add_picture` where not."""
        gate = Gate(self._database, self._engine, self._settings)
        photo = open_photo(content, name, self._settings.max_photo_pixels)
        gate.check_quality(photo, name)
        gate.check_identity(photo, name, student_no, student_name, {}, lookalikes)

    def check(self, photo: Photo) -> list[Finding]:
        """What is wrong with a photograph, the most useful first, before anybody is asked to hand it in. Empty: nothing."""
        found = findings(photo.face)
        if not found and (reason := self._engine.objection(photo.face)):
            found = [Finding("engine", reason)]
        return found

    def remove(self, student_no: str) -> int:
        """Remove all faces of a student from the engine, the cache, the photographs, the evidence and the database.

        Returns how many were enrolled. Raises CacheAwayError, and removes nothing, where there is no cache.
        """
        if self._cache is None:
            raise CacheAwayError(
                "the face cache is away, so nothing was removed", "try again once it is back"
            )
        with self._opened() as archive:
            stock = Stock(self._database, self._cache, self._engine, archive)
            return erase_face(stock, student_no, self._actor).faces

    def compare(self, one: Path, other: Path) -> float:
        """Similarity of the faces on two photographs, in percent."""
        limits = self._settings.max_photo_bytes, self._settings.max_photo_pixels
        return self._engine.compare(read_photo(one, *limits).face, read_photo(other, *limits).face)

    def _agreed(self, student_no: str, consent: str, lookalikes: Sequence[str]) -> Owner:
        with self._database.reading() as session:
            student = find_student(session, student_no)
            if not consent and not consented(session, [student.id]):
                raise RecognizerError(
                    f"no consent of {student.name} ({student_no}) is on record; give --consent NOTE saying where the "
                    "agreement is held"
                )
            for other in lookalikes:
                find_student(session, other)
            return Owner.of(student)

    def _add(
        self,
        owner: Owner,
        content: bytes,
        name: str,
        consent: str,
        lookalikes: Sequence[str],
        confirmed: bool,
    ) -> tuple[str, ...]:
        with self._opened() as archive:
            intake = Intake(self._database, self._engine, self._settings, [owner], archive, self._actor)
            if intake.holds(owner, sha256_of(content)):
                intake.keep(owner, content, name)
                raise KnownPhotoError(name, owner.student_no, owner.name)
            face_ids = intake.take(owner, content, name, consent, lookalikes, confirmed)
        self._fill_cache(face_ids)
        return face_ids

    @contextmanager
    def _opened(self) -> Iterator[Archive]:
        """The archive; one that was given stays open."""
        if self._archive is not None:
            yield self._archive
            return
        with closing(open_archive(self._settings, self._database)) as archive:
            yield archive

    def _enrol(
        self,
        roster: Sequence[Owner],
        handed_in: Sequence[_Submission],
        agreed: set[int],
        course_code: str,
        progress: Progress | None,
        refused: Listener | None,
    ) -> Imported:
        with self._opened() as archive:
            intake = Intake(self._database, self._engine, self._settings, roster, archive, self._actor)
            return self._take_all(intake, roster, handed_in, agreed, course_code, progress, refused)

    def _take_all(
        self,
        intake: Intake,
        roster: Sequence[Owner],
        handed_in: Sequence[_Submission],
        agreed: set[int],
        course_code: str,
        progress: Progress | None,
        refused: Listener | None,
    ) -> Imported:
        # Without an agreement a photograph is not even opened.
        allowed = [one for one in handed_in if one.owner is None or one.owner.student_id in agreed]
        pictures = Counter(
            (sha256, one.owner.student_no)
            for one in allowed
            if one.owner is not None and (sha256 := self._fingerprint(one))
        )
        shared = Counter(sha256 for sha256, _ in pictures)
        kept, refusals = 0, []
        try:
            for done, one in enumerate(allowed, 1):
                try:
                    kept += not self._take(intake, one, shared, course_code)
                except PhotoError as error:
                    refusals.append(_refusal(one, error))
                    if refused is not None:
                        refused(refusals[-1])
                if progress is not None:
                    progress(done, len(allowed))
        finally:
            self._fill_cache(intake.indexed)
        with_photo = {one.owner for one in handed_in}
        return Imported(
            students=len(roster),
            indexed=len(allowed) - kept - len(refusals),
            kept=kept,
            refused=tuple(refusals),
            without_consent=_numbers(
                owner for owner in roster if owner in with_photo and owner.student_id not in agreed
            ),
            without_photo=_numbers(owner for owner in roster if owner not in with_photo),
        )

    def _take(self, intake: Intake, one: _Submission, shared: Counter[str], course_code: str) -> bool:
        """Enrol one photograph of several; False when it was enrolled before."""
        if one.owner is None:
            sentence = (
                f"No student of {course_code} has a number that this name begins with: rename the photo."
            )
            raise PhotoError(f"{one.name}: {sentence}", sentence, "nobody")
        path = contained(one.folder, one.name)
        content = read_picture_file(path, self._settings.max_photo_bytes)
        sha256 = sha256_of(content)
        if intake.holds(one.owner, sha256):
            intake.keep(one.owner, content, printable(path))
            return False
        if shared[sha256] > 1:
            raise PhotoError(
                f"{path}: Another student came with the same photograph: give each their own.",
                "Another student came with the same photo: give one of yours.",
                "shared",
            )
        intake.take(one.owner, content, printable(path))
        return True

    def _fingerprint(self, one: _Submission) -> str:
        """The photograph's SHA-256; empty where it cannot be read, which is told when its turn comes."""
        try:
            path = contained(one.folder, one.name)
            return sha256_of(read_picture_file(path, self._settings.max_photo_bytes))
        except PhotoError:
            return ""

    def _fill_cache(self, face_ids: Sequence[str]) -> None:
        if self._cache is None:
            return
        with self._database.reading() as session:
            self._cache.put(cached_faces(session, face_ids))


def _refusal(one: _Submission, error: PhotoError) -> Refusal:
    number, name, email = (
        ("", "", "") if one.owner is None else (one.owner.student_no, one.owner.name, one.owner.email)
    )
    photo, path = printable(one.name), printable(one.folder / one.name)
    # Where the institute keeps its files is nothing for students.
    for_student = printable(error.for_student).replace(path, photo)
    return Refusal(number, name, email, photo, error.fault, printable(error), for_student)


def _numbers(owners: Iterable[Owner]) -> tuple[str, ...]:
    return tuple(owner.student_no for owner in owners)
