"""Bad input: one clear line on stderr, exit code 1 or 2, and nothing half-written."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from demo.cast import CAST, portrait
from tests.e2e.conftest import Run, lines

HEADER = "student_no,name,email,photo\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rosters, photographs and recordings with something wrong with each of them."""
    folder = tmp_path_factory.mktemp("files")
    ann, ben = portrait(CAST[0]), portrait(CAST[1])
    cv2.imwrite(str(folder / "good.jpg"), ann)
    cv2.imwrite(str(folder / "two.jpg"), np.hstack([ann, ben]))
    cv2.imwrite(str(folder / "none.jpg"), np.full((400, 300, 3), 180, np.uint8))
    (folder / "no-image.jpg").write_text("hello")
    cv2.imwrite(str(folder / "huge.png"), np.zeros((7000, 7000), np.uint8))
    cv2.imwrite(str(folder / "ben.jpg"), ben)
    for name in ("ben", "two", "none", "no-image", "missing", "../outside"):
        (folder / f"{Path(name).name}.csv").write_text(
            f"{HEADER}S1,Ann,a@x.example,good.jpg\nS2,Ben,b@x.example,{name}.jpg\n"
        )
    (folder / "huge.csv").write_text(f"{HEADER}S2,Ben,b@x.example,huge.png\n")
    (folder / "columns.csv").write_text("student_no,name\nS1,Ann\n")
    (folder / "twice.csv").write_text(f"{HEADER}S1,Ann,,\nS1,Ben,,\n")
    (folder / "empty-number.csv").write_text(f"{HEADER},Ann,,\n")
    (folder / "latin.csv").write_bytes(f"{HEADER}S1,Jörg,,\n".encode("latin-1"))
    (folder / "broken.mp4").write_bytes(b"no video")
    (folder / "stamped").mkdir()
    cv2.imwrite(str(folder / "stamped" / "20200101T000000Z.png"), ann)
    return folder


@pytest.mark.parametrize(
    ("roster", "message"),
    [
        ("columns", "lacks the column email, photo"),
        ("twice", "student number S1 stands on line 2 already"),
        ("empty-number", "student number is empty"),
        ("latin", "is not UTF-8"),
        ("not-there", "cannot read roster"),
    ],
)
def test_a_bad_roster_is_one_line_and_nothing_is_written(
    run: Run, files: Path, tmp_path: Path, roster: str, message: str
) -> None:
    assert run("init")[0] == 0
    code, _, err = run("roster", "import", "BIO", str(files / f"{roster}.csv"), "--consent", "form 7")
    assert code == 1
    assert len(lines(err)) == 1
    assert message in err
    assert "there is no course 'BIO'" in run("session", "start", "BIO")[2]
    assert list((tmp_path / "home" / "faces" / "local").iterdir()) == []
    assert run("faces", "list")[1].count("S1") == 0


