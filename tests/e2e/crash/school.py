"""A small class of drawn faces: who comes and goes, pictures of it, and stores to watch it into."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sqlalchemy import select

from db.accounts import add_user
from db.database import Database, make_database
from db.face_cache import open_cache
from db.report import session_report
from db.schema import Student
from db.sessions import start_session
from db.settings import Settings
from demo.cast import CAST, STRANGER, Person, portrait
from demo.gallery import Seat, draw_gallery
from portal.passwords import hash_password
from recognizer.enrolment import Enrolment
from recognizer.stores import open_engine
from tests.conftest import START
from tests.e2e.crash.clerk import PASSWORD
from tests.e2e.crash.nursery import Nursery

__all__ = [
    "CLASS",
    "COMMAND",
    "LOOKS",
    "Lesson",
    "School",
    "draw_lesson",
    "ledger_of",
    "new_session",
    "watch_arguments",
    "watch_undisturbed",
    "write_class",
]

COMMAND = "tests.e2e.crash.programs:gridroll"
PASSWORD_HASH = hash_password(PASSWORD)
STAFF = "bea@x.example", "cem@x.example", "dora@x.example"

SIZE_PX = (640, 360)
GAP_S = 180
LOOKS = 12
MINUTES = LOOKS * GAP_S / 60
CLASS = CAST[:7]
STAYS: tuple[tuple[tuple[Person, int, int], ...], ...] = (
    ((CAST[0], 0, LOOKS),),
    ((CAST[1], 5, LOOKS),),
    ((CAST[2], 0, 7),),
    ((CAST[3], 0, 4), (CAST[4], 4, LOOKS)),
    ((CAST[5], 0, 3), (CAST[5], 7, LOOKS)),
    ((STRANGER, 2, 10),),
)
"""Per tile who sits there, from which look to which: one comes late, one leaves early, one gives the place to another,
one comes back, one is not enrolled. The seventh of the class never comes."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """Pictures of a class, its roster, and what the ledger says of it when nobody is killed."""

    pictures: Path
    roster: Path
    ledger: Mapping[str, Any]


def draw_lesson(folder: Path) -> Path:
    """Write a picture of each look into a folder."""
    folder.mkdir()
    for number in range(LOOKS):
        seats = [
            Seat(person, person.name, backdrop_seed=3 * place + 1)
            for place, tile in enumerate(STAYS)
            for person, begin, end in tile
            if begin <= number < end
        ]
        picture = draw_gallery(seats, number * GAP_S, SIZE_PX)
        cv2.imwrite(str(folder / f"{number:02d}.bmp"), np.asarray(picture))
    return folder


def write_class(folder: Path) -> Path:
    """Write a roster with photographs."""
    folder.mkdir()
    lines = ["student_no,name,email,photo"]
    for person in CLASS:
        cv2.imwrite(str(folder / f"{person.student_no}.png"), portrait(person))
        lines.append(f"{person.student_no},{person.name},{person.email},{person.student_no}.png")
    (folder / "roster.csv").write_text("\n".join(lines))
    return folder / "roster.csv"


def new_session(database: Database, minutes: float) -> int:
    return database.transact(
        lambda session: start_session(session, "BIO", "Cells", START, minutes).id, patience_s=60
    )


def ledger_of(database: Database, session_id: int) -> Mapping[str, Any]:
    """All that the ledger says of a session, but when staff said something and what rows are numbered."""
    with database.reading() as session:
        report = session_report(session, session_id)
    plain: dict[str, Any] = json.loads(
        json.dumps(asdict(report), default=str), parse_float=lambda text: round(float(text), 4)
    )
    for review in plain["reviews"]:
        del review["id"], review["settled_at"], review["mark"]
    for look in plain["looks"]:
        del look["id"]
    plain["reviews"].sort(key=json.dumps)
    del plain["session"]["id"]
    return plain


class School:
    """Stores with the class enrolled. `environment`: with which a program finds them. `student_ids`: the class, by number."""

    def __init__(self, home: Path, roster: Path, database_url: str = "", cache_url: str = "") -> None:
        home.mkdir()
        self.settings = Settings(home=home, database_url=database_url, cache_url=cache_url)
        self.database: Database = make_database(self.settings.resolved_database_url)
        cache = open_cache(cache_url, home / "cache")
        engine = open_engine(self.settings, self.database)
        try:
            cache.prepare()
            with self.database.writing() as session:
                for email in STAFF:
                    add_user(session, email, "staff", PASSWORD_HASH)
            Enrolment(self.database, cache, engine, self.settings).import_roster(
                "BIO", roster, None, "form 7"
            )
            with self.database.reading() as session:
                self.student_ids = list(session.scalars(select(Student.id).order_by(Student.student_no)))
        finally:
            engine.close()
            cache.close()
        # Nobody is named at one look: what is remembered from look to look counts.
        self.environment = {"GRIDROLL_HOME": str(home), "GRIDROLL_SURE_THRESHOLD_PCT": "100"}
        if database_url:
            self.environment["GRIDROLL_DATABASE_URL"] = database_url
        if cache_url:
            self.environment["GRIDROLL_CACHE_URL"] = cache_url

    def start_session(self, minutes: float = MINUTES) -> int:
        """One more session of the class; returns its id. A database that is killed meanwhile is waited for."""
        return new_session(self.database, minutes)

    def ledger(self, session_id: int) -> Mapping[str, Any]:
        return ledger_of(self.database, session_id)

    def close(self) -> None:
        self.database.close()


def watch_arguments(session_id: int, lesson: Path) -> tuple[str, ...]:
    gap = f"{GAP_S}-{GAP_S}"
    return ("watch", "--session", str(session_id), "--source", str(lesson), "--every", gap, "--seed", "5")


def watch_undisturbed(nursery: Nursery, folder: Path, pictures: Path, roster: Path) -> Lesson:
    """Have the lesson watched on stores of its own."""
    school = School(folder / "home", roster)
    try:
        session_id = school.start_session()
        arguments = watch_arguments(session_id, pictures)
        child = nursery.start(COMMAND, *arguments, output=folder / "out", environment=school.environment)
        assert child.wait(300) == 0, (folder / "out").read_text()
        return Lesson(pictures, roster, school.ledger(session_id))
    finally:
        school.close()
