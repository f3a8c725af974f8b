"""`gridroll roster` and `gridroll faces`, as they are typed."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from db.database import Database
from db.errors import GridrollError, NotFoundError
from db.people import indexed_faces
from db.settings import Settings, load_settings
from demo.cast import CAST, Person, portrait
from recognizer import commands
from recognizer.enrolment import Imported
from recognizer.errors import LookalikeError, RecognizerError, UnlikeError
from recognizer.observation import Image
from recognizer.stores import open_stores
from tests.recognizer.conftest import ANN, BEN, CID

ROOT = Path(__file__).parents[2]


class Photos:
    """A folder that photographs are put into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def put(self, name: str, image: Image) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), image)
        return path

    def of(self, person: Person, name: str = "", height_px: int = 640) -> Path:
        image = np.asarray(cv2.resize(portrait(person), (height_px * 4 // 5, height_px)), np.uint8)
        return self.put(name or f"{person.student_no}.jpg", image)


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    return Photos(tmp_path / "photos")


@pytest.fixture
def home(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, sqlite_database: Database, cache_server: str
) -> Path:
    monkeypatch.setenv("GRIDROLL_CACHE_URL", cache_server)
    return settings.home


@pytest.fixture
def enrolled(sqlite_database: Database) -> Callable[[], list[str]]:
    def enrolled() -> list[str]:
        with sqlite_database.reading() as session:
            return [face.student.student_no for face in indexed_faces(session)]

    return enrolled


def run(command: object, *arguments: object) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)))  # type: ignore[arg-type]


def roster(photos: Photos, *people: Person, with_photo: bool = True) -> Path:
    path = photos.folder.parent / "roster.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["student_no", "name", "email", "photo"])
        for person in people:
            photo = f"{person.student_no}.jpg" if with_photo else ""
            writer.writerow([person.student_no, person.name, person.email, photo])
    return path


def on_roster(photos: Photos, *people: Person) -> None:
    path = roster(photos, *people, with_photo=False)
    result = run(commands.roster, "import", "BIO", path, "--consent", "form 7")
    assert result.exit_code == 0, result.output