@pytest.mark.parametrize(
    ("roster", "message", "enrolled"),
    [
        ("two", "shows 2 faces", 1),
        ("none", "shows no face", 1),
        ("no-image", "is no picture", 1),
        ("huge", "pixels; give a picture of at most 40 megapixels", 0),
        ("missing", "cannot be read", 1),
        ("outside", "lies outside the folder", 1),
    ],
)
def test_a_bad_photograph_is_one_line_and_keeps_nobody_else_out(
    run: Run, files: Path, roster: str, message: str, enrolled: int
) -> None:
    assert run("init")[0] == 0
    code, out, err = run("roster", "import", "BIO", str(files / f"{roster}.csv"), "--consent", "form 7")
    assert code == 1
    refused, last = lines(err)
    assert message in refused
    assert last.startswith(f"gridroll: 1 photograph refused, {enrolled} enrolled; ")
    assert out.startswith(f"BIO: {'2 students' if enrolled else '1 student'}, {enrolled} face")
    assert len(lines(run("faces", "list")[1])) == 1 + enrolled
    assert run("session", "start", "BIO")[0] == 0


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test puts its home with a session in it, for the others to copy."""
    return tmp_path_factory.mktemp("started") / "home"


@pytest.fixture
def session(run: Run, files: Path, started: Path, tmp_path: Path) -> str:
    """A session of a class, the first one of its home."""
    if not started.exists():
        run("init")
        assert run("roster", "import", "BIO", str(files / "ben.csv"), "--consent", "form 7")[0] == 0
        assert run("session", "start", "BIO", "--minutes", "1")[1].strip() == "1"
        shutil.copytree(tmp_path / "home", started)
    else:
        shutil.copytree(started, tmp_path / "home", dirs_exist_ok=True)
    return "1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["watch", "--session", "1", "--source", "{files}/broken.mp4"], "broken.mp4 cannot be read"),
        (["watch", "--session", "1", "--source", "{files}/nowhere.mp4"], "neither a known kind nor a file"),
        (["watch", "--session", "77", "--source", "screen"], "there is no session 77"),
        (["watch", "--session", "1", "--source", "screen"], "DISPLAY"),
        (["watch", "--session", "1", "--source", "screen", "--every", "soon"], "--every 'soon'"),
        (["watch", "--session", "1", "--source", "x" * 300], "neither a known kind nor a file"),
        (["watch", "--session", "1", "--source", "{files}/stamped"], "shows nothing between"),
        (["watch", "--session", "1", "--source", "screen", "--preview", "{files}"], "is no file in a folder"),
        (["session", "start", "x" * 70], "at most 64 fit"),
        (["session", "start", "BIO", "--starts-at", "9999-12-31T23:59:00Z"], "is not a year"),
        (["faces", "remove", "x" * 70], "at most 64 fit"),
        (
            ["watch", "--session", "1", "--source", "screen", "--preview", "/nowhere/p.png"],
            "--preview /nowhere/p.png",
        ),
        (["report", "77"], "there is no session 77"),
        (["session", "start", "CHEM"], "there is no course 'CHEM'"),
        (["session", "start", "BIO", "--starts-at", "tomorrow"], "'tomorrow' is no moment"),
        (["session", "start", "BIO", "--minutes", "0"], "0 minutes cannot be"),
        (["session", "start", "BIO", "--title", "Cells\x07"], r"title 'Cells\x07' holds a control character"),
        (["faces", "add", "S1", "{files}/two.jpg"], "shows 2 faces"),
        (["faces", "add", "S9", "{files}/good.jpg", "--consent", "x"], "there is no student 'S9'"),
        (["faces", "remove", "S9"], "there is no student 'S9'"),
        (["faces", "compare", "{files}/good.jpg", "{files}/none.jpg"], "shows no face"),
        (["user", "add", "nobody", "--role", "admin", "--generate"], "'nobody' is no e-mail address"),
        (
            ["user", "add", "z@x.example", "--role", "student", "--generate"],
            "no student has the e-mail address",
        ),
    ],
)
def test_a_bad_argument_is_one_line_and_exit_code_1(
    run: Run, session: str, files: Path, arguments: list[str], message: str
) -> None:
    code, _, err = run(*(argument.format(files=files) for argument in arguments))
    assert code == 1
    assert len(lines(err)) == 1, err
    assert err.startswith("gridroll: ")
    assert message in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["watch"],
        ["watch", "--session", "x", "--source", "screen"],
        ["nonsense"],
        ["report"],
        ["user", "add", "a@b.c"],
    ],
)
def test_wrong_usage_is_exit_code_2(run: Run, arguments: list[str]) -> None:
    assert run(*arguments)[0] == 2


def test_before_init_every_command_says_to_run_it(run: Run, files: Path) -> None:
    for arguments in (
        ["report", "1"],
        ["faces", "list"],
        ["session", "start", "BIO"],
        ["serve", "--port", "0"],
    ):
        code, _, err = run(*arguments)
        assert code == 1
        assert "run 'gridroll init' first" in err


def test_a_corrupt_database_is_one_line_and_left_as_it_was(run: Run, tmp_path: Path) -> None:
    database = tmp_path / "home" / "gridroll.sqlite"
    database.parent.mkdir()
    database.write_bytes(b"garbage" * 1000)
    for arguments in (["init"], ["report", "1"], ["session", "start", "BIO"]):
        code, _, err = run(*arguments)
        assert code == 1
        assert "damaged or no SQLite database" in err
        assert len(lines(err)) == 1
    assert database.read_bytes() == b"garbage" * 1000


def test_a_locked_database_is_one_line(
    run: Run, session: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    monkeypatch.setattr("db.connections.BUSY_TIMEOUT_MS", 50)
    other = sqlite3.connect(tmp_path / "home" / "gridroll.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    code, _, err = run("session", "start", "BIO")
    other.close()
    assert code == 1
    assert "is locked by another program" in err
    assert len(lines(err)) == 1


def test_doctor_says_what_is_missing_and_how_to_get_it(run: Run, session: str) -> None:
    code, out, _ = run("doctor")
    assert code == 0
    for words in (
        "screen",
        "heads",
        "face engine",
        "database",
        "face cache",
        "AWS",
        "no credentials configured",
    ):
        assert words in out


def test_doctor_fails_where_something_needed_is_broken(run: Run) -> None:
    code, out, _ = run("doctor")
    assert code == 1
    assert "run 'gridroll init' first" in " ".join(out.split())


def test_doctor_really_grabs_the_screen(
    run: Run, session: str, x_display: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", x_display)
    # Nothing is painted there: a picture of one colour is what a forbidden screen looks like.
    code, out, _ = run("doctor")
    assert code == 1
    assert "one plain colour" in " ".join(out.split())
    monkeypatch.setenv("DISPLAY", ":99999")
    assert "the screen cannot be seen" in " ".join(run("doctor")[1].split())