def error_of(result: Result, kind: type[GridrollError]) -> str:
    """The one clear line that `gridroll` prints for the error."""
    assert isinstance(result.exception, kind), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_refused_photographs_are_listed_counted_and_reported(
    home: Path, photos: Photos, enrolled: Callable[[], list[str]], tmp_path: Path
) -> None:
    photos.of(ANN)
    photos.put(f"{BEN.student_no}.jpg", np.asarray(portrait(BEN) // 6, np.uint8))
    photos.of(ANN, f"{CID.student_no}.jpg", height_px=400)
    path, report = roster(photos, ANN, BEN, CID), tmp_path / "refusals.csv"
    arguments = ("import", "BIO", path, "--photos", photos.folder, "--consent", "form 7", "--report", report)
    result = run(commands.roster, *arguments)
    assert "2 photographs refused, 1 enrolled; " in error_of(result, RecognizerError)
    assert result.stdout == "BIO: 3 students, 1 face indexed\n"
    assert len(result.stderr.splitlines()) == 2
    assert enrolled() == [ANN.student_no]
    with report.open(encoding="utf-8-sig", newline="") as file:
        dark, lookalike = csv.DictReader(file)
    assert (dark["student_no"], dark["email"], dark["photo"]) == (
        BEN.student_no,
        BEN.email,
        f"{BEN.student_no}.jpg",
    )
    assert dark["for_student"].startswith("The photo is too dark: take it facing a window")
    assert (lookalike["fault"], ANN.name in lookalike["for_staff"]) == ("lookalike", True)
    assert ANN.name not in lookalike["for_student"]

    photos.of(BEN)
    photos.of(CID)
    again = run(commands.roster, *arguments)
    assert again.exit_code == 0
    assert again.stdout == "BIO: 3 students, 2 faces indexed, 1 known already\n"
    assert len(report.read_text().splitlines()) == 1


@pytest.mark.parametrize(("students", "words"), [(1, "BIO: 1 student, 0"), (2, "BIO: 2 students, 0")])
def test_one_student_is_no_students(students: int, words: str) -> None:
    assert commands.summary("BIO", Imported(students, 0, 0, (), (), ())).startswith(words)


def test_a_report_that_cannot_be_written_is_said_before_anything_is_done(
    home: Path, photos: Photos, tmp_path: Path
) -> None:
    photos.of(ANN)
    path = roster(photos, ANN)
    result = run(commands.roster, "import", "BIO", path, "--report", tmp_path / "none" / "refusals.csv")
    assert "cannot write the report" in error_of(result, RecognizerError)
    assert isinstance(run(commands.faces, "enrol", photos.folder, "--course", "BIO").exception, NotFoundError)


def test_a_folder_is_enrolled_and_can_be_enrolled_again(
    home: Path, photos: Photos, enrolled: Callable[[], list[str]], tmp_path: Path
) -> None:
    on_roster(photos, ANN, BEN, CID)
    photos.of(ANN)
    photos.of(ANN, f"{ANN.student_no}_2.png", height_px=400)
    photos.of(BEN, f"{BEN.student_no}/face.png")
    photos.of(CID, "=cmd.png")
    report = tmp_path / "refusals.csv"
    for indexed in ("3 faces indexed", "0 faces indexed, 3 known already"):
        result = run(commands.faces, "enrol", photos.folder, "--course", "BIO", "--report", report)
        assert "1 photograph refused, 3 enrolled; " in error_of(result, RecognizerError)
        assert result.stdout.splitlines() == [
            f"BIO: 3 students, {indexed}",
            f"no photograph: {CID.student_no}",
        ]
        assert "No student of BIO has a number that this name begins with" in result.stderr
        # A spreadsheet would run a cell that begins with an equals sign.
        assert "'=cmd.png" in report.read_text()
    assert enrolled() == [ANN.student_no, ANN.student_no, BEN.student_no]


def test_an_enrolment_that_is_killed_loses_nothing_and_goes_on_the_next_time(
    home: Path, photos: Photos, enrolled: Callable[[], list[str]]
) -> None:
    on_roster(photos, *CAST)
    for person in CAST:
        photos.of(person)
    command = [
        sys.executable,
        str(ROOT / "gridroll.py"),
        "faces",
        "enrol",
        str(photos.folder),
        "--course",
        "BIO",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=os.environ.copy()) as program:
        deadline = time.monotonic() + 60
        while len(enrolled()) < 2 and time.monotonic() < deadline and program.poll() is None:
            time.sleep(0.02)
        program.send_signal(signal.SIGKILL)
    done = len(enrolled())
    assert 2 <= done < len(CAST)
    result = run(commands.faces, "enrol", photos.folder, "--course", "BIO")
    assert result.exit_code == 0, result.output
    assert f"{len(CAST) - done} faces indexed, {done} known already" in result.stdout
    assert enrolled() == [person.student_no for person in CAST]
    with open_stores(load_settings()) as stores:
        assert sorted(face.external_id for face in stores.engine.faces()) == enrolled()


def test_several_photographs_of_a_student_are_added_at_once(
    home: Path, photos: Photos, enrolled: Callable[[], list[str]]
) -> None:
    on_roster(photos, ANN)
    one, other = photos.of(ANN), photos.of(ANN, "other.png", height_px=500)
    dark = photos.put("dark.png", np.asarray(portrait(ANN) // 6, np.uint8))
    result = run(commands.faces, "add", ANN.student_no, one, dark, other)
    assert "1 photograph refused, 2 enrolled; " in error_of(result, RecognizerError)
    assert result.stderr == (
        f"{dark}: The photo is too dark: take it facing a window or a lamp, with no bright light behind.\n"
    )
    assert len(result.stdout.splitlines()) == 2
    assert enrolled() == [ANN.student_no] * 2


def test_a_photograph_unlike_the_others_is_enrolled_only_when_confirmed(
    home: Path, photos: Photos, enrolled: Callable[[], list[str]]
) -> None:
    on_roster(photos, ANN)
    run(commands.faces, "add", ANN.student_no, photos.of(ANN))
    unlike = photos.of(CID)
    result = run(commands.faces, "add", ANN.student_no, unlike)
    assert result.exit_code == 1
    assert "--confirm" in error_of(result, UnlikeError)
    assert enrolled() == [ANN.student_no]
    assert run(commands.faces, "add", ANN.student_no, unlike, "--confirm").exit_code == 0
    assert enrolled() == [ANN.student_no] * 2


@pytest.mark.parametrize(("typed", "count"), [("y", 2), ("n", 1), ("", 1)])
def test_at_a_terminal_whoever_adds_an_unlike_photograph_is_asked(
    home: Path, photos: Photos, enrolled: Callable[[], list[str]], typed: str, count: int
) -> None:
    on_roster(photos, ANN)
    run(commands.faces, "add", ANN.student_no, photos.of(ANN))
    master, slave = os.openpty()
    command = [sys.executable, str(ROOT / "gridroll.py"), "faces", "add", ANN.student_no, str(photos.of(CID))]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        os.write(master, f"{typed}\n".encode())
        _, asked = program.communicate(timeout=60)
    os.close(master)
    os.close(slave)
    assert "Is it them? [y/N]" in asked
    assert (program.returncode, len(enrolled())) == (0 if count == 2 else 1, count)


def test_staff_can_say_that_two_students_look_alike(
    home: Path, photos: Photos, enrolled: Callable[[], list[str]]
) -> None:
    on_roster(photos, ANN, BEN)
    run(commands.faces, "add", ANN.student_no, photos.of(ANN))
    twin = photos.of(ANN, "twin.png", height_px=500)
    refused = run(commands.faces, "add", BEN.student_no, twin)
    assert f"--lookalike-of {ANN.student_no}" in error_of(refused, LookalikeError)
    unknown = run(commands.faces, "add", BEN.student_no, twin, "--lookalike-of", "S-9")
    assert "there is no student 'S-9'" in error_of(unknown, NotFoundError)
    assert run(commands.faces, "add", BEN.student_no, twin, "--lookalike-of", ANN.student_no).exit_code == 0
    assert enrolled() == [ANN.student_no, BEN.student_no]
